package reconcile

import (
	"fmt"
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

// What only we have stays open on every later day's comparison. It was judged on
// its own day: however much of it comes together in a month, a day on which no
// more than usual differs is compared.
func TestWhatIsKnownIsNoNewsOfADay(t *testing.T) {
	t.Parallel()
	const gone = few * 3 / 4 // a day
	b := newBooks(t)
	for day := range 4 {
		for i := range gone {
			trade := b.place(trusting, fmt.Sprintf("D%dN%d", day, i), "7.30")
			b.pay(trade)
			must(t, b.box.Purge(trade))
		}
		b.fold()
		run, err := b.comparer.Run(t.Context(), trusting, today.Add(day), BillAnswers)
		must(t, err)
		if run.State != operations.RunComplete || run.Kinds[domain.OnlyOurs] != int64(day*gone) || run.Waiting != gone {
			t.Errorf("day %d: %s %s: %v, %d wait", day, run.State, run.Note, run.Kinds, run.Waiting)
		}
		b.clock.step(24 * time.Hour)
	}
	for i := range few + 1 { // news: as much as is not judged
		trade := b.place(trusting, fmt.Sprintf("N%d", i), "7.30")
		b.pay(trade)
		must(t, b.box.Purge(trade))
	}
	b.fold()
	_, err := b.comparer.Run(t.Context(), trusting, today.Add(4), BillAnswers)
	must(t, err)
	b.clock.step(24 * time.Hour)
	if run, err := b.comparer.Run(t.Context(), trusting, today.Add(5), BillAnswers); err != nil || run.Cause != operations.CauseTooMany {
		t.Errorf("%+v, %v", run, err)
	}
}
