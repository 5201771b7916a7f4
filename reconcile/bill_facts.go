package reconcile

import (
	"maps"
	"slices"

	"counterfoil/domain"
	"counterfoil/operations"
)

// factsOf are the facts of a run by the book day whose stream they belong to:
// that of a difference is the day that first showed it.
func factsOf(run operations.BillRun, changes []operations.Discrepancy) map[domain.Day][]domain.Fact {
	out := map[domain.Day][]domain.Fact{run.Day: {comparedFact(run)}}
	for _, d := range changes {
		out[d.Day] = append(out[d.Day], DifferedFact(d))
	}
	return out
}

func comparedFact(r operations.BillRun) domain.ReconciliationCompared {
	f := domain.ReconciliationCompared{
		Run: r.ID, Channel: r.Channel, Day: r.Day, Bill: r.Bill, Import: r.Import, SHA256: r.SHA256, Size: int(r.Size),
		Empty: r.Empty, Final: r.Final, Ours: int(r.OurLines), Theirs: int(r.TheirLines), Matched: int(r.Matched),
		Waiting: int(r.Waiting), Settled: int(r.Settled), Tolerated: int(r.ToleratedFees + r.ToleratedTimes),
		Differing: int(r.Differing), Healed: int(r.Healed), Balances: r.Balances,
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		f.Kinds = append(f.Kinds, domain.KindCount{Kind: kind, Count: int(r.Kinds[kind])})
	}
	for _, t := range r.Totals {
		f.Totals = append(f.Totals, domain.ComparedTotal{
			OurPayments: t.OurPayments, TheirPayments: t.TheirPayments, OurRefunds: t.OurRefunds, TheirRefunds: t.TheirRefunds,
			Fees: t.Fees, Tolerated: t.Tolerated,
		})
	}
	return f
}

// DifferedFact is the fact that a discrepancy was found or resolved; what people
// said of it stands in facts of its own.
func DifferedFact(d operations.Discrepancy) domain.ReconciliationDiffered {
	f := domain.ReconciliationDiffered{
		Discrepancy: d.ID, Kind: d.Kind, Line: d.Item.Kind, OrderNo: d.OrderNo, TradeNo: d.Item.TradeNo, Ref: d.Item.Ref,
		Ours: d.Ours, Theirs: d.Theirs, By: d.SeenRun,
	}
	if d.State == operations.DiscrepancyResolved {
		f.Resolved, f.How, f.By = true, d.Resolution, d.ResolvedBy
	}
	return f
}
