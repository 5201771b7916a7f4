package domain_test

import (
	"reflect"
	"testing"
	"time"

	"counterfoil/domain"
)

func TestState(t *testing.T) {
	t.Parallel()
	cb, less := callback(1, "T1", ten), callback(2, "T2", five)
	shut := closed(domain.ClosedExpired)
	for _, c := range []struct {
		name  string
		given []domain.Fact
		want  domain.State
	}{
		{"nothing", nil, domain.StateNoticed},
		{"only a notice", facts(kept(says(cb, domain.StatusWaiting), domain.OutcomeNoted, domain.ReasonNotPaid)), domain.StateNoticed},
		{"placed", facts(placed()), domain.StatePlaced},
		{"held", facts(placed(), held(cb, domain.ReasonDoubtful)), domain.StateHeld},
		{"held, then closed", facts(placed(), held(cb, domain.ReasonDoubtful), closed(domain.ClosedProvider)), domain.StateHeld},
		{"suspect", facts(suspect(cb, domain.ReasonUnknownOrder)), domain.StateParked},
		{"parked", facts(placed(), parked(less, domain.ReasonOtherAmount)), domain.StateParked},
		{"parked and held", facts(placed(), parked(less, domain.ReasonOtherAmount), held(cb, domain.ReasonDoubtful)), domain.StateHeld},
		{"credited", facts(placed(), credited(cb)), domain.StateCredited},
		{"credited late", facts(placed(), shut, late(credited(cb))), domain.StateCredited},
		{"credited, other money parked", facts(placed(), credited(cb), parked(less, domain.ReasonSecondPayment)), domain.StateCredited},
		{"allocated to its own account", facts(placed(), parked(less, domain.ReasonOtherAmount), allocated(less, alice, noon)), domain.StateCredited},
		{"allocated to another account", facts(placed(), parked(less, domain.ReasonOtherAmount), allocated(less, bob, noon)), domain.StatePlaced},
		{"expired", facts(placed(), shut), domain.StateExpired},
		{"closed", facts(placed(), closed(domain.ClosedProvider)), domain.StateClosed},
		{"cancelled", facts(placed(), closed(domain.ClosedMerchant)), domain.StateCancelled},
		{"expired, then cancelled", facts(placed(), shut, closed(domain.ClosedMerchant)), domain.StateCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := domain.Fold(c.given)
			if got := p.State(); got != c.want {
				t.Errorf("state is %s, want %s", got, c.want)
			}
			if p.Version != len(c.given) {
				t.Errorf("version is %d after %d facts", p.Version, len(c.given))
			}
		})
	}
}

func TestTrades(t *testing.T) {
	t.Parallel()
	cb, less, q := callback(1, "T1", ten), callback(2, "T2", five), query(3, "T3", ten)
	p := domain.Fold(facts(placed(),
		kept(cb, domain.OutcomeHeld, domain.ReasonDoubtful), held(cb, domain.ReasonDoubtful),
		kept(less, domain.OutcomeParked, domain.ReasonOtherAmount), suspect(less, domain.ReasonOtherAmount),
		kept(received(cb, noon.Add(time.Hour)), domain.OutcomeHeld, domain.ReasonDoubtful),
		kept(q, domain.OutcomeCredited, ""), credited(q)))
	want := []domain.Trade{
		{TradeNo: "T1", State: domain.TradeHeld, Amount: ten, Reason: domain.ReasonDoubtful, FirstAt: cb.ReceivedAt, Called: true},
		{TradeNo: "T2", State: domain.TradeSuspect, Amount: five, Reason: domain.ReasonOtherAmount, FirstAt: less.ReceivedAt, Called: true},
		{TradeNo: "T3", State: domain.TradeCredited, Amount: ten, FirstAt: q.ReceivedAt, Account: alice},
	}
	same(t, "trades", want, p.Trades)
	same(t, "waiting", want[:2], p.Waiting())
	second, _ := p.Trade("T2")
	same(t, "trade T2", want[1], second)
	if got, ok := p.Trade("T4"); ok || got != (domain.Trade{}) {
		t.Errorf("trade T4 is %v, %t", got, ok)
	}
	if p.Settled != "T3" || !p.IsSettled() || p.Notices != 4 || p.LastNoticeAt != q.ReceivedAt {
		t.Errorf("settled by %q (%t), %d notices, the last at %v", p.Settled, p.IsSettled(), p.Notices, p.LastNoticeAt)
	}
}

func TestTradeStates(t *testing.T) {
	t.Parallel()
	for s, want := range map[domain.TradeState]struct{ decided, waits bool }{
		domain.TradeSeen:      {false, false},
		domain.TradeHeld:      {false, true},
		domain.TradeSuspect:   {false, true},
		domain.TradeParked:    {true, false},
		domain.TradeCredited:  {true, false},
		domain.TradeAllocated: {true, false},
	} {
		if s.Decided() != want.decided || s.Waits() != want.waits {
			t.Errorf("%s: decided %t, waits %t", s, s.Decided(), s.Waits())
		}
	}
}

// TestApplyLeavesTheFoldBeforeR6: two continuations of one fold do not see
// each other, whatever room its slices have.
func TestApplyLeavesTheFoldBeforeR6(t *testing.T) {
	t.Parallel()
	base := facts(placed())
	for i := range byte(5) { // enough for slices to have spare room
		n := callback(10+i, "S"+string(rune('0'+i)), five)
		base = append(base, kept(n, domain.OutcomeParked, domain.ReasonOtherAmount), suspect(n, domain.ReasonOtherAmount),
			differs(n, domain.Frozen, "parked"))
	}
	before := domain.Fold(base)
	left, right := callback(1, "L", ten), callback(2, "R", five)
	for _, f := range facts(
		kept(left, domain.OutcomeHeld, domain.ReasonDoubtful), held(left, domain.ReasonDoubtful), credited(left),
		kept(right, domain.OutcomeParked, domain.ReasonOtherAmount), parked(right, domain.ReasonOtherAmount),
		parked(callback(10, "S0", five), domain.ReasonOtherAmount),
		allocated(callback(10, "S0", five), bob, noon), closed(domain.ClosedExpired),
		differs(left, domain.AmountMismatch, "held"), differs(right, domain.StatusMismatch, "held"),
	) {
		after := before.Apply(f)
		before.Apply(kept(callback(3, "X", ten), domain.OutcomeHeld, domain.ReasonDoubtful)).
			Apply(differs(callback(3, "X", ten), domain.RefundMissing, "held"))
		if want := domain.Fold(append(base[:len(base):len(base)], f)); !reflect.DeepEqual(after, want) {
			t.Errorf("%s: a sibling changed\n%+v\nwant\n%+v", f.FactType(), after, want)
		}
		if want := domain.Fold(base); !reflect.DeepEqual(before, want) {
			t.Fatalf("%s changed the fold before it:\n%+v\nwant\n%+v", f.FactType(), before, want)
		}
	}
}

// TestFactsOfOtherStreamsChangeNothing but the count.
func TestFactsOfOtherStreamsChangeNothing(t *testing.T) {
	t.Parallel()
	p := domain.Fold(facts(placed()))
	_, correction := healed(query(1, "T1", ten), "placed")
	for _, f := range facts(domain.LedgerOpened{}, domain.ChannelConfigured{}, correction) {
		after := p.Apply(f)
		after.Version--
		if !reflect.DeepEqual(after, p) {
			t.Errorf("%s changed %+v to %+v", f.FactType(), p, after)
		}
	}
}
