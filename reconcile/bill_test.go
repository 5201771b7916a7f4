package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/archive"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/sandbox"
)

// A day on which both sides agree: everything matched, nothing found, nothing
// asked, and the bill in the archive by its hash.
func TestBillAgrees(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	m := b.paid("O1", "T1", "7.30")
	b.paid("O2", "T2", "9.00")
	refund := move{order: "O1", trade: m.trade, refund: "R1", amount: yuan(t, "2.00"), day: today}
	b.bank.has(refund)
	b.called(refund)
	head, had := b.head(), b.payments()
	run := b.compared(today, operations.RunComplete, "")
	if run.Matched != 3 || run.OurLines != 3 || run.TheirLines != 3 || run.Differing != 0 || run.Asked != 0 || run.Import != 1 {
		t.Errorf("%+v", run)
	}
	if total := run.Totals[0]; total.OurPayments != yuan(t, "16.30") || total.TheirPayments != total.OurPayments || total.TheirRefunds != yuan(t, "2.00") {
		t.Errorf("totals %+v", run.Totals)
	}
	if run.Position != uint64(head) {
		t.Errorf("compared at %d, the log stood at %d", run.Position, head)
	}
	if payments, comparisons := b.told(); payments != had || comparisons != 1 {
		t.Errorf("payments went from %d events to %d, %d tell of the comparison", had, payments, comparisons)
	}
	id, err := archive.ParseID(run.SHA256)
	must(t, err)
	r, err := b.archive.Open(t.Context(), id)
	must(t, err)
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || !strings.HasPrefix(string(text), "bill 2026-11-22\n") || int64(len(text)) != run.Size {
		t.Errorf("archived %d bytes, %v", len(text), err)
	}
	b.wantFound()
}

// A payment that only the bill has is asked about and credited from the answer;
// the bill itself credits nothing.
func TestBillFindsLostPayments(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for _, order := range []string{"LOST1", "LOST2", "TWICE", "OTHER", "CANCEL"} {
		b.placeOnly(atBank, order, "7.30")
	}
	_, err := b.ledger.Cancel(t.Context(), atBank, "CANCEL", "out of stock", b.by())
	must(t, err)
	b.called(move{order: "TWICE", trade: "T0", amount: yuan(t, "7.30"), day: today})
	for _, m := range []move{
		{order: "TWICE", trade: "T0"},
		{order: "TWICE", trade: "T5"},
		{order: "LOST1", trade: "T1"},
		{order: "LOST2", trade: "T2"},
		{order: "OTHER", trade: "T3", amount: yuan(t, "7.31")},
		{order: "NOBODYS", trade: "T4"},
		{order: "CANCEL", trade: "T6"},
	} {
		if m.day = today; m.amount.IsZero() {
			m.amount = yuan(t, "7.30")
		}
		b.bank.has(m)
	}
	run := b.compared(today, operations.RunComplete, "")
	if run.Healed != 2 || run.Asked != 6 || run.Differing != 0 {
		t.Errorf("%+v", run)
	}
	b.wantFound("amount_mismatch resolved T3/", "missing_credit resolved T1/", "missing_credit resolved T2/",
		"only_theirs resolved T4/", "only_theirs resolved T6/", "second_payment resolved T5/")
	b.wantTypes(atBank, "LOST1", "placed notified credited discrepancy.found correction.issued")
	b.wantState(atBank, "OTHER", domain.StateParked)
	b.wantState(atBank, "NOBODYS", domain.StateParked)
	b.wantState(atBank, "CANCEL", domain.StateParked)
	had := b.payments()
	again := b.compared(today, operations.RunComplete, "")
	if again.Matched != 7 || again.Asked != 0 || b.payments() != had || again.Import != 1 {
		t.Errorf("compared again: %+v", again)
	}
}

// What a comparison found and what became of it are facts in the streams of the
// days that first showed them.
func TestBillTellsTheLog(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.configure(waitless)
	m := b.paid("O1", "T1", "7.30")
	m.day = today.Add(1)
	b.bank.has(m)
	first := b.compared(today, operations.RunComplete, "")
	b.compared(today, operations.RunComplete, "")
	second := b.compared(today.Add(1), operations.RunComplete, "")
	var got []string
	for _, day := range []domain.Day{today, today.Add(1)} {
		events, err := b.log.ReadStream(t.Context(), domain.ReconciliationStream(atBank, string(day)), eventstore.ReadOptions{})
		must(t, err)
		for _, e := range events {
			f, err := domain.DecodeFact(e.Type, e.Data)
			must(t, err)
			switch f := f.(type) {
			case domain.ReconciliationCompared:
				got = append(got, fmt.Sprintf("%s: %d of %d match, %d differ", day, f.Matched, f.Ours, f.Differing))
			case domain.ReconciliationDiffered:
				got = append(got, fmt.Sprintf("%s: %s %s, resolved %t by %s", day, f.Kind, f.TradeNo, f.Resolved, f.By))
			default:
				t.Errorf("a %s", e.Type)
			}
		}
	}
	want := []string{
		"2026-11-22: 0 of 1 match, 1 differ", "2026-11-22: only_ours T1, resolved false by " + first.ID,
		"2026-11-22: 0 of 1 match, 1 differ", "2026-11-22: only_ours T1, resolved true by " + second.ID,
		"2026-11-23: 1 of 0 match, 0 differ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n  %q, want\n  %q", got, want)
	}
}

// A refund that only the bill has is asked about and booked from the answer.
func TestBillFindsLostRefund(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.bank.has(move{order: "O1", trade: "T1", refund: "R1", amount: yuan(t, "2.00"), day: today})
	run := b.compared(today, operations.RunComplete, "")
	b.wantFound("refund_missing resolved T1/R1")
	if run.Differing != 0 || !strings.Contains(b.types(atBank, "O1"), "refunded") {
		t.Errorf("%+v, events %s", run, b.types(atBank, "O1"))
	}
	if again := b.compared(today, operations.RunComplete, ""); again.Matched != 2 {
		t.Errorf("compared again: %+v", again)
	}
}

// What only we have waits for the next bill: there it settles itself, or it is
// told. Nothing is taken from anyone.
func TestBillWaitsForTheNext(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	late, never := b.paid("O1", "T1", "7.30"), b.paid("O2", "T2", "9.00")
	late.day, never.day = today.Add(1), ""
	b.bank.has(late)
	b.bank.has(never)
	if run := b.compared(today, operations.RunComplete, ""); run.Waiting != 2 || run.Differing != 0 {
		t.Fatalf("%+v", run)
	}
	b.wantFound()
	had := b.payments()
	run := b.compared(today.Add(1), operations.RunComplete, "")
	if run.Settled != 1 || run.Differing != 1 || run.Matched != 1 {
		t.Fatalf("%+v", run)
	}
	b.wantFound("only_ours open T2/")
	d, err := b.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 1})
	must(t, err)
	if !strings.Contains(d[0].Note, "confirms") || d[0].Ours != never.amount || d[0].Delta != never.amount.Neg() {
		t.Errorf("%+v", d[0])
	}
	if b.payments() != had {
		t.Error("a difference that only we have changed the books")
	}
	// The next day's bill has nothing new and keeps the word.
	b.compared(today.Add(2), operations.RunComplete, "")
	b.wantFound("only_ours open T2/")
	// And at last it comes.
	never.day = today.Add(3)
	b.bank.has(never)
	b.compared(today.Add(3), operations.RunComplete, "")
	b.wantFound("only_ours resolved T2/")
	if run := b.compared(today, operations.RunComplete, ""); run.Waiting != 0 || run.Differing != 0 {
		t.Errorf("the first day again: %+v", run)
	}
}

// A policy that waits for no other bill tells at once, and still hears when a
// later bill has it.
func TestBillThatWaitsForNothing(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.configure(waitless)
	m := b.paid("O1", "T1", "7.30")
	m.day = today.Add(1)
	b.bank.has(m)
	b.compared(today, operations.RunComplete, "")
	b.wantFound("only_ours open T1/")
	b.compared(today.Add(1), operations.RunComplete, "")
	b.wantFound("only_ours resolved T1/")
}

// A bill that lists early what we booked on the next day: each day's run counts
// it once, in whatever order the days are compared.
func TestBillOfTheNeighbour(t *testing.T) {
	t.Parallel()
	for _, days := range [][]domain.Day{{today, today.Add(1)}, {today.Add(1), today}} {
		b := newBooks(t)
		b.paid("O1", "T1", "7.30")
		b.clock.step(15*time.Hour + time.Minute) // midnight is over
		b.placeOnly(atBank, "O2", "9.00")
		next := move{order: "O2", trade: "T2", amount: yuan(t, "9.00")} // by our clock on the next day
		b.called(next)
		next.day = today
		b.bank.has(next)
		for range 2 {
			for _, day := range days {
				run := b.compared(day, operations.RunComplete, "")
				if want := map[domain.Day]int64{today: 2}[day]; run.Differing != 0 || run.Matched != want {
					t.Errorf("%v: %+v", days, run)
				}
			}
		}
		b.wantFound()
	}
}

// A bill that cannot be had or read ends the run incomplete with its cause:
// nothing is found from it, nothing asked, nothing booked.
func TestBillIncomplete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause operations.BillCause
		spoil func(b *books)
	}{
		"the provider is down":   {operations.CauseProviderDown, func(b *books) { b.bank.down = true }},
		"the bill is not there":  {operations.CauseBillMissing, func(b *books) { b.bank.notYet = true }},
		"cut short":              {operations.CauseBillBroken, func(b *books) { b.bank.spoil = func(s string) string { return strings.TrimSuffix(s, "end\n") } }},
		"another day":            {operations.CauseBillBroken, func(b *books) { b.bank.spoil = func(s string) string { return strings.Replace(s, "22", "21", 1) } }},
		"no numbers":             {operations.CauseBillBroken, func(b *books) { b.bank.spoil = func(s string) string { return strings.ReplaceAll(s, "730", "x") } }},
		"an error page":          {operations.CauseBillBroken, func(b *books) { b.bank.spoil = func(string) string { return "<html>502</html>" } }},
		"empty":                  {operations.CauseBillBroken, func(b *books) { b.bank.spoil = func(string) string { return "" } }},
		"lines that stand twice": {operations.CauseBillDoubled, func(b *books) { m := b.bank.moves["T1/"]; m.times = 2; b.bank.moves["T1/"] = m }},
		"what we lack, twice":    {operations.CauseBillDoubled, func(b *books) { m := b.bank.moves["T2/"]; m.times = 2; b.bank.moves["T2/"] = m }},
		"no answer to questions": {operations.CauseUnanswered, func(b *books) { b.bank.mute = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			b.paid("O1", "T1", "7.30")
			b.placeOnly(atBank, "LOST", "7.30")
			b.bank.has(move{order: "LOST", trade: "T2", amount: yuan(t, "7.30"), day: today})
			had := b.payments()
			c.spoil(b)
			run := b.compared(today, operations.RunIncomplete, c.cause)
			if b.wantFound(); b.payments() != had || run.Note == "" || run.Healed != 0 {
				t.Errorf("payments went from %d events to %d: %+v", had, b.payments(), run)
			}
			*b.bank = bank{clock: b.clock.now, moves: b.bank.moves, final: true}
			for _, key := range []string{"T1/", "T2/"} {
				m := b.bank.moves[key]
				m.times = 1
				b.bank.has(m)
			}
			if run := b.compared(today, operations.RunComplete, ""); run.Healed != 1 {
				t.Errorf("when all is well again: %+v", run)
			}
		})
	}
}

// A file of the archive that was damaged between keeping and reading is our
// trouble, not the provider's.
func TestBillDamagedInTheArchive(t *testing.T) {
	t.Parallel()
	b := newBooks(t, func(d *BillDeps, _ *BillConfig) { d.Archive = damaged{d.Archive} })
	b.paid("O1", "T1", "7.30")
	b.compared(today, operations.RunIncomplete, operations.CauseOurs)
	b.wantFound()
}

type damaged struct{ archive.Archive }

func (d damaged) Open(ctx context.Context, id archive.ID) (io.ReadCloser, error) {
	r, err := d.Archive.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	why := domain.E(domain.KindCorrupt, "other bytes than its name says")
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 1<<20), errReader{why}), r}, nil
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// A day that differs too much is not judged: something else is wrong.
func TestBillThatDiffersTooMuch(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.configure(func(p *domain.Tolerance) { p.MaxItems = 30 })
	add := func(from, n int) {
		for i := range n {
			order := fmt.Sprintf("O%03d", from+i)
			b.placeOnly(atBank, order, "1.00")
			b.bank.has(move{order: order, trade: "T" + order, amount: yuan(t, "1.00"), day: today})
		}
	}
	add(0, few)
	if run := b.compared(today, operations.RunComplete, ""); run.Healed != few {
		t.Fatalf("%+v", run)
	}
	add(100, few+1) // of 41 lines
	had := b.payments()
	run := b.compared(today, operations.RunIncomplete, operations.CauseTooMany)
	if b.payments() != had || run.Healed != 0 || len(b.found()) != few || run.Kinds[domain.OnlyTheirs] != few+1 {
		t.Errorf("%+v", run)
	}
	b.configure(func(p *domain.Tolerance) { p.MaxItems, p.MaxPercent = few, 100 })
	b.agree("li", "wang")
	b.compared(today, operations.RunIncomplete, operations.CauseTooMany)
	b.configure(func(p *domain.Tolerance) { p.MaxItems, p.MaxPercent = few+1, 100 })
	b.agree("li", "wang")
	if run := b.compared(today, operations.RunComplete, ""); run.Healed != few+1 {
		t.Errorf("%+v", run)
	}
}

// A bill that changes later is a new import and a new comparison: what it does
// not show any more is resolved, and both files stay.
func TestBillChanges(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	m := b.paid("O1", "T1", "7.30")
	wrong := m
	wrong.amount = yuan(t, "7.29")
	b.bank.has(wrong)
	first := b.compared(today, operations.RunComplete, "")
	b.wantFound("amount_mismatch open T1/")
	b.bank.has(m)
	second := b.compared(today, operations.RunComplete, "")
	b.wantFound("amount_mismatch resolved T1/")
	if first.Import != 1 || second.Import != 2 || first.SHA256 == second.SHA256 {
		t.Errorf("imports %d %s and %d %s", first.Import, first.SHA256, second.Import, second.SHA256)
	}
	b.bank.has(wrong)
	if third := b.compared(today, operations.RunComplete, ""); third.Import != 1 {
		t.Errorf("the first bill again is import %d", third.Import)
	}
	b.wantFound("amount_mismatch open T1/")
	for _, r := range []operations.BillRun{first, second} {
		id, err := archive.ParseID(r.SHA256)
		must(t, err)
		if has, err := b.archive.Has(t.Context(), id); !has || err != nil {
			t.Errorf("import %d is not in the archive: %v", r.Import, err)
		}
	}
}

// Of two processes one works at a bill; when it dies the other takes over.
func TestBillIsOneProcessesAtATime(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.fold()
	other := b.another()
	b.bank.before = func() {
		if _, err := other.Run(t.Context(), atBank, today, "trade"); err == nil || domain.KindOf(err) != domain.KindConflict {
			t.Errorf("the other process: %v", err)
		}
	}
	b.compared(today, operations.RunComplete, "")
	b.bank.before = nil
	_, err := b.ops.Acquire(t.Context(), "bill-bank-a-2026-11-22-trade", "the dead", b.clock.now(), leaseFor)
	must(t, err)
	if _, err := other.Run(t.Context(), atBank, today, "trade"); err == nil || domain.KindOf(err) != domain.KindConflict {
		t.Errorf("while the dead has it: %v", err)
	}
	must(t, b.ops.PutBillRun(t.Context(), operations.BillRun{
		ID: "bill-of-the-dead", Channel: atBank, Day: today, Bill: "trade", State: operations.RunRunning, StartedAt: b.clock.now(),
	}))
	b.clock.step(leaseFor)
	if _, err := other.Run(t.Context(), atBank, today, "trade"); err != nil {
		t.Errorf("when its time is over: %v", err)
	}
	if dead, err := b.ops.BillRun(t.Context(), "bill-of-the-dead"); err != nil || dead.Cause != operations.CauseStopped || dead.EndedAt.IsZero() {
		t.Errorf("what it left behind: %+v, %v", dead, err)
	}
}

// A run that is told to stop says so, and the next one does the whole.
func TestBillStopped(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.placeOnly(atBank, "LOST", "7.30")
	b.bank.has(move{order: "LOST", trade: "T2", amount: yuan(t, "7.30"), day: today})
	b.fold()
	ctx, stop := context.WithCancel(t.Context())
	b.bank.before = stop
	run, err := b.comparer.Run(ctx, atBank, today, "trade")
	if err != nil || run.State != operations.RunIncomplete || run.Cause != operations.CauseStopped {
		t.Fatalf("%+v, %v", run, err)
	}
	b.bank.before = nil
	if run := b.compared(today, operations.RunComplete, ""); run.Healed != 1 {
		t.Errorf("%+v", run)
	}
}

// Nothing of a run stays in the folder it sorts in.
func TestBillLeavesNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBooks(t, func(_ *BillDeps, c *BillConfig) { c.TempDir = dir })
	b.paid("O1", "T1", "7.30")
	b.compared(today, operations.RunComplete, "")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if matches, _ := filepath.Glob(filepath.Join(dir, "*")); len(matches) > 0 {
		t.Errorf("left behind: %v", matches)
	}
}

// An Epay gateway makes no bill: its answers about the day's payments stand in
// for one.
func TestAnswersStandInForABill(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for i := range 3 {
		b.pay(b.place(trusting, fmt.Sprintf("E%d", i), "7.30"))
	}
	b.fold()
	run, err := b.comparer.Run(t.Context(), trusting, today, BillAnswers)
	must(t, err)
	if run.State != operations.RunComplete || run.Asked != 3 || run.Matched != 3 || run.Size == 0 || run.Differing != 0 {
		t.Errorf("%+v", run)
	}
	must(t, b.box.Outage(pids[trusting], sandbox.Fault{Class: sandbox.Query5xx}, time.Hour))
	if run, err = b.comparer.Run(t.Context(), trusting, today, BillAnswers); err != nil || run.Cause != operations.CauseUnanswered {
		t.Errorf("%+v, %v", run, err)
	}
	if _, err := b.comparer.Run(t.Context(), trusting, today, "trade"); err == nil || domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a bill that is not made: %v", err)
	}
}

// A refund that was booked from a sum is on no bill of a provider that makes
// none: it does not wait for one, and no day later is it refund_unknown.
func TestRefundsWaitForNoAnswers(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	trade := b.place(signed, "E1", "7.30")
	b.pay(trade)
	must(t, b.box.Refund(trade, yuan(t, "2.00")))
	for range 2 { // the first one books it
		b.fold()
		run, err := b.comparer.Run(t.Context(), signed, today, BillAnswers)
		must(t, err)
		if run.State != operations.RunComplete || run.Matched != 1 || run.Waiting != 0 || run.Differing != 0 {
			t.Errorf("%+v", run)
		}
	}
	if v, err := b.ledger.Payment(t.Context(), signed, "E1"); err != nil || len(v.Payment.Refunds) != 1 {
		t.Errorf("refunds %+v, %v", v.Payment.Refunds, err)
	}
}

// runsOf are the days of runs, as they were done.
func runsOf(runs []operations.BillRun) string {
	var out []string
	for _, r := range runs {
		out = append(out, strings.TrimPrefix(string(r.Day), "2026-11-")+" "+string(r.State))
	}
	return strings.Join(out, ", ")
}

func (b *books) caughtUp(want string) {
	b.t.Helper()
	b.fold()
	runs, err := b.comparer.CatchUp(b.t.Context())
	if got := runsOf(runs); err != nil || got != want {
		b.t.Fatalf("compared %q (%v), want %q", got, err, want)
	}
}

// The bills of the days that nobody compared are caught up with, the oldest
// first and none before its hour; one that fails is tried again, more and more
// rarely.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.comparer = b.another(func(_ *BillDeps, c *BillConfig) {
		began := b.clock.now()
		c.Since = func(domain.ChannelID) time.Time { return began }
	})
	b.paid("O1", "T1", "7.30")
	b.caughtUp("")
	b.clock.step(24*time.Hour - time.Second) // 08:59:59 of the next day
	b.caughtUp("")
	b.clock.step(time.Second)
	b.caughtUp("22 complete")
	b.caughtUp("")
	b.clock.step(72 * time.Hour) // two days on which nothing ran
	b.bank.set(func() { b.bank.notYet = true })
	b.caughtUp("23 incomplete, 24 incomplete, 25 incomplete")
	b.clock.step(5*time.Minute - time.Second)
	b.caughtUp("")
	b.clock.step(time.Second)
	b.caughtUp("23 incomplete, 24 incomplete, 25 incomplete")
	b.clock.step(5 * time.Minute)
	b.caughtUp("")
	b.clock.step(10 * time.Minute)
	b.bank.set(func() { b.bank.notYet, b.bank.down = false, true })
	b.caughtUp("23 incomplete") // the others would meet the same silence
	b.bank.set(func() { b.bank.down = false })
	b.clock.step(time.Hour)
	b.caughtUp("23 complete, 24 complete, 25 complete")
	b.caughtUp("")
}

// A bill that the provider may still change is fetched again for some days.
func TestCatchUpFetchesAgainWhatIsNotFinal(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.comparer = b.another(func(_ *BillDeps, c *BillConfig) { c.CatchUp = 1 })
	b.bank.final = false
	b.paid("O1", "T1", "7.30")
	b.clock.step(24 * time.Hour)
	b.caughtUp("22 complete")
	b.clock.step(finalAfter - time.Second)
	b.caughtUp("")
	b.comparer = b.another(func(_ *BillDeps, c *BillConfig) { c.CatchUp = 3 })
	b.clock.step(time.Second)
	b.bank.set(func() { b.bank.final = true })
	runs, err := b.comparer.CatchUp(t.Context())
	if err != nil || !slices.ContainsFunc(runs, func(r operations.BillRun) bool { return r.Day == today && r.Final }) {
		t.Errorf("compared %s, %v", runsOf(runs), err)
	}
	b.clock.step(finalAfter)
	b.fold()
	runs, err = b.comparer.CatchUp(t.Context())
	if err != nil || slices.ContainsFunc(runs, func(r operations.BillRun) bool { return r.Day == today }) {
		t.Errorf("compared %s, %v", runsOf(runs), err)
	}
}

// A range is compared day by day, whether or not that was done before.
func TestBackfill(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.fold()
	for range 2 {
		runs, err := b.comparer.Backfill(t.Context(), atBank, today.Add(-1), today.Add(1))
		if got := runsOf(runs); err != nil || got != "21 complete, 22 complete, 23 complete" {
			t.Errorf("compared %s, %v", got, err)
		}
	}
	for _, to := range []domain.Day{today.Add(-1), today.Add(maxRange + 1)} {
		if _, err := b.comparer.Backfill(t.Context(), atBank, today, to); err == nil || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if _, err := b.comparer.Backfill(t.Context(), "nobody", today, today); err == nil || domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("an unknown channel: %v", err)
	}
}

func TestNewComparerNamesTheWrongField(t *testing.T) {
	t.Parallel()
	good := BillConfig{Holder: "h", AskPerSecond: 1}
	for field, change := range map[string]func(*BillConfig){
		"holder":         func(c *BillConfig) { c.Holder = "" },
		"catch_up":       func(c *BillConfig) { c.CatchUp = -1 },
		"ask_per_second": func(c *BillConfig) { c.AskPerSecond = 0 },
	} {
		cfg := good
		change(&cfg)
		if _, err := NewComparer(BillDeps{}, cfg); domain.FieldOf(err) != field || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A cause that is known is not overwritten by who passes the error on.
func TestCausesStay(t *testing.T) {
	t.Parallel()
	err := because(operations.CauseOurs, fmt.Errorf("sorted: %w", theirFault(domain.E(domain.KindCorrupt, "row 7"))))
	if causeOf(err) != operations.CauseBillBroken || err.Error() != "sorted: row 7" {
		t.Errorf("%s: %v", causeOf(err), err)
	}
	if got := causeOf(because(operations.CauseOurs, fmt.Errorf("wait: %w", context.Canceled))); got != operations.CauseStopped {
		t.Errorf("cancelled: %s", got)
	}
	if because(operations.CauseOurs, nil) != nil || causeOf(errors.New("disk")) != operations.CauseOurs {
		t.Error("no error, or one without a cause")
	}
}

// An answer that cannot be believed, or that is denied, is none: nothing is
// concluded from it, least of all that the provider does not know the order.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]error{
		"forged": domain.E(domain.KindForged, "signature"),
		"denied": domain.E(domain.KindDenied, "the key may not ask"),
		"broken": domain.E(domain.KindCorrupt, "<html>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			b.bank.has(move{order: "O1", trade: "T1", amount: yuan(t, "7.30"), day: today})
			b.bank.set(func() { b.bank.says = says })
			b.compared(today, operations.RunIncomplete, operations.CauseUnanswered)
			b.wantFound()
		})
	}
}

// A process that was frozen for longer than its lease concludes nothing: another
// one had the bill meanwhile, perhaps a newer one.
func TestFrozenRunConcludesNothing(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.bank.set(func() {
		b.bank.before = func() {
			b.clock.step(2 * leaseFor)
			name := "bill-" + string(atBank) + "-" + string(today) + "-trade"
			lease, err := b.ops.Acquire(context.Background(), name, "the other", b.clock.now(), leaseFor)
			must(t, err)
			must(t, b.ops.Release(context.Background(), lease))
		}
	})
	had := len(b.events())
	b.compared(today, operations.RunIncomplete, operations.CauseStopped)
	if got := len(b.events()) - had; got > 0 {
		t.Errorf("%d events were told by who had lost the bill", got)
	}
}
