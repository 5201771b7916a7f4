package strictjson

import "strings"

// scanner walks over one JSON text. Its methods answer false when the text is
// refused; reason and pos say why and where.
type scanner struct {
	src       string
	pos       int
	depthLeft int
	names     openNames

	opaque string // see Limits.Opaque
	loose  int    // values of opaque members that are open

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
	if s.loose == 0 && !s.names.add(scope, s.src, start, end, plain) {
		return s.failName(Duplicate, start, end)
	}
	from := s.pos
	if !s.memberValue(start, end) {
		return false
	}
	if s.wanted && s.nesting == 1 {
		s.members = append(s.members, Member{Name: unescape(s.src[start:end]), Value: Value(s.src[from:s.pos])})
	}
	return true
}

// memberValue reads the value of the member whose name stands between start
// and end.
func (s *scanner) memberValue(start, end int) bool {
	if s.opaque == "" || s.src[start:end] != s.opaque {
		return s.value()
	}
	s.loose++
	ok := s.value()
	s.loose--
	return ok
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
