package audit_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
)

// countingKeys has a key for every stream but "none".
type countingKeys struct{ asked map[domain.Stream]int }

func (c countingKeys) EnsureDataKey(ctx context.Context, s domain.Stream) (domain.DataKey, error) {
	return c.DataKey(ctx, s)
}

func (c countingKeys) DataKey(_ context.Context, s domain.Stream) (k domain.DataKey, err error) {
	c.asked[s]++
	if s == "none" {
		return k, domain.E(domain.KindNotFound, "no key")
	}
	copy(k[:], s)
	return k, nil
}

func TestRememberedKeysAreTheirStreams(t *testing.T) {
	t.Parallel()
	c := countingKeys{map[domain.Stream]int{}}
	keys := audit.Remember(c)
	for range 2 {
		for i := range 20_000 {
			s := domain.Stream(fmt.Sprint("s", i))
			for range 3 {
				k, err := keys.DataKey(t.Context(), s)
				if want, _ := (countingKeys{map[domain.Stream]int{}}).DataKey(t.Context(), s); err != nil || k != want {
					t.Fatalf("%s: %v %v", s, k, err)
				}
			}
		}
	}
	if n := c.asked["s7"]; n != 2 {
		t.Errorf("asked %d times for a key that was used a moment before", n)
	}
	for range 2 {
		if _, err := keys.DataKey(t.Context(), "none"); domain.KindOf(err) != domain.KindNotFound {
			t.Error("a missing key was found")
		}
	}
	if c.asked["none"] != 2 {
		t.Error("that a key is missing was remembered: it may come back with a backup")
	}
}

// batchKeys are keys that can be read together, and counts how it is asked.
type batchKeys struct {
	countingKeys
	batches *[]int
}

func (m batchKeys) DataKeys(ctx context.Context, streams []domain.Stream) (map[domain.Stream]domain.DataKey, error) {
	*m.batches = append(*m.batches, len(streams))
	out := map[domain.Stream]domain.DataKey{}
	for _, s := range streams {
		if k, err := m.DataKey(ctx, s); err == nil {
			out[s] = k
		}
	}
	return out, nil
}

// The keys of a page's sealed events are asked for together, each once; one
// that is missing then stays missing.
func TestKeysAreReadTogether(t *testing.T) {
	t.Parallel()
	var batches []int
	keys := audit.Remember(batchKeys{countingKeys{map[domain.Stream]int{}}, &batches})
	sealed := func(names ...domain.Stream) iter.Seq[*eventstore.Recorded] {
		out := []*eventstore.Recorded{{Stream: "open"}}
		for _, s := range names {
			out = append(out, &eventstore.Recorded{Stream: s, Event: eventstore.Event{Sealed: []byte("x")}})
		}
		return slices.Values(out)
	}
	must(t, audit.FetchKeys(keys, t.Context(), sealed("a", "b", "a", "none")))
	must(t, audit.FetchKeys(keys, t.Context(), sealed("a", "none", "c")))
	must(t, audit.FetchKeys(keys, t.Context(), sealed("a", "b", "c")))
	if !slices.Equal(batches, []int{3, 1}) {
		t.Errorf("asked for %v keys at a time, want 3 and 1", batches)
	}
	asked := keys.Keys.(batchKeys).asked
	for _, s := range []domain.Stream{"a", "b", "c"} {
		k, err := keys.DataKey(t.Context(), s)
		if want, _ := (countingKeys{map[domain.Stream]int{}}).DataKey(t.Context(), s); err != nil || k != want || asked[s] != 1 {
			t.Errorf("%s: %v %v, asked %d times", s, k, err, asked[s])
		}
	}
	if _, err := keys.DataKey(t.Context(), "none"); domain.KindOf(err) != domain.KindNotFound || asked["none"] != 1 {
		t.Errorf("a key that is gone: %v, asked %d times", err, asked["none"])
	}
}
