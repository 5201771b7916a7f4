package providers

import (
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
)

// Field is what an adapter's type of one decoded form field looks like.
type Field interface {
	~struct {
		Name  string
		Value string
	}
}

// field is any Field, to look into it.
type field struct {
	Name  string
	Value string
}

// maxFieldName is the longest name of a field, in bytes.
const maxFieldName = 64

// ScanForm reads form-encoded text into dst, sorted by name, each name once, at
// most so many. Values are decoded once and keep their bytes, whatever charset
// they are in: those bytes are what was signed. It is stricter than the usual
// parsers, because what they repair lets one text be two messages: a broken
// escape, a second field of the same name and an array are KindInvalid. Names
// must stand there as they are, without escapes. As in those parsers, an empty
// piece between two '&' is nothing, and a piece without '=' is a name without a
// value.
func ScanForm[F Field](raw string, dst []F, most int) ([]F, error) {
	var s formScanner
	for piece := range strings.SplitSeq(raw, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		if !IsFieldName(name) {
			return nil, domain.E(domain.KindInvalid, "a field has a name that no field can have")
		}
		value, ok := s.value(value, len(raw))
		if !ok {
			return nil, domain.E(domain.KindInvalid, "the value of %s has a broken escape", name)
		}
		if len(dst) == most {
			return nil, domain.E(domain.KindInvalid, "more than %d fields", most)
		}
		dst = append(dst, F(field{Name: name, Value: value}))
	}
	for i := range SortFields(dst) {
		if name := field(dst[i]).Name; i > 0 && name == field(dst[i-1]).Name {
			return nil, domain.E(domain.KindInvalid, "the field %s comes twice", name)
		}
	}
	return dst, nil
}

// SortFields sorts fs by name, in place, and returns it; equal names keep their
// order. Messages are small and mostly sorted already: insertion is the fastest
// and allocates nothing.
func SortFields[S ~[]F, F Field](fs S) S {
	for i := 1; i < len(fs); i++ {
		for j := i; j > 0 && field(fs[j]).Name < field(fs[j-1]).Name; j-- {
			fs[j], fs[j-1] = fs[j-1], fs[j]
		}
	}
	return fs
}

// IsFieldName is [A-Za-z0-9_.-]{1,64}: what providers use, and nothing that
// could be cut in another way.
func IsFieldName(name string) bool {
	if name == "" || len(name) > maxFieldName {
		return false
	}
	for i := range len(name) {
		if b := name[i]; !IsWordByte(b) && b != '.' && b != '-' {
			return false
		}
	}
	return true
}

// IsWordByte is [A-Za-z0-9_].
func IsWordByte(b byte) bool {
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_'
}

// Readable reports valid UTF-8 without control characters.
func Readable(value string) bool {
	if !utf8.ValidString(value) {
		return false
	}
	for _, r := range value {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return false
		}
	}
	return true
}

// ClaimedOrder is the order number under a name that unverified text gives
// first, decoded as far as it can be; "" if that is none that an order of ours
// can have.
func ClaimedOrder(raw, name string) string {
	for piece := range strings.SplitSeq(raw, "&") {
		value, ok := strings.CutPrefix(piece, name+"=")
		if !ok {
			continue
		}
		var s formScanner
		if value, ok = s.value(value, len(value)); !ok {
			return ""
		}
		if _, err := domain.ParseOrderNo(value); err != nil {
			return ""
		}
		return strings.Clone(value)
	}
	return ""
}

// formScanner keeps all decoded values of one message in one piece of memory.
type formScanner struct{ decoded strings.Builder }

// value decodes one value of a message of size bytes.
func (s *formScanner) value(raw string, size int) (string, bool) {
	if strings.IndexByte(raw, '%') < 0 && strings.IndexByte(raw, '+') < 0 {
		return raw, true
	}
	if s.decoded.Cap() == 0 {
		s.decoded.Grow(size) // decoding never lengthens, so nothing moves later
	}
	start := s.decoded.Len()
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		switch b {
		case '+':
			b = ' '
		case '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "", false
			}
			b = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		s.decoded.WriteByte(b)
	}
	return s.decoded.String()[start:], true
}

func isHex(b byte) bool {
	return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F')
}

func unhex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b&^0x20 - 'A' + 10
}
