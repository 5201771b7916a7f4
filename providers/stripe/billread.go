package stripe

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"slices"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"

	"github.com/shopspring/decimal"
)

// maxLine is the longest line of a bill, in bytes.
const maxLine = 1 << 20

// Types of balance transactions (Stripe, "Balance transaction types"). A
// payment is what pays by other means than a card; its failure days later
// (payment_failure_refund) comes as a refund that nobody made. All others are
// movements without a name here.
var lineKinds = map[string]domain.LineKind{
	"charge":                 domain.LinePayment,
	"payment":                domain.LinePayment,
	"refund":                 domain.LineRefund,
	"payment_refund":         domain.LineRefund,
	"payment_failure_refund": domain.LineRefund,
	"payment_reversal":       domain.LineRefund,
	"refund_failure":         domain.LineRefundFailed,
	"stripe_fee":             domain.LineFee,
	"stripe_fx_fee":          domain.LineFee,
	"tax_fee":                domain.LineFee,
	"payout":                 domain.LinePayout,
	"payout_failure":         domain.LinePayoutFailed,
	"payout_cancel":          domain.LinePayoutFailed,
}

// adjustment is the type of what a dispute moves, among other things.
const adjustment = "adjustment"

// ReadBill yields the lines of a bill. Amounts are those of the payment, refund
// or dispute itself, in its own currency; Fee, FeeCurrency and Net are those of
// the balance, which may be kept in another: the rate is between the two. The
// whole of a fee line is in Amount and in Fee. A movement whose sign does not
// fit its type is LineOther. ProviderStatus is the type, PayoutID the payout
// itself or the automatic one that the transaction went into.
func (c *Channel) ReadBill(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		if f.Empty {
			return
		}
		b := billReader{c: c, day: f.Question.Day, lines: bufio.NewScanner(r)}
		b.lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		b.from, b.to = b.day.Start(c.zone).Unix(), b.day.Add(1).Start(c.zone).Unix()
		for {
			line, err := b.next()
			if errors.Is(err, io.EOF) || !yield(line, err) || err != nil {
				return
			}
		}
	}
}

type billReader struct {
	c        *Channel
	day      domain.Day
	from, to int64
	last     int64
	lines    *bufio.Scanner
	row      int
}

func (b *billReader) corrupt(format string, args ...any) error {
	return domain.E(domain.KindCorrupt, "bill of %s, row %d: %w", b.day, b.row, domain.E(domain.KindCorrupt, format, args...))
}

// next is the next line; io.EOF behind the last one.
func (b *billReader) next() (domain.BillLine, error) {
	b.row++
	if !b.lines.Scan() {
		if err := b.lines.Err(); err != nil {
			return domain.BillLine{}, b.corrupt("cannot be read: %w", err)
		}
		return domain.BillLine{}, b.corrupt("the end is missing")
	}
	o, err := parseObject(b.lines.Bytes(), maxLine)
	if err != nil {
		return domain.BillLine{}, b.corrupt("%w", err)
	}
	if o.text("object") == objectEnd {
		return domain.BillLine{}, b.end()
	}
	at, err := o.number("created")
	if err != nil || at < b.from || at >= b.to {
		return domain.BillLine{}, b.corrupt("created is not a time of this day")
	}
	if at < b.last {
		return domain.BillLine{}, b.corrupt("created is before that of the row above")
	}
	b.last = at
	line, err := b.c.billLine(o)
	if err != nil {
		return domain.BillLine{}, b.corrupt("%w", err)
	}
	line.Row = b.row
	return line, nil
}

// end checks the last line: the number of rows, and whose day it is.
func (b *billReader) end() error {
	var end billEnd
	if err := strictjson.UnmarshalKnown(b.lines.Bytes(), &end); err != nil {
		return b.corrupt("end: %w", err)
	}
	if want := b.c.billEnd(b.row-1, b.day); end != want {
		return b.corrupt("end is that of another bill, or rows are missing: %+v, want %+v", end, want)
	}
	if b.lines.Scan() {
		return b.corrupt("there is something behind the end")
	}
	return io.EOF
}

// billLine is one transaction.
func (c *Channel) billLine(o object) (domain.BillLine, error) {
	moved, err := o.money("amount")
	if err != nil {
		return domain.BillLine{}, err
	}
	net, err := o.money("net")
	if err != nil {
		return domain.BillLine{}, err
	}
	fee, err := feeOf(o)
	if err != nil {
		return domain.BillLine{}, err
	}
	line := domain.BillLine{
		ID: o.text("id"), Kind: lineKind(o, moved), Amount: moved, Fee: fee, FeeCurrency: net.Currency(), Net: net,
		ProviderStatus: o.text("type"), At: o.at("created"), PayoutID: o.text(memberPayout),
	}
	if line.ID == "" || line.ProviderStatus == "" {
		return domain.BillLine{}, domain.E(domain.KindInvalid, "id or type is missing")
	}
	if total := net.Decimal().Add(fee); !total.Equal(moved.Decimal()) {
		return domain.BillLine{}, domain.E(domain.KindInvalid, "net %s and fee %s are not the amount %s", net, fee, moved)
	}
	return line, c.complete(&line, o)
}

// feeOf is the fee in whole units of the balance's currency.
func feeOf(o object) (decimal.Decimal, error) {
	n, err := o.number("fee")
	if err != nil {
		return decimal.Decimal{}, err
	}
	u, err := unitNamed(o.text("currency"))
	if err != nil {
		return decimal.Decimal{}, err
	}
	return decimal.New(n, -int32(u.digits)), nil
}

// lineKind is what a transaction is about, by its type and its sign.
func lineKind(o object, moved domain.Money) domain.LineKind {
	kind, known := lineKinds[o.text("type")]
	if o.text("type") == adjustment && disputed(o) {
		kind, known = domain.LineDisputeWithdrawn, true
		if moved.IsPositive() {
			kind = domain.LineDisputeReinstated
		}
	}
	in := []domain.LineKind{
		domain.LinePayment, domain.LineRefundFailed, domain.LinePayoutFailed, domain.LineDisputeReinstated,
	}
	switch {
	case !known:
		return domain.LineOther
	case kind == domain.LineFee:
		return kind
	case slices.Contains(in, kind) == moved.IsNegative():
		return domain.LineOther
	}
	return kind
}

// disputed reports an adjustment by a dispute, which older rows tell by their
// source alone.
func disputed(o object) bool {
	switch o.text("reporting_category") {
	case "dispute", "dispute_reversal":
		return true
	}
	return o.sub("source").text("object") == objectDispute
}

// complete adds what the source says: numbers, and the amount in the currency
// of the payment.
func (c *Channel) complete(line *domain.BillLine, o object) error {
	source := o.sub("source")
	own, err := sourceAmount(line.Amount, source)
	if err != nil {
		return err
	}
	id := o.ref("source")
	line.OrderNo, line.Account = c.orderNo(source), c.account(source)
	switch line.Kind {
	case domain.LinePayment:
		line.Status, line.TradeNo = domain.StatusPaid, chargeTrade(source)
		if line.TradeNo == "" {
			line.TradeNo = id
		}
		line.Amount = own
	case domain.LineRefund:
		line.Status, line.RefundID, line.TradeNo = domain.StatusSucceeded, id, partOf(source)
		line.RefundNo, line.Amount = source.sub("metadata").text(refundNoKey), own
	case domain.LineRefundFailed:
		line.Status, line.RefundID, line.TradeNo = domain.StatusFailed, id, partOf(source)
		line.RefundNo, line.Amount = source.sub("metadata").text(refundNoKey), own
	case domain.LineDisputeWithdrawn:
		line.Status, line.DisputeID, line.TradeNo, line.Amount = domain.StatusWithdrawn, id, partOf(source), own
	case domain.LineDisputeReinstated:
		line.Status, line.DisputeID, line.TradeNo, line.Amount = domain.StatusReinstated, id, partOf(source), own
	case domain.LinePayout:
		line.Into, line.PayoutID, line.Amount = line.PayoutID, id, absolute(line.Amount) // its list has itself, too
	case domain.LinePayoutFailed:
		line.Into, line.PayoutID, line.Amount = line.PayoutID, id, absolute(line.Amount)
	case domain.LineFee:
		line.Fee, line.Amount = line.Net.Decimal().Neg(), absolute(line.Amount)
	case domain.LineOther:
	}
	return nil
}

// sourceAmount is the amount of a transaction in the currency of its source. In
// one currency the transaction's own counts: a part of a dispute may have moved.
func sourceAmount(moved domain.Money, source object) (domain.Money, error) {
	moved = absolute(moved)
	code := source.text("currency")
	if code == "" {
		return moved, nil
	}
	u, err := unitNamed(code)
	if err != nil || u.currency == moved.Currency() {
		return moved, err
	}
	if source.text("object") == objectCharge && source.value("amount_captured") != "" {
		return source.amount("amount_captured")
	}
	return source.amount("amount")
}

func absolute(m domain.Money) domain.Money {
	if m.IsNegative() {
		return m.Neg()
	}
	return m
}
