package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// RebuildConfig shapes a rebuild.
type RebuildConfig struct {
	Progress func(projections.Progress) // may be nil
	Accept   bool                       // switch although the digests differ: the rows in use were wrong
	Page     int                        // events in one transaction; 0 means 5,000
	Log      *slog.Logger               // nil discards
}

// Rebuilt tells what a rebuild did.
type Rebuilt struct {
	File     string              // in use now; empty when nothing was switched
	Position eventstore.Position // of the new rows at the switch
	Events   int64
	Compared bool               // both sides were hashed at one checkpoint
	Before   projections.Digest // the rows that were in use, when compared
	After    projections.Digest // the new rows at the same checkpoint, when compared
	Why      string             // why nothing was compared
}

// Rebuild folds log from its first event into a new file beside the rows in
// use, compares both at one checkpoint by their digests, brings the new file to
// the end of the log and puts it in the place of the old one. Daemons go on
// meanwhile and take the new file up by themselves.
//
// Digests that differ are KindCorrupt and nothing is switched, unless
// cfg.Accept: the new rows are what the log says. Rows that cannot be read,
// are of another version or empty are replaced without comparison, and Rebuilt
// says why. Only one rebuild runs at a time: KindConflict.
func Rebuild(ctx context.Context, log eventstore.Reader, path string, cfg RebuildConfig) (Rebuilt, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Rebuilt{}, domain.E(domain.KindInvalid, "path %q: %w", path, err)
	}
	alone, err := openLock(path + ".rebuild")
	if err != nil {
		return Rebuilt{}, err
	}
	defer alone.close()
	if ok, err := alone.try(); err != nil || !ok {
		return Rebuilt{}, firstOf(err, domain.E(domain.KindConflict, "another rebuild of %s is under way", path))
	}
	b, err := newBuild(log, path, cfg)
	if err != nil {
		return Rebuilt{}, err
	}
	err = b.run(ctx)
	if err != nil {
		b.writer.close() //nolint:errcheck // the file goes away
		remove(b.writer.file)
		return b.told, fmt.Errorf("rebuild %s: %w", path, err)
	}
	return b.told, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// build is a rebuild under way.
type build struct {
	log    eventstore.Reader
	path   string
	accept bool
	writer *writer
	runner *projections.Runner
	told   Rebuilt
}

// newBuild makes the new file. It grows without journal and syncs, which halves
// the work: until the switch nobody misses it, and whatever fails discards it.
func newBuild(log eventstore.Reader, path string, cfg RebuildConfig) (*build, error) {
	file, err := reserve(path)
	if err != nil {
		return nil, err
	}
	if err := create(file); err != nil {
		remove(file)
		return nil, err
	}
	w, err := openWriter(path, file, "synchronous(OFF)", "locking_mode(EXCLUSIVE)", "cache_size(-262144)")
	if err == nil {
		err = w.journal("OFF")
	}
	if err != nil {
		w.close() //nolint:errcheck // err counts
		remove(file)
		return nil, err
	}
	if cfg.Page <= 0 {
		cfg.Page = 5000
	}
	r := projections.NewRunner(log, solo{w}, projections.Config{
		Page: cfg.Page, Pace: -1, Cached: 100_000, Progress: cfg.Progress, Log: cfg.Log,
	})
	return &build{log: log, path: path, accept: cfg.Accept, writer: w, runner: r}, nil
}

func (b *build) run(ctx context.Context) error {
	if err := b.compare(ctx); err != nil {
		return err
	}
	if err := b.runner.CatchUp(ctx, 0); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	return b.swap(ctx)
}

// compare folds up to where the rows in use stand and compares. They are read
// in one transaction, so that they stand still while they are hashed.
func (b *build) compare(ctx context.Context) error {
	live, why := openLive(b.path)
	if why != "" {
		b.told.Why = why
		return nil
	}
	defer live.close() //nolint:errcheck // it only read
	// A first fold without a transaction on the old file, which would keep its
	// write-ahead log from being emptied for as long as the fold takes.
	head, err := b.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the log: %w", err)
	}
	p, err := readPosition(live)
	if err != nil || p == 0 || p > head {
		b.told.Why = fmt.Sprintf("the rows in use are empty, damaged or not of this log (position %s, the log ends at %s)", p, head)
		return nil
	}
	if err := b.runner.CatchUp(ctx, p); err != nil {
		return err
	}
	return inSnapshot(live, func() error { return b.compareSnapshot(ctx, live) })
}

func (b *build) compareSnapshot(ctx context.Context, live *conn) error {
	p, err := readPosition(live)
	if err != nil {
		return err
	}
	if b.told.Before, err = digest(ctx, live); err != nil {
		b.told.Why = "the rows in use cannot be read: " + err.Error()
		return ctx.Err()
	}
	if err := b.runner.CatchUp(ctx, p); err != nil {
		return err
	}
	if b.told.After, err = digest(ctx, b.writer.c); err != nil {
		return err
	}
	b.told.Compared = true
	if b.told.Before != b.told.After && !b.accept {
		return domain.E(domain.KindCorrupt,
			"at position %s the rows in use have digest %s, the log gives %s: the rows in use are wrong, nothing was switched",
			p, b.told.Before.SHA256, b.told.After.SHA256)
	}
	return nil
}

// openLive opens the rows in use for reading, or says why that is no use.
func openLive(path string) (c *conn, why string) {
	file, err := current(path)
	if err == nil && file == "" {
		return nil, "there were no rows before"
	}
	if err == nil {
		c, err = openReader(file, false)
	}
	if err != nil {
		return nil, "the rows in use cannot be opened: " + err.Error()
	}
	if err := checkVersion(c, file); err != nil {
		c.close() //nolint:errcheck // it only read
		return nil, "the rows in use cannot be compared: " + err.Error()
	}
	return c, ""
}

// journal changes the file's journal mode.
func (w *writer) journal(mode string) error {
	var now string
	_, err := w.c.one(context.Background(), "PRAGMA journal_mode = "+mode, nil,
		func(r row) error { now = r.str(0); return nil })
	if err == nil && !strings.EqualFold(now, mode) {
		err = domain.E(domain.KindInternal, "journal mode of %s is %s, not %s", w.file, now, mode)
	}
	return err
}

// flush makes the new file durable and whole without its write-ahead log. From
// the first time on it has one.
func (b *build) flush() error {
	if err := b.writer.journal("WAL"); err != nil {
		return err
	}
	var busy int64
	_, err := b.writer.c.one(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", nil,
		func(r row) error { busy = r.num(0); return nil })
	if err != nil || busy != 0 {
		return firstOf(err, domain.E(domain.KindUnavailable, "the new file is in use by somebody else"))
	}
	return syncFile(b.writer.file)
}

// swap puts the new file in place. No commit of a Runner can fall in between,
// so the new rows are never behind what a reader has seen.
func (b *build) swap(ctx context.Context) error {
	w := b.writer
	if err := w.turn.lock(syscall.LOCK_EX); err != nil {
		return err
	}
	defer w.turn.close() // by then w itself is closed
	if err := b.runner.CatchUp(ctx, 0); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	cp, err := readCheckpoint(ctx, w.c)
	if err != nil {
		return err
	}
	if err := w.c.close(); err != nil {
		return err
	}
	if err := point(b.path, w.file); err != nil {
		return err
	}
	b.told.File, b.told.Position, b.told.Events = w.file, cp.Position, cp.Events
	return nil
}

// solo lets a Runner fold into a file that nobody else knows.
type solo struct{ w *writer }

func (s solo) Lock(context.Context) (func(), error) { return func() {}, nil }

func (s solo) Load(ctx context.Context) (projections.Checkpoint, error) {
	return readCheckpoint(ctx, s.w.c)
}

func (s solo) LoadPayments(_ context.Context, streams []domain.Stream) ([]*projections.PaymentRow, error) {
	return s.w.loadPayments(streams)
}

func (s solo) LoadLedgers(_ context.Context, keys []projections.LedgerKey) ([]*projections.LedgerRow, error) {
	return s.w.loadLedgers(keys)
}

func (s solo) LoadTurnovers(ctx context.Context) ([]*projections.TurnoverRow, error) {
	return loadTurnovers(ctx, s.w.c)
}

func (s solo) Commit(_ context.Context, c projections.Changes) error { return s.w.commit(c) }
