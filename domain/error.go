package domain

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what an error means to whoever has to act on it. The set is
// closed: each kind has one row in the table that gives the API status, the
// outcome of a callback, the log level and the metric label.
type Kind uint8

// The kinds, with what the caller may conclude from each.
const (
	// KindInternal is everything that is not ours to explain: a mistake in
	// this program, or a foreign error that nobody classified.
	KindInternal Kind = iota
	// KindInvalid is input that breaks its grammar or misses a field.
	KindInvalid
	// KindForged is input whose signature or key does not hold.
	KindForged
	// KindDenied is an understood request by someone who may not make it.
	KindDenied
	// KindNotFound is a name that stands for nothing here.
	KindNotFound
	// KindMismatch is a well-formed value that differs from the one on
	// record: another amount, currency, account or merchant.
	KindMismatch
	// KindConflict is a write against a state that has moved on. Whoever
	// holds the state reloads and decides again.
	KindConflict
	// KindTooLarge is a value or body beyond its limit.
	KindTooLarge
	// KindLimited is a request refused because there were too many.
	KindLimited
	// KindUnavailable is a service that did not answer; nothing happened.
	KindUnavailable
	// KindUnknown is an action that may or may not have happened: read back
	// before deciding anything.
	KindUnknown
	// KindCorrupt is stored data that contradicts itself. It stops writing
	// until a person has looked.
	KindCorrupt
)

var kindNames = [...]string{
	KindInternal:    "internal",
	KindInvalid:     "invalid",
	KindForged:      "forged",
	KindDenied:      "denied",
	KindNotFound:    "not_found",
	KindMismatch:    "mismatch",
	KindConflict:    "conflict",
	KindTooLarge:    "too_large",
	KindLimited:     "limited",
	KindUnavailable: "unavailable",
	KindUnknown:     "unknown",
	KindCorrupt:     "corrupt",
}

// String is the kind as a snake_case word, fit for logs and metric labels.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind_%d", uint8(k))
}

// Error is an error whose meaning is known. Msg is the whole sentence, with
// the text of a wrapped cause already in it; Field names the input field at
// fault, where there is one; Err is the cause, for errors.Is and errors.As.
type Error struct {
	Kind  Kind
	Field string
	Msg   string
	Err   error
}

// Error is the message, led by the field where there is one. The kind is not
// part of it: it is for programs, the sentence is for people.
func (e *Error) Error() string {
	msg := e.Msg
	if msg == "" && e.Err != nil {
		msg = e.Err.Error()
	}
	if msg == "" {
		msg = e.Kind.String()
	}
	if e.Field == "" {
		return msg
	}
	return e.Field + ": " + msg
}

// Unwrap is the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// E makes an error of a kind. The format is that of fmt.Errorf: %w keeps the
// cause within reach of errors.Is and errors.As, while the new kind takes the
// place of the cause's. To add a fact and keep the kind, use fmt.Errorf.
func E(kind Kind, format string, args ...any) error {
	return newError(kind, "", format, args...)
}

// EField is E for an error that lies in one named input field.
func EField(kind Kind, field, format string, args ...any) error {
	return newError(kind, field, format, args...)
}

func newError(kind Kind, field, format string, args ...any) error {
	e := &Error{Kind: kind, Field: field}
	text := fmt.Errorf(format, args...)
	e.Msg = text.Error()
	switch w := text.(type) { //nolint:errorlint // text was made two lines up; its own type is meant
	case interface{ Unwrap() error }:
		e.Err = w.Unwrap()
	case interface{ Unwrap() []error }:
		e.Err = errors.Join(w.Unwrap()...)
	}
	return e
}

// KindOf is the kind of the outermost Error in err's chain. A cancelled or
// timed-out context that nobody classified is KindUnavailable, anything else
// KindInternal. Ask it about errors only: for nil it answers KindInternal,
// because a caller who treats "no error" as a kind is mistaken.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return KindUnavailable
	}
	return KindInternal
}

// FieldOf is the outermost field named in err's chain, or "".
func FieldOf(err error) string {
	for {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Field != "" {
			return e.Field
		}
		err = e.Err
	}
}
