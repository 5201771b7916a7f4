package operationstest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/operations"
)

var idempotencyTests = map[string]func(*testing.T, Open){
	"FirstIsFresh": func(t *testing.T, open Open) {
		s := one(t, open)
		claims(t, s, "k1", "key", hash(1), noon)
		keeps(t, s, "k1", "key", hash(2), noon, operations.Saved{RequestHash: hash(1)})
		claims(t, s, "k2", "key", hash(2), noon) // another owner's key is another key
	},
	"AnswerIsKept": func(t *testing.T, open Open) {
		s := one(t, open)
		claims(t, s, "k1", "key", hash(1), noon)
		noError(t, s.Finish(t.Context(), "k1", "key", 201, []byte(`{"a":1}`)), "finish")
		want := operations.Saved{RequestHash: hash(1), Status: 201, Body: []byte(`{"a":1}`)}
		keeps(t, s, "k1", "key", hash(1), noon.Add(time.Second), want)
		keeps(t, s, "k1", "key", hash(9), noon.Add(7*24*time.Hour-time.Second), want)
		noError(t, s.Finish(t.Context(), "k1", "key", 409, nil), "finish again")
		keeps(t, s, "k1", "key", hash(1), noon, want)
		claims(t, s, "k1", "key", hash(3), noon.Add(7*24*time.Hour))
		keeps(t, s, "k1", "key", hash(3), noon.Add(7*24*time.Hour), operations.Saved{RequestHash: hash(3)})
	},
	"EmptyAnswer": func(t *testing.T, open Open) {
		s := one(t, open)
		claims(t, s, "k1", "key", hash(1), noon)
		noError(t, s.Finish(t.Context(), "k1", "key", 204, nil), "finish without body")
		keeps(t, s, "k1", "key", hash(1), noon, operations.Saved{RequestHash: hash(1), Status: 204})
	},
	"UnfinishedLapses": func(t *testing.T, open Open) {
		s := one(t, open)
		claims(t, s, "k1", "key", hash(1), noon)
		keeps(t, s, "k1", "key", hash(1), noon.Add(9*time.Second), operations.Saved{RequestHash: hash(1)})
		claims(t, s, "k1", "key", hash(2), noon.Add(10*time.Second))
		keeps(t, s, "k1", "key", hash(1), noon.Add(10*time.Second), operations.Saved{RequestHash: hash(2)})
	},
	"Forget": func(t *testing.T, open Open) {
		s := one(t, open)
		claims(t, s, "k1", "key", hash(1), noon)
		noError(t, s.Forget(t.Context(), "k1", "key"), "forget")
		noError(t, s.Forget(t.Context(), "k1", "key"), "forget again")
		wantKind(t, s.Finish(t.Context(), "k1", "key", 200, nil), domain.KindNotFound, "finish what is forgotten")
		claims(t, s, "k1", "key", hash(2), noon)
	},
	"OneOfManyIsFresh": func(t *testing.T, open Open) {
		stores := []operations.Store{one(t, open), one(t, open)}
		var first atomic.Int32
		err := together(24, func(i int) error {
			_, fresh, err := stores[i%2].Begin(t.Context(), "k1", "key", hash(byte(i)), noon)
			if fresh {
				first.Add(1)
			}
			return err
		})
		noError(t, err, "begin together")
		if first.Load() != 1 {
			t.Errorf("%d requests may go on, want 1", first.Load())
		}
	},
	"BadInput": func(t *testing.T, open Open) {
		s := one(t, open)
		_, _, err := s.Begin(t.Context(), "k1", "", hash(1), noon)
		wantKind(t, err, domain.KindInvalid, "empty key")
		wantKind(t, s.Finish(t.Context(), "k1", "key", 0, nil), domain.KindInvalid, "status 0")
		wantKind(t, s.Finish(t.Context(), "k1", "key", 200, make([]byte, 2<<20)), domain.KindTooLarge, "2 MB answer")
	},
}

func hash(b byte) [32]byte { return [32]byte{b, 1: 0xaa} }

// claims begins a request that must be fresh.
func claims(t *testing.T, s operations.Store, owner, key string, h [32]byte, now time.Time) {
	t.Helper()
	saved, fresh, err := s.Begin(t.Context(), owner, key, h, now)
	noError(t, err, "begin")
	if !fresh || saved.Status != 0 || saved.Body != nil {
		t.Fatalf("fresh %t with %+v, want a fresh one", fresh, saved)
	}
}

// keeps begins a request that must find an answer or a claim.
func keeps(t *testing.T, s operations.Store, owner, key string, h [32]byte, now time.Time, want operations.Saved) {
	t.Helper()
	saved, fresh, err := s.Begin(t.Context(), owner, key, h, now)
	noError(t, err, "begin")
	if fresh {
		t.Fatal("fresh, want what is kept")
	}
	if len(saved.Body) == 0 {
		saved.Body = nil
	}
	if diff := cmp.Diff(want, saved); diff != "" {
		t.Fatalf("kept:\n%s", diff)
	}
}

var leaseTests = map[string]func(*testing.T, Open){
	"HolderKeepsToken": func(t *testing.T, open Open) {
		s := one(t, open)
		first := acquire(t, s, "sweep", "a", noon)
		want := operations.Lease{Name: "sweep", Holder: "a", Token: first.Token, Until: noon.Add(time.Minute)}
		if first != want || first.Token < 1 {
			t.Fatalf("lease %+v, want %+v", first, want)
		}
		renewed := acquire(t, s, "sweep", "a", noon.Add(30*time.Second))
		late := acquire(t, s, "sweep", "a", noon.Add(time.Hour)) // nobody took it meanwhile
		if renewed.Token != first.Token || late.Token != first.Token {
			t.Errorf("tokens %d, %d, %d: renewing changed them", first.Token, renewed.Token, late.Token)
		}
		if !renewed.Until.Equal(noon.Add(90 * time.Second)) {
			t.Errorf("renewed until %s", renewed.Until)
		}
	},
	"TakeoverGrowsToken": func(t *testing.T, open Open) {
		a, b := one(t, open), one(t, open)
		first := acquire(t, a, "sweep", "a", noon)
		_, err := b.Acquire(t.Context(), "sweep", "b", noon.Add(time.Minute-time.Microsecond), time.Minute)
		wantKind(t, err, domain.KindConflict, "take a lease that stands")
		second := acquire(t, b, "sweep", "b", noon.Add(time.Minute))
		if second.Token <= first.Token {
			t.Errorf("token %d after %d does not grow", second.Token, first.Token)
		}
		_, err = a.Acquire(t.Context(), "sweep", "a", noon.Add(time.Minute), time.Minute)
		wantKind(t, err, domain.KindConflict, "renew a lease that was taken over")
		noError(t, a.Release(t.Context(), first), "release what is lost")
		_, err = a.Acquire(t.Context(), "sweep", "a", noon.Add(time.Minute), time.Minute)
		wantKind(t, err, domain.KindConflict, "the loser's release must not free it")
	},
	"ReleaseFreesAndRemembers": func(t *testing.T, open Open) {
		s := one(t, open)
		first := acquire(t, s, "sweep", "a", noon)
		noError(t, s.Release(t.Context(), first), "release")
		noError(t, s.Release(t.Context(), first), "release again")
		second := acquire(t, s, "sweep", "b", noon)
		if second.Token <= first.Token {
			t.Errorf("token %d after %d does not grow", second.Token, first.Token)
		}
		other := acquire(t, s, "bill", "a", noon)
		if other.Name != "bill" {
			t.Errorf("lease %+v", other)
		}
	},
	"OneWins": func(t *testing.T, open Open) {
		stores := []operations.Store{one(t, open), one(t, open)}
		var winners atomic.Int32
		err := together(16, func(i int) error {
			_, err := stores[i%2].Acquire(t.Context(), "sweep", fmt.Sprint("holder-", i), noon, time.Minute)
			if err == nil {
				winners.Add(1)
			} else if domain.KindOf(err) != domain.KindConflict {
				return err
			}
			return nil
		})
		noError(t, err, "acquire together")
		if winners.Load() != 1 {
			t.Errorf("%d holders, want 1", winners.Load())
		}
	},
	"BadInput": func(t *testing.T, open Open) {
		s := one(t, open)
		_, err := s.Acquire(t.Context(), "sweep", "", noon, time.Minute)
		wantKind(t, err, domain.KindInvalid, "no holder")
		_, err = s.Acquire(t.Context(), "sweep", "a", noon, 0)
		wantKind(t, err, domain.KindInvalid, "no time")
	},
}

func acquire(t *testing.T, s operations.Store, name, holder string, now time.Time) operations.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), name, holder, now, time.Minute)
	noError(t, err, "acquire")
	return l
}
