package domain

import (
	"cmp"
	"maps"
	"slices"

	"github.com/shopspring/decimal"
)

// MaxMovements bounds the payouts and unnamed movements of one bill: a provider
// pays out a few times a day.
const MaxMovements = 20_000

// BillTally gathers, line by line in the order of the bill, what a bill says
// beside its payments: what was charged and exchanged, what moved, and whether
// its balances follow from its movements. It keeps no payments. The zero
// BillTally is empty and ready.
type BillTally struct {
	charges   map[Currency]*charge
	exchanges map[exchangeOf]Exchange
	moves     []Movement
	chains    map[Currency]*balanceChain
	payouts   map[string]*PayoutSum
	names     FlowNames
}

// FlowNames says by what the movements of a fund flow name payments and refunds.
type FlowNames struct {
	RefundsByOwn bool // a refund by its own number instead of its payment's
	FeesByItem   bool // a fee by the payment or refund that it was charged for
}

type charge struct {
	fees      []feeSum
	discounts Money
	moved     Money // what left the balance for fees
	unsure    bool  // a line with a fee does not say what moved
}

type exchangeOf struct{ from, to Currency }

// PayoutSum is one payout as the lines of a bill tell it: how much was paid out,
// and what the lines come to that went into it.
type PayoutSum struct {
	ID     string `json:"id"`
	Stated Money  `json:"stated,omitzero"` // of the payout's own line; zero Money where the bill has none
	Parts  Money  `json:"parts,omitzero"`  // the sum of the lines that name it
	Lines  int    `json:"lines"`           // their number
	Row    int    `json:"row,omitempty"`   // of its own line
	Named  bool   `json:"named,omitempty"` // its own line says that the lines which went into it name it
}

// Add takes the next line of the bill. KindTooLarge says that it has more
// movements, or sums, than a bill can have.
func (t *BillTally) Add(b *BillLine) error {
	t.note(b)
	if !b.moved() && b.Net.currency == "" {
		return nil // it was tried, or it is on its way and the bill does not say what moved
	}
	if err := t.charge(b); err != nil {
		return err
	}
	if err := t.exchange(b); err != nil {
		return err
	}
	if err := t.payout(b); err != nil {
		return err
	}
	switch b.Kind {
	case LinePayout, LinePayoutFailed, LineOther:
		if len(t.moves) == MaxMovements {
			return E(KindTooLarge, "row %d: more than %d payouts and other movements", b.Row, MaxMovements)
		}
		t.moves = append(t.moves, Movement{
			Kind: b.Kind, ID: b.ID, PayoutID: b.PayoutID, Amount: b.Amount, Net: b.Net, At: b.At, Row: b.Row,
		})
	case LinePayment, LineRefund, LineRefundFailed, LineFee, LineDisputeWithdrawn, LineDisputeReinstated:
	}
	if t.chains == nil {
		t.chains = map[Currency]*balanceChain{}
	}
	return chained(t.chains, b)
}

// note learns by what the bill names its movements.
func (t *BillTally) note(b *BillLine) {
	switch {
	case b.Kind == LineFee:
		t.names.FeesByItem = t.names.FeesByItem || b.TradeNo != ""
	case b.Kind == LineRefund || b.Kind == LineRefundFailed:
		t.names.RefundsByOwn = t.names.RefundsByOwn || b.TradeNo == "" && (b.RefundID != "" || b.RefundNo != "")
	}
}

// way is the direction in which a line's gross amount moves the balance; 0 for
// kinds whose amount has its own sign or is a fee.
func (k LineKind) way() int64 {
	switch k {
	case LinePayment, LineRefundFailed, LineDisputeReinstated, LinePayoutFailed:
		return 1
	case LineRefund, LineDisputeWithdrawn, LinePayout:
		return -1
	case LineFee, LineOther:
	}
	return 0
}

// Reached is what of a line's amount reaches the balance before fees: all but
// the discounts that the merchant gave.
func (b *BillLine) Reached() (Money, error) {
	if b.Discount.currency == "" || b.Discount.currency != b.Amount.currency {
		return b.Amount, nil
	}
	return b.Amount.Sub(b.Discount)
}

// disputed reports lines about disputes: what one costs is booked with the
// dispute itself and is none of the bill's fees.
func (k LineKind) disputed() bool { return k == LineDisputeWithdrawn || k == LineDisputeReinstated }

// charge adds up fees and discounts.
func (t *BillTally) charge(b *BillLine) error {
	if d := b.Discount; d.currency != "" && !d.IsZero() {
		c := t.chargeIn(d.currency)
		if b.Kind.way() < 0 {
			d = d.Neg()
		}
		var err error
		if c.discounts, err = c.discounts.Add(d); err != nil {
			return err
		}
	}
	if b.FeeCurrency == "" || b.Fee.IsZero() || b.Kind.disputed() {
		return nil
	}
	c := t.chargeIn(b.FeeCurrency)
	c.fees = addFee(c.fees, b.FeeCurrency, b.Fee)
	moved, known, err := b.feeMoved()
	if err != nil {
		return err
	}
	if !known {
		c.unsure = true
		return nil
	}
	c.moved, err = c.moved.Add(moved)
	return err
}

// feeMoved is what a line's fee took off the balance, where the line says it: a
// bill may name a fee in parts of a unit, and what moves is whole.
func (b *BillLine) feeMoved() (m Money, known bool, err error) {
	switch {
	case b.Net.currency != b.FeeCurrency:
		return m, false, nil
	case b.Kind == LineFee:
		return b.Net.Neg(), true, nil
	case b.Amount.currency != b.FeeCurrency || b.Kind.way() == 0:
		whole, err := MoneyFromDecimal(b.Fee, b.FeeCurrency)
		return whole, err == nil, nil //nolint:nilerr // parts of a unit: the line does not say what moved
	}
	reached, err := b.Reached()
	if err != nil {
		return m, false, err
	}
	if b.Kind.way() < 0 {
		reached = reached.Neg()
	}
	m, err = reached.Sub(b.Net)
	return m, true, err
}

func (t *BillTally) chargeIn(cur Currency) *charge {
	if t.charges == nil {
		t.charges = map[Currency]*charge{}
	}
	if t.charges[cur] == nil {
		t.charges[cur] = &charge{discounts: NewMoney(0, cur), moved: NewMoney(0, cur)}
	}
	return t.charges[cur]
}

// exchange adds up what a line charged in one currency and settled in another.
func (t *BillTally) exchange(b *BillLine) error {
	if b.Net.currency == "" || b.Amount.currency == "" || b.Net.currency == b.Amount.currency || b.Kind.way() == 0 {
		return nil
	}
	k := exchangeOf{b.Amount.currency, b.Net.currency}
	x, ok := t.exchanges[k]
	if !ok {
		x = Exchange{NewMoney(0, k.from), NewMoney(0, k.to)}
	}
	from := b.Amount
	if b.Kind.way() < 0 {
		from = from.Neg()
	}
	to, err := MoneyFromDecimal(b.Net.Decimal().Add(b.Fee), k.to)
	if err != nil {
		return E(KindCorrupt, "row %d: %w", b.Row, err)
	}
	if x.From, err = x.From.Add(from); err != nil {
		return err
	}
	if x.To, err = x.To.Add(to); err != nil {
		return err
	}
	if t.exchanges == nil {
		t.exchanges = map[exchangeOf]Exchange{}
	}
	t.exchanges[k] = x
	return nil
}

// payout notes a payout's own line, and a line that went into one: a payout that
// came back, or one that was made by hand, goes into the next one.
func (t *BillTally) payout(b *BillLine) error {
	if b.PayoutID == "" {
		return nil
	}
	into := b.PayoutID
	if b.Kind == LinePayout || b.Kind == LinePayoutFailed {
		into = b.Into
	}
	if b.Kind == LinePayout {
		p, err := t.payoutOf(b.PayoutID, b.Row)
		if err != nil {
			return err
		}
		p.Stated, p.Row, p.Named = b.Amount, b.Row, into == b.PayoutID
	}
	if into == "" || b.Kind == LinePayout && into == b.PayoutID {
		return nil
	}
	p, err := t.payoutOf(into, b.Row)
	if err != nil {
		return err
	}
	if p.Lines++; b.Net.currency == "" {
		return nil
	}
	if p.Parts.currency == "" {
		p.Parts = NewMoney(0, b.Net.currency)
	}
	p.Parts, err = p.Parts.Add(b.Net)
	return err
}

func (t *BillTally) payoutOf(id string, row int) (*PayoutSum, error) {
	if t.payouts == nil {
		t.payouts = map[string]*PayoutSum{}
	}
	p := t.payouts[id]
	if p == nil {
		if len(t.payouts) == MaxMovements {
			return nil, E(KindTooLarge, "row %d: more than %d payouts", row, MaxMovements)
		}
		p = &PayoutSum{ID: id}
		t.payouts[id] = p
	}
	return p, nil
}

// Names says by what the bill names its movements.
func (t *BillTally) Names() FlowNames { return t.names }

// Charges are what the bill charged, in order of the currencies.
func (t *BillTally) Charges() []Charge {
	out := make([]Charge, 0, len(t.charges))
	for _, cur := range slices.Sorted(maps.Keys(t.charges)) {
		c := t.charges[cur]
		out = append(out, Charge{Currency: cur, Fees: feesText(c.fees, cur), Discounts: c.discounts.Decimal().String()})
		if !c.unsure {
			out[len(out)-1].Moved = c.moved
		}
	}
	return out
}

func feesText(sums []feeSum, cur Currency) string {
	fees, ok := totals(sums)[cur]
	if !ok {
		fees = decimal.Decimal{}
	}
	return fees.String()
}

// Exchanges are what the bill exchanged, in order of the currencies.
func (t *BillTally) Exchanges() []Exchange {
	out := slices.Collect(maps.Values(t.exchanges))
	slices.SortFunc(out, func(a, b Exchange) int {
		return cmp.Or(cmp.Compare(a.From.currency, b.From.currency), cmp.Compare(a.To.currency, b.To.currency))
	})
	return out
}

// Movements are the payouts and the movements without a name, as they came; bill
// and run are for the caller to fill in.
func (t *BillTally) Movements() []Movement { return t.moves }

// Payouts are the payouts that lines of the bill name, by their numbers.
func (t *BillTally) Payouts() []PayoutSum {
	var out []PayoutSum
	for _, id := range slices.Sorted(maps.Keys(t.payouts)) {
		out = append(out, *t.payouts[id])
	}
	return out
}
