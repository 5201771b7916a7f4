package assembly

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/tamperlog"
)

// MigrateOptions shape a migration.
type MigrateOptions struct {
	Logger *slog.Logger     // nil discards
	Clock  func() time.Time // required

	// Step begins a part of the work; done and total count its events, and end
	// is called when it is over. nil shows nothing.
	Step func(what string) (set func(done, total uint64), end func())
}

// Migrated is what a migration did and what it rests on.
type Migrated struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Events   uint64 `json:"events"`
	Copied   uint64 `json:"copied"` // by this run; the others stood there already
	Root     string `json:"root"`   // of both logs, RFC 6962
	Balances int    `json:"balances"`
	Payments int    `json:"payments"`
	Digest   string `json:"digest"` // of balances and payments, folded from both logs
}

// Migrate moves the log of an installation from its file into the server that
// target names, in this order: copy; prove that both logs have the same events,
// root and balances; retire the file, in one step with the look at its head;
// make projections and tree from the new log, under the root that was signed
// before. Whatever was appended to the file meanwhile goes along and is proven
// too. Daemons on the file end by themselves.
//
// It can be killed at any point and called again. The configuration is not
// touched.
//
// KindMismatch: the target holds anything but a beginning of this log.
// KindConflict after everything was moved: a daemon that does not end keeps the
// tree; call again without it.
func Migrate(ctx context.Context, cfg, target config.Config, o MigrateOptions) (told Migrated, err error) {
	m := &migration{o: o, told: Migrated{From: StoreName(cfg), To: StoreName(target)}}
	if m.o.Step == nil {
		m.o.Step = func(string) (func(uint64, uint64), func()) { return func(uint64, uint64) {}, func() {} }
	}
	if m.from, err = esqlite.Open(ctx, Path(cfg, EventsFile), esqlite.Options{Logger: o.Logger}); err != nil {
		return m.told, fmt.Errorf("open the log to move: %w", err)
	}
	defer func() { err = errors.Join(err, m.from.Close()) }()
	if err := healthyTree(cfg); err != nil {
		return m.told, err
	}
	if to := m.from.Retired(); to != "" && to != m.told.To {
		return m.told, domain.E(domain.KindConflict, "%s has moved to %s already", m.told.From, to)
	}
	if m.to, err = openServer(ctx, target, StoreOptions{Logger: o.Logger}); err != nil {
		return m.told, err
	}
	defer func() { err = errors.Join(err, m.to.Close()) }()
	if err := m.move(ctx); err != nil {
		return m.told, err
	}
	if err := m.rebuild(ctx, Path(cfg, ProjectionsFile)); err != nil {
		return m.told, err
	}
	return m.told, m.reseal(ctx, cfg)
}

// healthyTree refuses a log that contradicts what was signed: moved, it would
// lose the trace.
func healthyTree(cfg config.Config) error {
	f := tamperlog.OpenFolder(Path(cfg, TreeFolder))
	err := f.Stopped()
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("the log is not moved while its tree is stopped; run `counterfoil verify`: %w", err)
	}
	return nil
}

// migration is one under way.
type migration struct {
	o    MigrateOptions
	from *esqlite.Store
	to   *eventstoredb.Store
	told Migrated
}

func (m *migration) move(ctx context.Context) error {
	if err := m.sameLedger(ctx); err != nil {
		return err
	}
	c, err := m.copier(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := m.copy(ctx, c); err != nil {
		return err
	}
	if err := m.prove(ctx); err != nil {
		return err
	}
	proven := m.told.Events
	if err := m.retire(ctx, c); err != nil {
		return err
	}
	m.told.Copied = c.Done().Appended
	if c.Done().Events == proven {
		return nil
	}
	return m.prove(ctx) // the rest, which came while the first proof was made
}

// sameLedger refuses a server that holds another ledger in its namespace.
func (m *migration) sameLedger(ctx context.Context) error {
	ours, err := ledger.Opened(ctx, m.from)
	if err != nil {
		return err
	}
	theirs, err := ledger.Opened(ctx, m.to)
	switch {
	case err != nil && domain.KindOf(err) == domain.KindNotFound:
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", m.told.To, err)
	case theirs.Ledger != ours.Ledger:
		return domain.E(domain.KindMismatch, "%s holds ledger %s, this is ledger %s: choose another namespace", m.told.To, theirs.Ledger, ours.Ledger)
	}
	return nil
}

func (m *migration) copier(ctx context.Context) (*eventstore.Copier, error) {
	set, end := m.counted(ctx, "find the place")
	defer end()
	c, err := eventstore.NewCopier(ctx, m.from, m.to, eventstore.CopyOptions{Progress: func(c eventstore.Copied) { set(c.Events) }})
	if err != nil {
		return nil, fmt.Errorf("%s is neither empty nor a beginning of %s: %w", m.told.To, m.told.From, err)
	}
	return c, nil
}

func (m *migration) copy(ctx context.Context, c *eventstore.Copier) error {
	set, end := m.counted(ctx, "copy")
	defer end()
	c.OnProgress(func(c eventstore.Copied) { set(c.Events) })
	return c.CatchUp(ctx)
}

// counted begins a part of the work that goes along the whole log. In a file
// positions count the events.
func (m *migration) counted(ctx context.Context, what string) (set func(done uint64), end func()) {
	draw, end := m.o.Step(what)
	total, err := m.from.Head(ctx)
	if err != nil {
		total = 0 // not known; whoever reads next tells the error
	}
	return func(done uint64) { draw(done, uint64(total)) }, end
}

// prove reads both logs from their beginning to the end of the copy: event by
// event, root by root, and balance by balance.
func (m *migration) prove(ctx context.Context) error {
	set, end := m.counted(ctx, "compare")
	done, roots, err := eventstore.Compare(ctx, m.from, m.to, func(c eventstore.Copied) { set(c.Events) })
	end()
	if err != nil {
		return fmt.Errorf("compare %s with %s: %w", m.told.To, m.told.From, err)
	}
	if roots[0] != roots[1] {
		return domain.E(domain.KindCorrupt, "the logs have roots %x and %x", roots[0], roots[1])
	}
	m.told.Events, m.told.Root = done.Events, hex.EncodeToString(roots[1][:])
	return m.proveBalances(ctx)
}

func (m *migration) proveBalances(ctx context.Context) error {
	set, end := m.counted(ctx, "fold both")
	defer end()
	var ours, theirs projections.Digest
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		ours, err = foldNumbered(ctx, m.from, m.told.Events, func(uint64) {})
		return err
	})
	g.Go(func() (err error) {
		theirs, err = foldNumbered(ctx, m.to, m.told.Events, set)
		return err
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("fold both logs: %w", err)
	}
	if ours != theirs {
		return domain.E(domain.KindCorrupt, "the same events give digest %s from %s and %s from %s", ours.SHA256, m.told.From, theirs.SHA256, m.told.To)
	}
	m.told.Balances, m.told.Payments, m.told.Digest = theirs.Balances, theirs.Payments, theirs.SHA256
	return nil
}

// A log that daemons still write to is caught up with in rounds: each has only
// what came during the one before. Where they do not get smaller within so many
// the copy is slower than the daemons, and people must stop them.
const growing = 30

// retire ends the file's log where the copy ends, as soon as both are equal.
func (m *migration) retire(ctx context.Context, c *eventstore.Copier) error {
	smallest := uint64(math.MaxUint64)
	for grew := 0; grew < growing; grew++ {
		before := c.Done().Events
		if err := c.CatchUp(ctx); err != nil {
			return err
		}
		if n := c.Done().Events - before; n < smallest {
			smallest, grew = n, 0
		}
		err := m.from.Retire(ctx, c.Done().Source, m.told.To)
		if err == nil || domain.KindOf(err) != domain.KindConflict || m.from.Retired() != "" {
			return err
		}
	}
	return domain.E(domain.KindUnavailable, "%s grows faster than it is copied: stop the daemons, then run this again", m.told.From)
}

// rebuild folds the installation's projections from the new log, so that
// daemons find them ready. The rows before were those of the same events at
// other positions.
func (m *migration) rebuild(ctx context.Context, path string) error {
	set, end := m.counted(ctx, "projections")
	defer end()
	_, err := psqlite.Rebuild(ctx, m.to, path, psqlite.RebuildConfig{
		Accept: true, Progress: func(p projections.Progress) { set(uint64(p.Events)) }, Log: m.o.Logger,
	})
	if err != nil {
		return fmt.Errorf("the log has moved, but its projections could not be made (run `counterfoil projections rebuild` later): %w", err)
	}
	return nil
}

// treeWait is how long the daemons that seal may take to end.
const treeWait = 30 * time.Second

// reseal makes the tree again, whose index has positions. It is signed only if
// it comes to the root that was signed before.
func (m *migration) reseal(ctx context.Context, cfg config.Config) error {
	dir := Path(cfg, TreeFolder)
	if !there(dir) {
		return nil
	}
	_, end := m.o.Step("tree")
	defer end()
	wait, cancel := context.WithTimeout(ctx, treeWait)
	defer cancel()
	err := tamperlog.Rebuild(dir)
	for domain.KindOf(err) == domain.KindConflict && wait.Err() == nil {
		select {
		case <-wait.Done():
		case <-time.After(100 * time.Millisecond):
		}
		err = tamperlog.Rebuild(dir)
	}
	if err == nil {
		err = SealNow(ctx, cfg, m.to, m.o.Clock)
	}
	if err != nil {
		return fmt.Errorf("the log has moved, but its tree could not be made again: stop the daemons, then run this once more: %w", err)
	}
	return nil
}
