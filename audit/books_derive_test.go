package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/projections"
)

var reconciler = ledger.By{Actor: "reconciler", Cause: "bill-1"}

// month lives a month with its bills and payouts, and closes it.
func month(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.live()
	w.closesNovember()
	return w
}

// closesNovember books bills and payouts, and closes the month; two payments of
// the month come when it is proposed and when it is closed.
func (w *world) closesNovember() {
	t := w.t
	t.Helper()
	bill := domain.BookedBill{
		Day: "2026-11-22", Bill: "trade", Run: "bill-1", SHA256: "ab",
		Charges:   []domain.Charge{{Currency: domain.CNY, Fees: "0.5521", Discounts: "1", Moved: yuan(t, "0.57")}},
		Exchanges: []domain.Exchange{{From: yuan(t, "10.00"), To: domain.NewMoney(138, domain.USD)}},
	}
	w.book(bill)
	bill.Run, bill.Charges = "bill-2", nil // and the yuan vanish from the bill
	w.book(bill)
	p, _, err := w.ledger.ProposeOpening(t.Context(), trusting, domain.OpeningAsk{
		Day: "2026-11-21", Balance: []domain.Money{yuan(t, "50.00")}, By: "li", Reason: "taken over",
		Wallets: []domain.OpeningWallet{{Account: "user:1", Amount: yuan(t, "30.00")}},
	}, ledger.By{Actor: "person:li"})
	must(t, err)
	_, err = w.ledger.ApproveOpening(t.Context(), trusting, p.Ask.Proposal, "wang", "", nil, ledger.By{Actor: "person:wang"})
	must(t, err)
	at := w.now
	_, err = w.ledger.BookMovements(t.Context(), trusting, "2026-11-22", []domain.Movement{
		{Kind: domain.LinePayout, PayoutID: "po_1", Amount: yuan(t, "5.00"), Bill: "funds", Run: "bill-3", At: at},
		{Kind: domain.LinePayoutFailed, PayoutID: "po_2", Amount: yuan(t, "6.00"), Bill: "funds", Run: "bill-3", Row: 2},
		{Kind: domain.LineOther, ID: "m1", Net: domain.NewMoney(-3, domain.CNY), Bill: "funds", Run: "bill-3", At: at},
		{Kind: domain.LineOther, Amount: yuan(t, "0.04"), Bill: "funds", Run: "bill-3"},
	}, reconciler)
	must(t, err)
	_, _, err = w.ledger.ArrivePayout(t.Context(), trusting, "po_1", domain.Arrival{By: "li", Reason: "statement", At: at}, ledger.By{Actor: "person:li"})
	must(t, err)
	w.draw("log-1", time.Time{})
	w.draw("log-2", time.Time{})
	_, _, err = w.ledger.ReverseDraw(t.Context(), "user:1", "log-2", "the task failed", clerk)
	must(t, err)
	w.now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	w.propose("2026-11", "li")
	w.later(domain.PeriodGrace + domain.PeriodSettle)
	w.place(trusting, "D1", "user:9", "8.00")
	w.lateCallback("D1", "T-late", "8.00") // it was paid in November
	_, err = w.ledger.ApproveClose(t.Context(), "2026-11", "wang", "checked", nil, w.basis("2026-11"), ledger.By{Actor: "person:wang"})
	must(t, err)
	w.place(trusting, "D2", "user:9", "8.00")
	w.lateCallback("D2", "T-later", "8.00")
	w.draw("log-3", at) // it was spent in November
	w.fold()
}

// draw spends 0.35 of user:1.
func (w *world) draw(no domain.DrawNo, at time.Time) {
	w.t.Helper()
	_, _, err := w.ledger.Draw(w.t.Context(), domain.DrawAsk{Number: no, Account: "user:1", Amount: yuan(w.t, "0.35"), At: at}, clerk)
	must(w.t, err)
}

// lateCallback takes a notice whose order was paid in November.
func (w *world) lateCallback(order, trade, amount string) {
	w.t.Helper()
	w.says(order, "1", trade, amount)
	w.ask(trusting, order, domain.OutcomeCredited)
}

func (w *world) book(b domain.BookedBill) {
	w.t.Helper()
	w.later(time.Minute)
	_, err := w.ledger.BookBill(w.t.Context(), trusting, b, reconciler)
	must(w.t, err)
}

// basis is what stands now.
func (w *world) basis(period string) ledger.Basis {
	return func(ctx context.Context) (b domain.CloseBasis, err error) {
		w.fold()
		trial, err := w.rows.Trial(ctx, projections.TrialFilter{Period: period})
		if err != nil {
			return b, err
		}
		tree := w.deps().Tree
		head, err := tree.Checkpoint()
		b.Totals, b.First, b.Events = trial.Totals(), trial.First, uint64(trial.Events)
		b.Root, b.Tree = head.Hex(), head.Size
		return b, err
	}
}

func (w *world) propose(period, who string) {
	w.t.Helper()
	_, _, err := w.ledger.ProposeClose(w.t.Context(), domain.CloseAsk{Period: period, Reason: "done", By: who}, nil, w.basis(period), ledger.By{Actor: "person:" + who})
	must(w.t, err)
}

// TestBooksAreDerived: every booking follows from the facts before it, and
// what comes late is booked in the period that is open then.
func TestBooksAreDerived(t *testing.T) {
	t.Parallel()
	w := month(t)
	if rep := w.verify(); !rep.OK() || rep.Types[domain.TypePeriodClosed] != 1 {
		t.Fatalf("%+v", rep.Findings)
	}
	trial, err := w.rows.Trial(t.Context(), projections.TrialFilter{Period: "2026-12"})
	must(t, err)
	for _, r := range trial.Rows {
		if r.Book == domain.BookWallet && r.Credit != yuan(t, "16.00") {
			t.Errorf("December got %s for wallets, both late payments are 16.00", r.Credit)
		}
		if r.Book == domain.BookDrawn && (r.Opening != yuan(t, "0.35").Neg() || r.Credit != yuan(t, "0.35") || !r.Debit.IsZero()) {
			t.Errorf("December began with %s drawn and drew %s, want 0.35 and 0.35", r.Opening, r.Credit)
		}
	}
}

// TestForgedBookings: whoever writes to the log behind the rules is named, with
// what belongs there.
func TestForgedBookings(t *testing.T) {
	t.Parallel()
	whole := month(t)
	whole.close()
	m := yuan(t, "5.00")
	dates := domain.Dates{
		OccurredAt: time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC), ReceivedAt: time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC),
		ValueDate: "2026-12-01", Period: "2026-12",
	}
	into := dates
	into.ValueDate, into.Period, into.OccurredAt = "2026-11-22", "2026-11", time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC)
	fees := func(amount, total domain.Money, d domain.Dates) domain.Fact {
		return domain.FeesBooked{
			Channel: trusting, Day: "2026-11-22", Bill: "trade", Amount: amount, Total: total, Exact: total.Amount(), Run: "forged", Dates: d,
			Postings: postings("expenses:fee:epay-a", "assets:psp:epay-a", amount), Rules: 1,
		}
	}
	today := domain.Dates{OccurredAt: whole.now, ReceivedAt: whole.now, ValueDate: "2026-12-01", Period: "2026-12"}
	late := domain.Dates{OccurredAt: time.Date(2026, 11, 22, 15, 59, 59, 0, time.UTC), Estimated: true, ReceivedAt: whole.now, ValueDate: "2026-11-22", Period: "2026-12"}
	for name, c := range map[string]struct {
		stream domain.Stream
		fact   domain.Fact
		check  audit.Check
		says   string
	}{
		"fees beyond the difference": {"book-epay-a:2026-11-22", fees(m, yuan(t, "4.00"), late), audit.CheckDecisions, "amount"},
		"fees into a closed period":  {"book-epay-a:2026-11-22", fees(m, m, into), audit.CheckDecisions, "dates"},
		"fees of nothing":            {"book-epay-a:2026-11-22", domain.FXBooked{Channel: trusting, Day: "2026-11-22", Bill: "trade", From: yuan(t, "1.00"), To: domain.NewMoney(0, domain.USD), TotalFrom: yuan(t, "10.00"), TotalTo: domain.NewMoney(138, domain.USD), Run: "forged", Dates: late, Postings: postings("equity:conversion", "assets:psp:epay-a", yuan(t, "1.00")), Rules: 1}, audit.CheckDecisions, "nothing was left to book"},
		"a line twice":               {"book-epay-a:2026-11-22", domain.MovementBooked{Channel: trusting, Day: "2026-11-22", Line: "m1", Amount: m, Dates: dates, Postings: postings("assets:psp:epay-a", "suspense:epay-a", m), Rules: 1}, audit.CheckDecisions, "booked already"},
		"a payout twice":             {"payout-epay-a:po_1", domain.PayoutSent{Channel: trusting, PayoutID: "po_1", Amount: m, Day: "2026-12-01", Dates: dates, Postings: postings("assets:transit", "assets:psp:epay-a", m), Rules: 1}, audit.CheckDecisions, "nothing was left to book"},
		"arrived, never sent":        {"payout-epay-a:po_9", domain.PayoutArrived{Channel: trusting, PayoutID: "po_9", Amount: m, By: "li", Reason: "x", Dates: dates, Postings: postings("assets:bank", "assets:transit", m), Rules: 1}, audit.CheckDecisions, "no bill says"},
		"a payout of another":        {"payout-epay-a:po_9", domain.PayoutSent{Channel: trusting, PayoutID: "po_8", Amount: m, Day: "2026-12-01", Dates: dates, Postings: postings("assets:transit", "assets:psp:epay-a", m), Rules: 1}, audit.CheckIdentity, "belongs into stream"},
		"a draw twice":               {"draw-log-1", spending("log-1", 35, late), audit.CheckDecisions, "nothing was left to book"},
		"a draw of another number":   {"draw-log-9", spending("log-8", 35, today), audit.CheckIdentity, "belongs into stream"},
		"a draw into a closed month": {"draw-log-9", spending("log-9", 35, into), audit.CheckDecisions, "dates"},
		"a draw of less than it says": {"draw-log-9", func() domain.Fact {
			f := spending("log-9", 35, today)
			f.Amount = m
			return f
		}(), audit.CheckDecisions, "postings"},
		"taken back, never drawn":   {"draw-log-9", domain.DrawReversed{Number: "log-9", Account: "user:1", Amount: m, Reason: "x", Zone: "Asia/Shanghai", Dates: dates, Postings: drawn("user:1", m.Neg()), Rules: 1}, audit.CheckDecisions, "no draw of this number"},
		"taken back with interest":  {"draw-log-1", domain.DrawReversed{Number: "log-1", Account: "user:1", Amount: m, Reverses: domain.FactID(whole.id(), "draw-log-1", spending("log-1", 35, dates)), Reason: "x", Zone: "Asia/Shanghai", Dates: dates, Postings: drawn("user:1", m.Neg()), Rules: 1}, audit.CheckDecisions, "amount"},
		"opened without a proposal": {"opening-epay-a", domain.OpeningBooked{ProposedBy: "li", By: "wang", Dates: dates, Postings: postings("assets:psp:epay-a", "equity:opening", m), Rules: 1}, audit.CheckDecisions, "was proposed"},
		"opened elsewhere":          {"book-epay-a:2026-11-22", domain.OpeningBooked{ProposedBy: "li", By: "wang", Dates: dates, Postings: postings("assets:psp:epay-a", "equity:opening", m), Rules: 1}, audit.CheckIdentity, "belongs into stream"},
		"closed without a proposal": {"periods", domain.PeriodClosed{Period: "2026-12", ProposedBy: "li", By: "wang", Basis: domain.PeriodBasis{Zones: []string{"Asia/Shanghai"}}, Rules: 1}, audit.CheckDecisions, "nobody proposed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := whole.copy(t)
			w.open()
			w.forgeFact(c.stream, c.fact)
			rep := w.verify(func(d *audit.Deps) { d.Rows = nil })
			found := false
			for _, f := range rep.Findings {
				found = found || f.Check == c.check && f.Stream == c.stream && strings.Contains(f.Text, c.says)
			}
			if !found {
				t.Errorf("want a finding of %s that says %q: %+v", c.check, c.says, rep.Findings)
			}
		})
	}
}

// drawn are the legs of a draw.
func drawn(account domain.AccountID, m domain.Money) []domain.Posting {
	return []domain.Posting{{Book: "liabilities:wallet", Wallet: account, Amount: m}, {Book: "liabilities:drawn", Amount: m.Neg()}}
}

// spending is a draw of user:1.
func spending(no domain.DrawNo, fen int64, d domain.Dates) domain.AccountDrawn {
	m := domain.NewMoney(fen, domain.CNY)
	return domain.AccountDrawn{
		Number: no, Account: "user:1", Amount: m, Zone: "Asia/Shanghai", Dates: d, Postings: drawn("user:1", m), Rules: 1,
	}
}

// TestClosedTotals: a period that was closed with other totals than the log
// gives is named, whether the fact lies or something was dated into it later.
func TestClosedTotals(t *testing.T) {
	t.Parallel()
	w := month(t)
	m := yuan(t, "5.00")
	w.forgeFact("book-epay-a:2026-11-21", domain.DiscountBooked{
		Channel: trusting, Day: "2026-11-21", Bill: "trade", Amount: m, Total: m, Exact: "5.00", Run: "forged",
		Dates:    domain.Dates{OccurredAt: time.Date(2026, 11, 21, 15, 59, 59, 0, time.UTC), Estimated: true, ReceivedAt: w.now, ValueDate: "2026-11-21", Period: "2026-11"},
		Postings: postings("expenses:discount:epay-a", "assets:psp:epay-a", m), Rules: 1,
	})
	rep := w.verify(func(d *audit.Deps) { d.Rows = nil })
	var dated, totals bool
	for _, f := range rep.Findings {
		dated = dated || f.Check == audit.CheckDecisions && strings.Contains(f.Text, "2026-12")
		totals = totals || f.Check == audit.CheckBalances && strings.Contains(f.Text, "2026-11 was closed with other totals")
	}
	if !dated || !totals {
		t.Errorf("%+v", rep.Findings)
	}
}

func postings(debit, credit string, m domain.Money) []domain.Posting {
	return []domain.Posting{{Book: debit, Amount: m}, {Book: credit, Amount: m.Neg()}}
}

// forgeFact appends a fact behind a stream's last event, with every hash as it
// must be.
func (w *world) forgeFact(s domain.Stream, f domain.Fact) {
	w.t.Helper()
	expected := eventstore.NoStream
	events, err := w.events.ReadStream(w.t.Context(), s, eventstore.ReadOptions{})
	if err == nil {
		expected = eventstore.Expected(events[len(events)-1].Revision)
	}
	typ, data, err := domain.EncodeFact(f)
	must(w.t, err)
	meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: w.now, Actor: "reconciler", Software: "test/1"})
	must(w.t, err)
	_, err = w.events.Append(w.t.Context(), s, expected, []eventstore.Event{{ID: domain.FactID(w.ledger.ID(), s, f), Type: typ, Data: data, Meta: meta}})
	must(w.t, err)
}
