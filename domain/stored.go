package domain

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// readInto reads one value in the form encode gives it into v, which is
// settable. Whatever it does not accept makes the reader fail.
type readInto func(r *reader, v reflect.Value)

// member is one field of a struct in its stored form.
type member struct {
	name     string // with the comma before and the colon behind: `,"trade_no":`
	index    int
	optional bool // left out when it is zero
	read     readInto
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	idType          = reflect.TypeFor[ID]()
	moneyType       = reflect.TypeFor[Money]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// shapeOf is how a t is read. A type without a stored form is a programmer's
// mistake and panics when the program starts.
func shapeOf(t reflect.Type) readInto {
	switch {
	case t == timeType:
		return readTime
	case t == idType:
		return readID
	case t == moneyType:
		return readMoney
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return readText
	}
	switch t.Kind() {
	case reflect.String:
		return func(r *reader, v reflect.Value) { v.SetString(string(r.text())) }
	case reflect.Bool:
		return func(r *reader, v reflect.Value) { v.SetBool(r.flag()) }
	case reflect.Int:
		return func(r *reader, v reflect.Value) { v.SetInt(r.int()) }
	case reflect.Uint64:
		return func(r *reader, v reflect.Value) { v.SetUint(r.uint()) }
	case reflect.Struct:
		return structShape(t)
	case reflect.Pointer:
		return pointerShape(t)
	case reflect.Slice:
		return sliceShape(t)
	case reflect.Map:
		return mapShape(t)
	default:
		panic(fmt.Sprintf("domain: %s has no stored form", t))
	}
}

func structShape(t reflect.Type) readInto {
	var members []member
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			panic(fmt.Sprintf("domain: %s.%s has no stored name", t, t.Field(i).Name))
		}
		members = append(members, member{`,"` + name + `":`, i, options != "", shapeOf(t.Field(i).Type)})
	}
	return func(r *reader, v reflect.Value) { readStruct(r, v, members) }
}

// readStruct reads the members in their order, each exactly once.
func readStruct(r *reader, v reflect.Value, members []member) {
	r.expect("{")
	first := 1 // no comma before the first one
	for i := range members {
		m := &members[i]
		if !r.take(m.name[first:]) {
			if !m.optional {
				r.fail()
				return
			}
			continue
		}
		first = 0
		field := v.Field(m.index)
		m.read(r, field)
		if r.failed || (m.optional && leftOut(field)) {
			r.fail()
			return
		}
	}
	r.expect("}")
}

// leftOut reports whether encoding/json leaves an optional v out.
func leftOut(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct, reflect.Array:
		if z, ok := v.Addr().Interface().(interface{ IsZero() bool }); ok {
			return z.IsZero()
		}
		return v.IsZero()
	default:
		return v.IsZero()
	}
}

func pointerShape(t reflect.Type) readInto {
	read := shapeOf(t.Elem())
	return func(r *reader, v reflect.Value) {
		p := reflect.New(t.Elem())
		read(r, p.Elem())
		v.Set(p)
	}
}

func sliceShape(t reflect.Type) readInto {
	if t.Elem().Kind() == reflect.Uint8 {
		return readBytes
	}
	read := shapeOf(t.Elem())
	return func(r *reader, v reflect.Value) {
		if r.take("null") {
			return
		}
		r.expect("[")
		v.Set(reflect.MakeSlice(t, 0, 2)) // postings come in pairs
		for !r.failed && !r.take("]") {
			if v.Len() > 0 {
				r.expect(",")
			}
			v.Grow(1)
			v.SetLen(v.Len() + 1)
			read(r, v.Index(v.Len()-1))
		}
	}
}

// mapShape reads texts by name, sorted by name as encoding/json writes them.
func mapShape(t reflect.Type) readInto {
	if t != reflect.TypeFor[map[string]string]() {
		panic(fmt.Sprintf("domain: %s has no stored form", t))
	}
	return func(r *reader, v reflect.Value) {
		if r.take("null") {
			return
		}
		m, last := map[string]string{}, ""
		r.expect("{")
		for !r.failed && !r.take("}") {
			if len(m) > 0 {
				r.expect(",")
			}
			name := string(r.text())
			r.expect(":")
			if len(m) > 0 && name <= last {
				r.fail()
			}
			m[name], last = string(r.text()), name
		}
		v.Set(reflect.ValueOf(m))
	}
}

// readText reads a type that checks its own grammar.
func readText(r *reader, v reflect.Value) {
	text, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	if !ok || text.UnmarshalText(r.text()) != nil {
		r.fail()
	}
}
