package domain_test

import (
	"slices"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// TestHintsWaitUntilAnswered: what moves nothing because it may not move money
// alone is asked about under its own name, or repeats what is known.
func TestHintsWaitUntilAnswered(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, x := range w.fresh() {
			n := x.notice
			if x.verdict.Outcome != domain.OutcomeHeld || n.Source != domain.SourceCallback || len(x.verdict.Facts) == 0 {
				continue
			}
			if p := domain.Fold(w.log[:x.from+len(x.verdict.Facts)]); !asksAbout(p, n) {
				t.Fatalf("%+v is held, and nobody is asked", n)
			}
		}
	})
}

// asksAbout reports whether the provider is asked about what n says.
func asksAbout(p domain.Payment, n domain.Notice) bool {
	switch n.About {
	case domain.AboutRefund:
		return slices.ContainsFunc(p.WaitingRefunds(), func(r domain.Refund) bool {
			return r.State != domain.RefundPending && r.RefundID == n.RefundID &&
				(n.RefundID != "" || (r.TradeNo == n.TradeNo && (r.Amount == n.Amount || n.Amount.IsZero())))
		})
	case domain.AboutDispute:
		return slices.ContainsFunc(p.WaitingDisputes(), func(d domain.Dispute) bool {
			return d.DisputeID == n.DisputeID && (n.DisputeID != "" || d.TradeNo == n.TradeNo)
		})
	case domain.AboutPayment:
	}
	return len(p.Waiting()) > 0
}

// TestAnswersEndTheWait: of each refund and dispute that waits, the provider's
// answer to that question ends the wait, or it is the payment that is missing.
func TestAnswersEndTheWait(t *testing.T) {
	t.Parallel()
	live(t, answersEndTheWait)
}

func answersEndTheWait(t *rapid.T, w *world) {
	if len(w.fresh()) == 0 {
		return
	}
	for _, r := range w.fold().WaitingRefunds() {
		n := asked(refund(0, orElse(r.RefundID, "R9"), r.Amount))
		n.TradeNo, n.RefundNo, n.Total = orElse(r.TradeNo, "T1"), r.RefundNo, r.Total
		if tr, _ := w.fold().Trade(n.TradeNo); n.Amount.IsZero() {
			n.Amount = domain.NewMoney(300, currencyOf(tr))
		}
		p := w.told(n)
		if r.State == domain.RefundPending {
			p = w.told(asked(callback(0, r.TradeNo, ten)))
		}
		if slices.ContainsFunc(p.WaitingRefunds(), func(q domain.Refund) bool {
			return q.RefundID == r.RefundID && q.RefundNo == r.RefundNo && q.TradeNo == r.TradeNo && q.Amount == r.Amount && q.State == r.State
		}) {
			t.Fatalf("%+v waits after %+v as before:\n%s", r, n, list(w.log))
		}
	}
}

// currencyOf is the currency of a trade's money, CNY where none came.
func currencyOf(t domain.Trade) domain.Currency {
	if c := t.Amount.Currency(); c != "" {
		return c
	}
	return domain.CNY
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// told is the fold after one more notice.
func (w *world) told(n domain.Notice) domain.Payment {
	p := w.fold()
	for _, f := range notify(p, w.context(), n).Facts {
		p = p.Apply(f)
	}
	return p
}

// TestNothingDueIsLeft: whatever waited for money that is here was decided beside
// it; the next message about something else finds nothing to book.
func TestNothingDueIsLeft(t *testing.T) {
	t.Parallel()
	live(t, nothingDueIsLeft)
}

func nothingDueIsLeft(t *rapid.T, w *world) {
	if len(w.fresh()) == 0 {
		return
	}
	other := asked(callback(0, "T9", seven))
	for _, f := range notify(w.fold(), w.context(), other).Facts {
		if trade, _ := namedBy(f); trade != "" {
			t.Fatalf("%+v was due before:\n%s", f, list(w.log))
		}
		if d, ok := f.(domain.DiscrepancyFound); ok && d.TradeNo != "T9" {
			t.Fatalf("%+v was to be found before:\n%s", f, list(w.log))
		}
	}
}

// TestDecidedAgainItIsTheSame: from the log before it and the notice as it was
// kept follow the same facts, as whoever checks a log decides again.
func TestDecidedAgainItIsTheSame(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, x := range w.fresh() {
			if len(x.verdict.Facts) == 0 || x.notice.Delivery.IsZero() {
				continue
			}
			kept := w.kept(t, x.from)
			c := w.context()
			c.Channel.Confirm = x.confirm
			again := notify(w.folds[x.from], c, kept.Notice())
			if again.Outcome != x.verdict.Outcome || !slices.EqualFunc(again.Facts, x.verdict.Facts, domain.Same) {
				t.Fatalf("was\n%s\nis\n%s", list(x.verdict.Facts), list(again.Facts))
			}
		}
	})
}

// kept is the notice at a place of the log, as it is read back.
func (w *world) kept(t *rapid.T, i int) domain.PaymentNotified {
	f, err := domain.DecodeFact(w.stored[i].typ, w.stored[i].data)
	if err != nil {
		t.Fatal(err)
	}
	n, ok := f.(domain.PaymentNotified)
	if !ok {
		t.Fatalf("%+v keeps no notice", f)
	}
	return n
}
