package domain_test

import (
	"bytes"
	"reflect"
	"testing"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// FuzzDecodeFact: no bytes make the reader panic; what it accepts is written
// again as the same bytes (R9), and the strict scanner with encoding/json
// reads the same fact from them.
func FuzzDecodeFact(f *testing.F) {
	types := domain.Types()
	for name := range fixtures() {
		for i, typ := range types {
			if typ == typeOf(name) {
				f.Add(i, golden(f, name))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n int, data []byte) {
		typ := types[uint(n)%uint(len(types))]
		fact, err := domain.DecodeFact(typ, data)
		if err != nil {
			if fact != nil || domain.KindOf(err) != domain.KindCorrupt {
				t.Fatalf("%v beside %v", fact, err)
			}
			return
		}
		if _, again := encoded(t, fact); !bytes.Equal(again, data) {
			t.Fatalf("read\n%s\nwritten\n%s", data, again)
		}
		other := reflect.New(reflect.TypeOf(fact))
		if err := strictjson.UnmarshalKnown(data, other.Interface()); err != nil {
			t.Fatalf("%s\nis refused by the strict scanner: %v", data, err)
		}
		if !reflect.DeepEqual(other.Elem().Interface(), any(fact)) {
			t.Fatalf("%s\nis\n%+v\nto encoding/json\n%+v", data, fact, other.Elem())
		}
	})
}
