package strictjson

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str reads a string. Plain is one of ASCII without escapes, whose bytes are
// its value.
func (s *scanner) str() (plain, ok bool) {
	start := s.pos + 1
	s.pos = start
	var high uint64
	plain = true
	for {
		high |= s.ordinary()
		switch s.peek() {
		case '"':
			if high != 0 && !utf8.ValidString(s.src[start:s.pos]) {
				return false, s.fail(Encoding)
			}
			s.pos++
			return plain && high == 0, true
		case '\\':
			plain = false
			if !s.escape() {
				return false, false
			}
		default:
			return false, s.fail(Syntax)
		}
	}
}

// ordinary moves pos to the next quote, backslash, control character or the
// end. The answer is not 0 where a byte above ASCII was passed.
//
// It looks at eight bytes at once: (w - n·ones) &^ w has the high bit of a
// byte set where that byte is less than n, exactly so for the lowest such byte.
func (s *scanner) ordinary() (high uint64) {
	src, i := s.src, s.pos
	for ; i+8 <= len(src); i += 8 {
		w := load8(src[i:])
		quote, slash := w^('"'*ones), w^('\\'*ones)
		stop := ((quote-ones)&^quote | (slash-ones)&^slash | (w-' '*ones)&^w) & highs
		if stop != 0 {
			at := bits.TrailingZeros64(stop)
			s.pos = i + at>>3
			return high | w&highs&(1<<at-1)
		}
		high |= w & highs
	}
	for ; i < len(src); i++ {
		c := src[i]
		if c == '"' || c == '\\' || c < ' ' {
			break
		}
		high |= uint64(c & 0x80)
	}
	s.pos = i
	return high
}

// load8 is the first eight bytes as a little-endian number.
func load8(b string) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// escape reads a backslash and what belongs to it.
func (s *scanner) escape() bool {
	rest := s.src[s.pos:]
	if len(rest) < 2 {
		return s.fail(Syntax)
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return true
	}
	r, ok := hex4(rest)
	switch {
	case !ok:
		return s.fail(Syntax)
	case r < surrogateMin || r > surrogateMax:
		s.pos += 6
		return true
	}
	low, _ := hex4(rest[6:]) // 0 if there is none
	if r >= lowSurrogateMin || low < lowSurrogateMin || low > surrogateMax {
		return s.fail(Encoding)
	}
	s.pos += 12
	return true
}

// UTF-16 surrogates: a high one, then a low one.
const (
	surrogateMin    = 0xd800
	lowSurrogateMin = 0xdc00
	surrogateMax    = 0xdfff
)

// hex4 is the number in a leading \uXXXX.
func hex4(b string) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		c := rune(b[i])
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | c
	}
	return r, true
}

// unescape is the value of a string that the scanner has accepted, given
// without its quotes. It allocates only if there is an escape.
func unescape(raw string) string {
	at := strings.IndexByte(raw, '\\')
	if at < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for at >= 0 {
		b.WriteString(raw[:at])
		r, size := escaped(raw[at:])
		b.WriteRune(r)
		raw = raw[at+size:]
		at = strings.IndexByte(raw, '\\')
	}
	b.WriteString(raw)
	return b.String()
}

// escaped is the character of a leading escape sequence and its length.
func escaped(raw string) (r rune, size int) {
	switch raw[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ = hex4(raw)
		if r < surrogateMin || r > surrogateMax {
			return r, 6
		}
		low, _ := hex4(raw[6:])
		return 0x10000 + (r-surrogateMin)<<10 + (low - lowSurrogateMin), 12
	}
	return rune(raw[1]), 2
}
