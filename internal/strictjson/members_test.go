package strictjson

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestObject(t *testing.T) {
	t.Parallel()
	data := []byte(` {"code":1,"money":7.30,"trade\u005fno":"2026\u002d1","nil":null,"ok":true,"off":false,"list":[1,{"a":[]}, "x" ],"in":{"x":{"y":"z"}},"big":12345678901234567890.10}`)
	members, err := Object(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data) // what was read must not live in it

	names := make([]string, 0, len(members))
	for _, m := range members {
		names = append(names, m.Name)
	}
	if want := []string{"code", "money", "trade_no", "nil", "ok", "off", "list", "in", "big"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	for name, want := range map[string]string{
		"code": "1", "money": "7.30", "trade_no": "2026-1", "big": "12345678901234567890.10",
	} {
		if got, ok := members.Text(name); !ok || got != want {
			t.Errorf("Text(%s) = %q, %v; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"nil", "ok", "list", "in", "absent", "Code", ""} {
		if got, ok := members.Text(name); ok {
			t.Errorf("Text(%s) = %q, want none", name, got)
		}
	}
	if got, ok := members.String("code"); ok {
		t.Errorf("the number is read as the string %q", got)
	}
	if !members.Null("nil") || members.Null("ok") || members.Null("absent") {
		t.Error("Null does not tell null from the rest")
	}
	if !members.Has("nil") || members.Has("NIL") {
		t.Error("Has does not tell what is there")
	}
	if v := members.Value("list"); v != `[1,{"a":[]}, "x" ]` {
		t.Errorf("raw value %q", v)
	}
}

func TestBool(t *testing.T) {
	t.Parallel()
	for v, want := range map[Value][2]bool{
		"true": {true, true}, "false": {false, true}, "null": {}, `"true"`: {}, "1": {}, "": {},
	} {
		if value, ok := v.Bool(); [2]bool{value, ok} != want {
			t.Errorf("Bool of %q = %v, %v", v, value, ok)
		}
	}
}

func TestNestedValues(t *testing.T) {
	t.Parallel()
	members, err := Object([]byte(`{"list":[1, [2] ,{"a":{"b":"c"}},"x"],"none":[ ],"o":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	list, err := members.Value("list").Array()
	if want := []Value{"1", "[2]", `{"a":{"b":"c"}}`, `"x"`}; err != nil || !slices.Equal(list, want) {
		t.Fatalf("list %q, %v", list, err)
	}
	if none, err := members.Value("none").Array(); err != nil || len(none) != 0 {
		t.Errorf("none %q, %v", none, err)
	}
	a, err := list[2].Object()
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.Value("a").Object()
	if got, ok := b.String("b"); err != nil || !ok || got != "c" {
		t.Errorf("a.b = %q, %v, %v", got, ok, err)
	}
	for _, v := range []Value{"", "null", "1", `"[]"`, `"{}"`, "true"} {
		if _, err := v.Array(); err == nil {
			t.Errorf("%q is taken for an array", v)
		}
		if _, err := v.Object(); err == nil {
			t.Errorf("%q is taken for an object", v)
		}
	}
}

func TestObjectRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Reason{
		`[1]`: NotObject, `{"a":1,"a":1}`: Duplicate, `{"a":1}x`: Syntax, `{"a":{"b":1,"B":2}}`: Duplicate,
	} {
		members, err := Object([]byte(in))
		if got := reasonOf(t, err); got != want || members != nil {
			t.Errorf("Object(%s) = %v, %v; want %v", in, members, err, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		``: "", `abc`: "abc", `\n`: "\n", `a\tb\\c\/d\"e`: "a\tb\\c/d\"e", `\b\f\r`: "\b\f\r",
		`\u0041\u4e03\ud83d\ude00x`: "A七😀x", `七\u00e9`: "七é",
	} {
		if got := unescape(raw); got != want {
			t.Errorf("unescape(%s) = %q, want %q", raw, got, want)
		}
	}
}

func ExampleObject() {
	answer, err := Object([]byte(`{"code":1,"trade_no":"2026112200","money":7.30,"status":"1"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	money, _ := answer.Text("money")
	status, _ := answer.Text("status")
	fmt.Println(money, status)
	// Output: 7.30 1
}

// TestOpaque: twins are let pass inside the named members and nowhere else.
func TestOpaque(t *testing.T) {
	t.Parallel()
	l := Limits{Opaque: "metadata"}
	for text, want := range map[string]Reason{
		`{"metadata":{"a":1,"A":2,"b":{"c":1,"c":2}},"x":1}`: 0,
		`{"o":{"metadata":{"a":1,"a":2},"y":1}}`:             0,
		`{"metadata":{"a":1,"a":2},"x":1,"X":2}`:             Duplicate,
		`{"metadata":1,"metadata":2}`:                        Duplicate,
		`{"Metadata":{"a":1,"a":2}}`:                         Duplicate,
		`{"o":{"x":1,"x":2},"metadata":{}}`:                  Duplicate,
		`{"metadata":{"a":1,}}`:                              Syntax,
		`{"metadata":{"a":"\xff"}}`:                          Syntax,
		"{\"metadata\":{\"a\":\"\xff\"}}":                    Encoding,
	} {
		m, err := l.Object([]byte(text))
		if refused, _ := errors.AsType[*Error](err); (refused == nil) != (want == 0) || (refused != nil && refused.Reason != want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
		if err != nil {
			continue
		}
		for _, x := range m {
			if x.Value[0] != '{' {
				continue
			}
			if _, err := x.Value.ObjectUnder(l); (err == nil) != (x.Name != "metadata") {
				t.Errorf("%s: %s alone: %v", text, x.Name, err)
			}
		}
	}
}

// TestArrayUnder: elements of a text that was read loosely are read the same.
func TestArrayUnder(t *testing.T) {
	t.Parallel()
	l := Limits{Opaque: "metadata"}
	m, err := l.Object([]byte(`{"data":[{"metadata":{"a":1,"A":2}},1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if elements, err := m.Value("data").ArrayUnder(l); err != nil || len(elements) != 2 {
		t.Errorf("ArrayUnder = %q, %v", elements, err)
	}
	if elements, err := m.Value("data").Array(); err == nil {
		t.Errorf("Array = %q", elements)
	}
}
