package sqlite_test

import (
	"path/filepath"
	"testing"

	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Adapter{
		New: func(t *testing.T) eventstore.Store { return create(t, sqlite.Options{}) },
		Reopen: func(t *testing.T, s eventstore.Store) eventstore.Store {
			info, err := s.(*sqlite.Store).Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, info.Path, sqlite.Options{})
		},
	})
}

// create makes and opens a store in a folder of its own.
func create(t testing.TB, o sqlite.Options) *sqlite.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.db")
	if err := sqlite.Create(path, o); err != nil {
		t.Fatal(err)
	}
	return open(t, path, o)
}

// open closes the store when the test ends, if the test has not.
func open(t testing.TB, path string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
