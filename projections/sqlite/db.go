// Package sqlite keeps the projections in a SQLite file beside the log. The
// file can be deleted at any time: it is folded again from the log.
//
// Commits are not synced one by one (synchronous NORMAL): a crash of the
// machine may take the last of them back, rows and checkpoint together, and
// they are folded again.
package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/lookout"
	"counterfoil/internal/still"
	"counterfoil/projections"
)

// Config shapes a DB. The zero Config is ready for use.
type Config struct {
	Poll     time.Duration // how often commits of other processes are looked for, while there are some or somebody waits; 0 means 5 ms
	Rest     time.Duration // how often after a silence, at least; 0 means 40 ms
	Readers  int           // connections for reading; 0 means 4
	Accounts int           // accounts whose current balances are kept in memory; 0 means 50,000
	Log      *slog.Logger  // nil discards

	// OnlyReads opens projections that cannot be written, or whose folder cannot,
	// as they stand. Elsewhere it changes nothing.
	OnlyReads bool
}

// locate is the file that path stands for, made where it has to be, and whether
// it is one that cannot be written.
func (c Config) locate(path string) (file string, fixed bool, err error) {
	if c.OnlyReads {
		if file, err = current(path); err == nil && file != "" {
			fixed, err = still.Is(file)
		}
		if fixed || err != nil {
			return file, fixed, err
		}
	}
	file, err = ensure(path)
	return file, false, err
}

func (c Config) filled() Config {
	if c.Poll <= 0 {
		c.Poll = 5 * time.Millisecond
	}
	if c.Rest <= 0 {
		c.Rest = 40 * time.Millisecond
	}
	if c.Readers <= 0 {
		c.Readers = 4
	}
	if c.Accounts <= 0 {
		c.Accounts = 50_000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxWait bounds how long a read waits for a position.
const maxWait = 2 * time.Second

// DB is the projections of one store. It implements projections.Reader for any
// number of goroutines and projections.Writer for one Runner.
//
// Readers see commits of this process at once, and commits of another process
// Config.Rest later at most, and Config.Poll later when it commits again and
// again, was expected to, or somebody waits (plus what the machine needs to run
// a goroutine); every answer tells the position it holds for.
type DB struct {
	path    string
	cfg     Config
	view    *view
	files   atomic.Pointer[readers]
	folding atomic.Int32 // locks of this process on being the one that folds
	write   sync.Mutex
	writer  *writer // opened at the first Load
	stop    context.CancelFunc
	done    chan struct{}
}

var (
	_ projections.Reader  = (*DB)(nil)
	_ projections.Writer  = (*DB)(nil)
	_ projections.Hurrier = (*DB)(nil)
)

// Open opens the projections at path, making an empty file when there is none
// or when it is of an older version. path becomes a symbolic link to the file
// in use; lock files stand beside it. A file of newer software is KindMismatch,
// a damaged one KindCorrupt: Rebuild replaces both.
func Open(path string, cfg Config) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "path %q: %w", path, err)
	}
	file, fixed, err := cfg.locate(path)
	if err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	r, err := openReaders(file, cfg.Readers, fixed)
	if err != nil {
		return nil, err
	}
	d := &DB{path: path, cfg: cfg, view: newView(cfg.Accounts), done: make(chan struct{})}
	d.files.Store(r)
	if _, err := d.poll(); err != nil {
		r.drain()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	go d.watch(ctx)
	return d, nil
}

// Close ends the polling and closes every connection. Reads under way finish.
func (d *DB) Close() error {
	d.stop()
	<-d.done
	d.files.Load().drain()
	d.write.Lock()
	defer d.write.Unlock()
	err := d.writer.close()
	d.writer = nil
	return err
}

// watch looks for what other processes do, until ctx ends.
func (d *DB) watch(ctx context.Context) {
	defer close(d.done)
	pace := lookout.Pace{Busy: d.cfg.Poll, Rest: d.cfg.Rest}
	due := time.NewTimer(pace.Next(true))
	defer due.Stop()
	healthy := true
	for tick := 0; ; tick++ {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		case <-d.view.asked:
			due.Reset(pace.Next(true))
			continue
		}
		moved, err := d.look(tick%8 == 0)
		if err != nil && healthy {
			d.cfg.Log.WarnContext(ctx, "projections cannot be polled, reads may lag", slog.Any("error", err))
		}
		healthy = err == nil
		due.Reset(d.pause(&pace, moved))
	}
}

// foldingRest is how many times longer a process rests that folds itself: nobody
// else commits then. What a rebuild did it learns at its next commit, or here.
const foldingRest = 8

// pause is how long to wait before the next look.
func (d *DB) pause(pace *lookout.Pace, moved bool) time.Duration {
	pace.Rest = d.cfg.Rest
	if d.folding.Load() > 0 {
		pace.Rest *= foldingRest
	}
	d.view.resting.Store(true) // first: who begins to wait from here on says so
	wait := pace.Next(moved || d.view.waiting.Load() > 0)
	if !pace.Resting() {
		d.view.resting.Store(false)
	}
	return wait
}

// Expect tells that rows are about to change, because this process appended to
// the log: should another one fold it, its commit is seen within Config.Poll.
func (d *DB) Expect() { d.view.hasten() }

// look polls for commits and, now and then, for a switch to another file.
func (d *DB) look(link bool) (moved bool, err error) {
	if link {
		if err := d.reopen(); err != nil {
			return false, err
		}
	}
	return d.poll()
}

// poll takes over the checkpoint when another process committed since the last
// poll.
func (d *DB) poll() (moved bool, err error) {
	d.view.mu.Lock()
	defer d.view.mu.Unlock()
	p, changed, err := d.files.Load().changed()
	if err != nil {
		return false, fmt.Errorf("poll the projections: %w", err)
	}
	if moved = changed && p != d.view.position(); moved {
		d.view.moveTo(p)
	}
	return moved, nil
}

// reopen follows the link when a rebuild moved it. The new file is never behind
// the old one: no commit falls between its last event and the switch.
func (d *DB) reopen() error {
	file, err := current(d.path)
	if err != nil || file == "" || file == d.files.Load().file {
		return err
	}
	r, err := openReaders(file, d.cfg.Readers, false)
	if err != nil {
		return err
	}
	d.view.mu.Lock()
	defer d.view.mu.Unlock()
	p, _, err := r.changed()
	if err != nil {
		r.drain()
		return err
	}
	old := d.files.Swap(r)
	d.view.moveTo(p)
	go old.drain()
	d.cfg.Log.Info("projections reopened", slog.String("file", filepath.Base(file)), slog.String("position", p.String()))
	return nil
}
