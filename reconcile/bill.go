package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/archive"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// BillDeps is what a Comparer works with.
type BillDeps struct {
	Log      eventstore.Reader
	Ledger   *ledger.Ledger
	Rows     projections.Reader
	Lines    projections.LineReader
	Balances projections.BalanceReader
	Leases   operations.Leases
	Bills    operations.Bills
	Cursors  operations.Cursors // for FollowOrders alone
	Archive  archive.Archive
	Channels map[domain.ChannelID]providers.Channel
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
	Clock    func() time.Time
}

// BillConfig shapes a Comparer. What a comparison lets pass, and how much it may
// conclude, stands in the channels' settings; see domain.Tolerance.
type BillConfig struct {
	Holder       string                           // names this process in runs and leases
	NoFunds      map[domain.ChannelID]bool        // channels whose fund flow is not fetched beside the trade bill
	AskPerSecond float64                          // questions about single payments, to one channel
	Answers      bool                             // compare channels without bills by asking about each payment of the day
	Since        func(domain.ChannelID) time.Time // before its day no bill is caught up with; nil means no such bound
	CatchUp      int                              // days back for which missing bills are caught up with; 0 means 31
	TempDir      string                           // for sorting; empty is the system's
}

// few is how many open differences are judged whatever their share of the day.
const few = 20

// Comparer compares the providers' bills with the books. It is safe for
// concurrent use; of any number of processes one works at a bill of a day.
type Comparer struct {
	BillDeps
	cfg     BillConfig
	metrics *billMetrics
	asks    *asker
}

// NewComparer makes a Comparer.
func NewComparer(d BillDeps, cfg BillConfig) (*Comparer, error) {
	if cfg.CatchUp == 0 {
		cfg.CatchUp = 31
	}
	switch {
	case cfg.Holder == "":
		return nil, domain.EField(domain.KindInvalid, "holder", "a comparer needs a name")
	case cfg.CatchUp < 0:
		return nil, domain.EField(domain.KindInvalid, "catch_up", "%d: at least 1", cfg.CatchUp)
	case cfg.AskPerSecond <= 0:
		return nil, domain.EField(domain.KindInvalid, "ask_per_second", "%v: above 0", cfg.AskPerSecond)
	}
	m, err := newBillMetrics(d.Metrics)
	if err != nil {
		return nil, err
	}
	return &Comparer{BillDeps: d, cfg: cfg, metrics: m, asks: newAsker(d, cfg.AskPerSecond)}, nil
}

// leaseFor is how long a bill is one process's without a sign of life.
const leaseFor = 2 * time.Minute

// Run compares one bill now, whether or not that was done before: a bill that
// changed is a new import and a new comparison. The run says in its state and
// cause what came of it; an error means that it could not even be written down,
// KindConflict that another process works at this bill, KindInvalid that the
// channel has no such bill.
func (c *Comparer) Run(ctx context.Context, channel domain.ChannelID, day domain.Day, bill string) (operations.BillRun, error) {
	return c.runIf(ctx, channel, day, bill, func() (bool, error) { return true, nil })
}

// runIf is Run for a bill that is still to be compared when no other process
// works at it; else the run has no id.
func (c *Comparer) runIf(
	ctx context.Context, channel domain.ChannelID, day domain.Day, bill string, still func() (bool, error),
) (operations.BillRun, error) {
	src, err := c.source(channel, bill)
	if err != nil {
		return operations.BillRun{}, err
	}
	run, err := c.begin(channel, day, bill)
	if err != nil {
		return run, err
	}
	name := "bill-" + string(channel) + "-" + string(day) + "-" + bill
	lease, err := c.Leases.Acquire(ctx, name, run.ID, c.Clock(), leaseFor)
	if err != nil {
		return run, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kept := make(chan struct{})
	go func() { defer close(kept); c.keep(ctx, lease, stop) }()
	due, err := still()
	switch {
	case err != nil:
	case !due:
		run = operations.BillRun{}
	default:
		if err = c.bury(ctx, run); err == nil {
			run, err = c.run(ctx, run, src, lease)
		}
	}
	stop(nil)
	<-kept
	if rerr := c.Leases.Release(context.WithoutCancel(ctx), lease); err == nil {
		err = rerr
	}
	return run, err
}

// bury ends the runs of this bill that their processes left behind: who holds
// the lease knows that nobody works at them.
func (c *Comparer) bury(ctx context.Context, run operations.BillRun) error {
	left, err := c.Bills.BillRuns(ctx, operations.BillRunFilter{
		Channel: run.Channel, Bill: run.Bill, From: run.Day, To: run.Day, State: operations.RunRunning, Limit: 100,
	})
	for _, dead := range left {
		dead.State, dead.Cause, dead.Note = operations.RunIncomplete, operations.CauseStopped, "the process that did it is gone"
		dead.EndedAt = run.StartedAt
		err = errors.Join(err, c.Bills.PutBillRun(ctx, dead))
	}
	return err
}

func (c *Comparer) begin(channel domain.ChannelID, day domain.Day, bill string) (operations.BillRun, error) {
	at := domain.Instant(c.Clock())
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return operations.BillRun{}, fmt.Errorf("name a run: %w", err)
	}
	return operations.BillRun{
		ID:      "bill-" + at.UTC().Format("20060102T150405.000Z") + "-" + id.String()[:8],
		Channel: channel, Day: day, Bill: bill, Holder: c.cfg.Holder, State: operations.RunRunning, StartedAt: at,
	}, nil
}

// keep renews the lease until ctx ends; a lease that was lost ends the run.
func (c *Comparer) keep(ctx context.Context, lease operations.Lease, stop context.CancelCauseFunc) {
	tick := time.NewTicker(leaseFor / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := c.Leases.Acquire(ctx, lease.Name, lease.Holder, c.Clock(), leaseFor)
		if err != nil && domain.KindOf(err) == domain.KindConflict {
			stop(err)
			return
		}
	}
}

// hold makes sure that the bill is still this process's: one that was frozen
// longer than its lease must not conclude from a bill that another process has
// had anew since.
func (c *Comparer) hold(ctx context.Context, lease operations.Lease) error {
	now, err := c.Leases.Acquire(ctx, lease.Name, lease.Holder, c.Clock(), leaseFor)
	if err == nil && now.Token != lease.Token {
		err = domain.E(domain.KindConflict, "another process had the bill meanwhile")
	}
	if err != nil && domain.KindOf(err) == domain.KindConflict {
		return because(operations.CauseStopped, err)
	}
	return because(operations.CauseOurs, err)
}

// run does the work and writes down what came of it.
func (c *Comparer) run(ctx context.Context, run operations.BillRun, src billSource, lease operations.Lease) (operations.BillRun, error) {
	if err := c.Bills.PutBillRun(ctx, run); err != nil {
		return run, err
	}
	var tally domain.BillTally
	found, err := c.compare(ctx, &run, src, &tally)
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		err = c.hold(ctx, lease)
	}
	if err == nil {
		err = because(operations.CauseOurs, c.conclusion(ctx, &run, found, &tally))
	}
	run.EndedAt, run.Progress = domain.Instant(c.Clock()), operations.BillProgress{}
	if err == nil {
		c.finish(ctx, run)
		return run, nil
	}
	run.State, run.Cause, run.Note = operations.RunIncomplete, causeOf(err), err.Error()
	c.finish(ctx, run)
	return run, c.Bills.PutBillRun(ctx, run)
}

// findings are what a comparison came to before anything is written down.
type findings struct {
	operations.BillResult
	proposals []proposal
}

// conclusion books what the bill says, proposes what people are to decide and
// writes down what the run found.
func (c *Comparer) conclusion(ctx context.Context, run *operations.BillRun, found findings, t *domain.BillTally) error {
	differing, err := c.book(ctx, run, t)
	if err != nil {
		return err
	}
	for _, m := range differing {
		c.found(&found.BillResult, run, movedOtherwise(m))
	}
	if err := c.holdBalances(ctx, run, t); err != nil {
		return err
	}
	if err := c.propose(ctx, run, found.proposals); err != nil {
		return err
	}
	run.State, run.EndedAt, run.Progress = operations.RunComplete, domain.Instant(c.Clock()), operations.BillProgress{}
	found.Run = *run
	return c.close(ctx, found.BillResult)
}

// close tells the log first and then the operations store: a run that dies in
// between is told again by the next one, and nothing is shown that the log does
// not know.
func (c *Comparer) close(ctx context.Context, r operations.BillResult) error {
	changes, err := c.Bills.BillChanges(ctx, r)
	if err != nil {
		return err
	}
	for day, facts := range factsOf(r.Run, changes) {
		if err := c.Ledger.Reconciled(ctx, r.Run.Channel, day, facts, ledger.By{Actor: "reconciler", Cause: r.Run.ID}); err != nil {
			return err
		}
	}
	return c.Bills.CloseBill(ctx, r)
}

// finish writes the run's one log line and its metrics.
func (c *Comparer) finish(ctx context.Context, r operations.BillRun) {
	c.metrics.ended(r)
	level := slog.LevelInfo
	if r.State != operations.RunComplete || r.Differing > 0 {
		level = slog.LevelWarn
	}
	c.Logger.LogAttrs(ctx, level, "bill compared", slog.String("run", r.ID), slog.String("channel", string(r.Channel)),
		slog.String("day", string(r.Day)), slog.String("bill", r.Bill), slog.String("state", string(r.State)),
		slog.String("cause", string(r.Cause)), slog.String("sha256", r.SHA256), slog.Int64("size", r.Size),
		slog.Int64("ours", r.OurLines), slog.Int64("theirs", r.TheirLines), slog.Int64("matched", r.Matched),
		slog.Int64("waiting", r.Waiting), slog.Int64("differing", r.Differing), slog.Int64("healed", r.Healed),
		slog.Int64("unanswered", r.Unanswered), slog.String("note", r.Note), slog.Duration("took", r.EndedAt.Sub(r.StartedAt)))
}
