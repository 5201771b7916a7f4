package audit_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/tamperlog"
)

// checkpoint is the newest signed head.
func (w *world) checkpoint() tamperlog.Signed {
	w.t.Helper()
	f := tamperlog.OpenFolder(w.file("tree"))
	defer func() { _ = f.Close() }()
	head, err := f.Checkpoint()
	must(w.t, err)
	return head
}

// A hand that knows the software rewrites events so that every hash, decision
// and revision fits. What was sealed says where it was.
func TestWhatFitsIsFoundBySeals(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	base.fill(1200) // opening checks the end of the log: what is tampered with lies before that
	base.close()
	const late = "payment-epay-a:fill-3"
	for name, c := range map[string]struct {
		tamper func(t *testing.T, log *sql.DB) (positions []int64)
		says   string
	}{
		"a placing back-dated": {func(t *testing.T, log *sql.DB) []int64 {
			r := find(t, log, domain.TypePaymentPlaced, late)
			r.data = replaced(t, r.data, "2026-11-22T", "2026-11-20T")
			r.meta = replaced(t, r.meta, "2026-11-22T", "2026-11-20T")
			rewrite(t, log, r)
			return []int64{r.position}
		}, "was changed: its leaf is "},
		"two placings swapped": {func(t *testing.T, log *sql.DB) []int64 {
			a, b := find(t, log, domain.TypePaymentPlaced, late), find(t, log, domain.TypePaymentPlaced, "payment-epay-a:fill-4")
			unguarded(t, log, func() {
				for _, table := range []string{"events", "evidence"} {
					exec(t, log, "UPDATE "+table+" SET position = -1 WHERE position = ?", a.position)
					exec(t, log, "UPDATE "+table+" SET position = ? WHERE position = ?", a.position, b.position)
					exec(t, log, "UPDATE "+table+" SET position = ? WHERE position = -1", b.position)
				}
			})
			return []int64{a.position, b.position}
		}, "was changed: its leaf is "},
		"a payment taken out": {func(t *testing.T, log *sql.DB) []int64 {
			r := find(t, log, domain.TypePaymentPlaced, late)
			unguarded(t, log, func() {
				exec(t, log, "DELETE FROM evidence WHERE position = ?", r.position)
				exec(t, log, "DELETE FROM events WHERE position = ?", r.position)
			})
			return []int64{r.position}
		}, "is missing or cannot be read"},
		"a payment moved to the end": {func(t *testing.T, log *sql.DB) []int64 {
			r := find(t, log, domain.TypePaymentPlaced, late)
			var last int64
			must(t, log.QueryRow("SELECT max(position) FROM events").Scan(&last))
			unguarded(t, log, func() {
				for _, table := range []string{"events", "evidence"} {
					exec(t, log, "UPDATE "+table+" SET position = ? WHERE position = ?", last+1, r.position)
				}
			})
			return []int64{r.position}
		}, "is missing or cannot be read"},
		"the end cut off": {func(t *testing.T, log *sql.DB) []int64 {
			var last int64
			must(t, log.QueryRow("SELECT max(position) FROM events").Scan(&last))
			unguarded(t, log, func() {
				exec(t, log, "DELETE FROM evidence WHERE position = ?", last)
				exec(t, log, "DELETE FROM events WHERE position = ?", last)
			})
			return []int64{last}
		}, "the end of the log was cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := base.copy(t)
			must(t, os.Remove(w.file("projections.db"))) // nothing but the seals remembers
			log := raw(t, w.file("events.db"))
			positions := c.tamper(t, log)
			must(t, log.Close())
			w.open()
			rep := w.verify()
			for _, p := range positions {
				if !told(rep, eventstore.Position(p), c.says) {
					t.Errorf("want %d with %q, found %+v", p, c.says, rep.Findings)
				}
			}
			for _, f := range besides(rep, audit.CheckTree) {
				t.Errorf("found without the seals: %+v", f)
			}
		})
	}
}

func told(rep audit.Report, at eventstore.Position, says string) bool {
	for _, f := range rep.Findings {
		if f.Position == at && f.Check == audit.CheckTree && strings.Contains(f.Text, says) {
			return true
		}
	}
	return false
}

// An older checkpoint holds the beginning of a log that has grown; one of
// another history, of another log or of a longer log does not.
func TestBroughtCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	old := w.checkpoint().Checkpoint
	w.fill(10)
	now := w.checkpoint().Checkpoint
	bring := func(c tamperlog.Checkpoint) audit.Report {
		return w.verify(func(d *audit.Deps) { d.Brought = []audit.Brought{{Checkpoint: c, Whose: "auditor.txt"}} })
	}
	if old.Size == now.Size {
		t.Fatal("the log did not grow")
	}
	for _, c := range []tamperlog.Checkpoint{old, now, {Origin: now.Origin, Root: sha256.Sum256(nil)}} {
		rep := bring(c)
		if !rep.OK() || len(rep.Tree.Heads) != 2 || !rep.Tree.Heads[0].OK || rep.Tree.Sealed != now.Size || rep.Tree.Unsealed != 0 {
			t.Errorf("%+v %+v", rep.Tree, rep.Findings)
		}
	}
	fork, longer, foreign := old, now, old
	fork.Root[3] ^= 1
	longer.Size += 2
	foreign.Origin = tamperlog.Origin(domain.ID{7})
	for _, c := range []struct {
		head tamperlog.Checkpoint
		says string
	}{
		{fork, fmt.Sprintf("the first %d events hash to %s, and the checkpoint (auditor.txt) says %s", old.Size, old.Hex(), fork.Hex())},
		{longer, "the last 2 are missing"},
		{foreign, "is that of log counterfoil/07"},
	} {
		if rep := bring(c.head); rep.OK() || !told(rep, 0, c.says) {
			t.Errorf("%q: %+v", c.says, rep.Findings)
		}
	}
}

// A tree whose own files were changed is told apart from a log that was.
func TestAChangedTreeIsTold(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	base.close()
	for name, c := range map[string]struct {
		file string
		at   int64
		says string
	}{
		"a leaf":     {"tile-0", 40, "its files were changed, too"},
		"a position": {"index", 7*24 + 7, "is missing or cannot be read"},
		"an id":      {"index", 7*24 + 20, "event 7 was changed"},
		"the head":   {"checkpoint", 50, "does not hold"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := base.copy(t)
			path := w.file("tree/" + c.file)
			b, err := os.ReadFile(path)
			must(t, err)
			b[c.at] ^= 1
			must(t, os.WriteFile(path, b, 0o600))
			w.open()
			rep := w.verify()
			found := false
			for _, f := range rep.Findings {
				found = found || strings.Contains(f.Text, c.says)
			}
			if rep.OK() || !found {
				t.Errorf("%+v", rep.Findings)
			}
		})
	}
	w := base.copy(t)
	must(t, os.Truncate(w.file("tree/tile-0"), 64))
	w.open()
	if rep := w.verify(); rep.OK() || !told(rep, 0, "the tree's files are damaged") {
		t.Errorf("%+v", rep.Findings)
	}
}

// The hashes above the leaves are served and make proofs: they are held against
// the log, too, and a file of them that is gone is told.
func TestAChangedHashTileIsTold(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	base.fill(700)
	if rep := base.verify(); !rep.OK() || rep.Tree.Sealed < 768 {
		t.Fatalf("%+v %+v", rep.Tree, rep.Findings)
	}
	base.close()
	for says, change := range map[string]func(file string){
		"level 1 of the tree's files has": func(file string) {
			b, err := os.ReadFile(file)
			must(t, err)
			b[2*32+5] ^= 1 // the third hash
			must(t, os.WriteFile(file, b, 0o600))
		},
		"level 1 of the tree's files cannot be read": func(file string) { must(t, os.Remove(file)) },
	} {
		w := base.copy(t)
		change(w.file("tree/tile-1"))
		w.open()
		if rep := w.verify(); len(rep.Findings) != 1 || !strings.Contains(rep.Findings[0].Text, says) {
			t.Errorf("%s: %+v", says, rep.Findings)
		}
		w.close()
	}
}

// Without a tree the rest is checked, and the report says that it is no proof:
// whoever cut off or rewrote a log takes its tree away, too. A head that the
// auditor brings stands in for it.
func TestWithoutATree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	kept := w.checkpoint().Checkpoint
	must(t, os.RemoveAll(w.file("tree")))
	if rep := w.verify(); !rep.OK() || rep.Complete() || rep.Tree.Compared || rep.Tree.Why == "" {
		t.Errorf("%+v %+v", rep.Tree, rep.Findings)
	}
	rep := w.verify(func(d *audit.Deps) { d.Brought = []audit.Brought{{Checkpoint: kept, Whose: "kept.txt"}} })
	if !rep.OK() || !rep.Complete() {
		t.Errorf("with a head from outside: %+v %+v", rep.Tree, rep.Findings)
	}
}
