package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// order is the order of the stage as its caller states it.
func order() domain.Order {
	return domain.Order{
		Channel: channel, OrderNo: orderNo, Account: alice, Amount: ten, Method: "alipay", ExpiresAt: expiry,
	}
}

func orderWith(change func(*domain.Order)) domain.Order {
	o := order()
	change(&o)
	return o
}

// refused fails the test unless err is of the kind and about the field.
func refused(t *testing.T, err error, kind domain.Kind, field string) {
	t.Helper()
	var e *domain.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want %s of %q", err, kind, field)
	}
	if e.Kind != kind || e.Field != field {
		t.Errorf("error is %s of %q (%v), want %s of %q", e.Kind, e.Field, err, kind, field)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	got, err := domain.Payment{}.Place(at(noon, domain.ConfirmNever), order())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "facts", facts(placed()), got)
	storable(t, got)
}

// TestPlaceKeepsInstants: times are stored in UTC and whole microseconds,
// whatever the caller's clock says.
func TestPlaceKeepsInstants(t *testing.T) {
	t.Parallel()
	now := noon.Add(1234 * time.Nanosecond).In(shanghai)
	o := orderWith(func(o *domain.Order) { o.ExpiresAt = expiry.Add(999).In(shanghai) })
	got, err := domain.Payment{}.Place(at(now, domain.ConfirmNever), o)
	if err != nil {
		t.Fatal(err)
	}
	want := placed()
	want.PlacedAt = noon.Add(time.Microsecond)
	same(t, "facts", facts(want), got)
	if f, ok := got[0].(domain.PaymentPlaced); !ok || f.PlacedAt != want.PlacedAt || f.ExpiresAt != expiry {
		t.Errorf("times are not in UTC and microseconds: %v", got[0])
	}
}

func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		order domain.Order
		kind  domain.Kind
		field string
	}{
		{"other currency than the channel's", orderWith(func(o *domain.Order) { o.Amount = domain.NewMoney(1000, domain.USD) }), domain.KindMismatch, "currency"},
		{"nothing", orderWith(func(o *domain.Order) { o.Amount = domain.NewMoney(0, domain.CNY) }), domain.KindInvalid, "amount"},
		{"less than nothing", orderWith(func(o *domain.Order) { o.Amount = ten.Neg() }), domain.KindInvalid, "amount"},
		{"no money", orderWith(func(o *domain.Order) { o.Amount = domain.Money{} }), domain.KindMismatch, "currency"},
		{"beyond the calendar", orderWith(func(o *domain.Order) { o.ExpiresAt = time.Date(9999, 12, 31, 20, 0, 0, 0, time.FixedZone("", -8*3600)) }), domain.KindInvalid, "expires_at"},
		{"expired already", orderWith(func(o *domain.Order) { o.ExpiresAt = noon }), domain.KindInvalid, "expires_at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := domain.Payment{}.Place(at(noon, domain.ConfirmNever), c.order)
			refused(t, err, c.kind, c.field)
			if len(got) != 0 {
				t.Errorf("facts beside an error: %v", got)
			}
		})
	}
}

// TestPlaceAgainR3: what was placed stays placed.
func TestPlaceAgainR3(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		order domain.Order
		now   time.Time
		field string // empty: the same order, nothing follows
	}{
		{"the same", order(), noon.Add(time.Minute), ""},
		{"the same, its time over", order(), expiry.Add(time.Hour), ""},
		{"another account", orderWith(func(o *domain.Order) { o.Account = bob }), noon, "account"},
		{"another amount", orderWith(func(o *domain.Order) { o.Amount = five }), noon, "amount"},
		{"another method", orderWith(func(o *domain.Order) { o.Method = "wxpay" }), noon, "method"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := domain.Fold(facts(placed())).Place(at(c.now, domain.ConfirmNever), c.order)
			if c.field != "" {
				refused(t, err, domain.KindConflict, c.field)
			} else if err != nil {
				t.Error(err)
			}
			if len(got) != 0 {
				t.Errorf("placing again appends %v", got)
			}
			if c.order.Account == bob && strings.Contains(err.Error(), string(order().Account)) {
				t.Errorf("%q tells bob whose order it is", err)
			}
		})
	}
}

// TestPlaceAfterItsMoney: an order placed within 15 minutes after its money
// came receives it by rule.
func TestPlaceAfterItsMoney(t *testing.T) {
	t.Parallel()
	cb := callback(1, "T1", ten) // received at noon + 1 min
	second := callback(2, "T2", ten)
	less := callback(3, "T3", five)
	aside := func(ns ...domain.Notice) (fs []domain.Fact) {
		for _, n := range ns {
			fs = append(fs, kept(n, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(n, domain.ReasonUnknownOrder))
		}
		return fs
	}
	byRule := func(n domain.Notice, now time.Time) domain.PaymentAllocated {
		f := allocated(n, alice, now)
		f.ByRule, f.Reason = true, "the order was placed right after its money came"
		return f
	}
	soon := noon.Add(16 * time.Minute)
	for _, c := range []struct {
		name  string
		given []domain.Fact
		now   time.Time
		then  []domain.Fact
	}{
		{"just in time", aside(cb), soon, facts(byRule(cb, soon))},
		{"a moment too late", aside(cb), soon.Add(time.Microsecond), nil},
		{"other amount", aside(less), soon, nil},
		{"the one that equals", aside(less, cb), soon, facts(byRule(cb, soon))},
		{"only one of two", aside(cb, second), soon, facts(byRule(cb, soon))},
		{"not yet confirmed", facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), suspect(cb, domain.ReasonUnknownOrder)), soon, nil},
		{"already somebody's", append(aside(cb), allocated(cb, bob, noon)), soon, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := orderWith(func(o *domain.Order) { o.ExpiresAt = c.now.Add(30 * time.Minute) })
			got, err := domain.Fold(c.given).Place(at(c.now, domain.ConfirmNever), o)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "facts", append(facts(placedAt(c.now)), c.then...), got)
			storable(t, got)
			p := domain.Fold(append(c.given, got...))
			if p.IsSettled() != (c.then != nil) {
				t.Errorf("settled is %t after %d allocations", p.IsSettled(), len(c.then))
			}
		})
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	cb := callback(1, "T1", ten)
	less := callback(2, "T2", five)
	over := expiry.Add(time.Microsecond)
	for _, c := range []struct {
		name  string
		given []domain.Fact
		now   time.Time
		want  []domain.Fact
	}{
		{"its time is over", facts(placed()), over, facts(closed(domain.ClosedExpired))},
		{"at the last moment", facts(placed()), expiry, nil},
		{"never placed", facts(kept(says(cb, domain.StatusWaiting), domain.OutcomeNoted, domain.ReasonNotPaid)), over, nil},
		{"paid", facts(placed(), credited(cb)), over, nil},
		{"expired", facts(placed(), closed(domain.ClosedExpired)), over, nil},
		{"closed by the provider", facts(placed(), closed(domain.ClosedProvider)), over, nil},
		{"cancelled", facts(placed(), closed(domain.ClosedMerchant)), over, nil},
		{"money for it waits", facts(placed(), held(cb, domain.ReasonDoubtful)), over, nil},
		{"only other money came", facts(placed(), parked(less, domain.ReasonOtherAmount)), over, facts(closed(domain.ClosedExpired))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := domain.Fold(c.given).Expire(at(c.now, domain.ConfirmNever))
			same(t, "facts", c.want, got)
			storable(t, got)
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	cb := callback(1, "T1", ten)
	less := callback(2, "T2", five)
	cancelled := facts(domain.PaymentClosed{Cause: domain.ClosedMerchant, Reason: "buyer changed his mind"})
	for _, c := range []struct {
		name  string
		given []domain.Fact
		want  []domain.Fact
		fails bool
		kind  domain.Kind
	}{
		{name: "open", given: facts(placed()), want: cancelled},
		{name: "expired", given: facts(placed(), closed(domain.ClosedExpired)), want: cancelled},
		{name: "closed by the provider", given: facts(placed(), closed(domain.ClosedProvider)), want: cancelled},
		{name: "other money parked", given: facts(placed(), parked(less, domain.ReasonOtherAmount)), want: cancelled},
		{name: "cancelled", given: facts(placed(), closed(domain.ClosedMerchant))},
		{name: "never placed", fails: true, kind: domain.KindNotFound},
		{name: "paid", given: facts(placed(), credited(cb)), fails: true, kind: domain.KindConflict},
		{name: "money waits", given: facts(placed(), held(cb, domain.ReasonDoubtful)), fails: true, kind: domain.KindConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := domain.Fold(c.given).Cancel("buyer changed his mind")
			if c.fails {
				refused(t, err, c.kind, "")
			} else if err != nil {
				t.Error(err)
			}
			same(t, "facts", c.want, got)
			storable(t, got)
		})
	}
}

// An expiry that was given is a field like the others; one that was not given
// is the channel's and no reason to refuse.
func TestPlaceComparesAGivenExpiryR3(t *testing.T) {
	t.Parallel()
	c := at(noon, domain.ConfirmNever)
	o := domain.Order{
		Channel: "epay-a", OrderNo: "A1", Account: "user:1", Amount: ten, ExpireAfter: time.Hour,
	}
	o.Channel = c.Channel.Channel
	fs, err := domain.Payment{}.Place(c, o)
	if err != nil {
		t.Fatal(err)
	}
	p := domain.Fold(fs)
	if want := noon.Add(time.Hour); !p.Placed.ExpiresAt.Equal(want) {
		t.Fatalf("expires at %v, want %v", p.Placed.ExpiresAt, want)
	}
	for _, tc := range []struct {
		at   time.Time
		kind domain.Kind
		ok   bool
	}{{time.Time{}, 0, true}, {noon.Add(time.Hour), 0, true}, {noon.Add(2 * time.Hour), domain.KindConflict, false}} {
		o.ExpiresAt = tc.at
		if fs, err := p.Place(c, o); (err == nil) != tc.ok || len(fs) > 0 || (!tc.ok && domain.KindOf(err) != tc.kind) {
			t.Errorf("again with expiry %v: %v, %v", tc.at, fs, err)
		}
	}
}
