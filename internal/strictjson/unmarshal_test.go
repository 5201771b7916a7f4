package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

type inner struct {
	Deep string `json:"deep"`
}

type promoted struct {
	Promoted string `json:"promoted"`
	Name     int    `json:"name"` // shadowed by order's
}

type order struct {
	promoted
	Name    string           `json:"name"`
	Bare    int              // no tag
	Skipped string           `json:"-"`
	Inner   inner            `json:"inner"`
	Ptr     *inner           `json:"ptr,omitempty"`
	List    []inner          `json:"list"`
	Map     map[string]inner `json:"map"`
	Any     any              `json:"any"`
	Raw     json.RawMessage  `json:"raw"`
	At      time.Time        `json:"at"`
	hidden  string
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in     string
		loose, known Reason
	}{
		{"all in exact case", `{"promoted":"p","name":"n","Bare":1,"inner":{"deep":"d"},"ptr":{"deep":"d"},` +
			`"list":[{"deep":"1"},{"deep":"2"}],"map":{"Deep":{"deep":"d"}},"any":{"DEEP":1},"raw":{"X":1},` +
			`"at":"2026-11-22T00:00:00Z"}`, 0, 0},
		{"null pointer, list, map, any, raw", `{"ptr":null,"list":null,"map":null,"any":null,"raw":null}`, 0, 0},

		{"wrong case", `{"Name":"n"}`, WrongCase, WrongCase},
		{"wrong case without tag", `{"bare":1}`, WrongCase, WrongCase},
		{"wrong case promoted", `{"PROMOTED":"p"}`, WrongCase, WrongCase},
		{"wrong case in struct", `{"inner":{"Deep":"d"}}`, WrongCase, WrongCase},
		{"wrong case in pointer", `{"ptr":{"Deep":"d"}}`, WrongCase, WrongCase},
		{"wrong case in list", `{"list":[{},{"Deep":"d"}]}`, WrongCase, WrongCase},
		{"wrong case in map", `{"map":{"k":{"Deep":"d"}}}`, WrongCase, WrongCase},
		{"wrong case by escape", `{"\u004eame":"n"}`, WrongCase, WrongCase},
		{"wrong case by long s", "{\"li\u017ft\":[]}", WrongCase, WrongCase},

		{"unknown", `{"extra":1}`, 0, Unknown},
		{"unknown in list", `{"list":[{"extra":1}]}`, 0, Unknown},
		{"skipped field", `{"Skipped":"x"}`, 0, Unknown},
		{"hidden field", `{"hidden":"x"}`, 0, Unknown},

		{"null string", `{"name":null}`, 0, Null},
		{"null struct", `{"inner":null}`, 0, Null},
		{"null in list", `{"list":[null]}`, 0, Null},
		{"null in map", `{"map":{"k":null}}`, 0, Null},

		{"duplicate", `{"name":"a","name":"b"}`, Duplicate, Duplicate},
		{"twin beside the field", `{"name":"a","NAME":"b"}`, Duplicate, Duplicate},
		{"duplicate in raw", `{"raw":{"x":1,"x":2}}`, Duplicate, Duplicate},
		{"trailing", `{"name":"a"} {}`, Syntax, Syntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v, w order
			if err := Unmarshal([]byte(tt.in), &v); reasonOf(t, err) != tt.loose {
				t.Errorf("Unmarshal: %v, want %v", err, tt.loose)
			}
			if err := UnmarshalKnown([]byte(tt.in), &w); reasonOf(t, err) != tt.known {
				t.Errorf("UnmarshalKnown: %v, want %v", err, tt.known)
			}
		})
	}
}

func TestUnmarshalDecodes(t *testing.T) {
	t.Parallel()
	var got order
	in := `{"promoted":"p","name":"n","Bare":1,"list":[{"deep":"1"}],"unknown":[{"a":1}]}`
	if err := Unmarshal([]byte(in), &got); err != nil {
		t.Fatal(err)
	}
	want := order{promoted: promoted{Promoted: "p"}, Name: "n", Bare: 1, List: []inner{{"1"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.hidden != "" {
		t.Error("an unexported field was set")
	}
}

func TestUnmarshalPassesOnTypeErrors(t *testing.T) {
	t.Parallel()
	var typeError *json.UnmarshalTypeError
	if err := Unmarshal([]byte(`{"name":1}`), new(order)); !errors.As(err, &typeError) {
		t.Errorf("number into string: %v", err)
	}
	var invalid *json.InvalidUnmarshalError
	for _, v := range []any{nil, order{}, (*order)(nil)} {
		if err := Unmarshal([]byte(`{}`), v); !errors.As(err, &invalid) {
			t.Errorf("into %T: %v", v, err)
		}
	}
}

type Recursive struct {
	*Recursive
	Name string       `json:"name"`
	Next []*Recursive `json:"next"`
}

func TestUnmarshalRecursiveType(t *testing.T) {
	t.Parallel()
	in := strings.Repeat(`{"name":"x","next":[`, 10) + strings.Repeat(`]}`, 10)
	if err := UnmarshalKnown([]byte(in), new(Recursive)); err != nil {
		t.Error(err)
	}
	wrong := strings.Replace(in, `"next":[]`, `"Next":[]`, 1)
	if got := reasonOf(t, UnmarshalKnown([]byte(wrong), new(Recursive))); got != WrongCase {
		t.Errorf("reason %v", got)
	}
}

// FuzzUnmarshal holds that no accepted text reaches a field by another name
// than the field's own.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"name":"n","Bare":1,"inner":{"deep":"d"}}`))
	f.Add([]byte(`{"Name":"n"}`))
	f.Add([]byte("{\"li\u017ft\":[{}],\"ptr\":null}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v order
		if err := Unmarshal(data, &v); err != nil {
			return
		}
		members, err := Object(data)
		if err != nil {
			return // null, or another value that leaves a struct alone
		}
		if v.Name != "" && !members.Has("name") || v.Bare != 0 && !members.Has("Bare") ||
			v.Inner.Deep != "" && !members.Has("inner") || v.List != nil && !members.Has("list") {
			t.Fatalf("%q reached a field by another name: %+v", data, v)
		}
	})
}
