package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
)

// ordersCursor is how far the log was followed for what single orders show. It
// stands beside the list: a list that is lost is made anew with it.
const ordersCursor = "orders"

// byRule names who settles what the log itself settles.
const byRule = "reconciler"

// errLater ends a look at the log before an event whose run goes on.
var errLater = errors.New("the run that tells of it is not over")

// FollowOrders brings the differences that single orders show, by their callbacks
// or by the provider's answers, to the list for people, under the ids of their
// events; and settles there and in the log those that later facts settle: the
// refund that was missing is booked, or two persons corrected the credit. What
// a bill's run told is on the list as the bill's difference already. What people
// said of any difference is brought there from the log, too. It goes on where it
// ended, any number of processes may do it, and doing it again changes nothing.
func (c *Comparer) FollowOrders(ctx context.Context) error {
	after, err := c.Cursors.Cursor(ctx, ordersCursor)
	if err != nil {
		return fmt.Errorf("read how far orders were followed: %w", err)
	}
	frozen, err := c.frozenOrders(ctx)
	if err != nil {
		return err
	}
	for batch, err := range c.Log.Follow(ctx, eventstore.Position(after), eventstore.FollowOptions{}) {
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		for _, r := range batch.Events {
			err := c.followOrder(ctx, r, frozen)
			if errors.Is(err, errLater) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("event %s of %s: %w", r.ID, r.Stream, err)
			}
			if shown(r.Type) { // so that an event that must wait is where it goes on
				if err := c.Cursors.PutCursor(ctx, ordersCursor, uint64(r.Position)); err != nil {
					return err
				}
			}
		}
		if err := c.Cursors.PutCursor(ctx, ordersCursor, uint64(batch.Position)); err != nil {
			return err
		}
		if batch.CaughtUp {
			return nil
		}
	}
	return nil
}

// shown reports the types of event that change the list.
func shown(typ string) bool {
	return slices.Contains([]string{
		domain.TypeDiscrepancyFound, domain.TypePaymentRefunded, domain.TypeCorrectionIssued, domain.TypeReconciliationDiffered,
		domain.TypeReconciliationAsked,
	}, typ)
}

// orderAt names an order; its number is empty where the stream names none.
type orderAt struct {
	channel domain.ChannelID
	order   string
}

func orderOf(s domain.Stream) orderAt {
	ch, _, _ := projections.SplitPayment(s)
	return orderAt{ch, projections.OrderOf(s)}
}

// frozenOrders are the orders that the list has as frozen.
func (c *Comparer) frozenOrders(ctx context.Context) (map[orderAt]bool, error) {
	out := map[orderAt]bool{}
	f := operations.DiscrepancyFilter{Bill: operations.BillOrder, Kind: domain.Frozen, State: operations.DiscrepancyOpen, Limit: 1000}
	for {
		rows, err := c.Bills.Discrepancies(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("read which orders are frozen: %w", err)
		}
		for _, d := range rows {
			out[orderAt{d.Channel, d.OrderNo}] = true
			f.Before = d.Seq
		}
		if len(rows) < f.Limit {
			return out, nil
		}
	}
}

// followOrder takes an event in. Notices are many, so only those of orders that
// are frozen are looked at: the provider may say that this is over.
func (c *Comparer) followOrder(ctx context.Context, r eventstore.Recorded, frozen map[orderAt]bool) error {
	if !shown(r.Type) && !(r.Type == domain.TypePaymentNotified && frozen[orderOf(r.Stream)]) {
		return nil
	}
	e, err := ledger.Decode(r)
	if err != nil {
		return err
	}
	switch f := e.Fact.(type) {
	case domain.DiscrepancyFound:
		if f.Kind == domain.Frozen {
			frozen[orderOf(r.Stream)] = true
		}
		return c.showOrder(ctx, e, f)
	case domain.PaymentNotified:
		if f.About == domain.AboutPayment && f.Status == domain.StatusPaid && f.Source == domain.SourceQuery {
			return c.settleOrders(ctx, e, f.TradeNo, "the provider says that it is paid again", domain.Frozen)
		}
		return nil
	case domain.PaymentRefunded:
		return c.settleOrders(ctx, e, f.TradeNo, "the refund is booked: "+f.Amount.String(), domain.RefundMissing)
	case domain.CorrectionIssued:
		return c.settleCorrected(ctx, e, f)
	case domain.ReconciliationDiffered:
		if f.ByPersons() {
			return c.showAside(ctx, e, f.Discrepancy)
		}
		return c.settleTold(ctx, e, f)
	case domain.ReconciliationAsked:
		return c.showAside(ctx, e, f.Discrepancy)
	default:
		return nil
	}
}

// showOrder puts what an order shows on the list. What was credited at once has
// its correction beside it.
func (c *Comparer) showOrder(ctx context.Context, e ledger.Entry, f domain.DiscrepancyFound) error {
	if f.Kind == domain.MissingCredit {
		return nil
	}
	d, err := c.orderRow(ctx, e, f)
	if err != nil {
		return err
	}
	told, err := c.toldByBill(ctx, d, f.Again > 0)
	if err != nil {
		return err
	}
	if told != "" { // in the log too, where it would be open for ever
		return c.tellSettled(ctx, settled(d, byRule, "the bill's difference tells it: "+told, e.Meta.RecordedAt))
	}
	return c.Bills.PutDiscrepancy(ctx, d)
}

// orderRow is a difference of an order as people see it.
func (c *Comparer) orderRow(ctx context.Context, e ledger.Entry, f domain.DiscrepancyFound) (d operations.Discrepancy, err error) {
	ch, _, _ := projections.SplitPayment(e.Stream)
	set, err := c.Ledger.Settings(ctx, ch)
	if err != nil {
		return d, err
	}
	zone, err := time.LoadLocation(set.Zone)
	if err != nil {
		return d, domain.E(domain.KindInvalid, "channel %s: zone %q: %w", ch, set.Zone, err)
	}
	at := e.Meta.RecordedAt
	return operations.Discrepancy{
		ID: e.ID, Channel: ch, Day: domain.DayOf(at, zone), Bill: operations.BillOrder, Kind: f.Kind, State: operations.DiscrepancyOpen,
		Item: domain.ItemKey{Kind: domain.LinePayment, TradeNo: f.TradeNo}, OrderNo: projections.OrderOf(e.Stream), Theirs: f.Amount,
		OurState: f.Ours, TheirState: f.Theirs, At: at, FoundRun: f.Run, FoundAt: at, SeenRun: f.Run, SeenAt: at,
	}, nil
}

// toldByBill is the difference by which the run of a bill told what it found at
// an order; empty where it is the order's alone.
func (c *Comparer) toldByBill(ctx context.Context, d operations.Discrepancy, again bool) (string, error) {
	run, err := c.Bills.BillRun(ctx, d.FoundRun)
	switch {
	case err != nil && domain.KindOf(err) == domain.KindNotFound:
		return "", nil // a callback's, or a sweep's
	case err != nil:
		return "", err
	case run.State == operations.RunRunning:
		return "", errLater
	}
	told := operations.DiscrepancyFilter{Channel: d.Channel, Bill: run.Bill, Kind: d.Kind, TradeNo: d.Item.TradeNo, Limit: 1}
	if again { // what is over tells nothing of what came after
		told.State = operations.DiscrepancyOpen
	}
	rows, err := c.Bills.Discrepancies(ctx, told)
	if err != nil || len(rows) == 0 || d.Item.TradeNo == "" {
		return "", err
	}
	return rows[0].ID.String(), nil
}

// settleCorrected: the difference that a correction names, or those that it puts
// right by what it does.
func (c *Comparer) settleCorrected(ctx context.Context, e ledger.Entry, f domain.CorrectionIssued) error {
	if f.Proposal.IsZero() {
		return nil
	}
	d, err := c.Bills.Discrepancy(ctx, f.Corrects)
	switch {
	case err == nil && d.Bill == operations.BillOrder:
		if err := c.settle(ctx, d, e.Meta.RecordedAt, f.Reason); err != nil {
			return err
		}
	case err != nil && domain.KindOf(err) != domain.KindNotFound:
		return err
	}
	switch f.Action {
	case domain.ActionReverse:
		if err := c.settleDoubled(ctx, e, f.TradeNo); err != nil {
			return err
		}
		return c.settleOrders(ctx, e, f.TradeNo, tookBack, domain.Frozen, domain.RefundMissing, domain.StatusMismatch)
	case domain.ActionCredit:
		return c.settleOrders(ctx, e, f.TradeNo, "two persons credited it", domain.AmountMismatch, domain.StatusMismatch)
	case domain.ActionAllocate, domain.ActionMove, domain.ActionWriteOff:
	}
	return nil
}

// tookBack says what settles a difference about a credit that was reversed.
const tookBack = "two persons took the credit back"

// settleDoubled settles what bills showed about a number that stood on several
// orders, once its money stands on one at most and that is not the one which the
// difference names.
func (c *Comparer) settleDoubled(ctx context.Context, e ledger.Entry, trade string) error {
	at := orderOf(e.Stream)
	rows, err := c.Bills.Discrepancies(ctx, operations.DiscrepancyFilter{
		Channel: at.channel, Kind: domain.DuplicateTradeNo, State: operations.DiscrepancyOpen, TradeNo: trade, Limit: 100,
	})
	if err != nil || len(rows) == 0 || trade == "" {
		return err
	}
	if err := c.Rows.Wait(ctx, e.Position); err != nil {
		return err
	}
	left, err := c.Rows.OrdersOf(ctx, at.channel, trade)
	if err != nil || len(left) > 1 {
		return err
	}
	for _, d := range rows {
		if d.OrderNo != at.order && slices.Contains(left, d.OrderNo) || e.Meta.RecordedAt.Before(d.FoundAt) {
			continue
		}
		if err := c.settle(ctx, d, e.Meta.RecordedAt, tookBack); err != nil {
			return err
		}
	}
	return nil
}

// settleTold: what the log says to be resolved is; the list may be younger.
func (c *Comparer) settleTold(ctx context.Context, e ledger.Entry, f domain.ReconciliationDiffered) error {
	if !f.Resolved {
		return nil
	}
	d, err := c.Bills.Discrepancy(ctx, f.Discrepancy)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		return nil
	}
	if err != nil || d.Bill != operations.BillOrder || d.State != operations.DiscrepancyOpen {
		return err
	}
	return c.Bills.PutDiscrepancy(ctx, settled(d, f.By, f.How, e.Meta.RecordedAt))
}

// settleOrders settles what the event's order showed before it of some kinds
// about a trade, or about the order where it names none.
func (c *Comparer) settleOrders(ctx context.Context, e ledger.Entry, trade, how string, kinds ...domain.DiscrepancyKind) error {
	ch, _, _ := projections.SplitPayment(e.Stream)
	order := projections.OrderOf(e.Stream)
	rows, err := c.Bills.Discrepancies(ctx, operations.DiscrepancyFilter{
		Channel: ch, Bill: operations.BillOrder, State: operations.DiscrepancyOpen, OrderNo: order, Limit: 100,
	})
	if err != nil {
		return err
	}
	for _, d := range rows {
		if d.OrderNo != order || e.Meta.RecordedAt.Before(d.FoundAt) || !slices.Contains(kinds, d.Kind) || d.Item.TradeNo != "" && d.Item.TradeNo != trade {
			continue
		}
		if err := c.settle(ctx, d, e.Meta.RecordedAt, how); err != nil {
			return err
		}
	}
	return nil
}

// settle resolves a difference of an order, in the log first.
func (c *Comparer) settle(ctx context.Context, d operations.Discrepancy, at time.Time, how string) error {
	if d.State != operations.DiscrepancyOpen {
		return nil
	}
	d = settled(d, byRule, how, at)
	if err := c.tellSettled(ctx, d); err != nil {
		return err
	}
	return c.Bills.PutDiscrepancy(ctx, d)
}

func (c *Comparer) tellSettled(ctx context.Context, d operations.Discrepancy) error {
	by := ledger.By{Actor: byRule, Cause: d.ID.String()}
	return c.Ledger.Reconciled(ctx, d.Channel, d.Day, []domain.Fact{DifferedFact(d)}, by)
}

func settled(d operations.Discrepancy, by, how string, at time.Time) operations.Discrepancy {
	d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution = operations.DiscrepancyResolved, by, domain.Instant(at), how
	return d
}
