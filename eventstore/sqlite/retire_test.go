package sqlite_test

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

const elsewhere = "esdb://elsewhere:2113 (namespace counterfoil)"

// A retired log is read like any other and never grows again, also not through
// a store that had it open before.
func TestRetire(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, info.Path, sqlite.Options{})
	last, err := s.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "retire a log that has grown", s.Retire(t.Context(), last.Position-1, elsewhere), domain.KindConflict)
	wantKind(t, "retire for nothing", s.Retire(t.Context(), last.Position, ""), domain.KindInvalid)
	if to := s.Retired(); to != "" {
		t.Errorf("retired for %q by a retirement that failed", to)
	}
	if err := s.Retire(t.Context(), last.Position, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := s.Retire(t.Context(), last.Position, elsewhere); err != nil {
		t.Errorf("retired again for the same store: %v", err)
	}
	wantKind(t, "retire for another store", s.Retire(t.Context(), last.Position, "esdb://third"), domain.KindConflict)
	wantKind(t, "retire for another store elsewhere", other.Retire(t.Context(), last.Position, "esdb://third"), domain.KindConflict)

	later := open(t, info.Path, sqlite.Options{})
	for name, store := range map[string]*sqlite.Store{"the same": s, "opened before": other, "opened later": later} {
		_, err := store.Append(t.Context(), "s", 1, storetest.NewEvents("c"))
		wantKind(t, name, err, domain.KindUnavailable)
		if !strings.Contains(err.Error(), elsewhere) {
			t.Errorf("%s: %q does not say where the log is", name, err)
		}
		wantKind(t, name+", readiness", store.Ready(t.Context()), domain.KindUnavailable)
		if to := store.Retired(); to != elsewhere {
			t.Errorf("%s: retired for %q", name, to)
		}
		if events := storetest.Log(t, store); len(events) != 2 {
			t.Errorf("%s: reads %d events", name, len(events))
		}
	}
}

// The first append after another process's mark finds it by the trigger.
func TestRetiredByAnotherProcess(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, info.Path, sqlite.Options{})
	if err := s.Retire(t.Context(), 0, elsewhere); err != nil {
		t.Fatal(err)
	}
	if other.Retired() != "" {
		t.Fatal("known before anything was tried")
	}
	_, err = other.Append(t.Context(), "s", eventstore.NoStream, storetest.NewEvents("a"))
	wantKind(t, "append", err, domain.KindUnavailable)
	if !strings.Contains(err.Error(), elsewhere) {
		t.Errorf("%q does not say where the log is", err)
	}
	if events := storetest.Log(t, other); len(events) != 0 {
		t.Errorf("%d events were written", len(events))
	}
}

// Whoever takes the mark back by hand leaves traces that opening finds.
func TestRetirementIsNotTakenBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		statements []string
		says       string
	}{
		"flag":    {[]string{"PRAGMA user_version=1"}, "known"},
		"trigger": {[]string{"DROP TRIGGER events_insert"}, "events_insert"},
	} {
		s := create(t, sqlite.Options{})
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Retire(t.Context(), 0, elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		db := database(t, info.Path)
		for _, statement := range []string{
			"DELETE FROM retired", "UPDATE retired SET moved_to = 'x'",
			"INSERT INTO events VALUES (1, 's', 0, x'00', 't', x'00', x'00', NULL, x'00')",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s was let through", statement)
			}
		}
		mustExec(t, db, change.statements...)
		if _, err := sqlite.Open(t.Context(), info.Path, sqlite.Options{}); domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), change.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
