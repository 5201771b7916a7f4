package domain

import "log/slog"

// DataKey seals the evidence and personal fields of one payment (AES-256). It
// is made when the payment's stream begins and kept apart from the log:
// destroying it makes them unreadable and leaves every hash and amount.
type DataKey [32]byte

// String hides the key.
func (DataKey) String() string { return "[hidden]" }

// GoString hides the key.
func (DataKey) GoString() string { return "[hidden]" }

// LogValue hides the key.
func (DataKey) LogValue() slog.Value { return slog.StringValue("[hidden]") }
