package alerts

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"counterfoil/operations"
)

const (
	// billWeek is how far back bills are looked at.
	billWeek = 8 * 24 * time.Hour
	// billLate is how long a bill may be late before a person should know: the
	// slowest provider makes it within half a day.
	billLate = 12 * time.Hour
)

// oneBill is the bill of one channel's day.
type oneBill struct{ channel, bill, day string }

// bills finds bills whose comparison gets nowhere: incomplete for half a day, or
// stopped by what only a person can decide. One alert a channel.
func (w *Watch) bills(ctx context.Context) ([]Alert, error) {
	if w.Bills == nil {
		return nil, nil
	}
	runs, err := w.Bills.BillRuns(ctx, operations.BillRunFilter{Limit: 1000})
	if err != nil {
		return nil, fmt.Errorf("find bill runs: %w", err)
	}
	newest, since, well := map[oneBill]operations.BillRun{}, map[oneBill]time.Time{}, map[oneBill]bool{}
	for _, r := range runs { // newest first
		b := oneBill{string(r.Channel), r.Bill, string(r.Day)}
		if _, seen := newest[b]; !seen {
			newest[b] = r
		}
		well[b] = well[b] || r.State != operations.RunIncomplete
		if !well[b] {
			since[b] = r.StartedAt
		}
	}
	stuck := map[string]Alert{}
	for _, b := range slices.SortedFunc(maps.Keys(since), compareBills) {
		r := newest[b]
		person := r.Cause == operations.CauseTooMany || r.Cause == operations.CauseBillDoubled
		if age := w.Clock().Sub(since[b]); age > billWeek || !person && age < billLate {
			continue
		}
		if _, told := stuck[b.channel]; !told {
			stuck[b.channel] = Alert{Kind: "bill", Channel: b.channel, Since: since[b], Text: fmt.Sprintf(
				"The bill of %s could not be compared (%s), see `counterfoil reconcile bills --state incomplete`. "+
					"对账单无法核对（%s），请人工查看。", b.day, r.Cause, b.day)}
		}
	}
	return slices.SortedFunc(maps.Values(stuck), compareAlerts), nil
}

func compareBills(a, b oneBill) int {
	return cmp.Or(cmp.Compare(a.channel, b.channel), cmp.Compare(a.day, b.day), cmp.Compare(a.bill, b.bill))
}

func compareAlerts(a, b Alert) int { return cmp.Compare(a.Channel, b.Channel) }

// discrepancies finds differences that wait for a person. One alert a channel,
// since the oldest of them.
func (w *Watch) discrepancies(ctx context.Context) ([]Alert, error) {
	if w.Bills == nil {
		return nil, nil
	}
	rows, err := w.Bills.Discrepancies(ctx, operations.DiscrepancyFilter{State: operations.DiscrepancyOpen, Limit: 1000})
	if err != nil {
		return nil, fmt.Errorf("find open discrepancies: %w", err)
	}
	open, since := map[string]int{}, map[string]time.Time{}
	for _, d := range rows { // newest first
		open[string(d.Channel)]++
		since[string(d.Channel)] = d.FoundAt
	}
	var out []Alert
	for _, ch := range slices.Sorted(maps.Keys(open)) {
		out = append(out, Alert{Kind: "discrepancies", Channel: ch, Since: since[ch], Text: fmt.Sprintf(
			"%d differences between the books and the provider's bills are open, see `counterfoil discrepancies list --state open`. "+
				"账实不符 %d 笔待处理。", open[ch], open[ch])})
	}
	return out, nil
}
