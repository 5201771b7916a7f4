package ledger

import (
	"context"
	"testing"
	"time"

	"counterfoil/domain"
)

// TestPlaceAgain: the same order changes nothing; any other field is refused
// and named.
func TestPlaceAgain(t *testing.T) {
	w := parallel(t)
	first := w.process(t)
	w.place(t, first, order("A1"))
	for _, c := range []struct {
		name   string
		change func(*domain.Order, *Personal)
		field  string // "" for no refusal
	}{
		{"the same", func(*domain.Order, *Personal) {}, ""},
		{"another expiry", func(o *domain.Order, _ *Personal) { o.ExpiresAt = until.Add(time.Hour) }, "expires_at"},
		{"no expiry given", func(o *domain.Order, _ *Personal) { o.ExpiresAt = time.Time{} }, ""},
		{"from another address", func(_ *domain.Order, p *Personal) { p.ClientIP = "198.51.100.7" }, ""},
		{"another amount", func(o *domain.Order, _ *Personal) { o.Amount = five }, "amount"},
		{"another currency", func(o *domain.Order, _ *Personal) { o.Amount = domain.NewMoney(1000, domain.USD) }, "amount"},
		{"another account", func(o *domain.Order, _ *Personal) { o.Account = bob }, "account"},
		{"another method", func(o *domain.Order, _ *Personal) { o.Method = "wxpay" }, "method"},
		{"another subject", func(_ *domain.Order, p *Personal) { p.Subject = "Credits" }, "subject"},
		{"another way back", func(_ *domain.Order, p *Personal) { p.ReturnURL = "https://evil.example" }, "return_url"},
	} {
		for who, l := range map[string]*Ledger{"same process": first, "another process": w.process(t)} {
			t.Run(c.name+", "+who, func(t *testing.T) {
				o, p := order("A1"), shown
				c.change(&o, &p)
				r, existed, err := l.Place(context.Background(), o, p, desk)
				if c.field == "" {
					if err != nil || !existed || r.Position != 0 {
						t.Errorf("existed %t, position %s, %v", existed, r.Position, err)
					}
					return
				}
				wantKind(t, err, domain.KindConflict)
				if got := domain.FieldOf(err); got != c.field {
					t.Errorf("field %q, want %q", got, c.field)
				}
			})
		}
	}
	if got := checkLog(t, w).types(domain.PaymentStream(main, "A1")); len(got) != 1 {
		t.Errorf("events %v", got)
	}
}

// TestPlaceAgainAfterErasure: there is nothing left to compare.
func TestPlaceAgainAfterErasure(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	w.place(t, l, order("A1"))
	s := domain.PaymentStream(main, "A1")
	w.keys.erase(s)
	_, existed, err := l.Place(context.Background(), order("A1"), Personal{Subject: "other"}, desk)
	if err != nil || !existed {
		t.Errorf("existed %t, %v", existed, err)
	}
	checkLog(t, w, s)
}

// TestPlaceRefused: what cannot be placed leaves no event and no key behind.
func TestPlaceRefused(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	for name, change := range map[string]func(*domain.Order){
		"expires_at": func(o *domain.Order) { o.ExpiresAt = noon },
		"currency":   func(o *domain.Order) { o.Amount = domain.NewMoney(1, domain.USD) },
		"amount":     func(o *domain.Order) { o.Amount = domain.NewMoney(0, domain.CNY) },
		"channel":    func(o *domain.Order) { o.Channel = "nobody" },
	} {
		o := order("A1")
		change(&o)
		_, _, err := l.Place(context.Background(), o, shown, desk)
		if err == nil || domain.FieldOf(err) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h := checkLog(t, w); len(h.streams[domain.PaymentStream(main, "A1")]) != 0 || len(w.keys.keys) != 0 {
		t.Error("a refused order left something behind")
	}
}

// TestCancel: money that comes for a cancelled order is parked.
func TestCancel(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	_, err := l.Cancel(ctx, main, "A1", "changed my mind", desk)
	wantKind(t, err, domain.KindNotFound)
	w.place(t, l, order("A1"))
	for range 2 {
		if _, err := l.Cancel(ctx, main, "A1", "changed my mind", desk); err != nil {
			t.Fatal(err)
		}
	}
	r := must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeParked)
	if r.Verdict.Reason != domain.ReasonCancelled {
		t.Errorf("reason %s", r.Verdict.Reason)
	}
	if got := checkLog(t, w).count(domain.PaymentStream(main, "A1"), domain.TypePaymentClosed); got != 1 {
		t.Errorf("%d closes", got)
	}
}

// TestExpire: late money is credited all the same.
func TestExpire(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	w.place(t, l, order("A1"))
	expire := func() Result {
		t.Helper()
		r, err := l.Expire(ctx, main, "A1", By{Actor: "reconciler"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := expire(); r.Position != 0 {
		t.Error("expired before its time")
	}
	w.clock.add(3 * time.Hour)
	if r := expire(); r.Position == 0 || r.Payment.State() != domain.StateExpired {
		t.Error("not expired")
	}
	if r := expire(); r.Position != 0 {
		t.Error("expired twice")
	}
	must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
	checkLog(t, w)
}
