package strictjson

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Unmarshal checks data under the default limits and decodes it into v; see
// Limits.Unmarshal.
func Unmarshal(data []byte, v any) error { return Limits{}.Unmarshal(data, v) }

// UnmarshalKnown is Unmarshal for texts whose every member we define; see
// Limits.UnmarshalKnown.
func UnmarshalKnown(data []byte, v any) error { return Limits{}.UnmarshalKnown(data, v) }

// Unmarshal checks data and decodes it into v with encoding/json, after making
// sure that every member that reaches a struct field has the field's name
// exactly: WrongCase if it differs in case. Members without a field are passed
// over, and null leaves a field as it was, so v should be fresh. The decoding
// of types with their own UnmarshalJSON is theirs.
func (l Limits) Unmarshal(data []byte, v any) error { return l.unmarshal(data, v, false) }

// UnmarshalKnown is Unmarshal, and refuses a member without a field (Unknown)
// and a null where v has no pointer, map, slice, interface or UnmarshalJSON to
// take it (Null).
func (l Limits) UnmarshalKnown(data []byte, v any) error { return l.unmarshal(data, v, true) }

func (l Limits) unmarshal(data []byte, v any, known bool) error {
	if err := Check(data, l); err != nil {
		return err
	}
	src := string(data)
	// Every bracket is a byte, so this depth cannot be used up.
	w := walker{scanner: scanner{src: src, depthLeft: len(src)}, known: known}
	w.blanks()
	if t := reflect.TypeOf(v); t != nil && !w.walk(t) {
		return w.failure()
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("strictjson: %w", err)
	}
	return nil
}

// walker compares a checked text with the Go type that it is for.
type walker struct {
	scanner
	known bool
}

// walk reads the value at pos, meant for a t.
func (w *walker) walk(t reflect.Type) bool {
	if w.peek() == 'n' {
		if w.known && !holdsNull(t) {
			return w.fail(Null)
		}
		return w.value()
	}
	for t.Kind() == reflect.Pointer && !decodesItself(t) {
		t = t.Elem()
	}
	if decodesItself(t) {
		return w.value()
	}
	switch c, kind := w.peek(), t.Kind(); {
	case c == '{' && kind == reflect.Struct:
		return w.walkObject(fieldsOf(t), nil)
	case c == '{' && kind == reflect.Map:
		return w.walkObject(nil, t.Elem())
	case c == '[' && (kind == reflect.Slice || kind == reflect.Array):
		return w.walkArray(t.Elem())
	}
	return w.value()
}

// walkObject reads an object meant for a struct with these fields, or for a
// map of elem.
func (w *walker) walkObject(fields *fieldSet, elem reflect.Type) bool {
	w.enter()
	if w.peek() == '}' {
		return w.leave()
	}
	for {
		start, end, _, ok := w.name()
		if !ok {
			return false
		}
		t := elem
		if fields != nil {
			if t, ok = w.field(fields, start, end); !ok {
				return false
			}
		}
		if t == nil {
			ok = w.value()
		} else {
			ok = w.walk(t)
		}
		if !ok {
			return false
		}
		if more, done := w.more('}'); !more {
			return done
		}
	}
}

// field is the type of the field that the member belongs to, nil for none.
func (w *walker) field(fields *fieldSet, start, end int) (reflect.Type, bool) {
	raw := w.src[start:end]
	if t, ok := fields.types[unescape(raw)]; ok {
		return t, true
	}
	if fields.folded[fold(raw)] {
		return nil, w.failName(WrongCase, start, end)
	}
	if w.known {
		return nil, w.failName(Unknown, start, end)
	}
	return nil, true
}

func (w *walker) walkArray(elem reflect.Type) bool {
	w.enter()
	if w.peek() == ']' {
		return w.leave()
	}
	for {
		if !w.walk(elem) {
			return false
		}
		if more, done := w.more(']'); !more {
			return done
		}
	}
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// decodesItself reports whether encoding/json hands a value for t to t.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler)
}

// holdsNull reports whether a t can tell null from the zero value, or decides
// about null itself.
func holdsNull(t reflect.Type) bool {
	switch t.Kind() { //nolint:exhaustive // all others cannot
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return reflect.PointerTo(t).Implements(jsonUnmarshaler)
}

// fieldSet is what encoding/json finds in a struct type.
type fieldSet struct {
	types  map[string]reflect.Type // by exact name
	folded map[string]bool         // every name, folded
}

var fieldSets sync.Map // reflect.Type to *fieldSet

func fieldsOf(t reflect.Type) *fieldSet {
	if known, ok := fieldSets.Load(t); ok {
		return known.(*fieldSet) //nolint:forcetypeassert // nothing else is stored
	}
	set := &fieldSet{types: map[string]reflect.Type{}, folded: map[string]bool{}}
	// Shallow fields come first, so that they win over promoted ones.
	seen := map[reflect.Type]bool{t: true}
	for level := []reflect.Type{t}; len(level) > 0; {
		level = set.addLevel(level, seen)
	}
	fieldSets.Store(t, set)
	return set
}

// addLevel adds the fields of these structs and answers the structs embedded
// in them. A name that encoding/json drops because two embedded structs have
// it stays in the set: it is then accepted and decoded into nothing.
func (set *fieldSet) addLevel(level []reflect.Type, seen map[reflect.Type]bool) (next []reflect.Type) {
	for _, t := range level {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			switch {
			case f.Tag.Get("json") == "-":
			case f.Anonymous && name == "" && embedded.Kind() == reflect.Struct:
				if !seen[embedded] {
					seen[embedded] = true
					next = append(next, embedded)
				}
			case f.IsExported():
				set.add(cmp.Or(name, f.Name), f.Type)
			}
		}
	}
	return next
}

func (set *fieldSet) add(name string, t reflect.Type) {
	if _, shadowed := set.types[name]; !shadowed {
		set.types[name] = t
		set.folded[foldCase(name)] = true
	}
}
