package sqlite

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/operations"
	"counterfoil/operations/operationstest"
)

// fixedClock is a time at which the suite's rows are young.
func fixedClock() time.Time { return time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC) }

func testOptions(t testing.TB) Options {
	return Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Clock: fixedClock}
}

// newFile is the path of a fresh store.
func newFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data", "operations.db")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// openFile opens a store that the test closes.
func openFile(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	t.Parallel()
	operationstest.Run(t, func(t *testing.T) operationstest.Open {
		path := newFile(t)
		return func(t *testing.T) operations.Store { return openFile(t, path) }
	})
}
