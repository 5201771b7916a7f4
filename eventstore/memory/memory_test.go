package memory_test

import (
	"context"
	"errors"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/eventstore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Adapter{New: func(*testing.T) eventstore.Store { return memory.New() }})
}

// TestFaultyPassesTheSuite: without commands the wrapper changes nothing.
func TestFaultyPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Adapter{New: func(*testing.T) eventstore.Store {
		return memory.NewFaulty(memory.New())
	}})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault   memory.Fault
		kind    domain.Kind
		written int
	}{
		{memory.Unavailable, domain.KindUnavailable, 0},
		{memory.Lost, domain.KindUnknown, 0},
		{memory.Written, domain.KindUnknown, 1},
	} {
		f := memory.NewFaulty(memory.New())
		f.Next(c.fault)
		events := storetest.NewEvents("a")
		if _, err := f.Append(t.Context(), "s", eventstore.NoStream, events); domain.KindOf(err) != c.kind {
			t.Errorf("fault %d: %v, want %s", c.fault, err, c.kind)
		}
		if n := len(storetest.Log(t, f)); n != c.written {
			t.Errorf("fault %d: %d events written, want %d", c.fault, n, c.written)
		}
		if _, err := f.Append(t.Context(), "s", eventstore.NoStream, events); err != nil {
			t.Errorf("fault %d: the identical call after it: %v", c.fault, err)
		}
		if n := len(storetest.Log(t, f)); n != 1 || f.Calls() != 2 {
			t.Errorf("fault %d: %d events after the repeat, %d calls", c.fault, n, f.Calls())
		}
	}
}

func TestFaultAlways(t *testing.T) {
	t.Parallel()
	f := memory.NewFaulty(memory.New())
	f.Always(memory.Unavailable)
	f.Next(memory.Pass)
	for i, want := range []bool{true, false, false} {
		_, err := f.Append(t.Context(), "s", eventstore.Expected(i-1), storetest.NewEvents("a"))
		if (err == nil) != want {
			t.Errorf("append %d: %v", i, err)
		}
	}
}

func TestFaultSlow(t *testing.T) {
	t.Parallel()
	f := memory.NewFaulty(memory.New())
	f.Always(memory.Slow)
	done := make(chan error)
	appendA := func(ctx context.Context) {
		_, err := f.Append(ctx, "s", eventstore.NoStream, storetest.NewEvents("a"))
		done <- err
	}
	ctx, cancel := context.WithCancel(t.Context())
	go appendA(ctx)
	<-f.Waiting()
	cancel()
	if err := <-done; domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("a slow append whose context ended: %v", err)
	}
	go appendA(t.Context())
	<-f.Waiting()
	f.Release()
	if err := <-done; err != nil {
		t.Errorf("a released append: %v", err)
	}
}

// TestFaultyBefore lets another writer win the race at its narrowest place.
func TestFaultyBefore(t *testing.T) {
	t.Parallel()
	s := memory.New()
	f := memory.NewFaulty(s)
	f.Before(func(stream domain.Stream, _ []eventstore.Event) {
		f.Before(nil)
		if _, err := s.Append(t.Context(), stream, eventstore.NoStream, storetest.NewEvents("other")); err != nil {
			t.Error(err)
		}
	})
	_, err := f.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("mine"))
	if domain.KindOf(err) != domain.KindConflict {
		t.Errorf("the loser: %v, want a conflict", err)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	s := memory.New()
	cause := errors.New("fsync: input/output error")
	s.Fail(cause)
	s.Fail(errors.New("a second one"))
	<-s.Failed()
	if !errors.Is(s.Cause(), cause) || s.Ready(t.Context()) == nil {
		t.Errorf("failed with cause %v, ready %v", s.Cause(), s.Ready(t.Context()))
	}
	_, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
	if domain.KindOf(err) != domain.KindUnavailable || !errors.Is(err, cause) {
		t.Errorf("append to a failed store: %v", err)
	}
}
