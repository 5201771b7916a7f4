package strictjson

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// scanner walks over one JSON text. Its methods answer false when the text is
// refused; reason and pos say why and where.
type scanner struct {
	src       string
	pos       int
	depthLeft int
	names     openNames

	// wanted makes the members of the outermost object be kept.
	wanted  bool
	nesting int
	members Members

	reason             Reason
	nameStart, nameEnd int // of the member at fault
}

func (s *scanner) fail(reason Reason) bool {
	s.reason = reason
	return false
}

// failName is fail for the member whose name stands between start and end.
func (s *scanner) failName(reason Reason, start, end int) bool {
	s.nameStart, s.nameEnd = start, end
	return s.fail(reason)
}

// peek is the byte at pos, 0 at the end. No JSON token starts with 0.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) blanks() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// value reads one value, which starts at pos.
func (s *scanner) value() bool {
	switch c := s.peek(); c {
	case '{':
		return s.object()
	case '[':
		return s.array()
	case '"':
		_, ok := s.str()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) bool {
	if !strings.HasPrefix(s.src[s.pos:], word) {
		return s.fail(Syntax)
	}
	s.pos += len(word)
	return true
}

// enter goes one level down, past the bracket.
func (s *scanner) enter() bool {
	if s.depthLeft == 0 {
		return s.fail(TooDeep)
	}
	s.depthLeft--
	s.nesting++
	s.pos++
	s.blanks()
	return true
}

// leave goes one level up, past the bracket.
func (s *scanner) leave() bool {
	s.depthLeft++
	s.nesting--
	s.pos++
	return true
}

// more reads what stands between two elements. It is false at the end of the
// list and where the text is wrong; done tells which.
func (s *scanner) more(closing byte) (more, done bool) {
	s.blanks()
	switch s.peek() {
	case ',':
		s.pos++
		s.blanks()
		return true, false
	case closing:
		return false, s.leave()
	}
	return false, s.fail(Syntax)
}

func (s *scanner) array() bool {
	if !s.enter() {
		return false
	}
	if s.peek() == ']' {
		return s.leave()
	}
	for {
		if !s.value() {
			return false
		}
		if more, done := s.more(']'); !more {
			return done
		}
	}
}

func (s *scanner) object() bool {
	if !s.enter() {
		return false
	}
	if s.peek() == '}' {
		return s.leave()
	}
	scope := s.names.open()
	for {
		if !s.member(&scope) {
			return false
		}
		if more, done := s.more('}'); !more {
			s.names.close(scope)
			return done
		}
	}
}

// member reads one name and its value.
func (s *scanner) member(scope *nameScope) bool {
	start, end, plain, ok := s.name()
	if !ok {
		return false
	}
	if !s.names.add(scope, s.src, start, end, plain) {
		return s.failName(Duplicate, start, end)
	}
	from := s.pos
	if !s.value() {
		return false
	}
	if s.wanted && s.nesting == 1 {
		s.members = append(s.members, Member{Name: unescape(s.src[start:end]), Value: Value(s.src[from:s.pos])})
	}
	return true
}

// name reads a member's name and goes on to its value. The name is what stands
// between the quotes; plain is as str says.
func (s *scanner) name() (start, end int, plain, ok bool) {
	if s.peek() != '"' {
		return 0, 0, false, s.fail(Syntax)
	}
	start = s.pos + 1
	if plain, ok = s.str(); !ok {
		return 0, 0, false, false
	}
	end = s.pos - 1
	s.blanks()
	if s.peek() != ':' {
		return 0, 0, false, s.fail(Syntax)
	}
	s.pos++
	s.blanks()
	return start, end, plain, true
}

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
	low, ok := hex4(rest[6:])
	if !ok || r >= lowSurrogateMin || low < lowSurrogateMin || low > surrogateMax {
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

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	zero := s.peek() == '0'
	n := s.digits()
	if n == 0 || (zero && n > 1) {
		return s.fail(Syntax)
	}
	if s.peek() == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.fail(Syntax)
		}
	}
	if c := s.peek(); c != 'e' && c != 'E' {
		return true
	}
	s.pos++
	if c := s.peek(); c == '+' || c == '-' {
		s.pos++
	}
	if s.digits() == 0 {
		return s.fail(Syntax)
	}
	return true
}

// digits passes decimal digits and says how many.
func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}
