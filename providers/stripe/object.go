package stripe

import (
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
)

// rules are those of every text read here: strict, but for the merchant's own
// names in metadata.
func rules(most int) strictjson.Limits {
	return strictjson.Limits{MaxBytes: most, MaxDepth: 32, Opaque: "metadata"}
}

// object is one of Stripe's objects, or any JSON object in one.
type object strictjson.Members

func parseObject(data []byte, most int) (object, error) {
	m, err := rules(most).Object(data)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "message is not a JSON object: %w", err)
	}
	return object(m), nil
}

// within is the object that v is; nil if it is none.
func within(v strictjson.Value) object {
	if v == "" || v[0] != '{' {
		return nil
	}
	m, err := v.ObjectUnder(rules(len(v)))
	if err != nil { // twins in metadata: nothing of it can be trusted
		return nil
	}
	return object(m)
}

func (o object) value(name string) strictjson.Value { return strictjson.Members(o).Value(name) }

// text is a member that is a string; "" for null, another type or none.
func (o object) text(name string) string {
	s, _ := strictjson.Members(o).String(name)
	return s
}

func (o object) sub(name string) object { return within(o.value(name)) }

// ref is the id in a member that names another object: the id itself, or the
// whole object where it was expanded.
func (o object) ref(name string) string {
	if sub := o.sub(name); sub != nil {
		return sub.text("id")
	}
	return o.text(name)
}

// list is the objects in a member that is an array, or the data of one that is
// a list object. What is no object in it is passed over.
func (o object) list(name string) []object {
	v := o.value(name)
	if sub := within(v); sub != nil {
		v = sub.value("data")
	}
	if v == "" || v[0] != '[' {
		return nil
	}
	elements, err := v.ArrayUnder(rules(len(v)))
	if err != nil {
		return nil
	}
	objects := make([]object, 0, len(elements))
	for _, e := range elements {
		if sub := within(e); sub != nil {
			objects = append(objects, sub)
		}
	}
	return objects
}

// whole reads -?(0|[1-9][0-9]{0,14}): no exponent, no fraction, no blank.
func whole(text string) (int64, bool) {
	const most = 15
	negative := text != "" && text[0] == '-'
	if negative {
		text = text[1:]
	}
	if text == "" || len(text) > most || (text[0] == '0' && (len(text) > 1 || negative)) {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// number is a member that is a plain integer, not a string of digits.
func (o object) number(name string) (int64, error) {
	n, ok := whole(string(o.value(name)))
	if !ok {
		return 0, domain.E(domain.KindInvalid, "%s is not a whole number: %.24q", name, string(o.value(name)))
	}
	return n, nil
}

// at is a member that is a time in unix seconds; zero if it is none.
func (o object) at(name string) time.Time {
	n, ok := whole(string(o.value(name)))
	if !ok || n < 1 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// money is the amount in a member, in the currency of the object, of either
// sign.
func (o object) money(name string) (domain.Money, error) {
	n, err := o.number(name)
	if err != nil {
		return domain.Money{}, err
	}
	u, err := unitNamed(o.text("currency"))
	if err != nil {
		return domain.Money{}, err
	}
	return u.money(n)
}

// amount is money that cannot be negative.
func (o object) amount(name string) (domain.Money, error) {
	m, err := o.money(name)
	if err == nil && m.IsNegative() {
		return domain.Money{}, domain.E(domain.KindInvalid, "%s is negative", name)
	}
	return m, err
}

// flag is a member that is true or false.
func (o object) flag(name string) (value, ok bool) { return o.value(name).Bool() }
