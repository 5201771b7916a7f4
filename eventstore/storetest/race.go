package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// testRace has many writers want the same revisions of one stream: each
// revision is won once, and exactly what was acknowledged is there.
func testRace(t *testing.T, a Adapter) {
	const writers, rounds = 8, 20
	s := a.open(t)
	for round := range rounds {
		results := make([]error, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				name := fmt.Sprintf("%d-%d", round, w)
				_, results[w] = s.Append(t.Context(), "s", eventstore.Expected(round-1), NewEvents(name))
			})
		}
		wg.Wait()
		winner := -1
		for w, err := range results {
			if err == nil && winner >= 0 {
				t.Fatalf("round %d: writers %d and %d both won", round, winner, w)
			}
			if err == nil {
				winner = w
				continue
			}
			wantKind(t, "a loser", err, domain.KindConflict)
		}
		events := read(t, s, "s", eventstore.ReadOptions{})
		if winner < 0 || len(events) != round+1 {
			t.Fatalf("round %d: winner %d, %d events", round, winner, len(events))
		}
		wantNames(t, "the newest event", events[round:], fmt.Sprintf("%d-%d", round, winner))
	}
}

// testStablePrefix follows the log from several places while many write. Every
// follower must see what the log holds in the end: the same events, in the same
// order, each once. A position that appeared late would be missing from one.
func testStablePrefix(t *testing.T, a Adapter) {
	writers, appends := 8, 60
	if testing.Short() {
		writers, appends = 4, 25
	}
	s := a.open(t)
	total := writers * appends * 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make([][]eventstore.Recorded, 4)
	var readers sync.WaitGroup
	for i := range seen {
		readers.Go(func() { seen[i] = followUntil(ctx, s, total, 1+i*i*7) })
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { writeMany(t, s, w, appends) })
	}
	wg.Wait()
	log := Log(t, s)
	if len(log) != total {
		t.Errorf("the log has %d events, %d were acknowledged", len(log), total)
		cancel()
	}
	readers.Wait()
	for i, got := range seen {
		if !reflect.DeepEqual(log, got) && !t.Failed() { // cmp.Diff takes seconds for as many equal events
			t.Errorf("follower %d saw another log (-log +seen):\n%s", i, cmp.Diff(log, got))
		}
	}
}

// writeMany appends pairs of events to the writer's own stream, and after each
// reads it back: what is acknowledged is there for the next reader.
func writeMany(t *testing.T, s eventstore.Store, writer, appends int) {
	stream := domain.Stream(fmt.Sprintf("w-%d", writer))
	for i := range appends {
		events := NewEvents(fmt.Sprintf("%d-%d-a", writer, i), fmt.Sprintf("%d-%d-b", writer, i))
		a, err := s.Append(t.Context(), stream, eventstore.Expected(i*2-1), events)
		if err != nil {
			t.Errorf("writer %d, append %d: %v", writer, i, err)
			return
		}
		got, err := s.ReadStream(t.Context(), stream, eventstore.ReadOptions{From: a.Revision})
		if err != nil || len(got) != 1 || got[0].Position != a.Position {
			t.Errorf("writer %d does not read its own append at %+v: %+v, %v", writer, a, got, err)
			return
		}
	}
}

func followUntil(ctx context.Context, s eventstore.Reader, total, batch int) []eventstore.Recorded {
	var got []eventstore.Recorded
	for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{Batch: batch, Sealed: true}) {
		if err != nil {
			return got
		}
		got = append(got, b.Events...)
		if len(got) >= total {
			return got
		}
	}
	return got
}
