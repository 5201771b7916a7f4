package reconcile

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// aBigDay is a bill of n lines that our books do not have; it comes in the middle
// of a range that may differ.
func (b *books) aBigDay(n int) {
	b.t.Helper()
	for i := range n {
		b.bank.has(move{order: fmt.Sprint("N", i), trade: fmt.Sprintf("N%06d", i), amount: yuan(b.t, "1.00"), day: today, status: domain.StatusClosed})
	}
}

// noting counts what a run notes and lets a test look at it.
type noting struct {
	operations.Bills
	mu    sync.Mutex
	notes []operations.BillRun
	at    func(operations.BillRun)
}

func (n *noting) PutBillRun(ctx context.Context, r operations.BillRun) error {
	n.mu.Lock()
	n.notes = append(n.notes, r)
	at := n.at
	n.mu.Unlock()
	if at != nil {
		at(r)
	}
	return n.Bills.PutBillRun(ctx, r)
}

// A daemon that is told to end in the middle of a bill writes that down, and the
// next one takes it up at once, without waiting as after a bill that was late.
// A process that was killed leaves its run behind: that is taken up, too.
func TestStoppedRunsAreTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.placeOnly(atBank, "LOST", "7.30")
	b.bank.has(move{order: "LOST", trade: "T2", amount: yuan(t, "7.30"), day: today})
	b.aBigDay(2 * noteLines)
	b.clock.step(24 * time.Hour)
	b.fold()
	ctx, stop := context.WithCancel(t.Context())
	seen := &noting{Bills: b.ops, at: func(r operations.BillRun) {
		if r.Progress.Phase == operations.PhaseReading && r.Rows > 0 {
			stop() // as a signal does, in the middle of the bill
		}
	}}
	daemon := b.another(func(d *BillDeps, c *BillConfig) { d.Bills, c.CatchUp = seen, 1 })
	runs, err := daemon.CatchUp(ctx)
	if got := runsOf(runs); got != "22 incomplete" || runs[0].Cause != operations.CauseStopped || err != nil {
		t.Fatalf("%s %+v, %v", got, runs, err)
	}
	if kept, err := b.ops.BillRun(t.Context(), runs[0].ID); err != nil || kept.State != operations.RunIncomplete || kept.EndedAt.IsZero() {
		t.Fatalf("kept as %+v, %v", kept, err)
	}
	b.wantFound()
	b.comparer = b.another(func(_ *BillDeps, c *BillConfig) { c.CatchUp = 1 })
	b.caughtUp("22 complete")
	b.wantFound("missing_credit resolved T2/")
	b.caughtUp("")

	must(t, b.ops.PutBillRun(t.Context(), operations.BillRun{
		ID: "bill-killed", Channel: atBank, Day: today, Bill: "trade", State: operations.RunRunning, StartedAt: b.clock.now(),
	}))
	b.caughtUp("22 complete")
	if dead, err := b.ops.BillRun(t.Context(), "bill-killed"); err != nil || dead.Cause != operations.CauseStopped {
		t.Errorf("what the killed one left behind: %+v, %v", dead, err)
	}
}

// A run tells how far it has come: its phases in order, how many lines, and of
// how many bytes.
func TestRunsNoteTheirProgress(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.aBigDay(3 * noteLines)
	b.fold()
	seen := &noting{Bills: b.ops, at: func(operations.BillRun) { b.clock.step(noteEvery) }}
	run, err := b.another(func(d *BillDeps, _ *BillConfig) { d.Bills = seen }).Run(t.Context(), atBank, today, "trade")
	if err != nil || run.State != operations.RunComplete || run.Progress.Phase != "" {
		t.Fatalf("%+v, %v", run, err)
	}
	var phases []operations.BillPhase
	var read, rate, left int
	for _, n := range seen.notes {
		p := n.Progress
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
		if p.Phase != operations.PhaseReading {
			continue
		}
		if read++; p.Done > p.Of || p.Of != n.Size || n.Rows == 0 {
			t.Errorf("%+v of a bill of %d bytes", p, n.Size)
		}
		if p.Rate > 0 {
			rate++
		}
		if _, ok := p.Left(); ok {
			left++
		}
	}
	if got, want := fmt.Sprint(phases), "[ fetching reading comparing booking]"; got != want {
		t.Errorf("phases %s, want %s", got, want)
	}
	if read < 3 || rate == 0 || left == 0 {
		t.Errorf("%d notes while reading, %d with a rate, %d with the time left", read, rate, left)
	}
}

// Any number of reconcilers make one run of a channel's day, however their looks
// fall together.
func TestOneRunOfADay(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	began := b.clock.now()
	b.paid("O1", "T1", "7.30")
	b.clock.step(3 * 24 * time.Hour) // three days on which nothing ran
	b.fold()
	var done []operations.BillRun
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 6 {
		one := b.another(func(_ *BillDeps, c *BillConfig) { c.Since = func(domain.ChannelID) time.Time { return began } })
		all.Go(func() {
			for range 3 {
				runs, err := one.CatchUpChannel(t.Context(), atBank)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				done = append(done, runs...)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	days := map[domain.Day]int{}
	for _, r := range done {
		days[r.Day]++
	}
	if len(days) != 3 || days[today] != 1 || days[today.Add(1)] != 1 || days[today.Add(2)] != 1 {
		t.Errorf("runs of days: %v", days)
	}
	kept, err := b.ops.BillRuns(t.Context(), operations.BillRunFilter{Limit: 100})
	must(t, err)
	if len(kept) != 3 {
		t.Errorf("%d runs were kept", len(kept))
	}
	if _, comparisons := b.told(); comparisons != 3 {
		t.Errorf("the log was told of %d comparisons", comparisons)
	}
}
