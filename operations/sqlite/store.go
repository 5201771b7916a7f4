package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/still"
	"counterfoil/operations"
)

// Options of Open.
type Options struct {
	Logger *slog.Logger     // nil for none
	Clock  func() time.Time // says what is old; required

	// KeepCallbacks is how long rows of the callback log stay, 90 days if 0.
	KeepCallbacks time.Duration
	// MaxCallbacks is how many of them stay, oldest gone first: a replayed
	// address must not fill the disk. 10 million (about 4 GB) if 0.
	MaxCallbacks int

	// OnlyReads is for who writes nothing: a file that cannot be written, or
	// whose folder cannot, is opened as it stands, and writes are KindDenied.
	// Elsewhere it changes nothing.
	OnlyReads bool
}

// limits are the bounds of what is kept.
type limits struct {
	callbacks    time.Duration
	callbackRows int64
	refused      time.Duration
	refusedRows  int64
	refusedBytes int64
	idempotency  time.Duration
	runs         int64
	queueRows    int
	queueBytes   int
	lockWait     time.Duration
}

const day = 24 * time.Hour

func (o Options) limits() (limits, error) {
	l := limits{
		callbacks: o.KeepCallbacks, callbackRows: int64(o.MaxCallbacks),
		refused: 30 * day, refusedRows: 10_000, refusedBytes: 16 << 20,
		idempotency: keepAnswers, runs: 10_000,
		queueRows: 8192, queueBytes: 16 << 20, lockWait: 5 * time.Second,
	}
	switch {
	case o.Clock == nil:
		return l, domain.EField(domain.KindInvalid, "Clock", "is missing")
	case o.KeepCallbacks < 0:
		return l, domain.EField(domain.KindInvalid, "KeepCallbacks", "%s is negative", o.KeepCallbacks)
	case o.MaxCallbacks < 0:
		return l, domain.EField(domain.KindInvalid, "MaxCallbacks", "%d is negative", o.MaxCallbacks)
	}
	if l.callbacks == 0 {
		l.callbacks = 90 * day
	}
	if l.callbackRows == 0 {
		l.callbackRows = 10_000_000
	}
	return l, nil
}

// Store is operations.Store in one SQLite file. It is safe for concurrent use,
// also with other Stores on the same file in any process of this machine.
type Store struct {
	logger *slog.Logger
	clock  func() time.Time
	limits limits
	path   string
	left   leftovers

	still   bool // the file cannot be written, and nobody does
	read    *sql.DB
	getKey  *sql.Stmt
	health  *health
	durable *committer // FULL: data keys, API keys
	normal  *committer // NORMAL: the rest
	log     *callbackQueue
	slots   slotState

	stop    context.CancelFunc
	running sync.WaitGroup
	once    sync.Once
	closed  error
}

var _ operations.Store = (*Store)(nil)

// Create makes the file at path, and its folder where there is none, readable
// by their owner only. What is there already is KindConflict and left alone.
// When it returns, file and name are on the disk.
func Create(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return domain.E(domain.KindUnavailable, "make folder of operations store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return domain.E(domain.KindConflict, "operations store %s exists already", path)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return domain.E(domain.KindUnavailable, "make operations store: %w", err)
	}
	if err := fill(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncDir(dir)
}

// fill makes the schema in a new, empty file.
func fill(path string) (err error) {
	db, err := open(path, fullPragmas, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return prepareFile(background(), db, path)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return domain.E(domain.KindUnavailable, "open folder of operations store: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return domain.E(domain.KindUnknown, "sync folder of operations store: %w", err)
	}
	return nil
}

// Open opens the file that Create made and starts its writers; Close ends
// them. Refused are a missing file (KindNotFound), one of another application
// or a newer program (KindMismatch), one that is no database (KindCorrupt).
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	limits, err := o.limits()
	if err != nil {
		return nil, err
	}
	return openWith(ctx, path, o, limits)
}

func openWith(ctx context.Context, path string, o Options, limits limits) (*Store, error) {
	if err := identify(path); err != nil {
		return nil, err
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	warnIfShared(ctx, logger, path)
	s := &Store{logger: logger, clock: o.Clock, limits: limits, path: path, health: &health{}, slots: noSlots}
	switch {
	case o.OnlyReads:
		var err error
		if s.still, err = still.Is(path); err != nil {
			return nil, err
		}
	case still.Unwritable(path):
		return nil, domain.E(domain.KindDenied, "operations store %s or its folder may not be written by this account", path)
	}
	if err := s.connect(ctx, path); err != nil {
		return nil, errors.Join(err, s.disconnect())
	}
	s.start()
	return s, nil
}

// warnIfShared tells when others on the machine can read the keys.
func warnIfShared(ctx context.Context, logger *slog.Logger, path string) {
	info, err := os.Stat(path) //nolint:gosec // the operator names the file
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return
	}
	logger.WarnContext(ctx, "operations store holds data keys and is open to other users",
		slog.String("path", path), slog.String("mode", info.Mode().Perm().String()))
}

// connect opens the connections; what it opened before an error, disconnect
// closes.
func (s *Store) connect(ctx context.Context, path string) error {
	if s.still {
		return s.connectStill(ctx, path)
	}
	durable, err := open(path, fullPragmas, 1)
	if err != nil {
		return err
	}
	if err := prepareFile(ctx, durable, path); err != nil {
		return errors.Join(err, durable.Close())
	}
	turns := &gate{}
	if s.durable, err = newCommitter(ctx, durable, s.limits.lockWait, turns, s.health); err != nil {
		return errors.Join(err, durable.Close())
	}
	normal, err := open(path, normalPragmas, 1)
	if err != nil {
		return err
	}
	if s.normal, err = newCommitter(ctx, normal, s.limits.lockWait, turns, s.health); err != nil {
		return errors.Join(err, normal.Close())
	}
	if s.read, err = open(path, readPragmas, readers); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// connectStill opens a file that cannot be written. An older schema would have
// to be changed.
func (s *Store) connectStill(ctx context.Context, path string) (err error) {
	if s.read, err = openStill(path, readers); err != nil {
		return err
	}
	var version int
	if err := s.read.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return classify("read schema version", err)
	}
	if version != len(steps) {
		return domain.E(domain.KindMismatch, "%s has schema %d, this program reads %d, and the file cannot be written here: copy it to where it may be",
			path, version, len(steps))
	}
	return s.prepare(ctx)
}

func (s *Store) prepare(ctx context.Context) (err error) {
	s.getKey, err = s.read.PrepareContext(ctx, `SELECT key FROM data_keys WHERE id = ?`)
	return classify("prepare", err)
}

// readers is how many connections read at once. A point read does not wait for
// the disk as a rule, so more than a few only cost memory.
const readers = 6

// start begins the work in the background.
func (s *Store) start() {
	ctx, stop := context.WithCancel(background())
	s.stop = stop
	s.log = newCallbackQueue(s.limits)
	if s.still {
		return
	}
	s.running.Go(func() { s.writeCallbacks(ctx) })
	s.running.Go(func() { s.prune(ctx) })
}

// Ready says whether the store can be read and written: nil, or why not.
// KindUnknown means that a sync failed and only a new start helps; everything
// else may pass by itself.
func (s *Store) Ready(ctx context.Context) error {
	if failed := s.health.failure(); failed != nil {
		return failed
	}
	var rows int64
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM counters`).Scan(&rows); err != nil {
		return classify("read", err)
	}
	return classify("write", errors.Join(s.durable.ready(ctx), s.normal.ready(ctx)))
}

// Close writes what waits, also the queued rows of the callback log, and
// closes the file. Calls that come later are refused with KindUnavailable.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.stop()
		s.running.Wait()
		s.closed = s.disconnect()
	})
	return s.closed
}

func (s *Store) disconnect() error {
	var errs []error
	for _, c := range []*committer{s.durable, s.normal} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return classify("close", err)
	}
	return nil
}
