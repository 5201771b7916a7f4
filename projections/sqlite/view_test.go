package sqlite

import (
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

func touching(from, to eventstore.Position, wallets ...domain.AccountID) projections.Changes {
	c := projections.Changes{From: projections.Checkpoint{Position: from}, To: projections.Checkpoint{Position: to}}
	for _, w := range wallets {
		c.Ledgers = append(c.Ledgers, &projections.LedgerRow{LedgerKey: projections.LedgerKey{Book: domain.BookWallet, Wallet: w}})
	}
	return c
}

// TestViewForgetsBeforeItMoves plays the meetings of readers and commits one
// step at a time.
func TestViewForgetsBeforeItMoves(t *testing.T) {
	t.Parallel()
	v := newView(1000)
	v.moveTo(10)
	_, _, before, _ := v.get("alice")
	v.keep("alice", kept{since: 10}, before)
	v.committed(touching(10, 20, "bob"))
	if _, at, _, ok := v.get("alice"); !ok || at != 20 {
		t.Errorf("an untouched account: kept %v, holds for %d, want 20", ok, at)
	}
	// A reader asked the file before a commit and comes back after it.
	_, _, slow, _ := v.get("carol")
	v.committed(touching(20, 30, "alice", "carol"))
	v.keep("carol", kept{since: 20}, slow)
	if _, _, _, ok := v.get("carol"); ok {
		t.Error("an answer from before the commit was kept behind it")
	}
	if _, _, _, ok := v.get("alice"); ok {
		t.Error("a touched account was not forgotten")
	}
	// A reader asked the file after a commit that the view does not know yet.
	_, _, fast, _ := v.get("dave")
	v.keep("dave", kept{since: 40}, fast)
	if _, at, _, ok := v.get("dave"); !ok || at != 40 {
		t.Errorf("a newer answer: kept %v, holds for %d, want 40", ok, at)
	}
	// Commits from elsewhere lie between ours: nothing kept can be trusted.
	v.committed(touching(40, 50, "bob"))
	if _, _, _, ok := v.get("dave"); ok || v.position() != 50 {
		t.Errorf("kept over an unseen commit, at %d", v.position())
	}
}
