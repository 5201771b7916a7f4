package domain

import (
	"reflect"
	"testing"
	"time"
)

// TestShapesAreRefusedEarly: a fact with a member that has no stored form stops
// the program at its start, not a reader in the field.
func TestShapesAreRefusedEarly(t *testing.T) {
	t.Parallel()
	for what, v := range map[string]any{
		"a float":               1.5,
		"a map of numbers":      map[string]int{},
		"an interface":          struct{ Any any }{},
		"a field without a tag": struct{ Name string }{},
		"a field left out": struct {
			Name string `json:"-"`
		}{},
		"a duration deep inside": struct {
			D []time.Duration `json:"d"`
		}{},
	} {
		if !panics(func() { shapeOf(reflect.TypeOf(v)) }) {
			t.Errorf("%s has a stored form", what)
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// TestNilAndEmpty: what encoding/json writes for lists and maps that are not
// left out is read as what it was.
func TestNilAndEmpty(t *testing.T) {
	t.Parallel()
	type shape struct {
		List  []string          `json:"list"`
		Map   map[string]string `json:"map"`
		Bytes []byte            `json:"bytes"`
		Next  *Header           `json:"next,omitempty"`
	}
	read := readerOf[shape]()
	for _, v := range []shape{
		{},
		{[]string{}, map[string]string{}, []byte{}, nil},
		{[]string{"", "a", "b"}, map[string]string{"": "", "a": "b", "é": "<"}, []byte{0, 255}, &Header{"n", "v"}},
	} {
		data, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		got, r := read(data)
		if !r.whole() {
			t.Fatal(r.unreadable(new(shape)))
		}
		if !reflect.DeepEqual(got, v) {
			t.Errorf("%s is read as %+v", data, got)
		}
	}
}
