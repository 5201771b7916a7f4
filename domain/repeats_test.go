package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// repeated is a payment credited by its first callback and told of it until
// it has kept n notices.
func repeated(n int) domain.Payment {
	first := callback(1, "T1", ten)
	p := domain.Fold(facts(placed(), kept(first, domain.OutcomeCredited, ""), credited(first)))
	for i := 2; i <= n; i++ {
		p = p.Apply(kept(callback(byte(i), "T1", ten), domain.OutcomeRepeated, ""))
	}
	return p
}

// TestRepeatsAreKeptUpToTheLimitR1: the 32nd delivery is an event of its own,
// the 33rd only counts.
func TestRepeatsAreKeptUpToTheLimitR1(t *testing.T) {
	t.Parallel()
	again := callback(200, "T1", ten)
	want := domain.Verdict{Outcome: domain.OutcomeRepeated, Facts: facts(kept(again, domain.OutcomeRepeated, ""))}
	c := at(noon, domain.ConfirmNever)
	same(t, "32nd delivery", want, repeated(31).Notify(c, again, evidence, answer, 0))
	same(t, "33rd delivery", domain.Verdict{Outcome: domain.OutcomeRepeated},
		repeated(32).Notify(c, again, evidence, answer, 7))
}

// TestCountedRepeatsStandInTheNextEventR1: whatever event comes next carries
// the count, so that none is forgotten.
func TestCountedRepeatsStandInTheNextEventR1(t *testing.T) {
	t.Parallel()
	other := callback(200, "T2", ten)
	v := repeated(32).Notify(at(noon, domain.ConfirmNever), other, evidence, answer, 7)
	if n, ok := v.Facts[0].(domain.PaymentNotified); !ok || n.Repeats != 7 {
		t.Errorf("facts %+v", v.Facts)
	}
}

// TestRepeatsAreWrittenDownHourlyR1: an hour after the last event the count is
// written with the repeat at hand.
func TestRepeatsAreWrittenDownHourlyR1(t *testing.T) {
	t.Parallel()
	p := repeated(32) // the last was received at noon + 1 min
	hour := noon.Add(time.Minute + time.Hour)
	for _, c := range []struct {
		name string
		at   time.Time
		kept bool
	}{
		{"before the hour is over", hour.Add(-time.Nanosecond), false},
		{"when the hour is over", hour, true},
		{"by a clock set back", noon.Add(-time.Hour), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := received(callback(200, "T1", ten), c.at)
			want := domain.Verdict{Outcome: domain.OutcomeRepeated}
			if c.kept {
				counted := kept(n, domain.OutcomeRepeated, "")
				counted.Repeats = 7
				want.Facts = facts(counted)
			}
			got := p.Notify(at(c.at, domain.ConfirmNever), n, evidence, answer, 7)
			same(t, "verdict", want, got)
			storable(t, got.Facts)
			for _, f := range got.Facts {
				if next := p.Apply(f); next.LastNoticeAt != c.at {
					t.Errorf("the next hour counts from %v", next.LastNoticeAt)
				}
			}
		})
	}
}

// TestOnlyEqualNoticesAreCountedR1: beyond the limit everything that says
// something new is an event; bytes, times and provider's words do not matter.
func TestOnlyEqualNoticesAreCountedR1(t *testing.T) {
	t.Parallel()
	p := repeated(32)
	again := callback(200, "T1", ten)
	for _, c := range []struct {
		name string
		n    domain.Notice
		kept bool
	}{
		{"equal", again, false},
		{"equal, other bytes and time", with(again, func(n *domain.Notice) {
			n.OccurredAt, n.ReceivedAt, n.ProviderStatus = noon, noon.Add(time.Hour), "TRADE_FINISHED"
		}), false},
		{"another amount", callback(200, "T1", five), true},
		{"another currency", callback(200, "T1", domain.NewMoney(1000, domain.USD)), true},
		{"another trade", callback(200, "T2", ten), true},
		{"another status", says(again, domain.StatusRefunded), true},
		{"a doubt", doubted(again, domain.DoubtURLFields), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := notify(p, at(noon, domain.ConfirmNever), c.n)
			if kept := len(got.Facts) > 0; kept != c.kept {
				t.Fatalf("kept is %t, want %t: %v", kept, c.kept, got)
			}
			next := p
			for _, f := range got.Facts {
				next = next.Apply(f)
			}
			if second := notify(next, at(noon, domain.ConfirmNever), c.n); len(second.Facts) != 0 {
				t.Errorf("the second of them is kept too: %v", second.Facts)
			}
		})
	}
}

// TestRepeatsOfV2R1: V2 signs a timestamp, so no two deliveries have the same
// bytes. They are equal all the same, and the log of one order is bounded.
func TestRepeatsOfV2R1(t *testing.T) {
	t.Parallel()
	p := domain.Fold(facts(placed()))
	c := at(noon, domain.ConfirmNever)
	events := 0
	for i := range 10_000 {
		n := callback(0, "T1", ten)
		n.Delivery = domain.ID{0: byte(i >> 8), 1: byte(i)}
		n.ReceivedAt = noon.Add(time.Duration(i) * time.Millisecond)
		n.OccurredAt = noon.Add(time.Duration(i) * time.Second)
		ref := evidence
		ref.SHA256 = n.Delivery.String()
		v := p.Notify(c, n, ref, answer, 0)
		if !v.Outcome.Success() {
			t.Fatalf("delivery %d is answered %s", i, v.Outcome)
		}
		for _, f := range v.Facts {
			p, events = p.Apply(f), events+1
		}
	}
	if want := domain.MaxEqualNotices + 1; events != want { // and the credit
		t.Errorf("10,000 deliveries made %d events, want %d", events, want)
	}
}

// TestQueriesThatChangeNothingAreNotKept, also below the limit: the sweep
// appends only what it changes.
func TestQueriesThatChangeNothingAreNotKept(t *testing.T) {
	t.Parallel()
	first := callback(1, "T1", ten)
	p := domain.Fold(facts(placed(), kept(first, domain.OutcomeCredited, ""), credited(first)))
	for _, s := range []domain.Status{domain.StatusPaid, domain.StatusOther} {
		v := p.Notify(at(noon, domain.ConfirmAlways), says(query(2, "T1", ten), s), evidence, nil, 5)
		if len(v.Facts) != 0 {
			t.Errorf("a query that says %s appends %v", s, v.Facts)
		}
	}
}

// TestZeroAmountsR1: an amount of 0 has no stored form. A fold of what was read
// back must know its repeats as well as the fold that made them.
func TestZeroAmountsR1(t *testing.T) {
	t.Parallel()
	free := domain.NewMoney(0, domain.CNY)
	c := at(noon, domain.ConfirmNever)
	for _, s := range []domain.Status{domain.StatusPaid, domain.StatusWaiting, domain.StatusRefunded} {
		p := domain.Fold(facts(placed()))
		for i := range byte(domain.MaxEqualNotices) {
			v := notify(p, c, says(callback(i, "T1", free), s))
			storable(t, v.Facts)
			for _, f := range v.Facts {
				f, err := domain.DecodeFact(encoded(t, f))
				if err != nil {
					t.Fatal(err)
				}
				p = p.Apply(f)
			}
		}
		if v := notify(p, c, says(callback(200, "T1", free), s)); len(v.Facts) != 0 {
			t.Errorf("the 33rd notice that says %s without money is kept: %v", s, v.Facts)
		}
	}
}
