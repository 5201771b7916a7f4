package stage

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"counterfoil/domain"
)

// Config says how a stage starts. Only Now is required.
type Config struct {
	Now   func() time.Time // the real time
	Log   *slog.Logger     // nil logs nothing
	Seed  uint64           // of every choice
	Speed float64          // waiting time per real time; 0 means 1, 600 makes a minute 100 ms

	Workers      int               // deliveries under way at once; 0 means 32
	KeepAttempts int               // attempts remembered; 0 means 100,000
	Transport    http.RoundTripper // how deliveries leave; nil makes one with connections kept per target
}

// Stage is the ground that faces stand on. Make it with New, then Start it;
// without Start nothing that is due happens. All methods may be called at the
// same time, also by what the stage itself runs.
type Stage struct {
	cfg    Config
	clock  *clock
	jobs   *scheduler
	sender *sender
	log    *attemptLog

	life sync.Mutex // Start and Stop
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	advanced []func(books time.Time)
}

// New checks the configuration. KindInvalid names the first wrong field.
func New(c Config) (*Stage, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	clk := newClock(c.Now, c.Speed)
	return &Stage{
		cfg: c, clock: clk, jobs: newScheduler(clk, c.Workers), sender: newSender(c.Transport),
		log: newAttemptLog(c.KeepAttempts),
	}, nil
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Workers == 0 {
		c.Workers = 32
	}
	if c.KeepAttempts == 0 {
		c.KeepAttempts = 100_000
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.Now == nil:
		return domain.EField(domain.KindInvalid, "now", "a sandbox needs a clock")
	case c.Workers < 1 || c.Workers > 1024:
		return domain.EField(domain.KindInvalid, "workers", "workers %d is not 1 to 1024", c.Workers)
	case c.KeepAttempts < 1:
		return domain.EField(domain.KindInvalid, "keep_attempts", "keep_attempts %d is not positive", c.KeepAttempts)
	}
	return checkSpeed(c.Speed)
}

// checkSpeed keeps waiting times within what a time.Duration counts.
func checkSpeed(speed float64) error {
	if !(speed >= 0.001 && speed <= 1e6) { // also refuses NaN
		return domain.EField(domain.KindInvalid, "speed", "speed %g is not 0.001 to 1000000", speed)
	}
	return nil
}

// Start lets things happen. It returns at once; a second call does nothing.
func (s *Stage) Start() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		s.jobs.loop(ctx)
	}()
}

// Stop breaks off deliveries under way and waits for them. Those not due yet
// stay due and follow when Start is called again. A second call does nothing.
func (s *Stage) Stop() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.done
	s.stop = nil
	s.sender.closeIdle()
}

// Now is the real time: what signed timestamps say.
func (s *Stage) Now() time.Time { return s.clock.wall() }

// Books is the time that books, bills and trade numbers are kept in, in China.
func (s *Stage) Books() time.Time { return s.clock.books() }

// Passed is the waiting time gone by since the start.
func (s *Stage) Passed() time.Duration { return s.clock.passed() }

// Clock is how the times stand.
func (s *Stage) Clock() ClockState { return s.clock.state() }

// SetSpeed changes how fast waiting times pass, from now on.
func (s *Stage) SetSpeed(speed float64) error {
	if err := checkSpeed(speed); err != nil {
		return err
	}
	s.clock.setSpeed(speed)
	s.jobs.poke()
	return nil
}

// maxAdvance keeps book dates within four digits of year.
const maxAdvance = 100 * 365 * 24 * time.Hour

// Advance moves the book dates and all waiting times forward. What falls due
// goes out at once, in order, after every act of OnAdvance.
func (s *Stage) Advance(d time.Duration) error {
	if d < 0 || d > maxAdvance {
		return domain.EField(domain.KindInvalid, "advance", "advance %s is not 0 to a hundred years", d)
	}
	s.clock.advance(d)
	s.mu.Lock()
	acts := s.advanced
	s.mu.Unlock()
	for _, act := range acts {
		act(s.clock.books())
	}
	s.jobs.poke()
	return nil
}

// OnAdvance adds an act of every Advance: the daily job of an operator, say.
func (s *Stage) OnAdvance(act func(books time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advanced = append(s.advanced, act)
}

// After runs an act when so much waiting time has passed. Its context ends with
// Stop.
func (s *Stage) After(d time.Duration, act func(context.Context)) { s.jobs.after(d, act) }

// Settled waits until nothing is due, under way or waiting for a retry.
func (s *Stage) Settled(ctx context.Context) error { return s.jobs.settled(ctx) }

// Pending is how many acts are due, under way or waiting.
func (s *Stage) Pending() int { return s.jobs.pending() }

// Log is the stage's logger, for the faces on it.
func (s *Stage) Log() *slog.Logger { return s.cfg.Log }

// Chance is the random source of whatever has these names, an order most
// often: it follows from the seed and the names alone. It is not safe for use
// by several goroutines.
func (s *Stage) Chance(names ...string) *rand.Rand {
	return rand.New(rand.NewChaCha8(Digest(s.cfg.Seed, names...)))
}

// Attempts lists what was sent, the newest first.
func (s *Stage) Attempts(f AttemptFilter) []Attempt { return s.log.newest(f) }

// AttemptCount is how many attempts were made, also those no longer
// remembered.
func (s *Stage) AttemptCount() uint64 { return s.log.count() }
