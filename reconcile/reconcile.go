// Package reconcile compares our books with the providers' by asking them: the
// sweep asks about unsettled, held and credited payments, credits what was
// lost from the provider's own answer, closes what is over, and writes down
// differences for people. It only ever gives, on positive evidence; an answer
// that cannot be had makes a run incomplete, never different.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// Deps is what a Sweeper works with.
type Deps struct {
	Ledger   *ledger.Ledger
	Rows     projections.Reader
	Ops      operations.Store
	Channels map[domain.ChannelID]providers.Channel
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
	Clock    func() time.Time
}

// Config shapes a Sweeper.
type Config struct {
	Holder       string        // names this process in runs and leases
	FirstAsk     time.Duration // from placing to the first question
	Pace         float64       // 1 is real time
	Queries      int           // questions at once
	AskPerSecond float64       // to one channel
}

// Sweeper asks providers. It is safe for concurrent use, and any number of
// processes may sweep one store: each question is claimed by one of them.
type Sweeper struct {
	Deps
	cfg     Config
	pace    pace
	metrics *metrics
	mu      sync.Mutex
	limits  map[domain.ChannelID]*rate.Limiter
	cursors map[domain.ChannelID]string // see recover
}

// New makes a Sweeper.
func New(d Deps, cfg Config) (*Sweeper, error) {
	switch {
	case cfg.Holder == "":
		return nil, domain.EField(domain.KindInvalid, "holder", "a sweeper needs a name")
	case cfg.Pace < 1:
		return nil, domain.EField(domain.KindInvalid, "pace", "%v: at least 1", cfg.Pace)
	case cfg.Queries < 1:
		return nil, domain.EField(domain.KindInvalid, "queries", "%d: at least 1", cfg.Queries)
	case cfg.AskPerSecond <= 0:
		return nil, domain.EField(domain.KindInvalid, "ask_per_second", "%v: above 0", cfg.AskPerSecond)
	}
	m, err := newMetrics(d.Metrics)
	if err != nil {
		return nil, err
	}
	return &Sweeper{
		Deps: d, cfg: cfg, pace: pace(cfg.Pace), metrics: m, limits: map[domain.ChannelID]*rate.Limiter{},
		cursors: map[domain.ChannelID]string{},
	}, nil
}

// limit is the channel's token bucket: forged callbacks must not make us flood
// a provider.
func (s *Sweeper) limit(ch domain.ChannelID) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits[ch]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(s.cfg.AskPerSecond), max(1, int(s.cfg.AskPerSecond)))
		s.limits[ch] = l
	}
	return l
}

// claimFor is how long a claimed question is this process's; a process that
// dies gives it back by letting it lapse.
const claimFor = 40 * time.Second

// Bounds of one run; what is left is due in the next.
const (
	maxAsks    = 2000
	maxHandled = 10 * maxAsks // with those that turned out not to need an answer
)

// claim is how many questions are claimed at once: no more than are asked well
// within claimFor even when every one runs into its time limit, or else another
// process would ask them, too.
func (s *Sweeper) claim() int {
	const within = claimFor * 3 / 8
	slow := s.cfg.Queries * int(within/queryWithin)
	return max(1, int(min(float64(slow), s.cfg.AskPerSecond*within.Seconds())))
}

// Sweep is one run: feed the schedule from the projection, ask what is due,
// write down what came of it.
func (s *Sweeper) Sweep(ctx context.Context) (operations.Run, error) {
	began := domain.Instant(s.Clock())
	id, err := newRunID(began)
	if err != nil {
		return operations.Run{}, err
	}
	run := operations.Run{ID: id, Kind: "sweep", Holder: s.cfg.Holder, State: operations.RunRunning, StartedAt: began}
	if err := s.Ops.PutRun(ctx, run); err != nil {
		return run, err
	}
	err = s.sweep(ctx, &run)
	run.EndedAt = domain.Instant(s.Clock())
	run.State = operations.RunComplete
	if err != nil {
		run.Note = err.Error()
	}
	if err != nil || run.Unanswered > 0 {
		run.State = operations.RunIncomplete
	}
	s.finish(ctx, run)
	if perr := s.Ops.PutRun(context.WithoutCancel(ctx), run); perr != nil && err == nil {
		err = perr
	}
	return run, err
}

func (s *Sweeper) sweep(ctx context.Context, run *operations.Run) error {
	if err := s.schedule(ctx, run); err != nil {
		return err
	}
	t := newTally(run)
	if err := s.recover(ctx, t); err != nil {
		return err
	}
	for handled := 0; run.Asked < maxAsks && handled < maxHandled; {
		now := s.Clock()
		asks, err := s.Ops.ClaimAsks(ctx, now, now.Add(claimFor), s.claim())
		if err != nil {
			return err
		}
		if len(asks) == 0 {
			break
		}
		if handled > 0 { // a long run shows meanwhile what came of it so far
			if err := s.Ops.PutRun(ctx, *run); err != nil {
				return err
			}
		}
		handled += len(asks)
		if err := s.askAll(ctx, t, asks); err != nil {
			return err
		}
	}
	return t.failed
}

// feedLease is who brings news into the schedule. One process at a time does,
// so that no two turn one refused callback into two questions.
const feedLease = "sweep-feed"

// feedFor is how long the feed may be one process's. Should it take longer, or
// a dead process hold it, another writes the same rows.
const feedFor = 15 * time.Second

// schedule feeds the questions from what changed, unless another process is
// just doing it.
func (s *Sweeper) schedule(ctx context.Context, run *operations.Run) error {
	lease, err := s.Ops.Acquire(ctx, feedLease, run.ID, s.Clock(), feedFor)
	if err != nil && domain.KindOf(err) == domain.KindConflict {
		return nil
	}
	if err != nil {
		return err
	}
	err = errors.Join(s.mend(ctx), s.feed(ctx), s.feedUnmatched(ctx), s.feedRefused(ctx))
	return errors.Join(err, s.Ops.Release(context.WithoutCancel(ctx), lease))
}

// finish writes the run's one log line and its metrics.
func (s *Sweeper) finish(ctx context.Context, run operations.Run) {
	s.metrics.ended(run)
	level := slog.LevelInfo
	if run.State == operations.RunIncomplete {
		level = slog.LevelWarn
	}
	s.Logger.LogAttrs(ctx, level, "sweep", slog.String("run", run.ID), slog.String("state", string(run.State)),
		slog.Int("asked", run.Asked), slog.Int("paid", run.Paid), slog.Int("healed", run.Healed),
		slog.Int("confirmed", run.Confirmed), slog.Int("closed", run.Closed), slog.Int("unknown", run.Unknown),
		slog.Int("unanswered", run.Unanswered), slog.Int("differing", run.Differing), slog.String("note", run.Note),
		slog.Duration("took", run.EndedAt.Sub(run.StartedAt)))
}
