package reconcile

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
)

// says is the bank's own answer about an order, taken into the books.
func (b *books) says(order, trade string, status domain.Status, change ...func(*domain.Notice)) {
	b.t.Helper()
	b.clock.step(time.Second)
	id, err := domain.NewRandom(rand.Reader)
	must(b.t, err)
	n := domain.Notice{
		Delivery: id, Source: domain.SourceQuery, Channel: atBank, OrderNo: order, TradeNo: trade, Status: status, Amount: yuan(b.t, "7.30"),
		ReceivedAt: b.clock.now(), Run: "sweep-1",
	}
	for _, c := range change {
		c(&n)
	}
	_, err = b.ledger.Notify(b.t.Context(), n, domain.Evidence{Kind: "query", At: b.clock.now(), Grade: domain.GradeA}, nil)
	must(b.t, err)
}

// events is the whole log.
func (b *books) events() (out []ledger.Entry) {
	b.t.Helper()
	for batch, err := range b.log.Follow(b.t.Context(), 0, eventstore.FollowOptions{}) {
		must(b.t, err)
		for _, r := range batch.Events {
			e, err := ledger.Decode(r)
			must(b.t, err)
			out = append(out, e)
		}
		if batch.CaughtUp {
			break
		}
	}
	return out
}

// eventOf is the id of the last event of a type.
func (b *books) eventOf(typ string) (id domain.ID) {
	b.t.Helper()
	for _, e := range b.events() {
		if e.Type == typ {
			id = e.ID
		}
	}
	return id
}

// follow brings what orders show to the list for people.
func (b *books) follow() {
	b.t.Helper()
	must(b.t, b.comparer.FollowOrders(b.t.Context()))
}

// only is the one row of the list.
func (b *books) only() operations.Discrepancy {
	b.t.Helper()
	rows, err := b.ops.Discrepancies(b.t.Context(), operations.DiscrepancyFilter{Limit: 10})
	must(b.t, err)
	if len(rows) != 1 {
		b.t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	return rows[0]
}

// differed are the facts that tell what became of a difference, as "resolved by: how".
func (b *books) differed(id domain.ID) (out []string) {
	b.t.Helper()
	for _, e := range b.events() {
		if f, ok := e.Fact.(domain.ReconciliationDiffered); ok && f.Discrepancy == id && f.Resolved {
			out = append(out, f.By+": "+f.How)
		}
	}
	return out
}

// What a single order shows stands on the list under the id of its event, once,
// and a person sets it aside there; followed again from the beginning, by a store
// that lost it all, it is what it was.
func TestOrdersShowOnTheList(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.says("O1", "T1", domain.StatusFrozen)
	for range 2 {
		b.follow()
	}
	d := b.only()
	if d.Kind != domain.Frozen || d.State != operations.DiscrepancyOpen || d.Bill != operations.BillOrder || d.OrderNo != "O1" || d.Item.TradeNo != "T1" ||
		d.Channel != atBank || d.Day != today || d.OurState != "credited" || d.TheirState != "frozen" || d.Theirs != yuan(t, "7.30") || d.FoundRun != "sweep-1" {
		t.Fatalf("%+v", d)
	}
	if found := b.eventOf(domain.TypeDiscrepancyFound); found != d.ID {
		t.Errorf("the row is %s, the event %s", d.ID, found)
	}
	d.State, d.ResolvedBy, d.Resolution = operations.DiscrepancyResolved, "li", "released, the bank says"
	must(t, b.ledger.Reconciled(t.Context(), atBank, d.Day, []domain.Fact{DifferedFact(d)}, ledger.By{Actor: "person:li"}))
	_, err := b.ops.ResolveDiscrepancy(t.Context(), d.ID, "li", d.Resolution, b.clock.now())
	must(t, err)
	b.follow()
	again := b.emptyOperations()
	for _, list := range []*osqlite.Store{again, b.ops} {
		must(t, list.PutCursor(t.Context(), ordersCursor, 0))
		must(t, b.another(func(d *BillDeps, _ *BillConfig) { d.Bills, d.Cursors = list, list }).FollowOrders(t.Context()))
	}
	kept, err := again.Discrepancy(t.Context(), d.ID)
	must(t, err)
	for _, d := range []operations.Discrepancy{kept, b.only()} {
		if d.State != operations.DiscrepancyResolved || d.ResolvedBy != "li" || len(b.differed(d.ID)) != 1 {
			t.Errorf("%+v, %q", d, b.differed(d.ID))
		}
	}
}

// A refund that was missing, and is booked then, settles what the order showed,
// in the log first; that of another order, or of other money, does not.
func TestMissingRefundThatComesSettles(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.paid("O2", "T2", "7.30")
	b.says("O1", "T1", domain.StatusRefunded)
	b.says("O2", "T2", domain.StatusSucceeded, asRefund)
	b.says("O1", "T3", domain.StatusPaid)
	b.says("O1", "T3", domain.StatusSucceeded, asRefund)
	b.follow()
	if d := b.only(); d.Kind != domain.RefundMissing || d.State != operations.DiscrepancyOpen {
		t.Fatalf("%+v", d)
	}
	b.says("O1", "T1", domain.StatusSucceeded, asRefund)
	for range 2 {
		b.follow()
	}
	d := b.only()
	told := b.differed(d.ID)
	if d.State != operations.DiscrepancyResolved || d.ByPerson || len(told) != 1 || !strings.Contains(told[0], "refund is booked") {
		t.Errorf("%+v, %q", d, told)
	}
}

func asRefund(n *domain.Notice) { n.About, n.RefundID = domain.AboutRefund, "R-"+n.TradeNo }

// Two persons who take the credit back have looked at why its order was frozen.
func TestReversalSettlesWhatTheOrderShowed(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.says("O1", "T1", domain.StatusFrozen)
	q := domain.Correction{Action: domain.ActionReverse, TradeNo: "T1", Reason: "frozen for good", By: "li"}
	p, _, err := b.ledger.Propose(t.Context(), atBank, "O1", q, unspent, ledger.By{Actor: "person:li"})
	must(t, err)
	b.follow()
	if d := b.only(); d.State != operations.DiscrepancyOpen {
		t.Errorf("proposed only: %+v", d)
	}
	b.approve("O1", p.ID(), "wang")
	b.follow()
	if d := b.only(); d.State != operations.DiscrepancyResolved || len(b.differed(d.ID)) != 1 {
		t.Errorf("%+v", d)
	}
}

// An order that the bank froze, released and froze again is two differences: the
// bank's own word settles the first, and the second has its own age. What another
// order, or other money of this one, is said to be settles nothing.
func TestOrdersFrozenAgain(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.paid("O2", "T2", "7.30")
	b.says("O1", "T1", domain.StatusFrozen)
	b.says("O2", "T2", domain.StatusPaid)
	b.says("O1", "T9", domain.StatusPaid)
	b.follow()
	first := b.only()
	if first.Kind != domain.Frozen || first.State != operations.DiscrepancyOpen {
		t.Fatalf("%+v", first)
	}
	b.clock.step(48 * time.Hour)
	b.says("O1", "T1", domain.StatusPaid)
	for range 2 {
		b.follow()
	}
	if d, told := b.only(), b.differed(first.ID); d.State != operations.DiscrepancyResolved || len(told) != 1 || !strings.Contains(told[0], "paid again") {
		t.Fatalf("%+v, %q", d, told)
	}
	b.says("O1", "T1", domain.StatusFrozen)
	for range 2 { // from the beginning: what was said before it settles nothing
		b.follow()
		must(t, b.ops.PutCursor(t.Context(), ordersCursor, 0))
	}
	b.wantFound("frozen open T1/", "frozen resolved T1/")
	rows, err := b.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{State: operations.DiscrepancyOpen, Limit: 10})
	must(t, err)
	if len(rows) != 1 || rows[0].ID == first.ID || rows[0].FoundAt.Sub(first.FoundAt) < 48*time.Hour || rows[0].Day == first.Day {
		t.Fatalf("%+v", rows)
	}
	b.says("O1", "T1", domain.StatusWaiting)
	b.follow()
	b.wantFound("frozen open T1/", "frozen resolved T1/", "status_mismatch open T1/")
	b.says("O1", "T1", domain.StatusPaid)
	b.follow()
	again := b.emptyOperations()
	must(t, b.another(func(d *BillDeps, _ *BillConfig) { d.Bills, d.Cursors = again, again }).FollowOrders(t.Context()))
	for _, id := range []domain.ID{first.ID, rows[0].ID} {
		if d, err := again.Discrepancy(t.Context(), id); err != nil || d.State != operations.DiscrepancyResolved || len(b.differed(id)) != 1 {
			t.Errorf("%+v, %v, %q", d, err, b.differed(id))
		}
	}
}

// What was frozen and released before anybody looked is found settled.
func TestOrdersFrozenAndReleased(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	b.says("O1", "T1", domain.StatusFrozen)
	b.says("O1", "T1", domain.StatusPaid)
	b.follow()
	if d := b.only(); d.Kind != domain.Frozen || d.State != operations.DiscrepancyResolved {
		t.Errorf("%+v", d)
	}
}

// What the run of a bill tells about an order stands on the list once: as the
// bill's difference. While the run goes on, nothing is said.
func TestOrdersDoNotRepeatTheBill(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.denied("O1", "T1")
	b.compared(today, operations.RunComplete, "")
	b.follow()
	d := b.only()
	if d.Kind != domain.StatusMismatch || d.Bill == operations.BillOrder {
		t.Fatalf("%+v", d)
	}
	if told := b.differed(b.eventOf(domain.TypeDiscrepancyFound)); len(told) != 1 || !strings.Contains(told[0], d.ID.String()) {
		t.Errorf("the log says %q", told)
	}

	late := newBooks(t)
	late.paid("O1", "T1", "7.30")
	run := operations.BillRun{ID: "bill-x", Channel: atBank, Day: today, Bill: "trade", State: operations.RunRunning, StartedAt: late.clock.now()}
	must(t, late.ops.PutBillRun(t.Context(), run))
	late.says("O1", "T1", domain.StatusFrozen, func(n *domain.Notice) { n.Run = "bill-x" })
	late.follow()
	if got := late.found(); len(got) > 0 {
		t.Errorf("while the run goes on: %v", got)
	}
	run.State = operations.RunIncomplete
	must(t, late.ops.PutBillRun(t.Context(), run))
	late.follow()
	if d := late.only(); d.Bill != operations.BillOrder || d.Kind != domain.Frozen {
		t.Errorf("a run that concluded nothing: %+v", d)
	}
}

// Money that was lost on the way and credited at once is no row: the correction
// stands beside the difference.
func TestHealsAreNoRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.placeOnly(atBank, "O1", "7.30")
	b.says("O1", "T1", domain.StatusPaid)
	b.follow()
	if got := b.found(); len(got) > 0 {
		t.Errorf("%v", got)
	}
}

// emptyOperations is an operations store that lost all it had.
func (b *books) emptyOperations() *osqlite.Store {
	t := b.t
	t.Helper()
	path := filepath.Join(t.TempDir(), "operations.db")
	must(t, osqlite.Create(path))
	s, err := osqlite.Open(t.Context(), path, osqlite.Options{Clock: b.clock.now})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
