package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

const patience = 20 * time.Second

func wantKind(t testing.TB, what string, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("%s: %v, want an error of kind %s", what, err, want)
	}
}

func mustWrite(t testing.TB, s eventstore.Appender, stream domain.Stream, at eventstore.Expected, names ...string) {
	t.Helper()
	if _, err := s.Append(t.Context(), stream, at, storetest.NewEvents(names...)); err != nil {
		t.Fatalf("append %v to %s: %v", names, stream, err)
	}
}

// eventually waits for something that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestFailedSync: after a sync that failed nobody can say what the disk holds.
// Everyone in the group hears so, the store has failed for good, and opening it
// again finds a whole log, onto which the identical calls can be repeated.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int32{"sync": sqlite.CodeIOFsync, "another error": sqlite.CodeIOErr} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failSync(t, code)
		})
	}
}

func failSync(t *testing.T, code int32) {
	t.Helper()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	disk := s.Disk(t)
	disk.Hooks(func() int32 { return code }, nil)

	release := s.Hold()
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = s.Append(t.Context(), domain.Stream(fmt.Sprint("t", i)), eventstore.NoStream, storetest.NewEvents("b"))
		})
	}
	eventually(t, "all three wait", func() bool { return s.Waiting() == len(errs) })
	release()
	wg.Wait()
	for i, err := range errs {
		wantKind(t, fmt.Sprint("append ", i), err, domain.KindUnknown)
	}
	<-s.Failed()
	if s.Cause() == nil || s.Ready(t.Context()) == nil {
		t.Errorf("cause %v, ready %v", s.Cause(), s.Ready(t.Context()))
	}
	disk.Hooks(nil, nil) // the disk is fine again, the store is not
	_, err := s.Append(t.Context(), "s", 0, storetest.NewEvents("c"))
	wantKind(t, "append to a failed store", err, domain.KindUnavailable)

	s = reopen(t, s, sqlite.Options{})
	for i := range errs {
		mustWrite(t, s, domain.Stream(fmt.Sprint("t", i)), eventstore.NoStream, "b")
	}
	if n := len(storetest.Log(t, s)); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	storetest.CheckLog(t, s)
}

// TestFailedWrite lets each single write of a commit fail, once with a full
// disk, once with an error. The append is refused and surely not there; the
// same call succeeds afterwards.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{sqlite.CodeFull, sqlite.CodeIOWrite} {
		s := create(t, sqlite.Options{})
		mustWrite(t, s, "s", eventstore.NoStream, "a")
		disk := s.Disk(t)
		for nth := int32(1); ; nth++ {
			var calls atomic.Int32
			disk.Hooks(nil, func() int32 {
				if calls.Add(1) >= nth {
					return code
				}
				return 0
			})
			at := len(storetest.Log(t, s))
			name := fmt.Sprintf("b%d", nth)
			_, err := s.Append(t.Context(), "s", eventstore.Expected(at-1), storetest.NewEvents(name))
			if err == nil && calls.Load() < nth {
				if nth < 3 {
					t.Errorf("a commit took %d writes: the test sees no disk", nth)
				}
				break
			}
			wantKind(t, fmt.Sprintf("code %d at write %d", code, nth), err, domain.KindUnavailable)
			wantKind(t, "ready", s.Ready(t.Context()), domain.KindUnavailable)
			if n := len(storetest.Log(t, s)); n != at {
				t.Fatalf("code %d at write %d: %d events, want %d", code, nth, n, at)
			}
			disk.Hooks(nil, nil)
			mustWrite(t, s, "s", eventstore.Expected(at-1), name)
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("ready after a success: %v", err)
			}
		}
		s = reopen(t, s, sqlite.Options{})
		storetest.CheckLog(t, s)
	}
}

// TestProbe: a store that cannot write turns green without an append, once it
// can write again.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	if err := s.Exec("PRAGMA max_page_count=1"); err != nil { // SQLite makes it the present size
		t.Fatal(err)
	}
	big := storetest.NewEvent("big")
	big.Sealed = make([]byte, 100_000)
	_, err := s.Append(t.Context(), "s", 0, []eventstore.Event{big})
	wantKind(t, "append to a full file", err, domain.KindUnavailable)
	wantKind(t, "ready", s.Ready(t.Context()), domain.KindUnavailable)
	if err := s.Exec("PRAGMA max_page_count=1000000"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the probe turned it green", func() bool { return s.Ready(t.Context()) == nil })
	storetest.CheckLog(t, s)
}

// TestReserve keeps some of the disk free.
func TestReserve(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{MinFree: 1 << 60})
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
	wantKind(t, "append below the reserve", err, domain.KindUnavailable)
	wantKind(t, "ready", s.Ready(t.Context()), domain.KindUnavailable)
	if !strings.Contains(fmt.Sprint(err), "make room") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

// TestQueue: a full queue refuses, and who gives up in it has written nothing.
func TestQueue(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{Queue: 2})
	release := s.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := s.Append(ctx, domain.Stream(fmt.Sprint("t", i)), eventstore.NoStream, storetest.NewEvents("a"))
			errs <- err
		}()
	}
	eventually(t, "the queue is full", func() bool { return s.Waiting() == 2 })
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
	wantKind(t, "append to a full queue", err, domain.KindUnavailable)
	cancel()
	wantKind(t, "given up in the queue", <-errs, domain.KindUnavailable)
	wantKind(t, "given up in the queue", <-errs, domain.KindUnavailable)
	release()
	mustWriteSoon(t, s)
	if n := len(storetest.Log(t, s)); n != 1 {
		t.Errorf("%d events, want only the last", n)
	}
}

// mustWriteSoon appends once the queue has room.
func mustWriteSoon(t *testing.T, s *sqlite.Store) {
	t.Helper()
	eventually(t, "an append succeeds", func() bool {
		_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
		return err == nil
	})
}

// TestGiveUpDuringCommit: whoever gives up once the write has begun cannot know
// its outcome; here it succeeds.
func TestGiveUpDuringCommit(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	begun, finish := make(chan struct{}), make(chan struct{})
	s.Disk(t).Hooks(func() int32 {
		close(begun)
		<-finish
		return 0
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, err := s.Append(ctx, "s", 0, storetest.NewEvents("b"))
		errs <- err
	}()
	<-begun
	cancel()
	wantKind(t, "given up during the sync", <-errs, domain.KindUnknown)
	if n := len(storetest.Log(t, s)); n != 1 {
		t.Errorf("%d events visible before their sync is over, want 1", n)
	}
	close(finish)
	eventually(t, "it was written all the same", func() bool { return len(storetest.Log(t, s)) == 2 })
}

// TestLocked: another process that never lets go makes appends fail, not hang.
func TestLocked(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{Wait: 30 * time.Millisecond})
	other := open(t, path(t, s), sqlite.Options{})
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
	wantKind(t, "append to a locked file", err, domain.KindUnavailable)
	wantKind(t, "ready", s.Ready(t.Context()), domain.KindUnavailable)
	if err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready after the lock went: %v", err)
	}
}

// TestCloseWhileLocked: Close does not wait for a lock.
func TestCloseWhileLocked(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{Wait: time.Hour})
	other := open(t, path(t, s), sqlite.Options{})
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	go func() {
		_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
		errs <- err
	}()
	eventually(t, "the append waits", func() bool { return s.Waiting() == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantKind(t, "an append that waits at Close", <-errs, domain.KindUnavailable)
	if err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

// TestLogStaysShort: the write-ahead log starts over while many write and read.
func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	const pages = 100
	s := create(t, sqlite.Options{LogPages: pages})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range s.Follow(ctx, 0, eventstore.FollowOptions{Batch: 10}) {
		}
	}()
	rounds := 150
	if testing.Short() {
		rounds = 40
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range rounds {
				e := storetest.NewEvent(fmt.Sprintf("%d-%d", w, i))
				e.Sealed = make([]byte, 5000)
				_, err := s.Append(ctx, domain.Stream(fmt.Sprint("s", w)), eventstore.Expected(i-1), []eventstore.Event{e})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if written := int64(rounds) * 8 * 5000; info.LogBytes > max(written/2, 4*pages*8192) {
		t.Errorf("the log has %d bytes after %d were written: it does not start over", info.LogBytes, written)
	}
	storetest.CheckLog(t, s)
}

func path(t testing.TB, s *sqlite.Store) string {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.Path
}

func reopen(t testing.TB, s *sqlite.Store, o sqlite.Options) *sqlite.Store {
	t.Helper()
	p := path(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, p, o)
}

// TestFailedSyncOfProbe: the probe's sync counts like any other.
func TestFailedSyncOfProbe(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	mustWrite(t, s, "s", eventstore.NoStream, "a")
	disk := s.Disk(t)
	disk.Hooks(nil, func() int32 { return sqlite.CodeFull })
	_, err := s.Append(t.Context(), "s", 0, storetest.NewEvents("b"))
	wantKind(t, "append to a full disk", err, domain.KindUnavailable)
	disk.Hooks(func() int32 { return sqlite.CodeIOFsync }, nil)
	select {
	case <-s.Failed():
	case <-time.After(patience):
		t.Fatal("a failed sync went unnoticed")
	}
	if errors.Is(s.Cause(), context.Canceled) || s.Cause() == nil {
		t.Errorf("cause %v", s.Cause())
	}
}
