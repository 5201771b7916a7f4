package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"counterfoil/domain"
	"counterfoil/operations"
)

// openBounded opens a store with other limits.
func openBounded(t *testing.T, path string, change func(*limits)) *Store {
	t.Helper()
	o := testOptions(t)
	l, err := o.limits()
	noError(t, err)
	change(&l)
	s, err := openWith(t.Context(), path, o, l)
	noError(t, err)
	return s
}

// fullDisk lets no connection make the file longer.
func fullDisk(t *testing.T, s *Store) {
	t.Helper()
	for _, c := range []*committer{s.durable, s.normal} {
		pragma(t, c, "max_page_count = 1") // means: not one page more than now
	}
}

func pragma(t *testing.T, c *committer, text string) {
	t.Helper()
	c.gate.enter()
	defer c.gate.leave()
	var got int
	noError(t, c.tx.conn.QueryRowContext(context.Background(), "PRAGMA "+text).Scan(&got))
}

// TestFullDisk fills the file: keys that cannot be kept are not given out, the
// callback log drops without blocking, Ready tells, and all of it recovers.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := openBounded(t, newFile(t), func(l *limits) { l.queueRows = 2000 })
	fullDisk(t, s)
	given := map[int]operations.DataKey{}
	refused := 0
	for ; refused < 1000; refused++ {
		key, err := s.EnsureDataKey(t.Context(), nth(refused))
		if err != nil {
			wantKind(t, err, domain.KindUnavailable, "full")
			break
		}
		given[refused] = key
	}
	if len(given) == 0 || len(given) == 1000 {
		t.Fatalf("%d keys before the disk was full", len(given))
	}
	wantKind(t, s.Ready(t.Context()), domain.KindUnavailable, "full")
	_, err := s.DataKey(t.Context(), nth(refused))
	wantKind(t, err, domain.KindNotFound, "no data key")
	for i, want := range given {
		if key, err := s.EnsureDataKey(t.Context(), nth(i)); err != nil || key != want {
			t.Fatalf("a key that was given out is gone: %v", err)
		}
	}
	floodFullLog(t, s)
	for _, c := range []*committer{s.durable, s.normal} {
		pragma(t, c, "max_page_count = 1000000")
	}
	noError(t, s.Ready(t.Context()))
	_, err = s.EnsureDataKey(t.Context(), nth(refused))
	noError(t, err)
	noError(t, s.Close())
}

// floodFullLog logs more than fits while nothing can be written.
func floodFullLog(t *testing.T, s *Store) {
	t.Helper()
	const rows = 6000
	for i := range rows {
		s.LogCallback(operations.Callback{ReceivedAt: fixedClock(), OrderNo: fmt.Sprint(i), Error: fmt.Sprintf("%900d", i)})
	}
	if got := s.Dropped(); got < rows-2*2000 {
		t.Errorf("%d of %d rows dropped with a queue of 2000 and a full disk", got, rows)
	}
}

// TestLockedFile holds the write lock as another process would.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openBounded(t, path, func(l *limits) { l.lockWait = 60 * time.Millisecond })
	unlock := lock(t, path)
	_, err := s.EnsureDataKey(t.Context(), nth(1))
	wantKind(t, err, domain.KindUnavailable, "another process")
	wantKind(t, s.Ready(t.Context()), domain.KindUnavailable, "another process")
	s.LogCallback(operations.Callback{ReceivedAt: fixedClock(), OrderNo: "waits"})
	unlock()
	_, err = s.EnsureDataKey(t.Context(), nth(1))
	noError(t, err)
	noError(t, s.Ready(t.Context()))
	noError(t, s.Close())
	if s.Dropped() != 0 {
		t.Error("a row was dropped that only had to wait")
	}
}

// lock takes the write lock of a file until the returned function is called.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := open(path, "&_pragma=busy_timeout(5000)", 1)
	noError(t, err)
	_, err = db.Exec(`BEGIN IMMEDIATE`)
	noError(t, err)
	return func() {
		t.Helper()
		_, err := db.Exec(`ROLLBACK`)
		noError(t, errors.Join(err, db.Close()))
	}
}

// TestWithdrawn lets a caller's time run out while the file is locked: the
// write must not happen later.
func TestWithdrawn(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	s := openFile(t, path)
	unlock := lock(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wantKind(t, s.PutCursor(ctx, "late", 1), domain.KindUnavailable, "deadline")
	unlock()
	noError(t, s.PutCursor(t.Context(), "next", 1)) // after the one before, if that was still to come
	if v, err := s.Cursor(t.Context(), "late"); err != nil || v != 0 {
		t.Errorf("a withdrawn write happened: %d, %v", v, err)
	}
	noError(t, s.Close())
}

// TestFailedSync checks that after a sync of unknown outcome nothing is
// written any more, and everybody is told why.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	err := s.durable.do(t.Context(), func(*tx) error { return domain.E(domain.KindUnknown, "fsync: input/output error") })
	wantKind(t, err, domain.KindUnknown, "fsync")
	wantKind(t, s.Ready(t.Context()), domain.KindUnknown, "fsync")
	_, err = s.EnsureDataKey(t.Context(), nth(1))
	wantKind(t, err, domain.KindUnavailable, "start the process again")
	wantKind(t, s.PutCursor(t.Context(), "c", 1), domain.KindUnavailable, "start the process again")
	wantKind(t, s.Ready(t.Context()), domain.KindUnknown, "fsync")
	noError(t, s.Close())
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]domain.Kind{
		sqlite3.SQLITE_IOERR_FSYNC: domain.KindUnknown, sqlite3.SQLITE_IOERR_DIR_FSYNC: domain.KindUnknown,
		sqlite3.SQLITE_IOERR_WRITE: domain.KindUnavailable, sqlite3.SQLITE_FULL: domain.KindUnavailable,
		sqlite3.SQLITE_BUSY_SNAPSHOT: domain.KindUnavailable, sqlite3.SQLITE_CORRUPT_INDEX: domain.KindCorrupt,
		sqlite3.SQLITE_NOTADB: domain.KindCorrupt, sqlite3.SQLITE_CONSTRAINT_NOTNULL: domain.KindInternal,
	} {
		if got := codeKind(code); got != want {
			t.Errorf("code %d is %s, want %s", code, got, want)
		}
	}
	if got := kindOf(errors.New("foreign")); got != domain.KindInternal {
		t.Errorf("a foreign error is %s", got)
	}
}

// TestPoisonedBatch puts a job that breaks into a batch of good ones.
func TestPoisonedBatch(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	good := func(name string) *job {
		return &job{done: make(chan struct{}), run: func(tx *tx) error {
			_, err := tx.exec(`INSERT INTO cursors VALUES (?, 1)`, name)
			return err
		}}
	}
	poison := &job{done: make(chan struct{}), run: func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO cursors VALUES ('poison', 'not a number')`)
		return err
	}}
	gone := good("gone")
	gone.state.Store(jobWithdrawn)
	batch := []*job{good("a"), poison, gone, good("b")}
	s.normal.commit(batch)
	for i, j := range batch {
		<-j.done
		if broken := j.err != nil; broken != (j == poison) {
			t.Errorf("job %d: %v", i, j.err)
		}
	}
	for name, want := range map[string]uint64{"a": 1, "b": 1, "poison": 0, "gone": 0} {
		if v, err := s.Cursor(t.Context(), name); err != nil || v != want {
			t.Errorf("cursor %s is %d, want %d, %v", name, v, want, err)
		}
	}
}

// TestNobodyStarves lets one store write without a pause and another now and
// then, as an API and a reconciler do.
func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	busy, other := openFile(t, path), openFile(t, path)
	var stop atomic.Bool
	var writers sync.WaitGroup
	var keys atomic.Int64
	for range 16 {
		writers.Go(func() {
			for !stop.Load() {
				if _, err := busy.EnsureDataKey(t.Context(), nth(int(keys.Add(1)))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var longest time.Duration
	for i := range 20 {
		began := time.Now()
		noError(t, other.PutCursor(t.Context(), "c", uint64(i)))
		longest = max(longest, time.Since(began))
	}
	stop.Store(true)
	writers.Wait()
	if longest > 3*time.Second {
		t.Errorf("a write waited %s", longest)
	}
	t.Logf("longest wait %s while %d keys were made", longest, keys.Load())
	noError(t, busy.Close())
	noError(t, other.Close())
}
