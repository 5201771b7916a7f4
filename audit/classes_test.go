package audit_test

import (
	"context"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
)

// Streams that go on after they were forgotten are read again, with the same
// result.
func TestLateEventsAreFoldedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	d := w.deps()
	for _, near := range []int{1, 2, 3} {
		rep, err := audit.VerifyNear(t.Context(), d, nil, near)
		must(t, err)
		if want := w.verify(); !rep.OK() || rep.Root != want.Root || rep.Streams != want.Streams ||
			!maps.Equal(rep.Checks, want.Checks) {
			t.Errorf("with room for %d streams: %+v", near, rep)
		}
	}
}

// TestLostKeysAreNeverPassed: keys that are gone without an erasure are lost.
func TestLostKeysAreNeverPassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	before := w.verify()
	w.close()
	exec(t, raw(t, w.file("operations.db")), "DELETE FROM data_keys")
	w.open()
	rep := w.verify()
	if rep.OK() || rep.Evidence.Verified+rep.Evidence.Erased+rep.Evidence.Personal.Erased != 0 ||
		rep.Evidence.Broken != before.Evidence.Verified || rep.Broken != before.Evidence.Verified+before.Evidence.Personal.Kept {
		t.Errorf("%+v %+v", rep.Evidence, rep.Findings)
	}
}

func TestEvidenceWithoutItsKeyIsUnverifiable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	before := w.verify()
	delete(w.channels, signed)
	w.channels[trusting] = w.channel(trusting, strings.Repeat("k", 32), domain.ConfirmNever)
	rep := w.verify()
	if !rep.OK() || rep.Complete() {
		t.Fatalf("%+v", rep)
	}
	names := slices.Sorted(maps.Keys(rep.Evidence.Unverifiable))
	if want := []string{"epay-a: the channel has another key now", "epay-c: the channel is not configured"}; !slices.Equal(names, want) {
		t.Errorf("unverifiable %v", rep.Evidence.Unverifiable)
	}
	sum := rep.Evidence.Verified
	for _, n := range rep.Evidence.Unverifiable {
		sum += n
	}
	if sum != before.Evidence.Verified || rep.Evidence.Verified == 0 {
		t.Errorf("%+v, before %+v", rep.Evidence, before.Evidence)
	}
}

// A channel that calls everything good does not make forged content good: what
// the evidence says is compared with what was kept.
func TestReverifiedContentIsCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.channels[signed] = lying{w.channels[signed]}
	rep := w.verify()
	if rep.Evidence.Broken != 2 || !strings.Contains(rep.Findings[0].Text, `its evidence says order "lie"`) {
		t.Errorf("%+v %+v", rep.Evidence, rep.Findings)
	}
}

type lying struct{ providers.Channel }

func (l lying) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	ns, err := l.Channel.Reverify(e)
	for i := range ns {
		ns[i].OrderNo = "lie"
	}
	return ns, err
}

// damaged is a log whose bytes at some positions no longer fit their hashes.
type damaged struct {
	eventstore.Reader
	at []eventstore.Position
}

func (d damaged) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		for b, err := range d.Reader.Follow(ctx, after, o) {
			for _, e := range b.Events {
				if slices.Contains(d.at, e.Position) {
					yield(eventstore.Batch{}, domain.E(domain.KindCorrupt, "event at position %d: its bytes do not fit", e.Position))
					return
				}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

func TestEventsBehindADamagedOneAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.close()
	log := raw(t, w.file("events.db"))
	forged := find(t, log, domain.TypePaymentCredited, "payment-epay-c:C1")
	forged.data = replaced(t, forged.data, "0.01", "5.01")
	rewrite(t, log, forged)
	w.open()
	rep := w.verify(func(d *audit.Deps) { d.Log = damaged{d.Log, []eventstore.Position{7, 8, 12}} })
	var found []eventstore.Position
	for _, f := range besides(rep, audit.CheckTree) {
		found = append(found, f.Position)
	}
	if want := []eventstore.Position{7, 12, eventstore.Position(forged.position)}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v: %+v", found, want, rep.Findings)
	}
	if rep.Events != int64(rep.Head)-3 || rep.Rows.Compared {
		t.Errorf("%d events of %s, rows %+v", rep.Events, rep.Head, rep.Rows)
	}
}

func TestDamageAtTheEndEndsTheCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	head, err := w.events.Head(t.Context())
	must(t, err)
	rep := w.verify(func(d *audit.Deps) { d.Log = damaged{d.Log, []eventstore.Position{head - 1, head}} })
	if found := besides(rep, audit.CheckTree); len(found) != 1 || found[0].Position != head-1 || rep.Events != int64(head)-2 {
		t.Errorf("%+v", rep.Findings)
	}
}

// Rows other than balances are compared with a fold from nothing.
func TestFromScratchFindsAnyRow(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	if rep := base.verify(scratch(t)); !rep.OK() || !rep.Rows.Full {
		t.Fatalf("%+v %+v", rep.Rows, rep.Findings)
	}
	base.close()
	for _, change := range []string{
		"UPDATE payments SET amount = amount + 1 WHERE id = 1",
		"UPDATE payments SET state = (SELECT state FROM payments WHERE ref = 'A3') WHERE ref = 'A5'",
		"UPDATE entries SET after = after + 1 WHERE position = (SELECT min(position) FROM entries)",
		"UPDATE posted SET value_date = '2026-01-01' WHERE position = (SELECT min(position) FROM entries)",
		"UPDATE callbacks SET amount = amount + 1 WHERE position = (SELECT min(position) FROM callbacks)",
		"DELETE FROM callbacks WHERE position = (SELECT max(position) FROM callbacks)",
		"DELETE FROM acts WHERE position = (SELECT min(position) FROM acts)",
		"DELETE FROM trades WHERE trade_no = (SELECT max(trade_no) FROM trades)",
		"UPDATE clock SET last = last + 1000000 WHERE last = (SELECT max(last) FROM clock)", // when a balance stood
		"UPDATE posted SET trade_no = 'T9' WHERE position = (SELECT min(position) FROM posted)",
		"DELETE FROM groups WHERE kind = 1 AND channel = (SELECT min(channel) FROM groups)",
	} {
		w := base.copy(t)
		exec(t, raw(t, w.file("projections.db")), change)
		w.open()
		if rep := w.verify(); !rep.OK() {
			t.Errorf("%s: found without a fold: %+v", change, rep.Findings)
		}
		rep := w.verify(scratch(t))
		if len(rep.Findings) == 0 || rep.Findings[0].Check != audit.CheckRows {
			t.Errorf("%s: %+v", change, rep.Findings)
		}
		w.close()
	}
}

func scratch(t *testing.T) func(*audit.Deps) {
	t.Helper()
	db, err := psqlite.Open(filepath.Join(t.TempDir(), "projections.db"), psqlite.Config{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return func(d *audit.Deps) { d.Scratch = db }
}

// Projections that lag behind are compared at the position they have reached.
func TestProjectionsMayLag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.place(trusting, "L1", "user:1", "2.00")
	w.callback(trusting, "L1", "T50", "2.00", domain.OutcomeCredited)
	rep := w.verify()
	if !rep.OK() || !rep.Rows.Compared || rep.Rows.Behind != 3 || rep.Rows.Position != rep.Head-3 {
		t.Errorf("%+v %+v", rep.Rows, rep.Findings)
	}
}

func TestWithoutProjections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rep := w.verify(func(d *audit.Deps) { d.Rows = nil })
	if !rep.OK() || rep.Rows.Compared || rep.Rows.Why == "" {
		t.Errorf("%+v", rep)
	}
}
