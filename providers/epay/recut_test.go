package epay

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"counterfoil/providers"
)

// cuts yields every message that the signed text could be: each '&' ends a
// field or stands in a value, and each '=' of a field may be the one that ends
// its name.
func cuts(text string) iter.Seq[Params] {
	pieces := strings.Split(text, "&")
	return func(yield func(Params) bool) {
		cutFrom(pieces, nil, yield)
	}
}

// cutFrom completes the fields in front of pieces in every way.
func cutFrom(pieces []string, before Params, yield func(Params) bool) bool {
	if len(pieces) == 0 {
		return yield(slices.Clone(before))
	}
	for n := 1; n <= len(pieces); n++ {
		field := strings.Join(pieces[:n], "&")
		for at := 0; at <= len(field); at++ {
			if at < len(field) && field[at] != '=' {
				continue
			}
			p := Param{Name: field}
			if at < len(field) {
				p = Param{field[:at], field[at+1:]}
			}
			if !cutFrom(pieces[n:], append(slices.Clone(before), p), yield) {
				return false
			}
		}
	}
	return true
}

// TestRecut reads every message that a rightly signed text could be. Only the
// one that was signed may pass without a doubt, and not even that one if its
// own values could be fields.
func TestRecut(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	tests := []struct {
		name   string
		fields Params
		clean  bool // the original has no doubts
	}{
		{"plain", callback(), true},
		{"with param", callback(Param{"param", "u=7"}), true},
		{"signs in the name", callback(Param{"name", "a=b&c&=d"}), true},
		{"& before the end", callback(Param{"name", "x&"}, Param{"type", "&"}), true},
		{"all of V2", callback(Param{"api_trade_no", "4"}, Param{"buyer", "b=c"}, Param{"timestamp", "1"}), true},
		{"V1-4", callback(Param{"name", "a+b c&d=e%20/中"}, Param{"param", "u=7"}), false},
		{"AMB2", callback(Param{"name", "x&out_trade_no=VICTIM&pax=1"}), false},
		{"swallowed by param", callback(Param{"name", "x&out_trade_no=VICTIM&param="}), false},
		{"swallowed by money", callback(Param{"api_trade_no", "1&money=9999&name=x"}), false},
		{"status in the type", callback(Param{"param", "1&pid=1001&trade_status=TRADE_SUCCESS"}, Param{"trade_status", "WAIT_BUYER_PAY"}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := Text(tt.fields)
			original := providers.SortFields(slices.Clone(tt.fields))
			sign := SignMD5(text, sampleKey)
			seen, clean := 0, 0
			for fields := range cuts(text) {
				seen++
				r := get(append(slices.Clone(fields), Param{"sign", sign}, Param{"sign_type", "MD5"}))
				got, _, err := c.Read(r)
				if err != nil || len(got.Notices[0].Doubts) > 0 {
					continue
				}
				clean++
				if !slices.Equal(fields, original) {
					t.Errorf("%v passes as %v", original, fields)
				}
			}
			if seen < 100 || (clean == 1) != tt.clean {
				t.Errorf("%d of %d readings pass", clean, seen)
			}
		})
	}
}

// TestRecutForm reads every message that a signed order form could be, and
// every one that the published ambiguous texts could be: none may pass.
func TestRecutForm(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	texts := map[string]string{}
	for _, v := range md5Vectors {
		if v.key == sampleKey && (strings.Contains(v.name, "AMB") || strings.Contains(v.name, "form")) {
			texts[v.name] = v.text
		}
	}
	form, err := c.Form(providers.Order{
		OrderNo: "trade_status", Amount: goodOrder().Amount, Subject: "x = y", Method: "TRADE_SUCCESS",
		NotifyURL: "https://m.example/trade_status=TRADE_SUCCESS", ReturnURL: "https://m.example/?trade_status=TRADE_SUCCESS",
	})
	if err != nil {
		t.Fatal(err)
	}
	var fields Params
	for name, value := range form.Fields {
		fields = append(fields, Param{name, value})
	}
	texts["our form"] = Text(fields)
	if len(texts) != 4 {
		t.Fatalf("%d texts", len(texts))
	}
	for name, text := range texts {
		sign := SignMD5(text, sampleKey)
		for fields := range cuts(text) {
			got, _, err := c.Read(get(append(fields, Param{"sign", sign})))
			if err == nil && len(got.Notices[0].Doubts) == 0 {
				t.Errorf("%s passes as %v", name, fields)
			}
		}
	}
}

// TestReadAmbiguousVectors reads the published forgeries: their signatures are
// right.
func TestReadAmbiguousVectors(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	amb := Params{
		{"device", "pc"},
		{"money", "7.30"},
		{"name", "TUC1"},
		{"notify_url", "https://m.example/n"},
		{"out_trade_no", "A1"},
		{"pid", "1001"},
		{"return_url", "https://evil.example/?a=1"},
		{"trade_no", "T1"},
		{"trade_status", "TRADE_SUCCESS"},
		{"type", "alipay"},
		{"sign", "f0f4adea9e225a1437d2484f101e4e70"},
	}
	amb2 := Params{
		{"money", "0.01"},
		{"name", "x"},
		{"out_trade_no", "VICTIM"},
		{"pax", "1&out_trade_no=REAL-CHEAP"},
		{"pid", "1001"},
		{"trade_no", "T1"},
		{"trade_status", "TRADE_SUCCESS"},
		{"type", "alipay"},
		{"sign", "907c0b0a72314dfaf10deb8fd75eab5a"},
	}
	for name, fields := range map[string]Params{"AMB": amb, "AMB2": amb2} {
		if got := read(t, c, get(fields)).Notices[0]; len(got.Doubts) == 0 {
			t.Errorf("%s passes: %+v", name, got)
		}
	}
}
