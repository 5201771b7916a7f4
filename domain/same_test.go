package domain_test

import (
	"reflect"
	"testing"
	"time"

	"counterfoil/domain"
)

// TestSameSeesEveryMember: a fact is the same as itself read back, and as none
// that differs in any one member, however deep.
func TestSameSeesEveryMember(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures() {
		typ, data := encoded(t, f)
		back, err := domain.DecodeFact(typ, data)
		if err != nil {
			t.Fatal(err)
		}
		if !domain.Same(f, back) {
			t.Errorf("%s is not the same when it was read back", name)
		}
		if domain.Same(f, domain.LedgerOpened{}) {
			t.Errorf("%s is the same as the opening of a ledger", name)
		}
		other := reflect.New(reflect.TypeOf(f)).Elem()
		other.Set(reflect.ValueOf(back))
		changeEach(other, func(where string) {
			if domain.Same(f, other.Interface().(domain.Fact)) || domain.Same(other.Interface().(domain.Fact), f) {
				t.Errorf("%s is the same with another %s", name, where)
			}
		})
	}
}

// changeEach calls seen with each member of v, one after the other, being
// another than it was.
func changeEach(v reflect.Value, seen func(where string)) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	switch at, isTime := v.Interface().(time.Time); {
	case isTime:
		v.Set(reflect.ValueOf(at.Add(time.Nanosecond)))
	case v.Type() == reflect.TypeFor[domain.Money]():
		m, _ := v.Interface().(domain.Money)
		v.Set(reflect.ValueOf(domain.NewMoney(m.Minor()+1, domain.CNY)))
	default:
		changeKind(v, seen)
		return
	}
	seen("")
	v.Set(was)
}

func changeKind(v reflect.Value, seen func(where string)) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			changeEach(v.Field(i), func(where string) { seen(v.Type().Field(i).Name + " " + where) })
		}
		return
	case reflect.Array:
		changeEach(v.Index(v.Len()-1), seen)
		return
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			break
		}
		inner := reflect.New(v.Type().Elem())
		inner.Elem().Set(v.Elem())
		v.Set(inner)
		changeEach(inner.Elem(), seen)
		v.Set(reflect.Zero(v.Type()))
	case reflect.Slice:
		if v.Len() > 0 {
			v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
			changeEach(v.Index(v.Len()-1), seen)
			v.Set(was.Slice(0, v.Len()-1))
			break
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if was.Len() == 0 {
			v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		}
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(v.Uint() ^ 1)
	default:
		panic("no way to change a " + v.Type().String())
	}
	seen("")
	v.Set(was)
}
