package alipay

import (
	"strings"

	"counterfoil/domain"
)

const (
	maxFields = 128 // of a message; the pages name some sixty
	maxName   = 64  // bytes of a field's name
)

// scan reads form-encoded text into dst, sorted by name, each name once.
// Values are decoded once and keep their bytes, whatever charset they are in:
// those bytes are what was signed. It is stricter than the usual parsers,
// because what they repair lets one text be two messages: a broken escape, a
// second field of the same name and an array are KindInvalid. Names must stand
// there as they are, without escapes. As in those parsers, an empty piece
// between two '&' is nothing, and a piece without '=' is a name without a value.
func scan(raw string, dst Params) (Params, error) {
	s := scanner{}
	for piece := range strings.SplitSeq(raw, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		if !goodName(name) {
			return nil, domain.E(domain.KindInvalid, "a field has a name that no field can have")
		}
		value, ok := s.value(value, len(raw))
		if !ok {
			return nil, domain.E(domain.KindInvalid, "the value of %s has a broken escape", name)
		}
		if len(dst) == maxFields {
			return nil, domain.E(domain.KindInvalid, "more than %d fields", maxFields)
		}
		dst = append(dst, Param{Name: name, Value: value})
	}
	return unique(sorted(dst))
}

// unique refuses sorted fields that share a name.
func unique(p Params) (Params, error) {
	for i := 1; i < len(p); i++ {
		if p[i].Name == p[i-1].Name {
			return nil, domain.E(domain.KindInvalid, "the field %s comes twice", p[i].Name)
		}
	}
	return p, nil
}

// goodName is [A-Za-z0-9_.-]{1,64}: what Alipay uses, and nothing that could be
// cut in another way.
func goodName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if b := name[i]; !wordByte(b) && b != '.' && b != '-' {
			return false
		}
	}
	return true
}

func wordByte(b byte) bool {
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_'
}

// scanner keeps all decoded values of one message in one piece of memory.
type scanner struct{ decoded strings.Builder }

// value decodes one value of a message of size bytes.
func (s *scanner) value(raw string, size int) (string, bool) {
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

// claimedOrder is the first order number that unverified text names, decoded as
// far as it can be; "" if that is none that an order of ours can have.
func claimedOrder(raw string) string {
	for piece := range strings.SplitSeq(raw, "&") {
		value, ok := strings.CutPrefix(piece, fieldOrderNo+"=")
		if !ok {
			continue
		}
		var s scanner
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
