package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reasonOf is why err refused a text, 0 for no error.
func reasonOf(t *testing.T, err error) Reason {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *Error", err)
	}
	return e.Reason
}

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, in string
		want     Reason
	}{
		{"object", `{"a":1,"b":[true,false,null,"x",-0.5e+3]}`, 0},
		{"blanks", " \t\r\n{ \"a\" : 1 , \"b\" : [ ] , \"c\" : { } } \n", 0},
		{"top-level string", `"x"`, 0},
		{"top-level number", `0`, 0},
		{"same name in two objects", `{"a":{"x":1},"b":{"x":1},"x":1}`, 0},
		{"same name inside and after", `{"x":{"x":{"x":1}},"y":1}`, 0},
		{"surrogate pair", `"\ud83d\ude00"`, 0},
		{"escapes", `"\"\\\/\b\f\n\r\t\u0000\u00e9"`, 0},
		{"CJK", `{"金额":"七元","备注":"充值"}`, 0},
		{"64 deep", deep(64), 0},
		{"names that only look alike", `{"a":1,"а":2,"name":3,"nam":4,"names":5}`, 0},
		{"names alike but for a bit of case", `{"a_b_c_d_e":1,"a\u007fb_c_d_e":2,"[":3,"{":4,"@":5}`, 0},

		{"duplicate", `{"money":"1.00","money":"100.00"}`, Duplicate},
		{"case twin", `{"money":"1.00","Money":"100.00"}`, Duplicate},
		{"case twin long", `{"out_trade_no_of_order":1,"out_trade_No_of_order":2}`, Duplicate},
		{"escaped twin", `{"money":1,"m\u006fney":2}`, Duplicate},
		{"escaped twin first", `{"m\u006fney":1,"money":2}`, Duplicate},
		{"long s", `{"status":1,"\u017ftatus":2}`, Duplicate},
		{"long s in bytes", "{\"status\":1,\"\u017ftatus\":2}", Duplicate},
		{"kelvin sign", "{\"key\":1,\"\u212aey\":2}", Duplicate},
		{"kelvin sign first", "{\"\u212aey\":1,\"KEY\":2}", Duplicate},
		{"greek twin", `{"σ":1,"ς":2}`, Duplicate},
		{"empty names", `{"":1,"":2}`, Duplicate},
		{"nested duplicate", `{"a":[{"b":{"x":1,"y":2,"x":3}}]}`, Duplicate},
		{"duplicate around an object", `{"x":{"a":1,"b":2},"x":1}`, Duplicate},

		{"trailing object", `{"a":1}{"a":2}`, Syntax},
		{"trailing bracket", `{"a":1}}`, Syntax},
		{"trailing text", `{"a":1} x`, Syntax},
		{"trailing NUL", "{\"a\":1}\x00", Syntax},
		{"empty", ``, Syntax},
		{"blanks only", "  \n", Syntax},
		{"byte order mark", "\ufeff{}", Syntax},
		{"other blank", "{\"a\":\u00a01}", Syntax},
		{"form feed", "{\f}", Syntax},
		{"comment", `{"a":1/* */}`, Syntax},
		{"last comma in object", `{"a":1,}`, Syntax},
		{"last comma in array", `[1,]`, Syntax},
		{"first comma", `[,1]`, Syntax},
		{"no comma", `[1 2]`, Syntax},
		{"wrong bracket", `{"a":[1}`, Syntax},
		{"open object", `{"a":1`, Syntax},
		{"open array", `[1`, Syntax},
		{"open string", `"abc`, Syntax},
		{"open long string", `"abcdefghijklmnopqrstuvwxyz`, Syntax},
		{"no colon", `{"a" 1}`, Syntax},
		{"no value", `{"a":}`, Syntax},
		{"no quotes", `{a:1}`, Syntax},
		{"single quotes", `{'a':1}`, Syntax},
		{"number as name", `{1:1}`, Syntax},
		{"capital literal", `True`, Syntax},
		{"cut literal", `tru`, Syntax},
		{"long literal", `nulll`, Syntax},
		{"NaN", `NaN`, Syntax},
		{"Infinity", `-Infinity`, Syntax},
		{"leading zero", `012`, Syntax},
		{"negative leading zero", `-012`, Syntax},
		{"plus", `+1`, Syntax},
		{"bare point before", `.5`, Syntax},
		{"bare point after", `5.`, Syntax},
		{"bare exponent", `1e`, Syntax},
		{"bare exponent sign", `1e+`, Syntax},
		{"minus alone", `-`, Syntax},
		{"hex", `0x10`, Syntax},
		{"underscore", `1_000`, Syntax},
		{"fullwidth digit", `１`, Syntax},
		{"newline in string", "\"a\nb\"", Syntax},
		{"NUL in string", "\"a\x00b\"", Syntax},
		{"control after eight", "\"abcdefgh\x1f\"", Syntax},
		{"control in the first eight", "\"abc\x1fdefghijklmnopqrstuvwxyz\"", Syntax},
		{"unknown escape", `"\x41"`, Syntax},
		{"escaped quote only", `"\"`, Syntax},
		{"lone backslash", `"\`, Syntax},
		{"short unicode escape", `"\u12"`, Syntax},
		{"bad unicode escape", `"\u12g4"`, Syntax},

		{"lone high surrogate", `"\ud83d"`, Encoding},
		{"lone low surrogate", `"\ude00"`, Encoding},
		{"two high surrogates", `"\ud83d\ud83d"`, Encoding},
		{"two low surrogates", `"\ude00\ude00"`, Encoding},
		{"reversed surrogates", `"\ude00\ud83d"`, Encoding},
		{"high surrogate and letter", `"\ud83dabcdef"`, Encoding},
		{"surrogate in name", `{"\ud83d":1}`, Encoding},
		{"invalid byte", "\"\xff\"", Encoding},
		{"invalid byte late", "\"abcdefghijklmnop\xff\"", Encoding},
		{"invalid byte early", "\"\xffabcdefghijklmnop\"", Encoding},
		{"overlong slash", "\"\xc0\xaf\"", Encoding},
		{"encoded surrogate", "\"\xed\xa0\x80\"", Encoding},
		{"cut character", "\"\xe9\x87\"", Encoding},
		{"invalid name", "{\"\xff\":1}", Encoding},

		{"65 deep", deep(65), TooDeep},
		{"10,001 deep", deep(10_001), TooDeep},
		{"65 deep in objects", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), TooDeep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Check([]byte(tt.in), Limits{})
			if got := reasonOf(t, err); got != tt.want {
				t.Errorf("Check(%.60q) = %v, want reason %d (%v)", tt.in, err, tt.want, tt.want)
			}
		})
	}
}

func TestCheckLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		limits   Limits
		want     Reason
	}{
		{"at the size", `[1,2]`, Limits{MaxBytes: 5}, 0},
		{"over the size", `[1,22]`, Limits{MaxBytes: 5}, TooLarge},
		{"over the default size", `"` + strings.Repeat("x", 1<<20) + `"`, Limits{}, TooLarge},
		{"at the depth", `{"a":[1]}`, Limits{MaxDepth: 2}, 0},
		{"siblings do not add up", `[[],[],[],{}]`, Limits{MaxDepth: 2}, 0},
		{"over the depth", `{"a":[[1]]}`, Limits{MaxDepth: 2}, TooDeep},
		{"object wanted", ` {}`, Limits{ObjectOnly: true}, 0},
		{"array instead", `[{}]`, Limits{ObjectOnly: true}, NotObject},
		{"null instead", `null`, Limits{ObjectOnly: true}, NotObject},
		{"nothing instead", ``, Limits{ObjectOnly: true}, NotObject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := reasonOf(t, Check([]byte(tt.in), tt.limits)); got != tt.want {
				t.Errorf("reason %v, want %v", got, tt.want)
			}
		})
	}
}

// Twins must be found however many names stand between them, and none may be
// made up: below, at and above the sizes where the way of looking changes.
func TestDuplicatesInLargeObjects(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, searchedNames - 1, searchedNames, searchedNames + 1, heldNames, heldNames + 1, 3000} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"member_%06d":{"a":%d},`, i, i)
		}
		if err := Check([]byte(`{`+b.String()+`"last":1}`), Limits{}); err != nil {
			t.Errorf("%d names: %v", n, err)
		}
		for _, twin := range []int{0, n / 2, n - 1} {
			text := fmt.Sprintf(`{%s"MEMBER_%06d":1}`, b.String(), twin)
			if got := reasonOf(t, Check([]byte(text), Limits{})); got != Duplicate {
				t.Errorf("%d names, twin of %d: reason %v", n, twin, got)
			}
		}
	}
}

// Many open objects share the held names; each must still see its own only.
func TestDuplicatesInNestedObjects(t *testing.T) {
	t.Parallel()
	const depth, width = 20, 6
	open, closing := "", ""
	for d := range depth {
		open += "{"
		for i := range width {
			open += fmt.Sprintf(`"name%d":%d,`, i, d)
		}
		open += `"deeper":`
		closing = fmt.Sprintf(`,"after%d":0}`, d) + closing
	}
	if err := Check([]byte(open+"1"+closing), Limits{}); err != nil {
		t.Fatalf("no twins: %v", err)
	}
	for d := range depth {
		after := fmt.Sprintf(`"after%d"`, d)
		text := open + "1" + strings.Replace(closing, after, `"name3"`, 1)
		if got := reasonOf(t, Check([]byte(text), Limits{})); got != Duplicate {
			t.Errorf("twin at depth %d: reason %v", d, got)
		}
	}
}

func TestErrorNamesTheMember(t *testing.T) {
	t.Parallel()
	data := []byte(`{"money":1,"Money":2}`)
	err := Check(data, Limits{})
	clear(data)
	want := `strictjson: member name used twice: "Money" at byte 19`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	long := strings.Repeat("n", 10_000)
	err = Check([]byte(`{"`+long+`":1,"`+long+`":2}`), Limits{})
	if err == nil || len(err.Error()) > 120 {
		t.Errorf("error grows with the input: %.200v", err)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	data := []byte(event)
	if n := testing.AllocsPerRun(100, func() {
		if err := Check(data, Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// standard is what encoding/json makes of a text that it accepts.
func standard(t interface{ Fatalf(string, ...any) }, data []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", data, err)
	}
	return v
}

// Whatever encoding/json writes from values with distinct names is accepted
// and read back as the same names and texts.
func TestAcceptsWhatTheStandardWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "object")
		folded := map[string]bool{}
		for name := range in {
			folded[foldCase(name)] = true
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		members, err := Object(data)
		if len(folded) < len(in) {
			if err == nil {
				t.Fatalf("twins accepted: %s", data)
			}
			return
		}
		if err != nil || len(members) != len(in) {
			t.Fatalf("%d members, %v: %s", len(members), err, data)
		}
		for name, want := range in {
			if got, ok := members.String(name); !ok || got != want {
				t.Fatalf("%q: %q, want %q", name, got, want)
			}
		}
	})
}

// FuzzCheck holds that what is accepted means the same to encoding/json: it
// takes the text, finds as many members, and writes and reads it back equal.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		event, `{}`, `[]`, `"\ud83d\ude00"`, `{"a":{"a":1},"A":2}`, "{\"k\":1,\"\u212a\":2}", `-0.0e-0`,
		`{"":0," ":1}`, "\"\xff\"", `[[[[]]]]`, `{"a\u0000b":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		err := Check(data, Limits{})
		if !bytes.Equal(before, data) {
			t.Fatal("Check changed its input")
		}
		if err != nil {
			reasonOf(t, err)
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted, but not JSON: %q", data)
		}
		first := standard(t, data)
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if second := standard(t, again); !reflect.DeepEqual(first, second) {
			t.Fatalf("%q decodes to %v, then to %v", data, first, second)
		}
		if err := Check(again, Limits{MaxBytes: 1 << 30}); err != nil {
			t.Fatalf("%q accepted, %q not: %v", data, again, err)
		}
		compareMembers(t, data, first)
	})
}

// compareMembers holds Object and the values' methods against encoding/json.
func compareMembers(t *testing.T, data []byte, decoded any) {
	object, isObject := decoded.(map[string]any)
	members, err := Object(data)
	if isObject != (err == nil) || len(members) != len(object) {
		t.Fatalf("%q: Object gives %v, %v", data, members, err)
	}
	for _, m := range members {
		want, ok := object[m.Name]
		if !ok {
			t.Fatalf("%q: encoding/json has no member %q", data, m.Name)
		}
		compareValue(t, m.Value, want)
	}
}

func compareValue(t *testing.T, v Value, want any) {
	switch want := want.(type) {
	case nil:
		if !v.IsNull() {
			t.Fatalf("%s is not null", v)
		}
	case bool:
		if got, ok := v.Bool(); !ok || got != want {
			t.Fatalf("%s is not %v", v, want)
		}
	case string:
		if got, ok := v.Text(); !ok || got != want {
			t.Fatalf("%s is read as %q, want %q", v, got, want)
		}
	case json.Number:
		if got, ok := v.Text(); !ok || got != want.String() || !v.IsNumber() {
			t.Fatalf("%s is read as %q, want %q", v, got, want)
		}
	case []any:
		elements, err := v.Array()
		if err != nil || len(elements) != len(want) {
			t.Fatalf("%s: %d elements, %v", v, len(elements), err)
		}
		for i, e := range elements {
			compareValue(t, e, want[i])
		}
	case map[string]any:
		compareMembers(t, []byte(v), want)
	}
}
