package audit_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/tamperlog"
)

// Holes that other ledgers have, one test each. All hands know the software:
// triggers stand as before, and hashes in the rows fit.

// Blnk's verify says "verified" after the newest sealed rows were deleted.
func TestPeerHoleNewestSealedRowsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.fill(40)
	head := int64(w.verify().Head)
	w.close()
	must(t, os.Remove(w.file("projections.db")))
	log := raw(t, w.file("events.db"))
	unguarded(t, log, func() {
		exec(t, log, "DELETE FROM evidence WHERE position > ?", head-10)
		exec(t, log, "DELETE FROM events WHERE position > ?", head-10)
	})
	must(t, log.Close())
	w.open()
	rep := w.verify()
	for p := head - 9; p <= head; p++ {
		if !told(rep, eventstore.Position(p), "the end of the log was cut off") {
			t.Errorf("position %d is not named: %+v", p, rep.Findings)
		}
	}
}

// Blnk leaves metadata out of its hash.
func TestPeerHoleMetadataChanged(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	base.fill(1200) // opening checks the end of the log
	base.close()
	for what, change := range map[string][2]string{
		"who":           {`"actor":"key:test"`, `"actor":"key:boss"`},
		"on what":       {`"cause":"request"`, `"cause":"request-7"`},
		"what software": {`"software":"test/1"`, `"software":"test/2"`},
	} {
		w := base.copy(t)
		log := raw(t, w.file("events.db"))
		r := find(t, log, domain.TypePaymentPlaced, "payment-epay-a:fill-3")
		r.meta = replaced(t, r.meta, change[0], change[1])
		rewrite(t, log, r)
		must(t, log.Close())
		w.open()
		if rep := w.verify(); !told(rep, eventstore.Position(r.position), "was changed: its leaf is ") {
			t.Errorf("%s recorded it: %+v", what, rep.Findings)
		}
		w.close()
	}
}

// Formance v2 serves a forged balance row: here verify names the account, the
// currency and both values.
func TestPeerHoleForgedBalanceRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.close()
	rows := raw(t, w.file("projections.db"))
	exec(t, rows, `UPDATE entries SET after = after - 100000 WHERE ledger = (SELECT id FROM ledgers WHERE wallet = 'user:2')`)
	must(t, rows.Close())
	w.open()
	rep := w.verify()
	want := "account user:2: the log gives 5.00 CNY, its entries end with 1005.00 CNY"
	if !anyOf(rep, audit.CheckBalances, want) {
		t.Errorf("want %q, found %+v", want, rep.Findings)
	}
	if len(besides(rep, audit.CheckBalances)) != 0 {
		t.Errorf("the log is whole: %+v", besides(rep, audit.CheckBalances))
	}
}

func anyOf(rep audit.Report, c audit.Check, says string) bool {
	for _, f := range rep.Findings {
		if f.Check == c && strings.Contains(f.Text, says) {
			return true
		}
	}
	return false
}

// A chain without checkpoints kept elsewhere cannot see a cut-off tail: whoever
// puts back an older copy of log, tree and key has a whole chain. The auditor's
// checkpoint is elsewhere.
func TestPeerHoleCutTailWithItsTree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	older := w.copy(t)
	w.fill(10)
	kept := w.checkpoint().Checkpoint
	older.open()
	if rep := older.verify(); !rep.OK() {
		t.Fatalf("the older copy is a whole chain: %+v", rep.Findings)
	}
	rep := older.verify(func(d *audit.Deps) { d.Brought = []audit.Brought{{Checkpoint: kept, Whose: "kept.txt"}} })
	want := fmt.Sprintf("the checkpoint (kept.txt) covers %d events, and the log has %d: the last 10 are missing", kept.Size, kept.Size-10)
	if !anyOf(rep, audit.CheckTree, want) {
		t.Errorf("want %q, found %+v", want, rep.Findings)
	}
}

// Formance v3 alpha replays and compares every projection but proves no single
// entry: here both, each event's proof against the signed head alone.
func TestPeerHoleEveryEntryIsProvable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	rep := w.verify(scratch(t))
	if !rep.OK() || !rep.Rows.Full || rep.Checks[audit.CheckRows].Checked < 20 {
		t.Fatalf("%+v %+v", rep.Rows, rep.Findings)
	}
	head, tree := w.checkpoint(), w.deps().Tree
	proven := 0
	_, err := audit.Replay(t.Context(), w.events, audit.ReplayFilter{}, func(r eventstore.Recorded) error {
		e, err := ledger.Decode(r)
		must(t, err)
		leaf, err := tree.ByPosition(r.Position, head.Size)
		must(t, err)
		path, err := tree.Inclusion(head.Checkpoint, leaf.Index, head.Size)
		must(t, err)
		hash := eventstore.LeafHashSealed(r.Stream, r.Revision, r.Event, r.SealedHash)
		must(t, tamperlog.CheckInclusion(head.Checkpoint, leaf.Index, hash, path))
		proven += len(domain.PostingsOf(e.Fact))
		hash[0] ^= 1
		if tamperlog.CheckInclusion(head.Checkpoint, leaf.Index, hash, path) == nil {
			t.Errorf("another event is proven at position %s, too", r.Position)
		}
		return nil
	}, nil)
	must(t, err)
	digest, err := w.rows.Digest(t.Context())
	must(t, err)
	if int64(proven) != int64(digest.Entries) || proven < 20 {
		t.Errorf("%d of %d entries are proven", proven, digest.Entries)
	}
}
