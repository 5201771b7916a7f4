package config

import "log/slog"

// hidden stands for a secret wherever one would be printed.
const hidden = "[hidden]"

// Secret is a key read from the file or the environment. It prints as
// [hidden]; only Reveal tells it.
type Secret string

// Reveal is the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
