package reports

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
)

// books is what the rests' tests put into the projections.
type books struct {
	payments []projections.Payment
	payouts  []projections.Payout
	lines    []domain.OurLine
	asked    []projections.LineFilter
	err      error
}

func (b *books) Checkpoint(context.Context) (eventstore.Position, error) { return 99, b.err }

func (b *books) Payments(_ context.Context, f projections.PaymentFilter) ([]projections.Payment, error) {
	var out []projections.Payment
	for _, p := range slices.Backward(b.payments) {
		if p.Channel == f.Channel && p.State == f.State && (f.Before == 0 || p.Position < f.Before) && len(out) < f.Limit {
			out = append(out, p)
		}
	}
	return out, b.err
}

func (b *books) Payouts(_ context.Context, f projections.PayoutFilter) ([]projections.Payout, error) {
	return slices.DeleteFunc(slices.Clone(b.payouts), func(p projections.Payout) bool { return p.Channel != f.Channel || p.State() != f.State }), b.err
}

func (b *books) Lines(_ context.Context, f projections.LineFilter) iter.Seq2[domain.OurLine, error] {
	b.asked = append(b.asked, f)
	return func(yield func(domain.OurLine, error) bool) {
		for _, l := range b.lines {
			if l.ValueDate >= f.From && l.ValueDate <= f.To && !yield(l, nil) {
				return
			}
		}
	}
}

// counter is a tracker whose clock stands at the morning of 20 October.
type counter struct {
	*books
	ops *osqlite.Store
	Tracker
}

var morning = time.Date(2026, 10, 20, 9, 0, 0, 0, shanghai)

func newCounter(t *testing.T) *counter {
	t.Helper()
	path := t.TempDir() + "/operations.db"
	if err := osqlite.Create(path); err != nil {
		t.Fatal(err)
	}
	ops, err := osqlite.Open(t.Context(), path, osqlite.Options{Clock: func() time.Time { return morning }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ops.Close() })
	b := &books{}
	return &counter{b, ops, Tracker{
		Rows: b, Bills: ops, Clock: func() time.Time { return morning }, Zone: func(domain.ChannelID) *time.Location { return shanghai },
	}}
}

func line(trade string, day domain.Day, fen int64) domain.OurLine {
	return domain.OurLine{
		Kind: domain.LinePayment, OrderNo: "O" + trade, TradeNo: trade, Amount: cny(fen), ValueDate: day, At: day.Start(shanghai).Add(12 * time.Hour),
	}
}

// compared says that a day's bill was compared, and what it left.
func (c *counter) compared(t *testing.T, day domain.Day, found []operations.Discrepancy, pool ...operations.Carried) {
	t.Helper()
	err := c.ops.CloseBill(t.Context(), operations.BillResult{Run: operations.BillRun{
		ID: "bill-" + string(day), Channel: "wx", Day: day, Bill: "trade", State: operations.RunComplete, EndedAt: day.Add(1).Start(shanghai).Add(10 * time.Hour),
	}, Found: found, Carried: pool})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *counter) differs(trade string, day domain.Day, kind domain.DiscrepancyKind, ours, theirs domain.Money) operations.Discrepancy {
	return operations.Discrepancy{
		ID: domain.NewV5(domain.ID{4}, trade, string(kind)), Channel: "wx", Day: day, Bill: "trade", Kind: kind, State: operations.DiscrepancyOpen,
		Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: trade}, OrderNo: "O" + trade, Ours: ours, Theirs: theirs,
		FoundAt: day.Add(1).Start(shanghai), At: day.Start(shanghai).Add(12 * time.Hour),
	}
}

// everyRest is one of each.
func everyRest(t *testing.T) *counter {
	t.Helper()
	c := newCounter(t)
	hours := func(n int) time.Time { return morning.Add(-time.Duration(n) * time.Hour) }
	c.payments = []projections.Payment{
		{Channel: "wx", OrderNo: "P1", State: domain.StatePlaced, Amount: cny(100), PlacedAt: hours(2), Position: 1},
		{Channel: "wx", OrderNo: "H1", State: domain.StateHeld, Amount: cny(200), FirstAt: hours(50), Stages: projections.Stages{NotifiedAt: hours(40)}, Position: 2},
		{Channel: "wx", OrderNo: "K1", State: domain.StateParked, Amount: cny(300), FirstAt: hours(200), Position: 3},
		{Channel: "wx", OrderNo: "C1", State: domain.StateCredited, Amount: cny(400), Position: 4},
		{Channel: "other", OrderNo: "X", State: domain.StateParked, Amount: cny(500), FirstAt: hours(200), Position: 5},
	}
	c.payouts = []projections.Payout{{
		Channel: "wx", ID: "po-1", UpdatedAt: hours(30), Payout: domain.Payout{Sent: &domain.PayoutSent{Amount: cny(9000)}},
	}}
	c.lines = []domain.OurLine{
		line("T0", "2026-10-14", 1), line("T1", "2026-10-15", 2), line("T2", "2026-10-16", 4), line("T3", "2026-10-17", 8),
		line("T4", "2026-10-17", 16), line("T5", "2026-10-18", 32), line("T6", "2026-10-19", 64), line("T7", "2026-10-20", 128), line("T8", "2026-10-20", 256),
	}
	c.compared(t, "2026-10-15", []operations.Discrepancy{c.differs("T1", "2026-10-15", domain.OnlyOurs, cny(2), domain.Money{})})
	c.compared(t, "2026-10-16", []operations.Discrepancy{
		c.differs("T2", "2026-10-16", domain.AmountMismatch, cny(4), cny(7)), c.differs("T9", "2026-10-16", domain.OnlyTheirs, domain.Money{}, cny(11)),
	})
	waits := line("T5", "2026-10-18", 32)
	waits.Since = "2026-10-18"
	c.compared(t, "2026-10-18", nil, operations.Carried{Channel: "wx", Bill: "trade", Line: waits})
	if err := c.ops.PutBillRun(t.Context(), operations.BillRun{
		ID: "bill-17", Channel: "wx", Day: "2026-10-17", Bill: "trade", State: operations.RunIncomplete, Cause: operations.CauseBillBroken,
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// told is a rest in one line.
func told(rs []Rest) []string {
	var out []string
	for _, r := range rs {
		sums := ""
		for _, m := range r.Amounts {
			sums += " " + m.String()
		}
		out = append(out, strings.Join([]string{string(r.Stage), string(r.Fault), r.Kind, string(r.Line), strings.TrimSpace(sums), r.Oldest.OrderNo + r.Oldest.Ref}, " "))
	}
	return out
}

// One question names the event that is missing, late or wrong, how much hangs on
// it and since when. The days that were compared are not read again.
func TestRests(t *testing.T) {
	t.Parallel()
	c := everyRest(t)
	rests, err := c.Rests(t.Context(), RestFilter{Channels: []domain.ChannelID{"wx"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"notified late placed payment 1.00 CNY P1",
		"credited late held payment 2.00 CNY H1",
		"credited missing only_theirs payment 0.11 CNY OT9",
		"credited wrong parked payment 3.00 CNY K1",
		"in_bill late bill_not_due payment 4.48 CNY OT6", // T6, T7 and T8
		"in_bill late waits_for_later_bill payment 0.32 CNY OT5",
		"in_bill missing bill_broken payment 0.24 CNY OT3", // T3 and T4
		"in_bill missing only_ours payment 0.02 CNY OT1",
		"in_bill wrong amount_mismatch payment 0.03 CNY OT2",
		"paid_out late sent payout 90.00 CNY po-1",
	}
	if got := told(rests); !slices.Equal(got, want) {
		t.Errorf("rests\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if held := rests[1]; !slices.Equal(held.Ages, []int{0, 0, 1, 0, 0}) || !held.Oldest.Since.Equal(morning.Add(-40*time.Hour)) {
		t.Errorf("held: %+v", held)
	}
	for _, r := range rests {
		if r.Next == "" || r.NextZh == "" {
			t.Errorf("%s %s does not say what to do", r.Stage, r.Kind)
		}
	}
	if want := []projections.LineFilter{
		{Channel: "wx", From: "2026-10-17", To: "2026-10-17", Until: 99}, {Channel: "wx", From: "2026-10-19", To: "2026-10-20", Until: 99},
	}; !slices.Equal(c.asked, want) {
		t.Errorf("days that were read: %+v", c.asked)
	}
}

// Younger items are left out, and channels that nobody asked for.
func TestRestsFilter(t *testing.T) {
	t.Parallel()
	c := everyRest(t)
	rests, err := c.Rests(t.Context(), RestFilter{Channels: []domain.ChannelID{"wx"}, OlderThan: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rests {
		if morning.Sub(r.Oldest.Since) < 48*time.Hour || r.Ages[0]+r.Ages[1] > 0 {
			t.Errorf("%+v is too young", r)
		}
	}
	if len(rests) != 5 {
		t.Errorf("%v", told(rests))
	}
	if none, err := c.Rests(t.Context(), RestFilter{}); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", told(none), err)
	}
	c.err = errors.New("disk gone")
	if _, err := c.Rests(t.Context(), RestFilter{Channels: []domain.ChannelID{"wx"}}); !errors.Is(err, c.err) {
		t.Errorf("%v", err)
	}
}

// A payment's stages are dates, or the reason why there is none.
func TestStages(t *testing.T) {
	t.Parallel()
	c := everyRest(t)
	moved := line("T0", "2026-10-17", 1)
	moved.Since = "2026-10-17"
	c.compared(t, "2026-10-17", nil, operations.Carried{Channel: "wx", Bill: "trade", Line: moved, On: "2026-10-18"})
	at := morning.Add(-72 * time.Hour)
	for trade, want := range map[string]struct {
		booked domain.Day
		day    domain.Day
		open   string
	}{
		"T1": {"2026-10-15", "", "only_ours"}, "T2": {"2026-10-16", "", "amount_mismatch"}, "T5": {"2026-10-18", "", "waits for a later bill"},
		"T8": {"2026-10-20", "", ""}, "T3": {"2026-10-17", "2026-10-17", ""}, "T0": {"2026-10-17", "2026-10-18", ""},
	} {
		got, err := c.Stages(t.Context(), projections.Payment{
			Channel: "wx", TradeNo: trade, State: domain.StateCredited, Stages: projections.Stages{CreditedAt: at, BookedOn: want.booked},
		})
		if err != nil || len(got) != 4 {
			t.Fatalf("%s: %+v, %v", trade, got, err)
		}
		if bill := got[2]; bill.Day != want.day || bill.Open != want.open || bill.At.IsZero() != (want.day == "") {
			t.Errorf("%s on the bill: %+v, want %+v", trade, bill, want)
		}
		if got[0].Open != "no callback" || !got[1].At.Equal(at) || got[3] != (StageDate{Stage: StageSettled}) {
			t.Errorf("%s: %+v", trade, got)
		}
	}
	held, err := c.Stages(t.Context(), projections.Payment{Channel: "wx", State: domain.StateHeld, Stages: projections.Stages{NotifiedAt: at}})
	if err != nil || held[1].Open != "held" || held[0].Open != "" {
		t.Errorf("%+v, %v", held, err)
	}
}
