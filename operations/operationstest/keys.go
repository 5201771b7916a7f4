package operationstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/operations"
)

var dataKeyTests = map[string]func(*testing.T, Open){
	"UnknownIsNotFound": func(t *testing.T, open Open) {
		_, err := one(t, open).DataKey(t.Context(), stream(1))
		wantKind(t, err, domain.KindNotFound, "key of an unknown stream")
	},
	"EmptyStreamIsInvalid": func(t *testing.T, open Open) {
		s := one(t, open)
		_, err := s.DataKey(t.Context(), "")
		wantKind(t, err, domain.KindInvalid, "key of no stream")
		_, err = s.EnsureDataKey(t.Context(), "")
		wantKind(t, err, domain.KindInvalid, "ensure the key of no stream")
	},
	"SameForEver": func(t *testing.T, open Open) {
		s := one(t, open)
		first := ensure(t, s, stream(1))
		if again := ensure(t, s, stream(1)); again != first {
			t.Error("the second call made another key")
		}
		read, err := s.DataKey(t.Context(), stream(1))
		noError(t, err, "read key")
		if read != first {
			t.Error("the key reads otherwise than it was made")
		}
	},
	"OnePerStreamAndRandom": func(t *testing.T, open Open) {
		s := one(t, open)
		seen := map[operations.DataKey]int{{}: -1}
		for i := range 50 {
			key := ensure(t, s, stream(i))
			if other, dup := seen[key]; dup {
				t.Fatalf("streams %d and %d share a key", i, other)
			}
			seen[key] = i
		}
	},
	"Destroy": func(t *testing.T, open Open) {
		s := open(t)
		first, other := ensure(t, s, stream(1)), ensure(t, s, stream(2))
		for range 2 { // a second time it is gone already
			noError(t, s.DestroyDataKey(t.Context(), stream(1)), "destroy")
		}
		_, err := s.DataKey(t.Context(), stream(1))
		wantKind(t, err, domain.KindNotFound, "a destroyed key")
		noError(t, s.Close(), "close")
		s = one(t, open)
		_, err = s.DataKey(t.Context(), stream(1))
		wantKind(t, err, domain.KindNotFound, "a destroyed key after reopening")
		if ensure(t, s, stream(1)) == first {
			t.Error("a destroyed key came back")
		}
		if got := ensure(t, s, stream(2)); got != other {
			t.Error("another stream's key changed")
		}
	},
	"Race":         raceForKeys,
	"RaceOfStores": raceOfStores,
	"Reopen": func(t *testing.T, open Open) {
		s := open(t)
		want := ensure(t, s, stream(7))
		noError(t, s.Close(), "close")
		got, err := one(t, open).DataKey(t.Context(), stream(7))
		noError(t, err, "read key after reopening")
		if got != want {
			t.Error("the key changed")
		}
	},
}

func ensure(t *testing.T, s operations.Store, stream domain.Stream) operations.DataKey {
	t.Helper()
	key, err := s.EnsureDataKey(t.Context(), stream)
	noError(t, err, "ensure data key")
	return key
}

// raceForKeys has many goroutines ask for the same few streams.
func raceForKeys(t *testing.T, open Open) {
	sameKeys(t, []operations.Store{one(t, open)})
}

// raceOfStores is raceForKeys over two stores on the same data.
func raceOfStores(t *testing.T, open Open) {
	sameKeys(t, []operations.Store{one(t, open), one(t, open)})
}

func sameKeys(t *testing.T, stores []operations.Store) {
	t.Helper()
	const callers, streams = 32, 10
	got := make([][streams]operations.DataKey, callers)
	err := together(callers, func(i int) (err error) {
		for n := range streams {
			if got[i][n], err = stores[i%len(stores)].EnsureDataKey(t.Context(), stream(n)); err != nil {
				return err
			}
		}
		return nil
	})
	noError(t, err, "ensure keys together")
	for i := range got {
		if got[i] != got[0] {
			t.Fatalf("callers 0 and %d got different keys", i)
		}
	}
	for n := range streams {
		read, err := stores[0].DataKey(t.Context(), stream(n))
		noError(t, err, "read key")
		if read != got[0][n] {
			t.Fatalf("stream %d: another key is kept than was given out", n)
		}
	}
}

var apiKeyTests = map[string]func(*testing.T, Open){
	"UnknownIsNotFound": func(t *testing.T, open Open) {
		s := one(t, open)
		_, err := s.APIKey(t.Context(), "aaaaaaaaaaaa")
		wantKind(t, err, domain.KindNotFound, "unknown key")
		wantKind(t, s.RevokeAPIKey(t.Context(), "aaaaaaaaaaaa", noon), domain.KindNotFound, "revoke an unknown key")
	},
	"RoundTrip": func(t *testing.T, open Open) {
		s := one(t, open)
		full := apiKey("aaaaaaaaaaaa", noon)
		full.Service = true
		full.Scopes = []operations.Scope{operations.ScopeAdmin, operations.ScopePaymentsRead}
		full.Channels, full.Accounts = []string{"epay-main"}, []string{"user:1", "user:2"}
		bare := apiKey("bbbbbbbbbbbb", noon.Add(time.Second))
		for _, k := range []operations.APIKey{bare, full} {
			noError(t, s.PutAPIKey(t.Context(), k), "put key")
		}
		wantAPIKey(t, s, full)
		wantAPIKey(t, s, bare)
		all, err := s.APIKeys(t.Context())
		noError(t, err, "list keys")
		if diff := cmp.Diff([]operations.APIKey{full, bare}, all); diff != "" {
			t.Errorf("list, oldest first:\n%s", diff)
		}
	},
	"ReplaceAndRevoke": func(t *testing.T, open Open) {
		s := one(t, open)
		k := apiKey("aaaaaaaaaaaa", noon)
		noError(t, s.PutAPIKey(t.Context(), k), "put key")
		k.Scopes = []operations.Scope{operations.ScopeReconcile}
		noError(t, s.PutAPIKey(t.Context(), k), "replace key")
		wantAPIKey(t, s, k)
		noError(t, s.RevokeAPIKey(t.Context(), k.ID, noon.Add(time.Hour)), "revoke")
		noError(t, s.RevokeAPIKey(t.Context(), k.ID, noon.Add(2*time.Hour)), "revoke again")
		noError(t, s.PutAPIKey(t.Context(), k), "put the revoked key again")
		k.RevokedAt = noon.Add(time.Hour)
		wantAPIKey(t, s, k)
	},
	"EmptyIDIsInvalid": func(t *testing.T, open Open) {
		wantKind(t, one(t, open).PutAPIKey(t.Context(), apiKey("", noon)), domain.KindInvalid, "key without id")
	},
}

func apiKey(id string, at time.Time) operations.APIKey {
	k := operations.APIKey{ID: id, Person: "person:ann", CreatedAt: at}
	copy(k.SHA256[:], fmt.Sprintf("%032s", id))
	return k
}

func wantAPIKey(t *testing.T, s operations.Store, want operations.APIKey) {
	t.Helper()
	got, err := s.APIKey(t.Context(), want.ID)
	noError(t, err, "read key")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("key:\n%s", diff)
	}
	if slices.ContainsFunc([]time.Time{got.CreatedAt, got.RevokedAt}, func(at time.Time) bool { return at.Location() != time.UTC }) {
		t.Error("a time is not UTC")
	}
}
