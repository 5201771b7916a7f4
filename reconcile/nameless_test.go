package reconcile

import (
	"crypto/rand"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/sandbox"
)

// nameless takes in a callback that leaves the trade number out.
func (w *world) nameless(ch domain.ChannelID, order, money string) {
	w.t.Helper()
	id, err := domain.NewRandom(rand.Reader)
	must(w.t, err)
	_, err = w.ledger.Notify(w.t.Context(), domain.Notice{
		Delivery: id, Source: domain.SourceCallback, Channel: ch, OrderNo: order, Amount: yuan(w.t, money),
		Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS", ReceivedAt: w.clock.now(),
		Doubts: []domain.Doubt{domain.DoubtNoTradeNo},
	}, domain.Evidence{Kind: "callback", At: w.clock.now(), Grade: domain.GradeB}, nil)
	must(w.t, err)
}

// Money without a number waits twice under the same name: the second time it is
// asked about, too, although the first question was settled.
func TestNamelessMoneyIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.pay(w.place(careful, "NML1", "7.30"), sandbox.Lost)
	w.nameless(careful, "NML1", "7.30")
	w.sweep(s, operations.RunComplete)
	w.wantState(careful, "NML1", domain.StateCredited)
	if a := w.ask(careful, "NML1", whyHeld); !a.Done {
		t.Fatalf("the first question is %+v", a)
	}
	w.clock.step(time.Minute)
	w.nameless(careful, "NML1", "9.00")
	w.sweep(s, operations.RunComplete)
	a := w.ask(careful, "NML1", whyHeld)
	if a.Done || a.Attempts != 1 || a.LastAt.Before(a.Since) {
		t.Errorf("the question is %+v, want it asked and open", a)
	}
}
