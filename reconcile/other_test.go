package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/sandbox"
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

// One number on three orders is one difference: taken back from one of the wrong
// ones it stands, taken back from both it is settled at once, without another
// comparison; and the list of duplicates knows it too.
func TestAnothersNumberTakenBackSettles(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"WRONG1", "WRONG2"}, {"WRONG2", "WRONG1"}} {
		b := newBooks(t)
		trade := b.place(trusting, "REAL1", "7.30")
		b.pay(trade)
		for _, wrong := range order {
			b.place(trusting, wrong, "7.30")
			b.notifyForged(trusting, wrong, trade, "7.30")
		}
		b.fold()
		_, err := b.comparer.Run(t.Context(), trusting, today, BillAnswers)
		must(t, err)
		b.wantFound("duplicate_trade_no open " + trade + "/")
		for i, wrong := range order {
			q := domain.Correction{Action: domain.ActionReverse, TradeNo: trade, Reason: "forged", By: "li"}
			p, _, err := b.ledger.Propose(t.Context(), trusting, wrong, q, unspent, ledger.By{Actor: "person:li"})
			must(t, err)
			_, err = b.ledger.Approve(t.Context(), trusting, wrong, p.ID(), "wang", "seen", unspent, ledger.By{Actor: "person:wang"})
			must(t, err)
			b.follow()
			b.wantFound("duplicate_trade_no " + []string{"open", "resolved"}[i] + " " + trade + "/")
			if rows, err := b.rows.Duplicates(t.Context()); err != nil || len(rows) != 1-i {
				t.Errorf("%+v, %v", rows, err)
			}
		}
		if told := b.differed(b.only().ID); len(told) != 1 || !strings.Contains(told[0], "two persons took the credit back") {
			t.Errorf("the log says %q", told)
		}
	}
}

// A credit by hand under the number of another order, which our books do not
// have: a difference with a name on the same day, for people to act on. They
// reverse the credit, the right order gets its own, and the day agrees.
func TestAnothersNumberIsNamed(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	two := func(order string, q domain.Correction) {
		t.Helper()
		q.By, q.Reason = "li", "ticket 12"
		p, _, err := b.ledger.Propose(t.Context(), trusting, order, q, unspent, ledger.By{Actor: "person:li"})
		must(t, err)
		_, err = b.ledger.Approve(t.Context(), trusting, order, p.ID(), "wang", "seen", unspent, ledger.By{Actor: "person:wang"})
		must(t, err)
	}
	compared := func() operations.BillRun {
		t.Helper()
		b.fold()
		run, err := b.comparer.Run(t.Context(), trusting, today, BillAnswers)
		must(t, err)
		if run.State != operations.RunComplete || run.Unanswered != 0 {
			t.Fatalf("%+v", run)
		}
		return run
	}
	trade := b.open(trusting, "REAL1", "7.30") // placed at the gateway alone
	b.pay(trade, sandbox.Lost)
	b.placeOnly(trusting, "WRONG1", "7.30")
	two("WRONG1", domain.Correction{Action: domain.ActionCredit, TradeNo: trade})
	run := compared()
	b.wantFound("duplicate_trade_no open " + trade + "/")
	b.follow()
	d := b.only()
	if d.State != operations.DiscrepancyOpen || d.OrderNo != "WRONG1" || !strings.Contains(d.Note, "another order's") || run.Waiting != 0 || run.Differing != 1 || run.Kinds[domain.DuplicateTradeNo] != 1 {
		t.Errorf("%+v\n%+v", d, run)
	}
	two("WRONG1", domain.Correction{Action: domain.ActionReverse, TradeNo: trade})
	b.placeOnly(trusting, "REAL1", "7.30")
	two("REAL1", domain.Correction{Action: domain.ActionCredit, TradeNo: trade})
	if run := compared(); run.Differing != 0 {
		t.Errorf("after it was put right: %+v", run)
	}
	b.wantFound("duplicate_trade_no resolved " + trade + "/")
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
