package operationstest

import (
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/operations"
)

// RunBills runs the suite of operations.Bills, for stores that keep them.
func RunBills(t *testing.T, fresh func(t *testing.T) Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, operations.Bills){
		"runs are replaced by their id":      testBillRuns,
		"a bill is closed as one":            testCloseBill,
		"found again is the same row":        testSeenAgain,
		"what a run does not see any more":   testNotSeen,
		"a person's word stays":              testPersonResolves,
		"the first of two persons asks":      testPersonAsks,
		"a word is about what it saw":        testWordGoes,
		"discrepancies are found by filters": testDiscrepancyFilters,
		"what waits is found on a later day": testCarried,
		"lists go on behind their cursor":    testBillCursors,
		"what is wrong is refused":           testBillRefusals,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := one(t, fresh(t))
			bills, ok := s.(operations.Bills)
			if !ok {
				t.Fatalf("%T keeps no bills", s)
			}
			test(t, bills)
		})
	}
}

const (
	billChannel domain.ChannelID = "wechat-a"
	billDay     domain.Day       = "2026-03-13"
)

func billRun(id string, day domain.Day) operations.BillRun {
	return operations.BillRun{
		ID: id, Channel: billChannel, Day: day, Bill: "trade", Holder: "one", State: operations.RunComplete,
		StartedAt: noon, EndedAt: noon, SHA256: "ab", Size: 7, Import: 1, Matched: 3, Differing: 1,
		Kinds: map[domain.DiscrepancyKind]int64{domain.OnlyOurs: 1}, //nolint:exhaustive // counts of a run, not a table
		Totals: []operations.BillTotal{{
			Currency: domain.CNY, OurPayments: domain.NewMoney(730, domain.CNY), TheirPayments: domain.NewMoney(0, domain.CNY),
			OurRefunds: domain.NewMoney(0, domain.CNY), TheirRefunds: domain.NewMoney(0, domain.CNY), Fees: "0.04", Tolerated: "0",
		}},
	}
}

func discrepancy(trade string, kind domain.DiscrepancyKind, day domain.Day) operations.Discrepancy {
	return operations.Discrepancy{
		ID: domain.NewV5(domain.ID{7}, trade, string(kind)), Channel: billChannel, Day: day, Bill: "trade", Kind: kind,
		State: operations.DiscrepancyOpen, Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: trade}, OrderNo: "o" + trade,
		Ours: domain.NewMoney(730, domain.CNY), OurState: "credited", OurDay: day, FoundRun: "r1", FoundAt: noon, SeenRun: "r1", SeenAt: noon,
	}
}

func waiting(trade string, day domain.Day) operations.Carried {
	return operations.Carried{Channel: billChannel, Bill: "trade", Line: domain.OurLine{
		Kind: domain.LinePayment, TradeNo: trade, OrderNo: "o" + trade, Amount: domain.NewMoney(730, domain.CNY),
		State: domain.TradeCredited, ValueDate: day, At: noon, Position: 9, Since: day,
	}}
}

func testBillRuns(t *testing.T, s operations.Bills) {
	ctx := t.Context()
	r := billRun("r1", billDay)
	r.State, r.Cause, r.Note = operations.RunRunning, "", ""
	noError(t, s.PutBillRun(ctx, r), "put")
	r.State, r.Cause, r.Note = operations.RunIncomplete, operations.CauseBillMissing, "come again"
	noError(t, s.PutBillRun(ctx, r), "put again")
	got, err := s.BillRun(ctx, "r1")
	noError(t, err, "read")
	if got.State != r.State || got.Cause != r.Cause || got.Kinds[domain.OnlyOurs] != 1 || len(got.Totals) != 1 || !got.EndedAt.Equal(noon) {
		t.Errorf("read back %+v", got)
	}
	all, err := s.BillRuns(ctx, operations.BillRunFilter{Limit: 10})
	noError(t, err, "list")
	if len(all) != 1 {
		t.Errorf("%d runs, want the one that was put twice", len(all))
	}
}

func closed(t *testing.T, s operations.Bills, r operations.BillResult) {
	t.Helper()
	before := map[domain.ID]operations.DiscrepancyState{}
	for _, d := range all(t, s) {
		before[d.ID] = d.State
	}
	changes, err := s.BillChanges(t.Context(), r)
	noError(t, err, "plan "+r.Run.ID)
	if got := all(t, s); len(got) != len(before) {
		t.Errorf("planning %s wrote", r.Run.ID)
	}
	defer func() {
		want := map[domain.ID]operations.DiscrepancyState{}
		for _, d := range all(t, s) {
			if before[d.ID] != d.State {
				want[d.ID] = d.State
			}
		}
		for _, d := range changes {
			if want[d.ID] != d.State {
				t.Errorf("%s was to change %s %s to %s", r.Run.ID, d.Kind, d.Item.TradeNo, d.State)
			}
			delete(want, d.ID)
		}
		if len(want) > 0 {
			t.Errorf("%s changed what it did not plan: %v", r.Run.ID, want)
		}
	}()
	noError(t, s.CloseBill(t.Context(), r), "close "+r.Run.ID)
}

func all(t *testing.T, s operations.Bills) []operations.Discrepancy {
	t.Helper()
	rows, err := s.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 1000})
	noError(t, err, "list discrepancies")
	return rows
}

func state(t *testing.T, s operations.Bills, id domain.ID) operations.Discrepancy {
	t.Helper()
	d, err := s.Discrepancy(t.Context(), id)
	noError(t, err, "read discrepancy")
	return d
}

func testCloseBill(t *testing.T, s operations.Bills) {
	d := discrepancy("T1", domain.AmountMismatch, billDay)
	d.Theirs, d.Delta, d.At, d.Row, d.Note = domain.NewMoney(731, domain.CNY), domain.NewMoney(1, domain.CNY), noon, 7, "note"
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: []operations.Discrepancy{d}})
	got := state(t, s, d.ID)
	if d.Seq = got.Seq; got != d || got.Seq == 0 {
		t.Errorf("read back %+v, want %+v", got, d)
	}
}

func testSeenAgain(t *testing.T, s operations.Bills) {
	d := discrepancy("T1", domain.OnlyOurs, billDay)
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: []operations.Discrepancy{d}})
	next := d
	next.Day, next.FoundRun, next.SeenRun, next.SeenAt = billDay.Add(1), "r2", "r2", noon.Add(1)
	closed(t, s, operations.BillResult{Run: billRun("r2", billDay.Add(1)), Found: []operations.Discrepancy{next}})
	got := state(t, s, d.ID)
	if got.Day != billDay || got.FoundRun != "r1" || got.SeenRun != "r2" || got.State != operations.DiscrepancyOpen {
		t.Errorf("%+v", got)
	}
	all, err := s.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 10})
	noError(t, err, "list")
	if len(all) != 1 {
		t.Errorf("%d rows", len(all))
	}
}

func testNotSeen(t *testing.T, s operations.Bills) {
	a, b := discrepancy("T1", domain.AmountMismatch, billDay), discrepancy("T2", domain.AmountMismatch, billDay)
	other := discrepancy("T3", domain.AmountMismatch, billDay.Add(1))
	closed(t, s, operations.BillResult{Run: billRun("r0", billDay.Add(1)), Found: []operations.Discrepancy{other}})
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: []operations.Discrepancy{a, b}})
	closed(t, s, operations.BillResult{Run: billRun("r2", billDay), Found: []operations.Discrepancy{b}})
	if got := state(t, s, a.ID); got.State != operations.DiscrepancyResolved || got.ResolvedBy != "r2" || got.Resolution == "" {
		t.Errorf("not seen any more: %+v", got)
	}
	for _, id := range []domain.ID{b.ID, other.ID} {
		if got := state(t, s, id); got.State != operations.DiscrepancyOpen {
			t.Errorf("seen, or of another day: %+v", got)
		}
	}
	closed(t, s, operations.BillResult{Run: billRun("r3", billDay), Found: []operations.Discrepancy{a, b}})
	if got := state(t, s, a.ID); got.State != operations.DiscrepancyOpen {
		t.Errorf("there again: %+v", got)
	}
}

func testPersonResolves(t *testing.T, s operations.Bills) {
	d := discrepancy("T1", domain.AmountMismatch, billDay)
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: []operations.Discrepancy{d}})
	got, err := s.ResolveDiscrepancy(t.Context(), d.ID, "anna", "agreed on the phone", noon)
	noError(t, err, "resolve")
	if got.State != operations.DiscrepancyResolved || got.ResolvedBy != "anna" || !got.ByPerson {
		t.Errorf("%+v", got)
	}
	_, err = s.ResolveDiscrepancy(t.Context(), d.ID, "ben", "once more", noon)
	wantKind(t, err, domain.KindConflict, "resolve twice")
	closed(t, s, operations.BillResult{Run: billRun("r2", billDay), Found: []operations.Discrepancy{d}})
	if got := state(t, s, d.ID); got.State != operations.DiscrepancyResolved || got.ResolvedBy != "anna" {
		t.Errorf("seen again: %+v", got)
	}
	d.Theirs = domain.NewMoney(10_000, domain.CNY)
	closed(t, s, operations.BillResult{Run: billRun("r3", billDay), Found: []operations.Discrepancy{d}})
	if got := state(t, s, d.ID); got.State != operations.DiscrepancyOpen || got.ByPerson || got.ResolvedBy != "" || got.AskedBy != "" {
		t.Errorf("with another amount: %+v", got)
	}
	_, err = s.ResolveDiscrepancy(t.Context(), domain.ID{9}, "ben", "no such thing", noon)
	wantKind(t, err, domain.KindNotFound, "resolve an unknown one")
}

func testPersonAsks(t *testing.T, s operations.Bills) {
	d := discrepancy("T1", domain.AmountMismatch, billDay)
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: []operations.Discrepancy{d}})
	first, second := domain.ID{1}, domain.ID{2}
	why := strings.Repeat("电", 200) // as long as the API takes, three bytes each
	for _, ask := range []struct {
		id domain.ID
		by string
	}{{second, "ben"}, {first, "anna"}, {first, "anna"}} {
		got, err := s.AskDiscrepancy(t.Context(), d.ID, ask.id, ask.by, why, noon)
		noError(t, err, "ask")
		if got.State != operations.DiscrepancyOpen || got.Ask != ask.id || got.AskedBy != ask.by || got.Asked != why || !got.AskedAt.Equal(noon) {
			t.Errorf("%+v", got)
		}
	}
	closed(t, s, operations.BillResult{Run: billRun("r2", billDay), Found: []operations.Discrepancy{d}})
	if got := state(t, s, d.ID); got.Ask != first || got.AskedBy != "anna" || got.SeenRun != d.SeenRun {
		t.Errorf("seen again: %+v", got)
	}
	_, err := s.ResolveDiscrepancy(t.Context(), d.ID, "ben", why, noon)
	noError(t, err, "resolve")
	_, err = s.AskDiscrepancy(t.Context(), d.ID, first, "anna", "once more", noon)
	wantKind(t, err, domain.KindConflict, "ask for what is resolved")
	closed(t, s, operations.BillResult{Run: billRun("r3", billDay), Found: []operations.Discrepancy{d}})
	if got := state(t, s, d.ID); got.AskedBy != "anna" || got.ResolvedBy != "ben" || got.Resolution != why {
		t.Errorf("resolved by two: %+v", got)
	}
	_, err = s.AskDiscrepancy(t.Context(), domain.ID{9}, first, "ben", "no such thing", noon)
	wantKind(t, err, domain.KindNotFound, "ask for an unknown one")
	_, err = s.AskDiscrepancy(t.Context(), d.ID, first, "ben", "", noon)
	wantKind(t, err, domain.KindInvalid, "ask without a reason")
}

// A word is about the difference as it stood: with other amounts, or found anew
// after it was gone, it is nobody's.
func testWordGoes(t *testing.T, s operations.Bills) {
	d, other := discrepancy("T1", domain.AmountMismatch, billDay), discrepancy("T2", domain.AmountMismatch, billDay)
	both := []operations.Discrepancy{d, other}
	closed(t, s, operations.BillResult{Run: billRun("r1", billDay), Found: both})
	for _, x := range both {
		_, err := s.AskDiscrepancy(t.Context(), x.ID, domain.ID{1}, "anna", "agreed", noon)
		noError(t, err, "ask")
	}
	d.Theirs = domain.NewMoney(731, domain.CNY)
	closed(t, s, operations.BillResult{Run: billRun("r2", billDay), Found: []operations.Discrepancy{d}})
	if got := state(t, s, d.ID); got.State != operations.DiscrepancyOpen || got.AskedBy != "" || !got.Ask.IsZero() || got.Asked != "" || !got.AskedAt.IsZero() {
		t.Errorf("with another amount: %+v", got)
	}
	closed(t, s, operations.BillResult{Run: billRun("r3", billDay), Found: []operations.Discrepancy{d, other}})
	if got := state(t, s, other.ID); got.State != operations.DiscrepancyOpen || got.AskedBy != "" {
		t.Errorf("found anew: %+v", got)
	}
}

func testDiscrepancyFilters(t *testing.T, s operations.Bills) {
	for i, bill := range []string{"trade", "trade", "fund_flow"} {
		day := billDay.Add(i)
		d := discrepancy("T"+string(day), domain.OnlyOurs, day)
		d.Bill = bill
		run := billRun("r"+string(day), day)
		run.Bill = bill
		closed(t, s, operations.BillResult{Run: run, Found: []operations.Discrepancy{d}})
	}
	next := billDay.Add(1)
	for name, c := range map[string]struct {
		filter operations.DiscrepancyFilter
		want   []string
	}{
		"bill":  {operations.DiscrepancyFilter{Bill: "fund_flow"}, []string{"T2026-03-15"}},
		"from":  {operations.DiscrepancyFilter{From: next}, []string{"T2026-03-15", "T2026-03-14"}},
		"to":    {operations.DiscrepancyFilter{To: next}, []string{"T2026-03-14", "T2026-03-13"}},
		"day":   {operations.DiscrepancyFilter{Day: next}, []string{"T2026-03-14"}},
		"order": {operations.DiscrepancyFilter{OrderNo: "oT2026-03-13"}, []string{"T2026-03-13"}},
		"trade": {operations.DiscrepancyFilter{TradeNo: "T2026-03-15"}, []string{"T2026-03-15"}},
		"none":  {operations.DiscrepancyFilter{OrderNo: "o"}, nil},
	} {
		c.filter.Limit = 10
		rows, err := s.Discrepancies(t.Context(), c.filter)
		noError(t, err, "list by "+name)
		var got []string
		for _, d := range rows {
			got = append(got, d.Item.TradeNo)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("by %s: %q, want %q", name, got, c.want)
		}
	}
}

// pool is the carry-over pool as "trade since on", in order.
func pool(t *testing.T, s operations.Bills, day domain.Day) []string {
	t.Helper()
	rows, err := s.Carried(t.Context(), billChannel, "trade", day)
	noError(t, err, "read the pool")
	var out []string
	for _, c := range rows {
		out = append(out, c.Line.TradeNo+" "+string(c.Line.Since)+" "+string(c.On))
	}
	return out
}

func testCarried(t *testing.T, s operations.Bills) {
	next := billDay.Add(1)
	late := discrepancy("T1", domain.OnlyOurs, billDay)
	closed(t, s, operations.BillResult{
		Run: billRun("r1", billDay), Found: []operations.Discrepancy{late},
		Carried: []operations.Carried{waiting("T1", billDay), waiting("T2", billDay)},
	})
	wantPool := func(day domain.Day, want ...string) {
		t.Helper()
		if got := pool(t, s, day); !slices.Equal(got, want) {
			t.Errorf("the pool for %s is %q, want %q", day, got, want)
		}
	}
	wantPool(next, "T1 2026-03-13 ", "T2 2026-03-13 ")
	on := waiting("T1", billDay)
	on.On = next
	early := waiting("T3", next.Add(1))
	early.Line.Since, early.On = "", next
	closed(t, s, operations.BillResult{Run: billRun("r2", next), Carried: []operations.Carried{on, early}})
	if got := state(t, s, late.ID); got.State != operations.DiscrepancyResolved || got.ResolvedBy != "r2" {
		t.Errorf("only ours until now: %+v", got)
	}
	wantPool(next, "T1 2026-03-13 2026-03-14", "T2 2026-03-13 ", "T3  2026-03-14")
	wantPool(billDay, "T1 2026-03-13 2026-03-14", "T2 2026-03-13 ")
	wantPool(next.Add(1), "T2 2026-03-13 ", "T3  2026-03-14")
	// The bill changed and has them no more.
	closed(t, s, operations.BillResult{Run: billRun("r3", next)})
	wantPool(next, "T1 2026-03-13 ", "T2 2026-03-13 ")
}

func testBillCursors(t *testing.T, s operations.Bills) {
	for i := range 5 {
		day := billDay.Add(i)
		closed(t, s, operations.BillResult{
			Run: billRun(string(day), day), Found: []operations.Discrepancy{discrepancy("T"+string(day), domain.OnlyTheirs, day)},
		})
	}
	var runs, found []string
	for before := int64(0); ; {
		page, err := s.BillRuns(t.Context(), operations.BillRunFilter{From: billDay.Add(1), Before: before, Limit: 2})
		noError(t, err, "list runs")
		for _, r := range page {
			runs, before = append(runs, r.ID), r.Seq
		}
		if len(page) == 0 {
			break
		}
	}
	for before := int64(0); ; {
		page, err := s.Discrepancies(t.Context(), operations.DiscrepancyFilter{
			Channel: billChannel, Kind: domain.OnlyTheirs, State: operations.DiscrepancyOpen, Before: before, Limit: 3,
		})
		noError(t, err, "list discrepancies")
		for _, d := range page {
			found, before = append(found, d.Item.TradeNo), d.Seq
		}
		if len(page) == 0 {
			break
		}
	}
	if want := []string{"2026-03-17", "2026-03-16", "2026-03-15", "2026-03-14"}; !slices.Equal(runs, want) {
		t.Errorf("runs %q, want %q", runs, want)
	}
	if len(found) != 5 || found[0] != "T2026-03-17" || found[4] != "T2026-03-13" {
		t.Errorf("discrepancies %q", found)
	}
}

func testBillRefusals(t *testing.T, s operations.Bills) {
	ctx := t.Context()
	_, err := s.BillRun(ctx, "never")
	wantKind(t, err, domain.KindNotFound, "an unknown run")
	_, err = s.BillRuns(ctx, operations.BillRunFilter{})
	wantKind(t, err, domain.KindInvalid, "a list without a limit")
	_, err = s.Discrepancies(ctx, operations.DiscrepancyFilter{Limit: 1001})
	wantKind(t, err, domain.KindInvalid, "too long a list")
	wantKind(t, s.PutBillRun(ctx, operations.BillRun{ID: "x"}), domain.KindInvalid, "a run of no channel")
}
