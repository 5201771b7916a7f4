package providertest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// Amounts are texts that some parser takes for money and ours must not: other
// notations, other digits, a part below the unit, signs, blanks, too much.
func Amounts() []string {
	return []string{
		"1e9", "1E+2", "0x10", "0X1p-2", "NaN", "Inf", "-Infinity", "0", "0.00", "-0", "-1", "+1", ".5", "5.", "1.005", "1.001",
		"1_0", "1,000", " 1", "1 ", "00012", "٣", "\u0661\u0662", "\uff11", "१", "1\x00", "9223372036854775808",
		"10000000000000000", "true", "null", "[1]", `{"a":1}`, "1.0000000000000000000000000000000000000001",
	}
}

// testHosts looks for trust in what a request says of its own address: a proxy
// passes such headers on from anybody, and none of them is signed.
func testHosts(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		for name, change := range map[string]func(*providers.Request){
			"Host":                   func(r *providers.Request) { r.Header.Set("Host", "evil.example") },
			"two hosts":              func(r *providers.Request) { r.Header["Host"] = []string{"shop.example", "evil.example"} },
			"X-Forwarded-Host":       func(r *providers.Request) { r.Header.Set("X-Forwarded-Host", "evil.example") },
			"Forwarded":              func(r *providers.Request) { r.Header.Set("Forwarded", "host=evil.example;proto=http") },
			"X-Original-URL":         func(r *providers.Request) { r.Header.Set("X-Original-Url", "/callbacks/other?money=1000000") },
			"X-Rewrite-URL":          func(r *providers.Request) { r.Header.Set("X-Rewrite-Url", "/callbacks/other") },
			"X-HTTP-Method-Override": func(r *providers.Request) { r.Header.Set("X-Http-Method-Override", http.MethodDelete) },
			"X-Forwarded-For":        func(r *providers.Request) { r.Header.Set("X-Forwarded-For", "127.0.0.1") },
			"a whole address":        func(r *providers.Request) { r.Target = "http://evil.example" + r.Target },
		} {
			r := clone(g.Request)
			change(&r)
			read, refusal, err := h.Channel.Read(r)
			if err != nil || !sameContents(read.Notices, g.Notices) {
				t.Errorf("%s, %s: read as %+v, refused with %q: %v", g.Name, name, read.Notices, refusal.Reason, err)
			}
			if err == nil && read.Evidence.Target != r.Target {
				t.Errorf("%s, %s: the evidence names the target %s", g.Name, name, read.Evidence.Target)
			}
		}
	}
}

// testPacked sends bodies that claim to be packed, and bodies that are: what
// unpacks can be a bomb, so nothing is ever unpacked. What was signed as it is
// may still be read as it is.
func testPacked(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		if len(g.Request.Body) == 0 {
			continue
		}
		for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "identity, gzip"} {
			r := clone(g.Request)
			r.Header.Set("Content-Encoding", encoding)
			if read, _, err := h.Channel.Read(r); err == nil && !sameContents(read.Notices, g.Notices) {
				t.Errorf("%s as %s is read as %+v", g.Name, encoding, read.Notices)
			}
		}
		r := clone(g.Request)
		r.Body = packed(t, r.Body)
		for _, encodings := range [][]string{nil, {"gzip"}, {"x-gzip"}} {
			r.Header["Content-Encoding"] = encodings
			if _, err := refused(h.Channel, r); err != nil {
				t.Errorf("%s, packed as %q: %v", g.Name, encodings, err)
			}
		}
	}
}

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// testAmounts has every amount that is none, rightly signed.
func testAmounts(t *testing.T, h Harness) {
	if h.Amount == nil {
		t.Skip("the harness signs no amounts: they are tested beside the adapter")
	}
	for _, text := range Amounts() {
		for _, r := range h.Amount(text) {
			if reason, err := refused(h.Channel, r); err != nil || reason != domain.ReasonUnreadable {
				t.Errorf("%q is refused with %q: %v", text, reason, err)
			}
		}
	}
}

// decided is what the domain makes of notices of a payment in their order; the
// provider's word is enough, whatever the channel's settings say.
func decided(h Harness, p domain.Payment, read providers.Read) (domain.Payment, []domain.Fact) {
	c := domain.Context{Now: read.Evidence.At, Channel: h.Channel.Config(), Zone: time.UTC}
	c.Channel.Confirm, c.Channel.ConfirmAbove = domain.ConfirmNever, domain.Money{}
	var all []domain.Fact
	for _, n := range read.Notices {
		v := p.Notify(c, n, domain.EvidenceRef{Grade: read.Evidence.Grade}, nil, 0)
		for _, f := range v.Facts {
			p = p.Apply(f)
		}
		all = append(all, v.Facts...)
	}
	return p, all
}

// placed is the order that a notice speaks of, over an amount.
func placed(n domain.Notice, amount domain.Money) domain.Payment {
	return domain.Payment{}.Apply(domain.PaymentPlaced{
		Channel: n.Channel, OrderNo: domain.OrderNo(n.OrderNo), Account: "user:7", Amount: amount, PlacedAt: domain.Instant(n.ReceivedAt),
		ExpiresAt: domain.Instant(n.ReceivedAt.Add(time.Hour)),
	})
}

// payments are the genuine callbacks that are good for a credit.
func (h Harness) payments(t *testing.T) []Genuine {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(h.Genuine), func(g Genuine) bool {
		n := g.Notices[0]
		return n.About != domain.AboutPayment || n.Status != domain.StatusPaid || len(n.Doubts) > 0 || n.OrderNo == ""
	})
	if len(found) == 0 {
		t.Fatal("the harness brings no callback that is good for a credit")
	}
	return found
}

func credits(facts []domain.Fact) (n int) {
	for _, f := range facts {
		if _, ok := f.(domain.PaymentCredited); ok {
			n++
		}
	}
	return n
}

// effective reports whether a fact does more than keep a notice.
func effective(f domain.Fact) bool {
	_, kept := f.(domain.PaymentNotified)
	return !kept
}

// testYears sends a callback again after thirty years: what was kept of it
// still verifies, and it moves nothing a second time.
func testYears(t *testing.T, h Harness) {
	for _, g := range h.payments(t) {
		first, _, err := h.Channel.Read(clone(g.Request))
		if err != nil {
			t.Fatal(err)
		}
		p, facts := decided(h, placed(first.Notices[0], first.Notices[0].Amount), first)
		if credits(facts) != 1 {
			t.Fatalf("%s: the first time comes to %+v", g.Name, facts)
		}
		late := clone(g.Request)
		late.ReceivedAt = late.ReceivedAt.AddDate(30, 0, 0)
		late.Delivery = domain.NewV5(late.Delivery, "thirty years later")
		again, refusal, err := h.Channel.Read(late)
		if err != nil && refusal.Reason != domain.ReasonStale {
			t.Errorf("%s: refused with %q: %v", g.Name, refusal.Reason, err)
		}
		if err == nil {
			if _, facts := decided(h, p, again); len(facts) == 0 || slices.ContainsFunc(facts, effective) {
				t.Errorf("%s: thirty years later it comes to %+v", g.Name, facts)
			}
		}
		if notices, err := h.Channel.Reverify(stored(t, first.Evidence)); err != nil || !sameContents(notices, first.Notices) {
			t.Errorf("%s: what was kept is %+v, %v", g.Name, notices, err)
		}
	}
}

// testUnits places orders that a callback's amount fits only if somebody takes
// cents for whole units or one currency for another.
func testUnits(t *testing.T, h Harness) {
	for _, g := range h.payments(t) {
		read, _, err := h.Channel.Read(clone(g.Request))
		if err != nil {
			t.Fatal(err)
		}
		n := read.Notices[0]
		minor, currency := n.Amount.Minor(), n.Amount.Currency()
		other := domain.JPY
		if currency == other {
			other = domain.USD
		}
		orders := []domain.Money{
			domain.NewMoney(minor+1, currency), domain.NewMoney(minor*100, currency), domain.NewMoney(minor*1000, currency),
			domain.NewMoney(minor, other), domain.NewMoney(minor*100, other),
		}
		if minor >= 100 {
			orders = append(orders, domain.NewMoney(minor-1, currency), domain.NewMoney(minor/100, currency), domain.NewMoney(minor/100, other))
		}
		for _, amount := range orders {
			if _, facts := decided(h, placed(n, amount), read); credits(facts) != 0 || len(facts) == 0 {
				t.Errorf("%s: %s for an order over %s comes to %+v", g.Name, n.Amount, amount, facts)
			}
		}
	}
}
