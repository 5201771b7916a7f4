package tamperlog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Config shapes a Sealer.
type Config struct {
	Dir     string        // the tree's folder, made by Create
	KeyFile string        // the log's private key
	Origin  string        // see Origin
	Every   time.Duration // under load a head is signed so often; 0 means 10 s
	Quiet   time.Duration // and as soon as no event came for so long; 0 means 1 s
	// Share is the part of one processor that sealing may take while the log is
	// busy, so that callbacks keep theirs; it falls behind instead, and catches up
	// later. 0 means 0.04, 1 no limit.
	Share float64
	Clock func() time.Time // required
	// Logger takes what people must know. Default: nothing is logged.
	Logger *slog.Logger
	// Alert is told once when sealing stops because the log contradicts what was
	// signed. Optional.
	Alert func(ctx context.Context, cause error)
}

func (c Config) withDefaults() Config {
	if c.Every <= 0 {
		c.Every = 10 * time.Second
	}
	if c.Quiet <= 0 {
		c.Quiet = time.Second
	}
	if c.Share <= 0 || c.Share > 1 {
		c.Share = 0.04
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Alert == nil {
		c.Alert = func(context.Context, error) {}
	}
	return c
}

// Status is how far sealing has come in this process.
type Status struct {
	Active   bool                // this process holds the lock and adds leaves
	Size     uint64              // leaves added
	Signed   uint64              // leaves under the newest signed head
	Position eventstore.Position // of the last event added
	Err      error               // why nothing is signed, nil while all is well
}

// Sealer follows a log and signs its tree. Any number may run on one folder;
// one works at a time.
type Sealer struct {
	log eventstore.Reader
	cfg Config

	mu     sync.Mutex
	status Status
}

// NewSealer makes a Sealer; it begins with Run.
func NewSealer(log eventstore.Reader, cfg Config) *Sealer {
	return &Sealer{log: log, cfg: cfg.withDefaults()}
}

// Status is how far sealing has come.
func (s *Sealer) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Sealer) set(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// Ready says why nothing is sealed any more; nil while all is well, and while
// the log or the disk is only away for a moment.
func (s *Sealer) Ready(context.Context) error {
	if err := s.Status().Err; err != nil && lasting(err) {
		return fmt.Errorf("sealing stopped: %w", err)
	}
	return nil
}

// lasting tells whether a person has to look.
func lasting(err error) bool {
	switch domain.KindOf(err) { //nolint:exhaustive // the others pass
	case domain.KindUnavailable, domain.KindUnknown:
		return false
	}
	return true
}

// again is the pause before another try.
const again = time.Second

// Run seals until ctx ends. What passes by itself is tried again; a log that
// contradicts what was signed stops sealing, here and after a restart, until a
// person takes the file "stopped" away.
func (s *Sealer) Run(ctx context.Context) error {
	for {
		err := s.session(ctx)
		s.set(func(st *Status) { st.Active = false })
		if ctx.Err() != nil {
			return nil
		}
		s.report(ctx, err)
		pause(ctx, again)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// CatchUp seals what is in the log now and returns when its head is signed. It
// waits for the lock, at most so long: KindUnavailable. KindCorrupt when the log contradicts what was signed:
// then nothing is signed any more, as with Run.
func (s *Sealer) CatchUp(ctx context.Context, wait time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	unlock, err := s.lock(waiting)
	if err != nil {
		return err
	}
	if unlock == nil {
		return domain.E(domain.KindUnavailable, "another process seals this tree: it is signed soon after each event")
	}
	defer unlock()
	if err := OpenFolder(s.cfg.Dir).Stopped(); err != nil {
		return err
	}
	err = s.once(ctx)
	if domain.KindOf(err) == domain.KindCorrupt {
		s.stop(ctx, err)
	}
	return err
}

// report notes why a session ended. It is told once.
func (s *Sealer) report(ctx context.Context, err error) {
	told := s.Status().Err
	s.set(func(st *Status) { st.Err = err })
	if err == nil || told != nil && (lasting(told) || !lasting(err)) {
		return
	}
	if !lasting(err) {
		s.cfg.Logger.WarnContext(ctx, "sealing waits", slog.String("error", err.Error()))
		return
	}
	s.cfg.Logger.ErrorContext(ctx, "sealing stopped: run `counterfoil verify`, then `counterfoil tree resume`",
		slog.String("kind", domain.KindOf(err).String()), slog.String("error", err.Error()))
	s.cfg.Alert(ctx, err)
}

// session seals while this process holds the lock.
func (s *Sealer) session(ctx context.Context) error {
	unlock, err := s.lock(ctx)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	if err := OpenFolder(s.cfg.Dir).Stopped(); err != nil {
		return err
	}
	err = s.seal(ctx)
	if domain.KindOf(err) == domain.KindCorrupt && ctx.Err() == nil {
		s.stop(ctx, err)
	}
	return err
}

// stop keeps the reason, so that a restart does not go on behind it.
func (s *Sealer) stop(ctx context.Context, cause error) {
	text := cause.Error() + " (" + s.cfg.Clock().UTC().Format(time.RFC3339) + ")\n"
	if err := writeFile(filepath.Join(s.cfg.Dir, stoppedName), []byte(text)); err != nil {
		s.cfg.Logger.ErrorContext(ctx, "cannot keep why sealing stopped", slog.String("error", err.Error()))
	}
}

// Resume lets sealing go on after a person has looked. It does not make
// anything right: what contradicts the signed head stops it again.
func Resume(dir string) error {
	err := os.Remove(filepath.Join(dir, stoppedName))
	if err != nil {
		return fileError(err)
	}
	return syncFolder(dir)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
