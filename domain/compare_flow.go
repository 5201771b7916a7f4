package domain

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/shopspring/decimal"
)

// FlowLine is a line of a trade bill or a fund flow as their comparison sees it.
type FlowLine struct {
	BillLine
	Day   Day // of the bill that it stands on
	Since Day // it waits since the other bill of this day lacked it; empty while it does not
}

// Ours is a line of the trade bill as the pool keeps it: the movement that the
// fund flow must have.
func (l *FlowLine) Ours() OurLine {
	amount, err := l.Reached()
	if err != nil { // a discount beyond the range of money
		amount = l.Amount
	}
	return OurLine{
		Kind: l.Kind, OrderNo: l.OrderNo, TradeNo: l.TradeNo, RefundID: l.RefundID, RefundNo: l.RefundNo, DisputeID: l.DisputeID,
		Amount: amount, ValueDate: l.Day, At: l.At, Since: l.Since,
	}
}

// FlowLineOf is a line that waits in the pool.
func FlowLineOf(o OurLine) FlowLine {
	return FlowLine{
		BillLine: BillLine{
			Kind: o.Kind, OrderNo: o.OrderNo, TradeNo: o.TradeNo, RefundID: o.RefundID, RefundNo: o.RefundNo, DisputeID: o.DisputeID,
			Amount: o.Amount, At: o.At, Status: StatusOther,
		},
		Day: o.ValueDate, Since: o.Since,
	}
}

// Item reports whether the line is of a kind that both bills name one by one.
func (l *FlowLine) Item() bool { return l.Kind == LinePayment || l.Kind == LineRefund }

// Flow is the number by which a fund flow with such names knows the line; empty
// where it names none.
func (n FlowNames) Flow(l *FlowLine) string {
	switch {
	case !l.Kind.compared() && l.Kind != LineFee:
		return ""
	case l.TradeNo != "":
		return l.TradeNo
	case l.RefundID != "":
		return l.RefundID
	}
	return l.RefundNo
}

// Trade is the number by which a fund flow with such names knows a line of the
// trade bill.
func (n FlowNames) Trade(l *FlowLine) string {
	if n.RefundsByOwn && l.Kind == LineRefund && l.RefundID != "" {
		return l.RefundID
	}
	return l.TradeNo
}

// CompareFlow lays a trade bill beside the fund flow of its day, movement by
// movement, and yields where they do not agree. Both sides come sorted: the flow
// by names.Flow, the trade bill by names.Trade. It reads each side once, the flow
// first, keeps the lines of one number at a time and counts into sum, in which
// the trade bill stands as ours.
//
// What the two say of one movement must be equal but for the discounts that the
// merchant gave, and its fee up to a unit that was rounded. In a difference Ours
// is the line of the trade bill and Theirs that of the flow. What the trade bill
// has and the flow lacks, or the other way round, waits while the next day's
// bills may have it: payments and refunds that the flow alone has are yielded at
// once as only_theirs and refund_missing, open, so that the provider can be
// asked. Movements that no trade bill lists, such as a refund that came back, are
// only_theirs: whether the books have them the caller knows.
//
// Where the flow has payments or refunds without any number, those are compared
// by their totals in each currency.
func CompareFlow(
	flow, trade iter.Seq2[FlowLine, error], names func() FlowNames, p ComparePolicy, sum *Compared,
) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		*sum = Compared{}
		c := flowComparison{
			policy: p, sum: sum, yield: yield, nameless: map[LineKind]bool{}, totals: map[LineKind]*[2]Totals{},
		}
		nextFlow, stopFlow := iter.Pull2(flow)
		defer stopFlow()
		nextTrade, stopTrade := iter.Pull2(trade)
		defer stopTrade()
		c.flow = side[FlowLine]{name: "the flow's", next: nextFlow, key: func(l *FlowLine) string { return c.names.Flow(l) }}
		c.trade = side[FlowLine]{name: "the trade bill's", next: nextTrade, key: func(l *FlowLine) string { return c.names.Trade(l) }}
		if err := c.run(names); err != nil {
			yield(Difference{}, err)
		}
	}
}

// flowComparison is one merge pass.
type flowComparison struct {
	policy   ComparePolicy
	names    FlowNames
	sum      *Compared
	yield    func(Difference, error) bool
	stopped  bool
	flow     side[FlowLine]
	trade    side[FlowLine]
	nameless map[LineKind]bool       // the flow has such lines without a number
	totals   map[LineKind]*[2]Totals // of the trade bill and of the flow
}

func (c *flowComparison) run(names func() FlowNames) error {
	if err := c.flow.advance(); err != nil {
		return err
	}
	c.names = names() // a sorted flow was read to its end by now
	if err := c.trade.advance(); err != nil {
		return err
	}
	if err := merge(&c.flow, &c.trade, &c.stopped, c.unnamed, c.settle); err != nil {
		return err
	}
	return c.compareTotals()
}

// unnamed takes one line without a number.
func (c *flowComparison) unnamed() error {
	if c.flow.more && c.flow.at() == "" {
		l := c.flow.head
		if err := c.countFlow(&l); err != nil {
			return err
		}
		switch {
		case l.Item():
			c.nameless[l.Kind] = true
		case l.Kind == LineOther:
			c.tell(Difference{Kind: UnclassifiedMovement, State: DifferenceOpen, Theirs: &l.BillLine, Delta: l.Amount})
		default:
			c.sum.Noted++
		}
		return c.flow.advance()
	}
	l := c.trade.head
	if err := c.countTrade(&l); err != nil {
		return err
	}
	if l.Item() && l.moved() {
		c.unlisted(&l)
	}
	return c.trade.advance()
}

// settle matches the lines of one number.
func (c *flowComparison) settle() error {
	for i := range c.flow.group {
		if err := c.countFlow(&c.flow.group[i]); err != nil {
			return err
		}
	}
	for i := range c.trade.group {
		if err := c.countTrade(&c.trade.group[i]); err != nil {
			return err
		}
	}
	trade, flow := c.sides()
	spareTrade, spareFlow, waited := c.pairs(trade, flow)
	if len(spareTrade)+len(spareFlow) == 0 {
		if len(trade) > 0 && !waited {
			return c.compareFees(trade[0])
		}
		return nil
	}
	for len(spareTrade) > 0 && len(spareFlow) > 0 && spareTrade[0].Kind == spareFlow[0].Kind {
		if err := c.differing(spareTrade[0], spareFlow[0]); err != nil {
			return err
		}
		spareTrade, spareFlow = spareTrade[1:], spareFlow[1:]
	}
	for _, t := range spareTrade {
		c.unlisted(t)
	}
	for _, f := range spareFlow {
		c.lacking(f)
	}
	return nil
}

// sides are the lines at hand that can match, sorted: without fees, and without
// what the trade bill says was tried in vain.
func (c *flowComparison) sides() (trade, flow []*FlowLine) {
	for i := range c.trade.group {
		if l := &c.trade.group[i]; l.Item() && (l.moved() || l.Status == StatusWaiting) {
			trade = append(trade, l)
		}
	}
	for i := range c.flow.group {
		if l := &c.flow.group[i]; l.Kind.compared() {
			flow = append(flow, l)
		}
	}
	slices.SortStableFunc(trade, compareFlowLines)
	slices.SortStableFunc(flow, compareFlowLines)
	return trade, flow
}

// compareFlowLines orders lines by what they are and by what reached the
// balance.
func compareFlowLines(a, b *FlowLine) int {
	x, y := a.Ours().Amount, b.Ours().Amount
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(x.currency, y.currency), cmp.Compare(x.minor, y.minor), cmp.Compare(a.Row, b.Row))
}

// pairs matches lines of equal kind and amount and returns the others. A refund
// on its way when the trade bill was made may stand in the flow and need not.
func (c *flowComparison) pairs(trade, flow []*FlowLine) (spareTrade, spareFlow []*FlowLine, waited bool) {
	for len(trade) > 0 || len(flow) > 0 {
		order := -1
		switch {
		case len(trade) == 0:
			order = 1
		case len(flow) > 0:
			x, y := trade[0].Ours().Amount, flow[0].Ours().Amount
			order = cmp.Or(cmp.Compare(trade[0].Kind, flow[0].Kind), cmp.Compare(x.currency, y.currency), cmp.Compare(x.minor, y.minor))
		}
		switch {
		case order == 0:
			waited = c.matched(trade[0], flow[0]) || waited
			trade, flow = trade[1:], flow[1:]
		case order < 0:
			if trade[0].Status != StatusWaiting {
				spareTrade = append(spareTrade, trade[0])
			}
			trade = trade[1:]
		default:
			spareFlow, flow = append(spareFlow, flow[0]), flow[1:]
		}
	}
	return spareTrade, spareFlow, waited
}

// matched notes two lines that mean the same, and that one of them had waited.
func (c *flowComparison) matched(t, f *FlowLine) (waited bool) {
	c.sum.Matched++
	if t.Since != "" {
		o := t.Ours()
		c.tell(Difference{Kind: Timing, State: DifferenceSettled, Ours: &o, Theirs: &f.BillLine})
	}
	if f.Since != "" {
		c.tell(Difference{Kind: Timing, State: DifferenceSettled, Theirs: &f.BillLine})
	}
	return t.Since != "" || f.Since != ""
}

// differing are two lines about one movement with different amounts.
func (c *flowComparison) differing(t, f *FlowLine) error {
	o := t.Ours()
	d := Difference{
		Kind: BillTotalMismatch, State: DifferenceOpen, Ours: &o, Theirs: &f.BillLine, Note: "the trade bill and the fund flow differ",
	}
	if o.Amount.currency == f.Amount.currency {
		var err error
		if d.Delta, err = f.Amount.Sub(o.Amount); err != nil {
			return err
		}
	}
	c.tell(d)
	return nil
}

// unlisted is a line of the trade bill that the flow lacks.
func (c *flowComparison) unlisted(t *FlowLine) {
	if c.nameless[t.Kind] {
		return // it may be among those without a number: the totals tell
	}
	o := t.Ours()
	if c.policy.Later(&o) {
		o.Since = cmp.Or(o.Since, c.policy.Day)
		c.tell(Difference{Kind: Timing, State: DifferenceWaiting, Ours: &o})
		return
	}
	c.tell(Difference{Kind: BillTotalMismatch, State: DifferenceOpen, Ours: &o, Delta: o.Amount.Neg(), Note: "the fund flow lacks it"})
}

// lacking is a line of the flow that the trade bill lacks.
func (c *flowComparison) lacking(f *FlowLine) {
	d := Difference{Kind: OnlyTheirs, State: DifferenceOpen, Theirs: &f.BillLine, Delta: f.Amount}
	switch o := f.Ours(); {
	case f.Since != "" && c.policy.Later(&o):
		d = Difference{Kind: Timing, State: DifferenceWaiting, Ours: &o, Theirs: &f.BillLine}
	case f.Since != "":
		d.Kind, d.Note = BillTotalMismatch, "the trade bill lacks it"
	case f.Kind == LineRefund:
		d.Kind = RefundMissing
	}
	c.tell(d)
}

// compareFees holds the fees that the flow names for one movement against those
// of the trade bill, where the flow names any by their movements. Each line may
// have been rounded by a unit.
func (c *flowComparison) compareFees(t *FlowLine) error {
	if !c.names.FeesByItem {
		return nil
	}
	sums, lines := map[Currency]decimal.Decimal{}, 0
	for i := range c.trade.group {
		if l := &c.trade.group[i]; l.FeeCurrency != "" && (l.moved() || l.Status == StatusWaiting) {
			sums[l.FeeCurrency] = sums[l.FeeCurrency].Sub(l.Fee)
			lines++
		}
	}
	for i := range c.flow.group {
		if l := &c.flow.group[i]; l.Kind == LineFee && l.FeeCurrency != "" {
			sums[l.FeeCurrency] = sums[l.FeeCurrency].Add(l.Fee)
		}
	}
	for _, cur := range slices.Sorted(maps.Keys(sums)) {
		off := sums[cur]
		switch within := decimal.New(int64(lines), -int32(cur.Places())); {
		case off.IsZero():
		case off.Abs().LessThan(within):
			c.sum.tolerateFee(cur, off)
		default:
			o := t.Ours()
			c.tell(Difference{
				Kind: FeeMismatch, State: DifferenceOpen, Ours: &o, Note: "the fund flow charges " + off.String() + " " + string(cur) + " more than the trade bill",
			})
		}
	}
	return nil
}

// compareTotals compares by totals what the flow does not name.
func (c *flowComparison) compareTotals() error {
	for _, k := range slices.Sorted(maps.Keys(c.nameless)) {
		of := c.totals[k]
		if of == nil {
			continue
		}
		var all Totals
		for _, side := range of {
			for m := range side.All() {
				if err := all.Add(NewMoney(0, m.currency)); err != nil {
					return err
				}
			}
		}
		for zero := range all.All() {
			ours, theirs := of[0].Of(zero.currency), of[1].Of(zero.currency)
			off, err := theirs.Sub(ours)
			if err != nil {
				return err
			}
			if off.IsZero() {
				continue
			}
			o := OurLine{Kind: k, Amount: ours, ValueDate: c.policy.Day}
			t := BillLine{Kind: k, ID: "total/" + string(c.policy.Day) + "/" + string(zero.currency), Amount: theirs}
			c.tell(Difference{Kind: BillTotalMismatch, State: DifferenceOpen, Ours: &o, Theirs: &t, Delta: off, Note: "the totals differ"})
		}
	}
	return nil
}

// countTrade counts a line of the trade bill; one that waits was counted on its
// own day.
func (c *flowComparison) countTrade(l *FlowLine) error {
	if l.Since != "" || !l.moved() {
		return nil
	}
	o := l.Ours()
	if err := c.addTotal(0, l.Kind, o.Amount); err != nil {
		return err
	}
	return c.sum.Ours.add(l.Kind, o.Amount)
}

func (c *flowComparison) countFlow(l *FlowLine) error {
	if l.Since != "" {
		return nil
	}
	if err := c.addTotal(1, l.Kind, l.Amount); err != nil {
		return err
	}
	return c.sum.addTheirs(&l.BillLine)
}

func (c *flowComparison) addTotal(side int, k LineKind, m Money) error {
	if m.currency == "" {
		return nil
	}
	of := c.totals[k]
	if of == nil {
		of = &[2]Totals{}
		c.totals[k] = of
	}
	return of[side].Add(m)
}

// tell yields a difference; the lines at hand are about to be overwritten.
func (c *flowComparison) tell(d Difference) {
	if d.Theirs != nil {
		t := *d.Theirs
		d.Theirs = &t
	}
	c.sum.count(d)
	if !c.stopped && !c.yield(d, nil) {
		c.stopped = true
	}
}
