package assembly

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"
	"counterfoil/ledger"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

// TestAppendsAreAnnounced: who appends after a silence sees the rows that another
// process folds of it as soon as if there had been none.
func TestAppendsAreAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), ProjectionsFile)
		open := func() *psqlite.DB {
			d, err := psqlite.Open(path, psqlite.Config{Poll: 5 * time.Millisecond, Rest: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			return d
		}
		folding, reading, log := open(), open(), memory.New()
		cfg := ledger.Config{Clock: time.Now, Zone: time.UTC, Software: "test/1"}
		if err := ledger.Init(t.Context(), log, domain.ID{1}, domain.ModeTest, cfg); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Open(t.Context(), announcing{log, reading}, nil, cfg)
		if err != nil {
			t.Fatal(err)
		}
		go projections.NewRunner(log, folding, projections.Config{}).Run(t.Context())
		for i := range 20 {
			time.Sleep(10*time.Second + time.Duration(5*i)*time.Millisecond) // at another moment between two looks each time
			err := l.Act(t.Context(), domain.Act{What: domain.ActViewed, Person: "alice", From: "api", Subject: "a page"}, ledger.By{})
			if err != nil {
				t.Fatal(err)
			}
			head, err := log.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			told := time.Now()
			for at := head - 1; at < head; at, _ = reading.Checkpoint(t.Context()) {
				time.Sleep(time.Millisecond)
			}
			if late := time.Since(told); late > 10*time.Millisecond {
				t.Fatalf("seen %s late, want 5 ms", late)
			}
		}
	})
}
