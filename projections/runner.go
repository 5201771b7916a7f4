package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Config shapes a Runner. The zero Config is ready for use.
type Config struct {
	Page     int            // most events in one transaction; 0 means 1,000
	Pace     time.Duration  // least time between two transactions at the head, unless somebody waits; 0 means 25 ms, below 0 none
	Cached   int            // payments kept at hand, and twice as many balances; 0 means 20,000
	Retry    time.Duration  // first pause after a failure, doubled up to a hundredfold; 0 means 100 ms
	Progress func(Progress) // called after every transaction, from the Runner's goroutine; may be nil
	Log      *slog.Logger   // nil discards
}

// Progress says how far a fold has come.
type Progress struct {
	Position eventstore.Position
	Events   int64 // folded, since the log's first
	CaughtUp bool  // Position was the log's head when the page was read
}

// Phase is what a Runner is doing.
type Phase string

// The phases of a Runner.
const (
	PhaseIdle    Phase = "idle"    // Run was not called, or its context ended
	PhaseStandby Phase = "standby" // another process folds; this one takes over when it ends
	PhaseWorking Phase = "working"
	PhaseFailing Phase = "failing" // Err tells why; it tries again
	PhaseStopped Phase = "stopped" // Err tells why; it does not try again
)

// Status is what a Runner tells readiness checks and metrics.
type Status struct {
	Phase Phase
	Progress
	Err error // of the last failure, nil when all is well
}

// Runner keeps rows up with the log: it folds page after page and writes each
// with its checkpoint in one transaction. Of all Runners on one set of rows one
// works, the others stand by and take over when it ends.
type Runner struct {
	log  eventstore.Reader
	rows Writer
	cfg  Config

	wanted <-chan struct{} // nil when the rows cannot tell

	mu     sync.Mutex
	status Status
}

// NewRunner makes a Runner that folds log into rows.
func NewRunner(log eventstore.Reader, rows Writer, cfg Config) *Runner {
	if cfg.Page <= 0 {
		cfg.Page = 1000
	}
	if cfg.Pace == 0 {
		cfg.Pace = 25 * time.Millisecond
	}
	if cfg.Cached <= 0 {
		cfg.Cached = 20_000
	}
	cfg.Cached = max(cfg.Cached, 4*cfg.Page) // a page's own rows must stay at hand
	if cfg.Retry <= 0 {
		cfg.Retry = 100 * time.Millisecond
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{log: log, rows: rows, cfg: cfg, status: Status{Phase: PhaseIdle}}
	if h, ok := rows.(Hurrier); ok {
		r.wanted = h.Wanted()
	}
	return r
}

// Status is what the Runner is doing now.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run folds until ctx ends, then returns nil. It waits for the lock, works,
// and tries again after failures that may pass. An error is final: an event
// type or version this software does not know (KindMismatch), or a log and rows
// that contradict each other (KindCorrupt). Callbacks need no projection, so
// a daemon goes on without it and shows Status in its readiness.
func (r *Runner) Run(ctx context.Context) error {
	defer r.idle()
	pause := r.cfg.Retry
	for ctx.Err() == nil {
		before := r.Status().Position
		err := r.alone(ctx)
		if ctx.Err() != nil {
			return nil // being told to stop is no failure
		}
		if final(err) {
			r.fail(PhaseStopped, err)
			r.cfg.Log.ErrorContext(ctx, "projection stopped", slog.Any("error", err))
			return err
		}
		r.fail(PhaseFailing, err)
		r.cfg.Log.WarnContext(ctx, "projection failed, trying again", slog.Any("error", err), slog.Duration("pause", pause))
		if r.Status().Position > before {
			pause = r.cfg.Retry
		}
		wait(ctx, pause, nil)
		pause = min(2*pause, 100*r.cfg.Retry)
	}
	return nil
}

// final reports errors that trying again cannot mend.
func final(err error) bool {
	k := domain.KindOf(err)
	return k == domain.KindCorrupt || k == domain.KindMismatch
}

// alone works while this Runner holds the lock.
func (r *Runner) alone(ctx context.Context) error {
	r.phase(PhaseStandby)
	release, err := r.rows.Lock(ctx)
	if err != nil {
		return fmt.Errorf("wait for the projection lock: %w", err)
	}
	defer release()
	r.phase(PhaseWorking)
	return r.follow(ctx, nil)
}

// CatchUp folds without waiting for the lock until the rows stand exactly at
// position until, or, when until is 0, at the head of the log. It returns nil
// then. Rebuilds and self-checks use it on rows that nobody else writes.
func (r *Runner) CatchUp(ctx context.Context, until eventstore.Position) error {
	defer r.idle()
	r.phase(PhaseWorking)
	err := r.follow(ctx, &until)
	if errors.Is(err, errReached) {
		return nil
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	r.fail(PhaseStopped, err)
	return err
}

// errReached ends a fold that was to go no further.
var errReached = errors.New("reached")

// follow folds pages until ctx ends, something fails, or until is reached.
func (r *Runner) follow(ctx context.Context, until *eventstore.Position) error {
	at, err := r.rows.Load(ctx)
	if err != nil {
		return fmt.Errorf("read the projection's checkpoint: %w", err)
	}
	if err := r.sameLog(ctx, at); err != nil {
		return err
	}
	r.progress(Progress{Position: at.Position, Events: at.Events})
	if until != nil && *until != 0 && at.Position >= *until {
		return errReached
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := r.read(ctx, at.Position, until)
	f := newFolder(r.rows, at, r.cfg.Cached)
	for ctx.Err() == nil {
		p, ok := r.gather(ctx, pages)
		if !ok && ctx.Err() == nil {
			return domain.E(domain.KindUnavailable, "the log ended its reader")
		}
		if !ok {
			return nil
		}
		if err := r.page(ctx, f, p); err != nil {
			return err
		}
	}
	return nil
}

// sameLog makes sure that the rows were folded from this log: a log restored
// from an older backup, or another one, holds another event there or none.
func (r *Runner) sameLog(ctx context.Context, at Checkpoint) error {
	if at.Events == 0 {
		return nil
	}
	got, err := r.log.ReadStream(ctx, at.Stream, eventstore.ReadOptions{From: at.Revision, Limit: 1})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return fmt.Errorf("read the last folded event: %w", err)
	}
	if err == nil && len(got) == 1 && got[0].ID == at.Event && got[0].Position == at.Position {
		return nil
	}
	return domain.E(domain.KindCorrupt,
		"the projection ends with event %s at position %s of %s, which the log does not hold: it was folded from another log; rebuild it",
		at.Event, at.Position, at.Stream)
}

// page folds and commits one page.
func (r *Runner) page(ctx context.Context, f *folder, p page) error {
	if len(p.events) > 0 {
		c, err := f.fold(ctx, p.events)
		if err != nil {
			return err
		}
		if err := r.rows.Commit(ctx, c); err != nil {
			return fmt.Errorf("commit rows up to position %s: %w", c.To.Position, err)
		}
		f.committed(c)
		r.progress(Progress{Position: c.To.Position, Events: c.To.Events, CaughtUp: p.caughtUp})
	} else if p.caughtUp {
		r.progress(Progress{Position: f.at.Position, Events: f.at.Events, CaughtUp: true})
	}
	if p.err == nil && p.caughtUp {
		wait(ctx, r.cfg.Pace, r.wanted)
	}
	return p.err
}

func (r *Runner) progress(p Progress) {
	r.mu.Lock()
	r.status.Progress, r.status.Err = p, nil
	r.mu.Unlock()
	if r.cfg.Progress != nil {
		r.cfg.Progress(p)
	}
}

func (r *Runner) phase(p Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Phase = p
}

func (r *Runner) fail(p Phase, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Phase, r.status.Err, r.status.CaughtUp = p, err, false
}

// idle ends a phase of work; a final failure stays to be seen.
func (r *Runner) idle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Phase != PhaseStopped {
		r.status.Phase = PhaseIdle
	}
}

// wait pauses for d, until ctx ends or until somebody hurries.
func wait(ctx context.Context, d time.Duration, hurry <-chan struct{}) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-hurry:
	case <-t.C:
	}
}
