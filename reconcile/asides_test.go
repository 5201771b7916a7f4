package reconcile

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// word is a person's word about a difference that the log alone is told: the
// process that took it ended before its row had it.
func (b *books) word(d operations.Discrepancy, who string) {
	b.t.Helper()
	b.clock.step(time.Second)
	_, err := b.ledger.SetAside(b.t.Context(), d.Channel, d.Day, DifferedFact(d), who, "agreed, says "+who, nil, ledger.By{Actor: "person:" + who})
	must(b.t, err)
}

// bankDiffers is a difference that a bill's run found: it stands on the list and
// in the log.
func (b *books) bankDiffers(run string) operations.Discrepancy {
	b.t.Helper()
	d := operations.Discrepancy{
		ID: domain.ID{7}, Channel: atBank, Day: today, Bill: "trade", Kind: domain.OnlyOurs, State: operations.DiscrepancyOpen,
		Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: "T7"}, Ours: yuan(b.t, "7.30"), FoundRun: run, SeenRun: run,
	}
	r := operations.BillResult{Run: operations.BillRun{ID: run, Channel: atBank, Day: today, Bill: "trade", State: operations.RunComplete}, Found: []operations.Discrepancy{d}}
	must(b.t, b.comparer.close(b.t.Context(), r))
	return d
}

// TestWordsReachTheList: what people said stands on the row of any difference
// once the log is followed, however often.
func TestWordsReachTheList(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	d := b.bankDiffers("bill-7")
	b.word(d, "li")
	asked := b.clock.now()
	for range 2 {
		b.follow()
		if got := b.only(); got.State != operations.DiscrepancyOpen || got.AskedBy != "li" || got.Asked != "agreed, says li" || !got.AskedAt.Equal(asked) || got.Ask.IsZero() {
			t.Errorf("%+v", got)
		}
	}
	b.word(d, "wang")
	must(t, b.ops.PutCursor(t.Context(), ordersCursor, 0))
	b.follow()
	if got := b.only(); got.State != operations.DiscrepancyResolved || !got.ByPerson || got.ResolvedBy != "wang" || got.AskedBy != "li" ||
		got.Resolution != "agreed, says wang" || !got.ResolvedAt.Equal(b.clock.now()) {
		t.Errorf("%+v", got)
	}
}

// TestWordOfWhatIsFoundAnew: what was said before a run resolved a difference is
// not said of the one that is found anew.
func TestWordOfWhatIsFoundAnew(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	d := b.bankDiffers("bill-7")
	b.word(d, "li")
	must(t, b.comparer.close(t.Context(), operations.BillResult{Run: operations.BillRun{ID: "bill-8", Channel: atBank, Day: today, Bill: "trade", State: operations.RunComplete}}))
	b.bankDiffers("bill-9")
	b.follow()
	if got := b.only(); got.State != operations.DiscrepancyOpen || got.AskedBy != "" {
		t.Errorf("%+v", got)
	}
	b.word(d, "wang")
	b.follow()
	if got := b.only(); got.State != operations.DiscrepancyOpen || got.AskedBy != "wang" {
		t.Errorf("%+v", got)
	}
}

// TestWordOfAnOrderIsFollowed: so is what people say of what an order shows, by
// a list that was lost, too.
func TestWordOfAnOrderIsFollowed(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.says("O1", "T1", domain.StatusRefunded)
	b.follow()
	d := b.only()
	b.word(d, "li")
	b.word(d, "wang")
	again := b.emptyOperations()
	must(t, b.another(func(d *BillDeps, _ *BillConfig) { d.Bills, d.Cursors = again, again }).FollowOrders(t.Context()))
	got, err := again.Discrepancy(t.Context(), d.ID)
	if err != nil || d.Kind != domain.RefundMissing || got.State != operations.DiscrepancyResolved || got.ResolvedBy != "wang" {
		t.Errorf("%+v, %v", got, err)
	}
}
