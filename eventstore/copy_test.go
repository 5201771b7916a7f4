package eventstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/eventstore/storetest"
)

// appendNamed appends events to a stream that has n already.
func appendNamed(t testing.TB, s eventstore.Appender, stream domain.Stream, n int, names ...string) {
	t.Helper()
	if _, err := s.Append(context.Background(), stream, eventstore.Expected(n-1), storetest.NewEvents(names...)); err != nil {
		t.Fatal(err)
	}
}

// someLog is a log in which streams take turns, each with one, two or three
// events at a time, some of them without a sealed part.
func someLog(t testing.TB) *memory.Store {
	t.Helper()
	s := memory.New()
	length := map[domain.Stream]int{}
	for i := range 40 {
		stream := domain.Stream(fmt.Sprintf("s-%d", i*i%7))
		var names []string
		for j := range 1 + i%3 {
			names = append(names, fmt.Sprintf("%d/%d", i, j))
		}
		events := storetest.NewEvents(names...)
		if i%4 == 0 {
			events[0].Sealed = nil
		}
		if _, err := s.Append(context.Background(), stream, eventstore.Expected(length[stream]-1), events); err != nil {
			t.Fatal(err)
		}
		length[stream] += len(events)
	}
	return s
}

// leaves are the leaf hashes of a log, in order.
func leaves(t testing.TB, s eventstore.Reader) (out [][32]byte) {
	t.Helper()
	for _, r := range storetest.Log(t, s) {
		out = append(out, eventstore.LeafHash(r.Stream, r.Revision, r.Event))
	}
	return out
}

// copyAll copies until the target has caught up.
func copyAll(ctx context.Context, from eventstore.Reader, to eventstore.CopyTarget, o eventstore.CopyOptions) (eventstore.Copied, error) {
	c, err := eventstore.NewCopier(ctx, from, to, o)
	if err != nil {
		return eventstore.Copied{}, err
	}
	defer c.Close()
	err = c.CatchUp(ctx)
	return c.Done(), err
}

func wantSame(t *testing.T, from, to eventstore.Reader) {
	t.Helper()
	if !slices.Equal(leaves(t, from), leaves(t, to)) {
		t.Error("the logs differ")
	}
	_, roots, err := eventstore.Compare(t.Context(), from, to, func(eventstore.Copied) {})
	if err != nil || roots[0] != roots[1] {
		t.Errorf("compared: %x, %v", roots, err)
	}
}

// A copy has the same events in the same order and the same root; what was
// appended together goes together.
func TestCopy(t *testing.T) {
	t.Parallel()
	from, to := someLog(t), memory.NewFaulty(memory.New())
	pages := 0
	done, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{Progress: func(eventstore.Copied) { pages++ }})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, from, to)
	var tree eventstore.Tree
	for _, leaf := range leaves(t, from) {
		tree.Add(leaf)
	}
	head, _ := to.Head(t.Context())
	end, _ := from.Head(t.Context())
	if done.Root != tree.Root() || done.Events != tree.Size() || done.Appended != tree.Size() || done.Target != head || done.Source != end || pages == 0 {
		t.Errorf("%+v after %d pages", done, pages)
	}
	if to.Calls() > 40 {
		t.Errorf("%d appends for 40", to.Calls())
	}
	again, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{})
	if err != nil || again.Appended != 0 || again.Root != done.Root || again.Events != done.Events {
		t.Errorf("copied again: %+v, %v", again, err)
	}
}

// Whatever an append that was cut off came to, the next Copier goes on, and
// nothing stands twice.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for cut := 0; ; cut++ {
			for _, fault := range []memory.Fault{memory.Unavailable, memory.Lost, memory.Written} {
				from, to := someLog(t), memory.NewFaulty(memory.New())
				to.Next(slices.Repeat([]memory.Fault{memory.Pass}, cut)...)
				to.Always(memory.Unavailable)
				to.Next(fault)
				_, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{Patience: time.Second})
				if err == nil && cut > 30 {
					return // no append was left to be cut
				}
				if domain.KindOf(err) != domain.KindUnavailable {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				to.Always(memory.Pass)
				if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); err != nil {
					t.Fatalf("after a cut at %d: %v", cut, err)
				}
				wantSame(t, from, to)
			}
		}
	})
}

// A target that is away for less than the patience is waited for.
func TestCopyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, to := someLog(t), memory.NewFaulty(memory.New())
		to.Next(memory.Pass, memory.Lost, memory.Written, memory.Unavailable, memory.Pass, memory.Written)
		to.Always(memory.Unavailable)
		go func() {
			time.Sleep(30 * time.Second)
			to.Always(memory.Pass)
		}()
		if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		wantSame(t, from, to)
	})
}

// A source that goes on growing is followed to its end, and no further.
func TestCopyFollowsGrowth(t *testing.T) {
	t.Parallel()
	from, to := someLog(t), memory.New()
	c, err := eventstore.NewCopier(t.Context(), from, to, eventstore.CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 3 {
		if err := c.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.CatchUp(t.Context()); err != nil { // there is nothing more, and nothing to wait for
			t.Fatal(err)
		}
		wantSame(t, from, to)
		appendNamed(t, from, "late", i, fmt.Sprint("late ", i))
	}
}

// A target that holds anything else is told and left alone.
func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(to *memory.Store)
		says  string
	}{
		"another log":    {func(to *memory.Store) { appendNamed(t, to, "other", 0, "x") }, "event 1 differs"},
		"another stream": {func(to *memory.Store) { appendNamed(t, to, "s-1", 0, "0/0") }, "event 1 differs"},
		"a longer one":   {func(to *memory.Store) { appendNamed(t, to, "late", 0, "x") }, "has more"},
	} {
		from, to := someLog(t), memory.New()
		if name == "a longer one" {
			if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		c.spoil(to)
		before := leaves(t, to)
		_, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{})
		if domain.KindOf(err) != domain.KindMismatch || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := eventstore.Compare(t.Context(), from, to, func(eventstore.Copied) {}); domain.KindOf(err) != domain.KindMismatch {
			t.Errorf("%s, compared: %v", name, err)
		}
		if !slices.Equal(before, leaves(t, to)) {
			t.Errorf("%s was written to", name)
		}
	}
}

// Bytes that differ in the sealed part alone make a log another one.
func TestCopyLooksAtSealedBytes(t *testing.T) {
	t.Parallel()
	from, to := memory.New(), memory.New()
	appendNamed(t, from, "s", 0, "a")
	e := storetest.NewEvents("a")
	e[0].Sealed = []byte("another seal")
	if _, err := to.Append(t.Context(), "s", eventstore.NoStream, e); err != nil {
		t.Fatal(err)
	}
	if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); domain.KindOf(err) != domain.KindMismatch {
		t.Errorf("%v", err)
	}
}

// Another writer on the target ends the copy before anything stands twice.
func TestCopyMeetsAnotherWriter(t *testing.T) {
	t.Parallel()
	from, to := someLog(t), memory.NewFaulty(memory.New())
	to.Before(func(stream domain.Stream, _ []eventstore.Event) {
		if to.Calls() == 20 {
			at, _ := to.ReadStream(t.Context(), stream, eventstore.ReadOptions{})
			appendNamed(t, to.Store, stream, len(at), "foreign")
		}
	})
	if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("%v", err)
	}
	if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); domain.KindOf(err) != domain.KindMismatch {
		t.Errorf("the next one: %v", err)
	}
}

// What does not fit into one append goes in several.
func TestCopyKeepsLimits(t *testing.T) {
	t.Parallel()
	from, to := memory.New(), memory.New()
	large := make([]byte, eventstore.MaxEventBytes-1000)
	for i := range 4 {
		e := storetest.NewEvents(fmt.Sprint(i))
		e[0].Sealed = large
		if _, err := from.Append(t.Context(), "large", eventstore.Expected(i-1), e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 * eventstore.MaxEvents {
		appendNamed(t, from, "many", i, fmt.Sprint("m", i))
	}
	if _, err := copyAll(t.Context(), from, to, eventstore.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, from, to)
}
