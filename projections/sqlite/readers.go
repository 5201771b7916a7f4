package sqlite

import (
	"context"
	"errors"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// readers are the reading connections to one file.
type readers struct {
	file  string
	size  int
	pool  chan *conn
	gone  chan struct{} // closed when the file is left
	watch *conn         // of the poller
	seen  int64         // data_version of the last poll
	once  bool          // polled before

	mu    sync.RWMutex
	names map[int64]string
}

func openReaders(file string, size int, fixed bool) (*readers, error) {
	r := &readers{
		file: file, size: size, pool: make(chan *conn, size),
		gone: make(chan struct{}), names: make(map[int64]string),
	}
	watch, err := openReader(file, fixed)
	if err != nil {
		return nil, err
	}
	r.watch = watch
	if err := checkVersion(watch, file); err != nil {
		return nil, errors.Join(err, watch.close())
	}
	for range size {
		c, err := openReader(file, fixed)
		if err != nil {
			return nil, errors.Join(err, r.close(len(r.pool)))
		}
		r.pool <- c
	}
	return r, nil
}

// openReader opens a connection that cannot write. It is not opened read-only:
// SQLite needs to write the index of the write-ahead log to read it. A file that
// cannot be written has no such log.
func openReader(file string, fixed bool) (*conn, error) {
	pragmas := []string{"query_only(1)", "busy_timeout(1000)", "cache_size(-4096)", "mmap_size(268435456)"}
	if fixed {
		return openStill(file, pragmas...)
	}
	return open(file, false, pragmas...)
}

// close closes n pooled connections, as they come back, and the poller's.
func (r *readers) close(n int) error {
	errs := []error{r.watch.close()}
	for range n {
		errs = append(errs, (<-r.pool).close())
	}
	return errors.Join(errs...)
}

// drain leaves the file: reads under way finish, new ones go elsewhere.
func (r *readers) drain() {
	close(r.gone)
	r.close(r.size) //nolint:errcheck // they only read
}

// changed reports whether somebody committed since the last call, and the
// checkpoint if so. Only the poller calls it.
func (r *readers) changed() (p eventstore.Position, changed bool, err error) {
	ctx := context.Background()
	var version int64
	if _, err := r.watch.one(ctx, "PRAGMA data_version", nil, func(v row) error { version = v.num(0); return nil }); err != nil {
		return 0, false, err
	}
	if r.once && version == r.seen {
		return 0, false, nil
	}
	p, err = readPosition(r.watch)
	if err != nil {
		return 0, false, err
	}
	r.seen, r.once = version, true
	return p, true, nil
}

// read runs do with a reading connection of the file in use.
func (d *DB) read(ctx context.Context, do func(r *readers, c *conn) error) error {
	for {
		r := d.files.Load()
		select {
		case c := <-r.pool:
			defer func() { r.pool <- c }()
			return do(r, c)
		case <-r.gone:
			if d.files.Load() == r {
				return domain.E(domain.KindUnavailable, "the projections are closed")
			}
		case <-ctx.Done():
			return domain.E(domain.KindUnavailable, "wait for a connection to the projections: %w", ctx.Err())
		}
	}
}

// snapshot is read within one transaction: everything do reads is of one
// commit.
func (d *DB) snapshot(ctx context.Context, do func(r *readers, c *conn) error) error {
	return d.read(ctx, func(r *readers, c *conn) error {
		return inSnapshot(c, func() error { return do(r, c) })
	})
}

func inSnapshot(c *conn, do func() error) (err error) {
	if _, err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() {
		if _, end := c.exec("COMMIT"); err == nil {
			err = end
		}
	}()
	return do()
}

// name is the word behind a number of the names table. Numbers are never used
// again, so what was read once holds.
func (r *readers) name(c *conn, id int64) (string, error) {
	r.mu.RLock()
	s, ok := r.names[id]
	r.mu.RUnlock()
	if ok {
		return s, nil
	}
	found, err := c.one(context.Background(), "SELECT name FROM names WHERE id = ?", []any{id},
		func(v row) error { s = v.str(0); return nil })
	if err != nil || !found {
		return "", errors.Join(err, domain.E(domain.KindCorrupt, "the projections have no name %d", id))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[id] = s
	return s, nil
}

// nameID is the number of a word; 0, which no row carries, for one that never
// occurred.
func nameID(c *conn, name string) (id int64, err error) {
	_, err = c.one(context.Background(), "SELECT id FROM names WHERE name = ?", []any{name},
		func(v row) error { id = v.num(0); return nil })
	return id, err
}
