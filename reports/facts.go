package reports

import (
	"strings"

	"counterfoil/domain"
	"counterfoil/projections"
)

// tell folds what facts say beside the money they move: comparisons,
// differences, corrections.
func (f *folding) tell(e Event) {
	switch fact := e.Fact.(type) {
	case domain.ReconciliationCompared:
		f.compared(e, fact)
	case domain.ReconciliationDiffered:
		f.differed(e, fact)
	case domain.DiscrepancyFound:
		f.diffs[e.ID] = &Difference{
			ID: e.ID, Kind: fact.Kind, Channel: projections.ChannelOf(e.Stream), Day: domain.DayOf(e.Recorded, f.Zone), Line: domain.LinePayment,
			OrderNo: orderOf(e), TradeNo: fact.TradeNo, Theirs: fact.Amount, FoundAt: e.Recorded, FoundBy: fact.Run, Open: true,
		}
	case domain.CorrectionProposed:
		f.proposed(e, fact)
	case domain.CorrectionSeconded:
		if c := f.asked[fact.Proposal]; c != nil {
			c.SecondedBy = fact.By
		}
	case domain.CorrectionApproved:
		f.decided(e, fact.Proposal, domain.ProposalIssued, fact.By, fact.Reason)
	case domain.CorrectionRejected:
		f.decided(e, fact.Proposal, domain.ProposalRejected, fact.By, fact.Reason)
	case domain.CorrectionIssued:
		f.issued(e, fact)
	default: // moves money or settings only
	}
}

// compared notes a comparison of the scope. A later import of the same bill
// takes the place of the earlier one.
func (f *folding) compared(e Event, c domain.ReconciliationCompared) {
	if f.Scope.where(c.Day) != 0 || f.Scope.Run != "" && f.Scope.Run != c.Run {
		return
	}
	for i := range f.r.Runs {
		if was := &f.r.Runs[i]; was.Channel == c.Channel && was.Day == c.Day && was.Bill == c.Bill {
			was.Newest = false
		}
	}
	f.r.Runs = append(f.r.Runs, Run{
		ID: c.Run, Channel: c.Channel, Day: c.Day, Bill: c.Bill, Import: c.Import, At: e.Recorded, Newest: true, Ours: c.Ours,
		Theirs: c.Theirs, Matched: c.Matched, Waiting: c.Waiting, Settled: c.Settled, Tolerated: c.Tolerated,
		Differing: c.Differing, Healed: c.Healed, Totals: c.Totals, Kinds: c.Kinds, Balances: c.Balances, SHA256: c.SHA256, Size: c.Size,
		Position: e.Position,
	})
}

// differed opens a difference or closes it.
func (f *folding) differed(e Event, fact domain.ReconciliationDiffered) {
	d := f.diffs[fact.Discrepancy]
	if d == nil {
		_, day, _ := strings.Cut(string(e.Stream), ":")
		d = &Difference{
			ID: fact.Discrepancy, Kind: fact.Kind, Channel: projections.ChannelOf(e.Stream), Day: domain.Day(day), FoundAt: e.Recorded, FoundBy: fact.By,
		}
		f.diffs[fact.Discrepancy] = d
	}
	d.Line, d.OrderNo, d.TradeNo, d.Ref, d.Ours, d.Theirs = fact.Line, fact.OrderNo, fact.TradeNo, fact.Ref, fact.Ours, fact.Theirs
	d.Open = !fact.Resolved
	if fact.Resolved {
		d.ResolvedAt, d.ResolvedBy, d.How = e.Recorded, fact.By, fact.How
	}
}

func (f *folding) proposed(e Event, p domain.CorrectionProposed) {
	c := &Correction{
		Event: e.ID, Action: string(p.Action), State: domain.ProposalOpen, Channel: projections.ChannelOf(e.Stream), OrderNo: orderOf(e), TradeNo: p.TradeNo,
		Account: p.Account, From: p.From, Amount: p.Amount, ProposedBy: p.By, ProposedAt: e.Recorded, Reason: p.Reason, proposal: p.Proposal,
	}
	f.asked[p.Proposal] = c
	f.fixes = append(f.fixes, c)
}

func (f *folding) decided(e Event, proposal domain.ID, s domain.ProposalState, by, words string) {
	if c := f.asked[proposal]; c != nil {
		c.State, c.DecidedBy, c.DecidedAt, c.Words = s, by, e.Recorded, words
	}
}

// issued closes the difference that was put right. A heal is a correction of
// its own; what people decided is there already.
func (f *folding) issued(e Event, fact domain.CorrectionIssued) {
	if d := f.diffs[fact.Corrects]; d != nil && d.Open {
		d.Open, d.ResolvedAt, d.ResolvedBy, d.How = false, e.Recorded, fact.Run, fact.Reason
	}
	if !fact.Proposal.IsZero() {
		return
	}
	c := &Correction{
		Event: e.ID, Action: "heal", State: domain.ProposalIssued, Auto: fact.Auto, Channel: projections.ChannelOf(e.Stream), OrderNo: orderOf(e),
		TradeNo: fact.TradeNo, Account: fact.Account, Amount: fact.Amount, ProposedBy: fact.Run, ProposedAt: e.Recorded, Reason: fact.Reason,
	}
	if b := f.credit; b.Event == fact.By {
		for _, p := range b.Postings {
			if p.Book == domain.BookWallet {
				c.Account, c.Amount = p.Wallet, p.Amount.Neg()
			}
		}
	}
	f.fixes = append(f.fixes, c)
}
