package providers

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// hidden is what every printed secret looks like.
const hidden = "[hidden]"

// Secret is a key that must not be seen. Every way to print it, with fmt,
// slog, JSON or text encoding, shows [hidden]; Reveal is the one way to it. The
// zero Secret is no key at all. Two secrets are not comparable with ==.
type Secret struct {
	// A pointer, because fmt calls no methods on unexported fields: a struct
	// that holds a Secret in one prints an address, not the key.
	value *string
	_     [0]func() // not comparable
}

// NewSecret keeps text as it is; "" makes the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{value: &text}
}

// Reveal is the key, or "".
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s.value == nil }

// String is [hidden].
func (s Secret) String() string { return hidden }

// Format prints [hidden] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) } //nolint:errcheck // fmt keeps the error

// LogValue is [hidden].
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText is [hidden].
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON is "[hidden]".
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// UnmarshalText takes the key from a configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
