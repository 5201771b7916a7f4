package domain_test

import (
	"slices"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// telling is what a log tells of refunds, read in the plainest way: it shares
// nothing with the fold under test.
type telling struct {
	came   map[string]domain.Currency        // of the trades whose money is decided
	summed map[string]bool                   // trades of which a sum of refunds was told, and the ids it named
	word   map[string]domain.PaymentNotified // the first word about a refund by itself
	dead   map[string]bool                   // refunds that failed
	booked map[string]domain.PaymentRefunded // by id
}

func readTelling(log []domain.Fact) telling {
	b := telling{
		came: map[string]domain.Currency{}, summed: map[string]bool{}, word: map[string]domain.PaymentNotified{},
		dead: map[string]bool{}, booked: map[string]domain.PaymentRefunded{},
	}
	for _, f := range log {
		switch f := f.(type) {
		case domain.PaymentNotified:
			b.hear(f)
		case domain.PaymentCredited:
			b.decided(f.TradeNo, f.Amount)
		case domain.PaymentParked:
			if f.Confirmed {
				b.decided(f.TradeNo, f.Amount)
			}
		case domain.CorrectionIssued:
			if f.Action == domain.ActionCredit {
				b.decided(f.TradeNo, f.Amount)
			}
		case domain.PaymentRefunded:
			b.booked[f.RefundID] = f
		default: // tells nothing of refunds
		}
	}
	return b
}

// decided: what was told of a trade in a currency that did not come is no word.
func (b telling) decided(trade string, m domain.Money) {
	b.came[trade] = m.Currency()
	for id, word := range b.word {
		if word.TradeNo == trade && word.Amount.Currency() != m.Currency() {
			delete(b.word, id)
		}
	}
}

func (b telling) hear(f domain.PaymentNotified) {
	if f.About != domain.AboutRefund || f.Decision.Outcome == domain.OutcomeHeld || len(f.Doubts) > 0 || !moves(f.Notice()) {
		return
	}
	word, told := b.word[f.RefundID]
	switch {
	case f.Status == domain.StatusFailed:
		if f.RefundID != "" && !(told && word.TradeNo != f.TradeNo) {
			b.dead[f.RefundID] = true
		}
	case f.Total:
		b.summed[f.TradeNo], b.summed[f.RefundID] = true, true
	case told || b.dead[f.RefundID] || f.TradeNo == "" || !f.Amount.IsPositive():
	case b.came[f.TradeNo] == "" || b.came[f.TradeNo] == f.Amount.Currency():
		b.word[f.RefundID] = f
	}
}

// plain reports whether nothing but single refunds was told.
func (b telling) plain(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return b.summed[n] })
}

// TestRefundsAreBookedAsToldFirst: once its money came, a refund is booked with
// the trade and amount of the first word about it, unless it failed before; and
// nothing else is booked.
func TestRefundsAreBookedAsToldFirst(t *testing.T) {
	t.Parallel()
	live(t, bookedAsToldFirst)
}

func bookedAsToldFirst(t *rapid.T, w *world) {
	b := readTelling(w.log)
	for id, word := range b.word {
		f, done := b.booked[id]
		switch {
		case !b.plain(id, word.TradeNo):
		case !done && b.came[word.TradeNo] != "" && !b.dead[id]:
			t.Fatalf("refund %s is in no book, told was %+v:\n%s", id, word, list(w.log))
		case done && (f.TradeNo != word.TradeNo || f.Amount != word.Amount):
			t.Fatalf("refund %s is booked as %+v, told was %+v:\n%s", id, f, word, list(w.log))
		}
	}
	for id, f := range b.booked {
		if _, told := b.word[id]; !told && b.plain(id, f.TradeNo) {
			t.Fatalf("nobody told of %+v:\n%s", f, list(w.log))
		}
	}
}

// TestRefundsStayWithinWhatWasTold: of a trade no more is booked than the single
// refunds that were told of it, or the greatest sum.
func TestRefundsStayWithinWhatWasTold(t *testing.T) {
	t.Parallel()
	live(t, withinWhatWasTold)
}

func withinWhatWasTold(t *rapid.T, w *world) {
	single, sum, booked := map[string]map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, f := range w.log {
		switch f := f.(type) {
		case domain.PaymentNotified:
			name := f.TradeNo + " " + string(f.Amount.Currency())
			switch {
			case f.About != domain.AboutRefund || f.Status != domain.StatusSucceeded || f.Decision.Outcome == domain.OutcomeHeld || len(f.Doubts) > 0:
			case f.Total:
				sum[name] = max(sum[name], f.Amount.Minor())
			default:
				if single[name] == nil {
					single[name] = map[string]int64{}
				}
				single[name][f.RefundID] = max(single[name][f.RefundID], f.Amount.Minor())
			}
		case domain.PaymentRefunded:
			booked[f.TradeNo+" "+string(f.Amount.Currency())] += f.Amount.Minor()
		case domain.RefundFailed:
			booked[f.TradeNo+" "+string(f.Amount.Currency())] -= f.Amount.Minor()
		default: // no refund
		}
	}
	for name, m := range booked {
		told := int64(0)
		for _, one := range single[name] {
			told += one
		}
		if m > max(told, sum[name]) {
			t.Fatalf("%d refunded of %s, told was %d and the sum %d:\n%s", m, name, told, sum[name], list(w.log))
		}
	}
}

// TestNoWalletGivesMoreThanItGot of a trade, but for a dispute that it lost; and
// what is parked of a trade is never less than nothing.
func TestNoWalletGivesMoreThanItGot(t *testing.T) {
	t.Parallel()
	live(t, noWalletGivesMore)
}

func noWalletGivesMore(t *rapid.T, w *world) {
	held := sums{}
	for _, f := range w.log {
		trade := tradeOf(f)
		if _, borne := f.(domain.DisputeLost); borne {
			continue
		}
		for _, p := range domain.PostingsOf(f) {
			if p.Wallet != "" || p.Book == "liabilities:parked" {
				held.add(t, trade+" "+p.Book+" "+string(p.Wallet), p.Amount)
			}
		}
	}
	for _, name := range names(held) {
		for _, c := range []domain.Currency{domain.CNY, domain.USD} {
			if m := held.of(name, c); m.IsPositive() {
				t.Fatalf("%s stands at %s:\n%s", name, m, list(w.log))
			}
		}
	}
}

// tradeOf is the trade whose money a fact moves.
func tradeOf(f domain.Fact) string {
	switch f := f.(type) {
	case domain.PaymentCredited:
		return f.TradeNo
	case domain.PaymentParked:
		return f.TradeNo
	case domain.PaymentAllocated:
		return f.TradeNo
	case domain.CorrectionIssued:
		return f.TradeNo
	default:
		trade, _ := namedBy(f)
		return trade
	}
}

// TestDisputesStayWithTheirTrade: all of a dispute is booked of one trade, by
// whose wallet it is lost, and its money is not moved while it is away.
func TestDisputesStayWithTheirTrade(t *testing.T) {
	t.Parallel()
	live(t, disputesStay)
}

func disputesStay(t *rapid.T, w *world) {
	trades, away := map[string]string{}, sums{}
	for i, f := range w.log {
		switch f := f.(type) {
		case domain.DisputeWithdrawn:
			trades[f.DisputeID] = f.TradeNo
			away.add(t, f.TradeNo, f.Amount)
		case domain.DisputeReinstated:
			away.add(t, f.TradeNo, f.Amount.Neg())
		case domain.DisputeLost:
			away.add(t, f.TradeNo, f.Amount.Neg())
			if tr, _ := w.folds[i].Trade(f.TradeNo); f.Account != "" && f.Account != tr.Account {
				t.Fatalf("%+v is taken from another wallet than %s", f, tr.Account)
			}
		case domain.CorrectionIssued:
			if moves := f.Action == domain.ActionReverse || f.Action == domain.ActionMove; moves && away.of(f.TradeNo, f.Amount.Currency()).IsPositive() {
				t.Fatalf("%+v moves disputed money:\n%s", f, list(w.log))
			}
		default: // no dispute
		}
		if trade, id := namedBy(f); trades[id] != "" && trades[id] != trade {
			t.Fatalf("%+v is about a dispute of trade %s:\n%s", f, trades[id], list(w.log))
		}
	}
}
