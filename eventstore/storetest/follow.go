package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// fill appends n events over three streams and is their names in order.
func fill(t *testing.T, s eventstore.Appender, n int) []string {
	t.Helper()
	all := make([]string, 0, n)
	for i := range n {
		name := fmt.Sprintf("e%d", i)
		appendTo(t, s, domain.Stream(fmt.Sprintf("s-%d", i%3)), eventstore.Expected(i/3-1), name)
		all = append(all, name)
	}
	return all
}

func testFollow(t *testing.T, a Adapter) {
	s := a.open(t)
	empty, err := readLog(s, 0, eventstore.FollowOptions{})
	if err != nil || len(empty) != 0 {
		t.Errorf("an empty log: %d events, %v; want none and caught up", len(empty), err)
	}
	all := fill(t, s, 20)
	for _, size := range []int{0, 1, 3, 7, 20, 21} {
		var got []eventstore.Recorded
		for b, err := range s.Follow(t.Context(), 0, eventstore.FollowOptions{Batch: size}) {
			if err != nil {
				t.Fatalf("batches of %d: %v", size, err)
			}
			checkBatch(t, b, got, size)
			got = append(got, b.Events...)
			if b.CaughtUp {
				break
			}
		}
		wantNames(t, fmt.Sprintf("batches of %d", size), got, all...)
	}
}

func checkBatch(t *testing.T, b eventstore.Batch, before []eventstore.Recorded, size int) {
	t.Helper()
	if size > 0 && len(b.Events) > size {
		t.Errorf("a batch of %d, at most %d asked for", len(b.Events), size)
	}
	if !b.CaughtUp && len(b.Events) == 0 {
		t.Error("an empty batch that has not caught up")
	}
	last := eventstore.Position(0)
	if n := len(before); n > 0 {
		last = before[n-1].Position
	}
	if n := len(b.Events); n > 0 {
		last = b.Events[n-1].Position
	}
	if b.Position != last {
		t.Errorf("batch position %d, its last event stands at %d", b.Position, last)
	}
}

func testFollowFrom(t *testing.T, a Adapter) {
	s := a.open(t)
	all := fill(t, s, 12)
	log := Log(t, s)
	for i := range log {
		rest, err := readLog(s, log[i].Position, eventstore.FollowOptions{Batch: 5})
		if err != nil {
			t.Fatal(err)
		}
		wantNames(t, fmt.Sprintf("after event %d", i), rest, all[i+1:]...)
	}
}

// testFollowHashes asks for hashes only: they are those of the whole events,
// and content that is left out is left out of all.
func testFollowHashes(t *testing.T, a Adapter) {
	s := a.open(t)
	fill(t, s, 12)
	whole := Log(t, s)
	n := 0
	for b, err := range s.Follow(t.Context(), 0, eventstore.FollowOptions{Batch: 5, Hashes: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Leaves != nil && len(b.Leaves) != len(b.Events) {
			t.Fatalf("%d leaves of %d events", len(b.Leaves), len(b.Events))
		}
		for i, e := range b.Events {
			want := whole[n]
			n++
			if b.Leaves == nil { // then they are reckoned from what is handed out
				b.Leaves = make([][32]byte, len(b.Events))
			}
			if len(e.Data) > 0 {
				b.Leaves[i] = eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
			}
			if got := eventstore.LeafHashSealed(want.Stream, want.Revision, want.Event, want.SealedHash); got != b.Leaves[i] {
				t.Errorf("event %d: leaf %x, the whole event gives %x", n, b.Leaves[i], got)
			}
			if e.Position != want.Position || e.Stream != want.Stream || e.Revision != want.Revision || e.ID != want.ID {
				t.Errorf("event %d is %s/%d at %d, want %s/%d at %d", n, e.Stream, e.Revision, e.Position, want.Stream, want.Revision, want.Position)
			}
		}
		if b.CaughtUp {
			break
		}
	}
	if n != len(whole) {
		t.Errorf("%d events, want %d", n, len(whole))
	}
}

// testFollowLive appends under a follower that has caught up: each append
// comes, at once, also after the follower has waited.
func testFollowLive(t *testing.T, a Adapter) {
	s := a.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	batches, ended := follow(ctx, s, 0)
	if b := receive(t, batches); !b.CaughtUp || len(b.Events) != 0 {
		t.Errorf("the first batch of an empty log: %+v", b)
	}
	for i := range 20 {
		want := appendTo(t, s, "s", eventstore.Expected(i-1), fmt.Sprint(i))
		b := receive(t, batches)
		wantNames(t, "live", b.Events, fmt.Sprint(i))
		if b.Position != want.Position || !b.CaughtUp {
			t.Errorf("live batch at %d, caught up %v; want %d, true", b.Position, b.CaughtUp, want.Position)
		}
	}
	cancel()
	if err := receive(t, ended); err != nil {
		t.Errorf("a follower whose context ended: %v, want a silent end", err)
	}
}

// follow sends a follower's batches, then how it ended.
func follow(ctx context.Context, s eventstore.Reader, after eventstore.Position) (<-chan eventstore.Batch, <-chan error) {
	batches, ended := make(chan eventstore.Batch), make(chan error, 1)
	go func() {
		for b, err := range s.Follow(ctx, after, eventstore.FollowOptions{Batch: 10}) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case batches <- b:
			case <-ctx.Done():
			}
		}
		ended <- nil
	}()
	return batches, ended
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func testFollowBeyondHead(t *testing.T, a Adapter) {
	s := a.open(t)
	_, err := readLog(s, 1, eventstore.FollowOptions{})
	wantKind(t, "an empty log from position 1", err, domain.KindMismatch)
	head := appendTo(t, s, "s", eventstore.NoStream, "a").Position
	_, err = readLog(s, head+1, eventstore.FollowOptions{})
	wantKind(t, "from behind the head", err, domain.KindMismatch)
	rest, err := readLog(s, head, eventstore.FollowOptions{})
	if err != nil || len(rest) != 0 {
		t.Errorf("from the head: %d events, %v; want none", len(rest), err)
	}
}

// testSlowFollower: a consumer that stops in the middle of a batch stops
// neither writers nor another follower, and misses nothing afterwards.
func testSlowFollower(t *testing.T, a Adapter) {
	s := a.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	slow, _ := follow(ctx, s, 0) // nobody receives from it yet
	all := fill(t, s, 300)
	wantNames(t, "a quick follower", Log(t, s), all...)
	var got []eventstore.Recorded
	for len(got) < len(all) {
		got = append(got, receive(t, slow).Events...)
	}
	wantNames(t, "the slow follower", got, all...)
}

func testEndedContext(t *testing.T, a Adapter) {
	s := a.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Append(ctx, "s", eventstore.NoStream, NewEvents("a"))
	wantKind(t, "append", err, domain.KindUnavailable)
	if n := len(Log(t, s)); n != 0 {
		t.Errorf("an append under an ended context wrote %d events", n)
	}
	appendTo(t, s, "s", eventstore.NoStream, "b")
	_, err = s.ReadStream(ctx, "s", eventstore.ReadOptions{})
	wantKind(t, "read", err, domain.KindUnavailable)
	for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
		t.Errorf("a follower under an ended context gave %+v, %v", b, err)
	}
}
