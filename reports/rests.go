package reports

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Stage is a step on the way of a payment's money.
type Stage string

// The stages, in their order.
const (
	StageNotified Stage = "notified" // the provider told us of the money
	StageCredited Stage = "credited" // it stands on an account
	StageInBill   Stage = "in_bill"  // the provider's bill lists it
	StageSettled  Stage = "settled"  // it stands on our balance at the provider, by the fund flow
	StagePaidOut  Stage = "paid_out" // it arrived at the bank
)

// Fault says what is the matter with the event of a stage.
type Fault string

// What an open rest can lack.
const (
	FaultLate    Fault = "late"    // it may still come by itself
	FaultMissing Fault = "missing" // it is overdue
	FaultWrong   Fault = "wrong"   // it came, and does not agree
)

// Rest is money that has not gone all of its way: what of one channel waits for
// the same event for the same reason.
type Rest struct {
	Channel domain.ChannelID
	Stage   Stage // whose event is missing, late or wrong
	Fault   Fault
	Kind    string // why: a state of the payment, a kind of discrepancy, or what keeps the bill from being compared
	Line    domain.LineKind
	Count   int
	Amounts []domain.Money // in order of the currencies
	Ages    []int          // how many of each age, see Ages
	Oldest  RestItem
	Next    string // what to do
	NextZh  string
}

// RestItem is one payment, refund or payout of a rest.
type RestItem struct {
	OrderNo string
	TradeNo string
	Ref     string
	Amount  domain.Money
	Since   time.Time // the stage before it
}

// RestRows is what rests are read from beside the bills.
type RestRows interface {
	Checkpoint(ctx context.Context) (eventstore.Position, error)
	Payments(ctx context.Context, f projections.PaymentFilter) ([]projections.Payment, error)
	Payouts(ctx context.Context, f projections.PayoutFilter) ([]projections.Payout, error)
	projections.LineReader
}

// Tracker finds open rests.
type Tracker struct {
	Rows  RestRows
	Bills operations.Bills
	Zone  func(domain.ChannelID) *time.Location // of a channel's days
	Clock func() time.Time
}

// RestFilter selects rests.
type RestFilter struct {
	Channels  []domain.ChannelID
	OlderThan time.Duration // younger items are left out
}

const (
	// restDays is how far back days without a bill are looked at: as long as
	// providers keep bills.
	restDays = 92
	// billDue is how long after a day its bill is due.
	billDue = 12 * time.Hour
	// restPage is how many rows are read at once.
	restPage = 500
)

// Rests are the open rests of channels, in the order of the stages. Channels
// whose bills are not compared have no rests behind the credit: nothing tells
// where their money is.
func (t Tracker) Rests(ctx context.Context, f RestFilter) ([]Rest, error) {
	c := &collector{Tracker: t, older: f.OlderThan, now: t.Clock(), rests: map[restOf]*Rest{}}
	for _, ch := range f.Channels {
		if err := c.channel(ctx, ch); err != nil {
			return nil, fmt.Errorf("find the rests of %s: %w", ch, err)
		}
	}
	return c.sorted(), nil
}

// restOf groups items.
type restOf struct {
	channel domain.ChannelID
	stage   Stage
	fault   Fault
	kind    string
	line    domain.LineKind
}

// collector adds up items.
type collector struct {
	Tracker
	older time.Duration
	now   time.Time
	rests map[restOf]*Rest
}

func (c *collector) add(k restOf, i RestItem) {
	age := max(0, c.now.Sub(i.Since)) // a provider's clock may run ahead
	if age < c.older {
		return
	}
	r := c.rests[k]
	if r == nil {
		r = &Rest{Channel: k.channel, Stage: k.stage, Fault: k.fault, Kind: k.kind, Line: k.line, Ages: make([]int, len(Ages())), Oldest: i}
		r.Next, r.NextZh = nextOf(k)
		c.rests[k] = r
	}
	r.Count++
	r.Ages[slices.Index(Ages(), AgeOf(age))]++
	if i.Since.Before(r.Oldest.Since) {
		r.Oldest = i
	}
	r.Amounts = addTo(r.Amounts, i.Amount)
}

// addTo adds an amount to those of its currency. A sum beyond the range of
// money stands as a second one.
func addTo(sums []domain.Money, m domain.Money) []domain.Money {
	if m.Currency() == "" {
		return sums
	}
	for i := range sums {
		if sum, err := sums[i].Add(m); err == nil {
			sums[i] = sum
			return sums
		}
	}
	return append(sums, m)
}

func (c *collector) sorted() []Rest {
	stages := []Stage{StageNotified, StageCredited, StageInBill, StageSettled, StagePaidOut}
	out := make([]Rest, 0, len(c.rests))
	for _, r := range c.rests {
		slices.SortFunc(r.Amounts, func(a, b domain.Money) int { return cmp.Compare(a.Currency(), b.Currency()) })
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Rest) int {
		return cmp.Or(cmp.Compare(slices.Index(stages, a.Stage), slices.Index(stages, b.Stage)), cmp.Compare(a.Channel, b.Channel),
			cmp.Compare(a.Fault, b.Fault), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Line, b.Line))
	})
	return out
}

func (c *collector) channel(ctx context.Context, ch domain.ChannelID) error {
	for _, look := range []func(context.Context, domain.ChannelID) error{c.payments, c.bills, c.payouts} {
		if err := look(ctx, ch); err != nil {
			return err
		}
	}
	return nil
}

// payments finds those whose callback or credit has not come.
func (c *collector) payments(ctx context.Context, ch domain.ChannelID) error {
	for _, s := range []struct {
		state domain.State
		stage Stage
		fault Fault
	}{
		{domain.StatePlaced, StageNotified, FaultLate}, {domain.StateHeld, StageCredited, FaultLate}, {domain.StateParked, StageCredited, FaultWrong},
	} {
		f := projections.PaymentFilter{Channel: ch, State: s.state, Limit: restPage}
		for more := true; more; {
			rows, err := c.Rows.Payments(ctx, f)
			if err != nil {
				return err
			}
			for _, p := range rows {
				since := p.PlacedAt
				if s.stage == StageCredited || since.IsZero() {
					since = cmp.Or(p.Stages.NotifiedAt, p.FirstAt)
				}
				c.add(restOf{ch, s.stage, s.fault, string(s.state), domain.LinePayment}, RestItem{
					OrderNo: p.OrderNo, TradeNo: p.TradeNo, Amount: p.Amount, Since: since,
				})
			}
			if more = len(rows) == f.Limit; more {
				f.Before = rows[len(rows)-1].Position
			}
		}
	}
	return nil
}

// payouts finds those that left the provider and did not arrive.
func (c *collector) payouts(ctx context.Context, ch domain.ChannelID) error {
	f := projections.PayoutFilter{Channel: ch, State: projections.PayoutSent, Limit: restPage}
	for more := true; more; {
		rows, err := c.Rows.Payouts(ctx, f)
		if err != nil {
			return err
		}
		for _, p := range rows {
			c.add(restOf{ch, StagePaidOut, FaultLate, string(projections.PayoutSent), domain.LinePayout}, RestItem{
				Ref: p.ID, Amount: p.Amount(), Since: p.UpdatedAt,
			})
		}
		if more = len(rows) == f.Limit; more {
			f.Before = rows[len(rows)-1].Position
		}
	}
	return nil
}

// nextOf is what to do about a rest.
func nextOf(k restOf) (en, zh string) {
	switch {
	case k.stage == StageNotified:
		return "nobody paid, or the callback is lost: the sweep asks the provider; counterfoil doctor checks the callback address",
			"未付款或回调丢失：系统会自动查单；用 counterfoil doctor 检查回调地址"
	case k.stage == StageCredited && k.kind == string(domain.StateHeld):
		return "waits for the provider's confirmation: look at the provider's merchant page", "待渠道查单确认：请到商户后台核对"
	case k.stage == StageCredited && k.kind == string(domain.StateParked):
		return "allocate or refund it: counterfoil corrections propose", "请入账或退款：counterfoil corrections propose"
	case k.stage == StageCredited:
		return "the bill has it and the books do not: counterfoil discrepancies list --state open", "账单有而账上无：counterfoil discrepancies list --state open"
	case k.kind == "bill_not_due" || k.kind == "waits_for_later_bill":
		return "nothing yet: the bill of that day, or the next one, may list it", "暂无需处理：等待当日或次日账单"
	case k.stage == StagePaidOut && k.fault == FaultLate:
		return "on its way to the bank: it arrives with a bank statement", "在途打款：以银行流水确认到账"
	case k.fault == FaultMissing && (k.kind == string(domain.OnlyOurs) || k.kind == string(domain.RefundUnknown)):
		return "no bill lists it: ask the provider with the trade number", "账单一直未列出：请凭渠道单号向渠道查询"
	case k.fault == FaultMissing:
		return "its day was not compared: counterfoil reconcile backfill", "当日未对账：counterfoil reconcile backfill"
	}
	return "the sides disagree: counterfoil discrepancies list --state open", "双方不一致：counterfoil discrepancies list --state open"
}
