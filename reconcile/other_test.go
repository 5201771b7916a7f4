package reconcile

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Money of one order that was credited to another one, too: asked about it, the
// gateway names the order whose money it is. That is an answer. The sweep is
// complete and goes on asking others, and the day is compared: the number stands
// twice in our books and once at the gateway.
func TestAnothersNumberIsNoSilence(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	trade := b.place(trusting, "REAL1", "7.30")
	b.pay(trade)
	for _, order := range []string{"WRONG1", "WRONG2", "WRONG3", "WRONG4", "WRONG5", "WRONG6"} { // more than silence is borne
		b.place(trusting, order, "7.30")
		b.notifyForged(trusting, order, trade, "7.30")
		b.wantState(trusting, order, domain.StateCredited)
	}
	b.fold()
	run, err := b.comparer.Run(t.Context(), trusting, today, BillAnswers)
	must(t, err)
	if run.State != operations.RunComplete || run.Unanswered != 0 || run.Kinds[domain.DuplicateTradeNo] != 6 {
		t.Errorf("%+v", run)
	}
	s := b.sweeper()
	b.sweep(s, operations.RunComplete)
	b.clock.step(2 * time.Hour)
	swept := b.sweep(s, operations.RunComplete)
	if swept.Asked != 7 || swept.Unanswered != 0 || swept.Differing != 0 {
		t.Errorf("%+v", swept)
	}
	if a := b.ask(trusting, "WRONG6", whyCredited); a.LastSaid != saidOther {
		t.Errorf("the question is %+v", a)
	}
}
