package strictjson

// Members are the members of an object in the order in which they stand.
// Names are matched byte for byte.
type Members []Member

// Member is one name and its value.
type Member struct {
	Name  string // escapes resolved
	Value Value
}

// Value is the text of one JSON value exactly as it stands, quotes included.
// It comes from a text that was checked; the empty Value is no value.
type Value string

// Object reads an object under the default limits; see Limits.Object.
func Object(data []byte) (Members, error) { return Limits{}.Object(data) }

// Object reads data, which must be strict JSON and an object, and answers its
// members. They share one copy of data, so data may change afterwards.
func (l Limits) Object(data []byte) (Members, error) { return l.object(string(data)) }

func (l Limits) object(src string) (Members, error) {
	l.ObjectOnly = true
	s := scanner{src: src, wanted: true, members: make(Members, 0, 16)}
	if err := s.run(l); err != nil {
		return nil, err
	}
	return s.members, nil
}

// Value is the value of the member, "" if there is none.
func (m Members) Value(name string) Value {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value
		}
	}
	return ""
}

// Has reports whether there is such a member, be it null.
func (m Members) Has(name string) bool { return m.Value(name) != "" }

// Null reports whether there is such a member and it is null.
func (m Members) Null(name string) bool { return m.Value(name).IsNull() }

// String is the member's value if it is a string.
func (m Members) String(name string) (string, bool) { return m.Value(name).Str() }

// Text is the member's value if it is a string, or its digits as they stand if
// it is a number: what a gateway means that sends "7.30" or 7.30. No number
// passes through floating point.
func (m Members) Text(name string) (string, bool) { return m.Value(name).Text() }

// Bool is the member's value if it is true or false.
func (m Members) Bool(name string) (value, ok bool) { return m.Value(name).Bool() }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v == "null" }

// Str is v's text, escapes resolved, if v is a string.
func (v Value) Str() (string, bool) {
	if v == "" || v[0] != '"' {
		return "", false
	}
	return unescape(string(v[1 : len(v)-1])), true
}

// Text is v's text if v is a string, its digits as they stand if v is a number.
func (v Value) Text() (string, bool) {
	if v.IsNumber() {
		return string(v), true
	}
	return v.Str()
}

// IsNumber reports whether v is a number.
func (v Value) IsNumber() bool {
	return v != "" && (v[0] == '-' || (v[0] >= '0' && v[0] <= '9'))
}

// Bool is v if it is true or false.
func (v Value) Bool() (value, ok bool) { return v == "true", v == "true" || v == "false" }

// Object is v's members. The error is an *Error, also where v is no object.
func (v Value) Object() (Members, error) { return v.limits().object(string(v)) }

// ObjectUnder is Object by the rules of l, so that a value inside a text that
// was read with Limits.Opaque is read as the text was. Its size and depth are
// those of l, too.
func (v Value) ObjectUnder(l Limits) (Members, error) { return l.object(string(v)) }

// Array is v's elements. The error is an *Error, also where v is no array.
func (v Value) Array() ([]Value, error) { return v.ArrayUnder(Limits{}) }

// ArrayUnder is Array for a value inside a text that was read with l.Opaque.
func (v Value) ArrayUnder(l Limits) ([]Value, error) {
	s := scanner{src: string(v), depthLeft: v.limits().MaxDepth, opaque: l.Opaque}
	if s.peek() != '[' || !s.enter() {
		return nil, &Error{Reason: Syntax}
	}
	var elements []Value
	if s.peek() == ']' {
		return elements, nil
	}
	for {
		from := s.pos
		if !s.value() {
			return nil, s.failure()
		}
		elements = append(elements, v[from:s.pos])
		if more, done := s.more(']'); !more {
			if !done {
				return nil, s.failure()
			}
			return elements, nil
		}
	}
}

// limits are those of a value that was checked as part of a larger text: it
// has passed the caller's, and nothing of its size can exceed these.
func (v Value) limits() Limits {
	return Limits{MaxBytes: max(len(v), 1), MaxDepth: max(len(v), 1)}
}
