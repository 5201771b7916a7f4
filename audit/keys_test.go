package audit_test

import (
	"context"
	"fmt"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
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
