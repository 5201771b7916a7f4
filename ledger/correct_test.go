package ledger

import (
	"context"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// unspent: nothing was approved today.
func unspent(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }

func allocation(by string) domain.Correction {
	return domain.Correction{Action: domain.ActionAllocate, TradeNo: "T1", Account: bob, Reason: "ticket 12", By: by}
}

// proposed is a world with parked money that li wants to go to bob.
func proposed(t *testing.T) (*world, *Ledger, domain.ID) {
	t.Helper()
	w := parallel(t)
	l := w.process(t)
	must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeParked)
	p, r, err := l.Propose(context.Background(), main, "A1", allocation("li"), unspent, desk)
	if err != nil || r.Position == 0 {
		t.Fatalf("propose: position %d, %v", r.Position, err)
	}
	return w, l, p.ID()
}

func allocations(t *testing.T, w *world) int {
	t.Helper()
	return checkLog(t, w).count(domain.PaymentStream(main, "A1"), domain.TypePaymentAllocated)
}

// TestCorrection: parked money finds a wallet, by two people, once.
func TestCorrection(t *testing.T) {
	w, l, id := proposed(t)
	ctx := context.Background()
	again, r, err := l.Propose(ctx, main, "A1", allocation("li"), unspent, desk)
	if err != nil || again.ID() != id || r.Position != 0 {
		t.Errorf("proposed again: %v at %d, %v", again.ID(), r.Position, err)
	}
	_, err = l.Approve(ctx, main, "A1", id, "li", "", unspent, desk)
	wantKind(t, err, domain.KindDenied)
	_, err = l.Approve(ctx, main, "A2", id, "wang", "", unspent, desk)
	wantKind(t, err, domain.KindNotFound)
	for range 2 {
		if r, err = l.Approve(ctx, main, "A1", id, "wang", "", unspent, desk); err != nil {
			t.Fatal(err)
		}
	}
	if r.Position != 0 {
		t.Error("the second approval appended something")
	}
	_, err = l.Reject(ctx, main, "A1", id, "zhao", "too late", desk)
	wantKind(t, err, domain.KindConflict)
	if got := allocations(t, w); got != 1 {
		t.Errorf("%d allocations", got)
	}
}

// A rejected correction moves nothing.
func TestRejection(t *testing.T) {
	w, l, id := proposed(t)
	if _, err := l.Reject(context.Background(), main, "A1", id, "wang", "no receipt", desk); err != nil {
		t.Fatal(err)
	}
	_, err := l.Approve(context.Background(), main, "A1", id, "zhao", "", unspent, desk)
	wantKind(t, err, domain.KindConflict)
	if got := allocations(t, w); got != 0 {
		t.Errorf("%d allocations", got)
	}
}

// TestApprovalRace: of two people in two processes who approve and reject at
// once, one is told that it was decided.
func TestApprovalRace(t *testing.T) {
	w, one, id := proposed(t)
	two := w.process(t)
	must(t, two, w.callback(2, main, "A1", "T1", ten), domain.OutcomeRepeated) // it has the fold in memory
	ctx := context.Background()
	w.log.Before(func(domain.Stream, []eventstore.Event) {
		w.log.Before(nil)
		if _, err := two.Approve(ctx, main, "A1", id, "zhao", "", unspent, desk); err != nil {
			t.Errorf("the first approval: %v", err)
		}
	})
	_, err := one.Approve(ctx, main, "A1", id, "wang", "", unspent, desk)
	wantKind(t, err, domain.KindConflict)
	_, err = one.Reject(ctx, main, "A1", id, "wang", "no", desk)
	wantKind(t, err, domain.KindConflict)
	if got := allocations(t, w); got != 1 {
		t.Errorf("%d allocations", got)
	}
}

// Many who ask at once make one proposal.
func TestProposalRace(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	must(t, ledgers[0], w.callback(1, main, "A1", "T1", ten), domain.OutcomeParked)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, _, err := ledgers[i%2].Propose(context.Background(), main, "A1", allocation("li"), unspent, desk); err != nil {
				t.Errorf("propose: %v", err)
			}
		})
	}
	wg.Wait()
	if got := checkLog(t, w).count(domain.PaymentStream(main, "A1"), domain.TypeCorrectionProposed); got != 1 {
		t.Errorf("%d proposals", got)
	}
}
