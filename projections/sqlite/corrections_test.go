package sqlite

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// TestCorrections: a proposal has one row that tells its end, on every page
// size and for pages that hold proposal and end together.
func TestCorrections(t *testing.T) {
	t.Parallel()
	l := newLog()
	ask := func(n byte, trade, by string) domain.CorrectionProposed {
		return domain.CorrectionProposed{
			Proposal: domain.NewV5(domain.ID{n}, "proposal"), Action: domain.ActionMove, TradeNo: trade, Account: "bob", From: "alice",
			Amount: cny(100), Reason: "ticket", By: by,
		}
	}
	s, odd := domain.PaymentStream("a", "1"), domain.PaymentStreamRaw("b", "no order")
	one, two, three := ask(1, "T1", "li"), ask(2, "T1", "li"), ask(3, "T2", "zhao")
	l.add(t, s, placed("a", "1", "alice", cny(100)), l.credited("a", "T1", "alice", cny(100)), one)
	l.at = l.at.Add(time.Hour)
	l.add(t, s, domain.CorrectionRejected{Proposal: one.Proposal, By: "wang", Reason: "no"}, two)
	l.at = l.at.Add(time.Hour)
	approved := l.at
	l.add(t, s, domain.CorrectionApproved{Proposal: two.Proposal, By: "wang"})
	l.add(t, odd, l.notified("b", "no order", "T2", cny(100), domain.OutcomeParked), three)
	for _, page := range []int{1, 3, 100} {
		d := openDB(t, path(t))
		fold(t, l, d, page)
		ctx := t.Context()
		all, err := d.Corrections(ctx, projections.CorrectionFilter{})
		if err != nil || len(all) != 3 {
			t.Fatalf("page %d: %d rows, %v", page, len(all), err)
		}
		if got := all[0]; got.Ask != three || got.OrderNo != "no order" || got.Channel != "b" || got.State != domain.ProposalOpen {
			t.Errorf("the open one is %+v", got)
		}
		if got := all[1]; got.State != domain.ProposalIssued || got.DecidedBy != "wang" || !got.DecidedAt.Equal(approved) {
			t.Errorf("the approved one is %+v", got)
		}
		if got := all[2]; got.State != domain.ProposalRejected || got.Reason != "no" || got.Ask != one {
			t.Errorf("the rejected one is %+v", got)
		}
		for _, c := range []struct {
			f    projections.CorrectionFilter
			want int
		}{
			{projections.CorrectionFilter{Channel: "a"}, 2},
			{projections.CorrectionFilter{State: domain.ProposalOpen}, 1},
			{projections.CorrectionFilter{Before: all[1].Position}, 1},
			{projections.CorrectionFilter{Limit: 2}, 2},
		} {
			if rows, err := d.Corrections(ctx, c.f); err != nil || len(rows) != c.want {
				t.Errorf("%+v: %d rows, %v", c.f, len(rows), err)
			}
		}
		if got, err := d.Correction(ctx, two.Proposal); err != nil || got.Ask != two {
			t.Errorf("by id: %+v, %v", got, err)
		}
		if _, err := d.Correction(ctx, domain.ID{9}); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("unknown id: %v", err)
		}
		for at, want := range map[time.Time]int{approved: 1, approved.Add(time.Second): 0} {
			if rows, err := d.ApprovedSince(ctx, "a", at); err != nil || len(rows) != want {
				t.Errorf("approved since %s: %d, %v", at, len(rows), err)
			}
		}
	}
}
