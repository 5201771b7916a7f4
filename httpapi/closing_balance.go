package httpapi

import (
	"context"
	"maps"
	"slices"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// unequalBalances names the providers' accounts whose balance at the end of a
// period, as the fund flow's lines state it, is not what our own book holds. A
// flow that was not compared to the end of the period says nothing, nor one that
// states no balances.
func (s *Server) unequalBalances(ctx context.Context, period string, totals []domain.PeriodTotal) ([]domain.PeriodException, error) {
	var out []domain.PeriodException
	for _, id := range slices.Sorted(maps.Keys(s.Channels)) {
		if s.BillsOf == nil || !slices.Contains(s.BillsOf(id), string(providers.BillFunds)) {
			continue
		}
		last, err := s.lastBalances(ctx, id, period)
		if err != nil {
			return nil, err
		}
		for _, b := range last {
			ours := heldAtEnd(totals, domain.BookPSP(id), b.Currency)
			if ours == b.Closing {
				continue
			}
			x := domain.PeriodException{
				Name: "balance:" + string(id) + ":" + string(b.Currency),
				What: "the fund flow ends with " + b.Closing.String() + ", the book with " + ours.String(),
			}
			if off, err := b.Closing.Sub(ours); err == nil { // else it is beyond the range of money, and both sides are told
				x.Amount = off
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// lastBalances are the balances with which a channel's fund flows end a period:
// of each currency those of the last day that moved it. None where a day behind
// that was not compared whole.
func (s *Server) lastBalances(ctx context.Context, id domain.ChannelID, period string) ([]domain.BillBalance, error) {
	from, to := domain.Day(period+"-01"), domain.Day(domain.NextPeriod(period)+"-01").Add(-1)
	compared := map[domain.Day]operations.BillRun{}
	f := operations.BillRunFilter{Channel: id, Bill: string(providers.BillFunds), From: from, To: to, State: operations.RunComplete}
	err := s.billRuns(ctx, f, func(r operations.BillRun) {
		if _, newer := compared[r.Day]; !newer {
			compared[r.Day] = r
		}
	})
	if err != nil {
		return nil, err
	}
	var out []domain.BillBalance
	for day := to; day >= from; day = day.Add(-1) {
		r, whole := compared[day]
		if !whole {
			break
		}
		for _, b := range r.Balances {
			if !slices.ContainsFunc(out, func(later domain.BillBalance) bool { return later.Currency == b.Currency }) {
				out = append(out, b)
			}
		}
	}
	return out, nil
}

// heldAtEnd is what a book holds in a currency at the end of a period.
func heldAtEnd(totals []domain.PeriodTotal, book string, cur domain.Currency) domain.Money {
	i := slices.IndexFunc(totals, func(t domain.PeriodTotal) bool { return t.Book == book && t.Closing.Currency() == cur })
	if i < 0 {
		return domain.NewMoney(0, cur)
	}
	return totals[i].Closing
}
