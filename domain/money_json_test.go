package domain

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMoneyJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "money")
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Money
		if err := json.Unmarshal(data, &back); err != nil || back != m {
			t.Fatalf("%s is read as %v, %v", data, back, err)
		}
	})
	data, err := json.Marshal(NewMoney(730, CNY))
	if want := `{"amount":"7.30","currency":"CNY"}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
	if _, err := json.Marshal(Money{}); err == nil {
		t.Error("no money can be written")
	}
	var m Money
	if err := m.UnmarshalJSON([]byte(" {\n\t\"currency\" : \"JPY\" ,\r\"amount\" : \"-7\" } ")); err != nil || m != NewMoney(-7, JPY) {
		t.Errorf("members in another order with blanks: %v, %v", m, err)
	}
}

func TestMoneyJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		``, `null`, `{}`, `[]`, `"7.30"`, `7.30`, `{"amount":"7.30"}`, `{"currency":"CNY"}`,
		`{"amount":7.30,"currency":"CNY"}`, `{"amount":null,"currency":"CNY"}`, `{"amount":"7.30","currency":null}`,
		`{"Amount":"7.30","currency":"CNY"}`, `{"amount":"7.30","CURRENCY":"CNY"}`, `{"\u0061mount":"7.30","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY","x":"1"}`, `{"amount":"7.30","amount":"7.30"}`, `{"currency":"CNY","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY","currency":"CNY"}`, `{"amount":"7.30","currency":"CNY",}`,
		`{"amount":"7.30","currency":"CNY"}x`, `{"amount":"7.30","currency":"CNY"}{}`, `{"amount":"7.30","currency":"CNY"`,
		`{"amount":"7.30" "currency":"CNY"}`, `{"amount","7.30","currency":"CNY"}`, `{,"amount":"7.30","currency":"CNY"}`,
		`{"amount":"7.30","currency":"CNY}`, `{"amount":"7.3","currency":"CNY"}`, `{"amount":"7.300","currency":"CNY"}`,
		`{"amount":"-0.00","currency":"CNY"}`, `{"amount":"1e2","currency":"CNY"}`, `{"amount":"7.30","currency":"cny"}`,
		`{"amount":"7.30","currency":"XAU"}`, `{"amount":"\u0037.30","currency":"CNY"}`, `{"amount":"","currency":"CNY"}`,
		`{"amount":"` + strings.Repeat("1", 100) + `","currency":"CNY"}`,
	} {
		m := NewMoney(1, USD)
		if err := m.UnmarshalJSON([]byte(in)); err == nil || KindOf(err) != KindInvalid || m != NewMoney(1, USD) {
			t.Errorf("%s is read as %v, %v", in, m, err)
		}
		if err := json.Unmarshal([]byte(in), &m); err == nil {
			t.Errorf("encoding/json reads %s as %v", in, m)
		}
	}
}

func FuzzMoneyJSON(f *testing.F) {
	f.Add([]byte(`{"amount":"7.30","currency":"CNY"}`))
	f.Add([]byte(` {"currency":"JPY","amount":"-7"} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Money
		err := m.UnmarshalJSON(data)
		if err != nil {
			return
		}
		var witness struct{ Amount, Currency string }
		if err := json.Unmarshal(data, &witness); err != nil {
			t.Fatalf("%q accepted, but: %v", data, err)
		}
		if witness.Amount != m.Amount() || witness.Currency != string(m.Currency()) {
			t.Fatalf("%q is %v, encoding/json says %v", data, m, witness)
		}
	})
}

func BenchmarkMoneyJSON(b *testing.B) {
	data := NewMoney(730, CNY).AppendJSON(nil)
	b.ReportAllocs()
	for b.Loop() {
		var m Money
		if err := m.UnmarshalJSON(data); err != nil {
			b.Fatal(err)
		}
	}
}
