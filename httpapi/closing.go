package httpapi

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
)

// maxNamed is how many open differences a period's facts name; all are counted.
const maxNamed = 100

// closeBasis gathers what stands when a period is to be closed, as of all that
// the log holds at the call.
func (s *Server) closeBasis(period string) ledger.Basis {
	return func(ctx context.Context) (b domain.CloseBasis, err error) {
		head, err := s.Log.Head(ctx)
		if err == nil {
			err = s.Rows.Wait(ctx, head)
		}
		if err != nil {
			return b, err
		}
		if b, err = s.periodTotals(ctx, period); err != nil {
			return b, err
		}
		if b.Incomplete, err = s.incompleteRuns(ctx, period); err != nil {
			return b, err
		}
		b.Exceptions, b.Open, err = s.exceptionsOf(ctx, period, b.Totals)
		return b, err
	}
}

// periodTotals are the totals of a period with their place in the log.
func (s *Server) periodTotals(ctx context.Context, period string) (b domain.CloseBasis, err error) {
	t, err := s.Rows.Trial(ctx, projections.TrialFilter{Period: period})
	if err != nil {
		return b, err
	}
	b.Totals, b.First, b.Events = t.Totals(), t.First, uint64(t.Events) // a count
	if s.Tree == nil {
		return b, nil
	}
	if head, err := s.Tree.Checkpoint(); err == nil && head.Size > 0 { // a tree that cannot be read now is missing in the fact, no more
		b.Root, b.Tree = hex.EncodeToString(head.Root[:]), head.Size
	}
	return b, nil
}

// incompleteRuns names the bills of a period's days that were not compared
// whole, in order: all that a channel's days are compared with by its settings,
// and others where a comparison of them was begun.
func (s *Server) incompleteRuns(ctx context.Context, period string) ([]domain.PeriodException, error) {
	var out []domain.PeriodException
	for _, id := range slices.Sorted(maps.Keys(s.Channels)) {
		some, err := s.incompleteOf(ctx, id, period)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// runOf names the comparisons of one bill.
type runOf struct {
	day  domain.Day
	bill string
}

func (s *Server) incompleteOf(ctx context.Context, id domain.ChannelID, period string) ([]domain.PeriodException, error) {
	from, to := domain.Day(period+"-01"), domain.Day(domain.NextPeriod(period)+"-01").Add(-1)
	what, err := s.runStates(ctx, id, from, to)
	if err != nil {
		return nil, err
	}
	if err := s.uncompared(ctx, id, from, to, what); err != nil {
		return nil, err
	}
	var out []domain.PeriodException
	for of, why := range what {
		if why != "" {
			out = append(out, domain.PeriodException{Name: "run:" + string(id) + ":" + string(of.day) + ":" + of.bill, What: why})
		}
	}
	slices.SortFunc(out, func(a, b domain.PeriodException) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// uncompared adds the bills that each day must have been compared with, and of
// which no comparison was begun.
func (s *Server) uncompared(ctx context.Context, id domain.ChannelID, from, to domain.Day, what map[runOf]string) error {
	if s.BillsOf == nil {
		return nil
	}
	bills := s.BillsOf(id)
	if len(bills) == 0 {
		return nil
	}
	since, err := s.firstDay(ctx, id)
	if err != nil {
		return err
	}
	for _, bill := range bills {
		for day := max(from, since); day <= to; day = day.Add(1) {
			if _, begun := what[runOf{day, bill}]; !begun {
				what[runOf{day, bill}] = "not compared"
			}
		}
	}
	return nil
}

// runStates says of each bill that was begun why it is not complete; empty for
// one that is.
func (s *Server) runStates(ctx context.Context, id domain.ChannelID, from, to domain.Day) (map[runOf]string, error) {
	bills := map[runOf]billState{}
	err := s.billRuns(ctx, operations.BillRunFilter{Channel: id, From: from, To: to}, func(r operations.BillRun) {
		of := runOf{r.Day, r.Bill}
		b, begun := bills[of]
		if !begun {
			b.trouble = runTrouble(r)
		}
		bills[of] = b.before(r)
	})
	what := make(map[runOf]string, len(bills))
	for of, b := range bills {
		what[of] = b.trouble
	}
	return what, err
}

// billState is what the runs of one bill say, the newest first.
type billState struct {
	trouble string // of the newest run; empty when the bill is compared
	had     string // SHA-256 of the bill that came last
	decided bool   // by the last complete run: older ones say nothing
}

// before is b with the next older run. A complete one decides: what it compared
// stands, also where the bill was fetched again in vain, unless another one came
// since.
func (b billState) before(r operations.BillRun) billState {
	if b.decided {
		return b
	}
	if b.had == "" {
		b.had = r.SHA256
	}
	if b.decided = r.State == operations.RunComplete; b.decided && b.had == r.SHA256 {
		b.trouble = ""
	}
	return b
}

// billRuns calls do with each run that matches, the newest first.
func (s *Server) billRuns(ctx context.Context, f operations.BillRunFilter, do func(operations.BillRun)) error {
	f.Limit = pageRows
	for {
		runs, err := s.Bills.BillRuns(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range runs {
			do(r)
		}
		if len(runs) < f.Limit {
			return nil
		}
		f.Before = runs[len(runs)-1].Seq
	}
}

// pageRows is how many rows are read at once for sums.
const pageRows = 1000

func runTrouble(r operations.BillRun) string {
	switch {
	case r.State == operations.RunComplete:
		return ""
	case r.Cause != "":
		return string(r.Cause)
	}
	return string(r.State)
}

// firstDay is the first whole day of a channel in these books: bills up to then
// tell of money that they never saw.
func (s *Server) firstDay(ctx context.Context, id domain.ChannelID) (domain.Day, error) {
	events, err := s.Log.ReadStream(ctx, domain.ChannelStream(id), eventstore.ReadOptions{Limit: 1})
	if err != nil {
		return "", err
	}
	first, err := ledger.Decode(events[0])
	if err != nil {
		return "", err
	}
	zone, err := time.LoadLocation(s.Channels[id].Config().Zone)
	if err != nil {
		return "", domain.E(domain.KindInternal, "zone of channel %s: %w", id, err)
	}
	return domain.DayOf(first.Meta.RecordedAt, zone).Add(1), nil
}

// exceptionsOf counts what is open at the end of a period, and names the first:
// balances that are not the provider's, then differences.
func (s *Server) exceptionsOf(ctx context.Context, period string, totals []domain.PeriodTotal) (int, []domain.PeriodException, error) {
	unequal, err := s.unequalBalances(ctx, period, totals)
	if err != nil {
		return 0, nil, err
	}
	count, named, err := s.openDifferences(ctx, period)
	all := append(unequal, named...)
	return count + len(unequal), all[:min(len(all), maxNamed)], err
}

// openDifferences counts the differences up to a period's end that nobody has
// resolved, and names the first of them.
func (s *Server) openDifferences(ctx context.Context, period string) (count int, named []domain.PeriodException, err error) {
	next := domain.Day(domain.NextPeriod(period) + "-01")
	f := operations.DiscrepancyFilter{State: operations.DiscrepancyOpen, Limit: pageRows}
	for {
		rows, err := s.Bills.Discrepancies(ctx, f)
		if err != nil {
			return 0, nil, err
		}
		for _, d := range rows {
			if d.Day >= next {
				continue
			}
			if count++; len(named) < maxNamed {
				named = append(named, domain.PeriodException{Name: "discrepancy:" + d.ID.String(), What: string(d.Kind), Amount: d.Delta})
			}
		}
		if len(rows) < f.Limit {
			return count, named, nil
		}
		f.Before = rows[len(rows)-1].Seq
	}
}
