package sqlite

import (
	"context"
	"fmt"
	"syscall"

	"counterfoil/domain"
	"counterfoil/projections"
)

// writer is the one writing connection and what it knows of the file.
type writer struct {
	c      *conn
	file   string
	turn   *fileLock // shared during a commit, so that none falls into a switch
	names  map[string]int64
	words  map[int64]string // the inverse of names
	groups map[group]bool
}

// group is a pair of channel and word under which rows stand in an index.
type group struct{ kind, channel, word int64 }

// The kinds of groups.
const (
	groupPayments  = 1 // by state
	groupCallbacks = 2 // by outcome
)

// openWriter opens file for writing. pragmas are added to the usual ones.
func openWriter(path, file string, pragmas ...string) (*writer, error) {
	c, err := open(file, false, append([]string{
		"synchronous(NORMAL)", "busy_timeout(5000)", "cache_size(-65536)", "wal_autocheckpoint(8000)", "temp_store(MEMORY)",
		"mmap_size(1073741824)",
	}, pragmas...)...)
	if err != nil {
		return nil, err
	}
	w := &writer{c: c, file: file, names: make(map[string]int64), words: make(map[int64]string), groups: make(map[group]bool)}
	if err := checkVersion(c, file); err != nil {
		return nil, w.failed(err)
	}
	if w.turn, err = openLock(path + ".switch"); err != nil {
		return nil, w.failed(err)
	}
	if err := w.learn(); err != nil {
		return nil, w.failed(err)
	}
	return w, nil
}

// failed closes a writer that did not come up.
func (w *writer) failed(err error) error {
	w.close() //nolint:errcheck // err counts
	return err
}

// close closes the file; a nil writer has none.
func (w *writer) close() error {
	if w == nil {
		return nil
	}
	if w.turn != nil {
		w.turn.close()
	}
	return w.c.close()
}

// learn reads the small tables a writer keeps at hand.
func (w *writer) learn() error {
	clear(w.names)
	clear(w.words)
	clear(w.groups)
	ctx := context.Background()
	err := w.c.query(ctx, "SELECT name, id FROM names", nil, func(r row) error {
		w.names[r.str(0)], w.words[r.num(1)] = r.num(1), r.str(0)
		return nil
	})
	if err != nil {
		return err
	}
	return w.c.query(ctx, "SELECT kind, channel, word FROM groups", nil, func(r row) error {
		w.groups[group{r.num(0), r.num(1), r.num(2)}] = true
		return nil
	})
}

// intern is the number of a word, a new one if need be.
func (w *writer) intern(name string) (int64, error) {
	if id, ok := w.names[name]; ok {
		return id, nil
	}
	id := int64(len(w.names)) + 1
	if _, err := w.c.exec("INSERT INTO names(id, name) VALUES(?, ?)", id, name); err != nil {
		return 0, fmt.Errorf("number the word %q: %w", name, err)
	}
	w.names[name], w.words[id] = id, name
	return id, nil
}

// enrol makes sure that a group is known.
func (w *writer) enrol(g group) error {
	if w.groups[g] {
		return nil
	}
	if _, err := w.c.exec("INSERT INTO groups(kind, channel, word) VALUES(?, ?, ?)", g.kind, g.channel, g.word); err != nil {
		return fmt.Errorf("enrol a group: %w", err)
	}
	w.groups[g] = true
	return nil
}

// Lock implements projections.Writer with a lock on a file beside the rows.
// While it is held other processes are looked after less often.
func (d *DB) Lock(ctx context.Context) (release func(), err error) {
	l, err := openLock(d.path + ".lock")
	if err != nil {
		return nil, err
	}
	if err := l.wait(ctx); err != nil {
		l.close()
		return nil, err
	}
	d.folding.Add(1)
	return func() {
		d.folding.Add(-1)
		l.close()
		d.view.hasten()
	}, nil
}

// Load implements projections.Writer. It opens the file in use anew, to be read,
// too: what is committed next must not be looked for in another file.
func (d *DB) Load(ctx context.Context) (projections.Checkpoint, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if err := d.writer.close(); err != nil {
		return projections.Checkpoint{}, err
	}
	d.writer = nil
	file, err := current(d.path)
	if err != nil {
		return projections.Checkpoint{}, err
	}
	w, err := openWriter(d.path, file)
	if err != nil {
		return projections.Checkpoint{}, err
	}
	d.writer = w
	if err := d.reopen(); err != nil {
		return projections.Checkpoint{}, err
	}
	return readCheckpoint(ctx, w.c)
}

// errNotLoaded is a mistake in the caller.
var errNotLoaded = domain.E(domain.KindInternal, "projections: Load comes first")

// Commit implements projections.Writer.
func (d *DB) Commit(_ context.Context, c projections.Changes) error {
	d.write.Lock()
	defer d.write.Unlock()
	w := d.writer
	if w == nil {
		return errNotLoaded
	}
	if err := w.turn.lock(syscall.LOCK_SH); err != nil {
		return err
	}
	defer w.turn.unlock()
	file, err := current(d.path)
	if err != nil {
		return err
	}
	if file != w.file {
		return domain.E(domain.KindConflict, "a rebuild took the place of %s", w.file)
	}
	d.view.mu.Lock()
	defer d.view.mu.Unlock()
	if err := w.commit(c); err != nil {
		return err
	}
	d.view.committed(c)
	return nil
}

// commit writes c in one transaction.
func (w *writer) commit(c projections.Changes) error {
	if _, err := w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := w.changes(c)
	if err == nil {
		_, err = w.c.exec("COMMIT")
	}
	if err != nil {
		w.c.exec("ROLLBACK") //nolint:errcheck // SQLite may have rolled back itself
		if again := w.learn(); again != nil {
			return fmt.Errorf("%w (and then: %w)", err, again)
		}
	}
	return err
}

// changes writes the rows. The checkpoint comes first: when it is not where c
// begins, somebody else works, and nothing of c may be written.
func (w *writer) changes(c projections.Changes) error {
	steps := []struct {
		what string
		do   func(projections.Changes) error
	}{
		{"checkpoint", w.checkpoint},
		{"balances", w.ledgers},
		{"posted events", w.posted},
		{"entries", w.entries},
		{"payments", w.payments},
		{"callbacks", w.callbacks},
		{"trades", w.trades},
		{"proposals", w.proposed},
		{"decisions", w.decided},
		{"what periods moved", w.turnovers},
		{"payouts", w.payouts},
		{"periods", w.periods},
		{"acts", w.acts},
		{"findings", w.findings},
		{"arrivals", w.arrivals},
		{"clock", w.clock},
	}
	for _, s := range steps {
		if err := s.do(c); err != nil {
			return fmt.Errorf("write %s: %w", s.what, err)
		}
	}
	return nil
}
