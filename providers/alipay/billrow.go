package alipay

import (
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/shopspring/decimal"
)

// column is a column of a bill, by its meaning.
type column int

const (
	colTradeNo column = iota
	colOrderNo
	colKind
	colGoods
	colAt
	colAmount   // trade bill: what was ordered
	colReceived // trade bill: what the merchant got, before fees
	colFee
	colShared   // trade bill: paid on to others
	colDiscount // trade bill: what the merchant gave away
	colPacket   // trade bill: what the merchant gave in red packets
	colRefundNo
	colID
	colIn
	colOut
	colBalance // account bill: what stands there afterwards
	countColumns
)

// layout is how one kind of bill is written. Columns are known by their names:
// older files have fewer, and they moved.
type layout struct {
	what     string // 业务明细 or 账务明细: in the file's name and in its frame
	names    map[string]column
	required []column
	sums     [2]string // the foot's names for what came in and what went out
	line     func(*bill) (domain.BillLine, error)
}

// layouts are the bills' (Alipay, description of the bill's fields).
var layouts = map[providers.BillKind]layout{
	providers.BillTrade: {
		what: "业务明细",
		names: map[string]column{
			"支付宝交易号": colTradeNo, "商户订单号": colOrderNo, "业务类型": colKind, "商品名称": colGoods, "完成时间": colAt,
			"订单金额(元)": colAmount, "商家实收(元)": colReceived, "服务费(元)": colFee, "分润(元)": colShared, "退款批次号/请求号": colRefundNo,
			"商家优惠(元)": colDiscount, "商家红包消费金额(元)": colPacket,
		},
		required: []column{colTradeNo, colOrderNo, colKind, colGoods, colAt, colAmount, colReceived, colFee},
		sums:     [2]string{"交易合计", "退款合计"},
		line:     (*bill).tradeLine,
	},
	providers.BillFunds: {
		what: "账务明细",
		names: map[string]column{
			"账务流水号": colID, "业务流水号": colTradeNo, "商户订单号": colOrderNo, "商品名称": colGoods, "发生时间": colAt,
			"收入金额(+元)": colIn, "支出金额(-元)": colOut, "业务类型": colKind, "账户余额(元)": colBalance,
		},
		required: []column{colID, colTradeNo, colOrderNo, colGoods, colAt, colIn, colOut, colKind},
		sums:     [2]string{"收入合计", "支出合计"},
		line:     (*bill).fundLine,
	},
}

// columns is where each column stands in a file; -1 where it does not.
type columns struct {
	at    [countColumns]int
	names [countColumns]string
	count int
}

// brackets are written full-width in headings, and sometimes not.
var brackets = strings.NewReplacer("（", "(", "）", ")")

// read finds the columns in a heading.
func (l layout) read(heading []string) (columns, error) {
	c := columns{count: len(heading)}
	for i := range c.at {
		c.at[i] = -1
	}
	for i, cell := range heading {
		name := brackets.Replace(trim(cell))
		col, known := l.names[name]
		if !known {
			continue
		}
		if c.at[col] >= 0 {
			return c, domain.E(domain.KindCorrupt, "has the column %s twice", name)
		}
		c.at[col], c.names[col] = i, name
	}
	for _, col := range l.required {
		if c.at[col] < 0 {
			return c, domain.E(domain.KindCorrupt, "is a heading without all columns, %d of them", len(heading))
		}
	}
	return c, nil
}

// trim takes off the tab that keeps spreadsheets from making numbers of texts.
func trim(cell string) string { return strings.Trim(cell, "\t \"") }

// split cuts a row into cells at its commas. Some files quote a cell that has
// commas in it.
func split(dst []string, text string) []string {
	for {
		if strings.HasPrefix(text, `"`) {
			if end := strings.Index(text[1:], `",`); end >= 0 {
				dst, text = append(dst, strings.ReplaceAll(text[1:end+1], `""`, `"`)), text[end+3:]
				continue
			}
		}
		cell, rest, more := strings.Cut(text, ",")
		dst = append(dst, cell)
		if !more {
			return dst
		}
		text = rest
	}
}

// rowLine reads a row. Cells beyond the heading's number come from commas that
// nobody quoted, and only the goods name can have them: it is counted from both
// ends.
func (b *bill) rowLine(text string) (domain.BillLine, error) {
	b.cells = split(b.cells[:0], text)
	more := len(b.cells) - b.columns.count
	if more < 0 {
		return domain.BillLine{}, b.corrupt("has %d cells, the heading %d", len(b.cells), b.columns.count)
	}
	if more > 0 {
		at := b.columns.at[colGoods]
		goods := strings.Join(b.cells[at:at+more+1], ",")
		b.cells = append(append(b.cells[:at], goods), b.cells[at+more+1:]...)
	}
	line, err := b.layout.line(b)
	line.Row, line.FeeCurrency = b.row, domain.CNY
	return line, err
}

// cell is the text of a column, "" where the file does not have it.
func (b *bill) cell(c column) string {
	if at := b.columns.at[c]; at >= 0 {
		return trim(b.cells[at])
	}
	return ""
}

// Signs differ from file to file, and the row's kind tells which way the money
// went: one is read over where it can stand.
const (
	inward  = "+"  // what came in is never below zero
	outward = "+-" // what went out is, in most files
)

// size is the size of an amount, with at most one of the signs that it may have.
func (b *bill) size(c column, signs string) (domain.Money, error) {
	text := unsigned(b.cell(c), signs)
	if text == "" {
		return domain.NewMoney(0, domain.CNY), nil
	}
	m, err := domain.ParseMoney(text, domain.CNY)
	if err != nil {
		return m, b.corrupt("column %s: %w", b.columns.names[c], err)
	}
	return m, nil
}

// unsigned takes one sign off.
func unsigned(text, signs string) string {
	if len(text) > 1 && strings.IndexByte(signs, text[0]) >= 0 {
		return text[1:]
	}
	return text
}

// fee is the size of a fee, which may have parts of a fen.
func (b *bill) fee() (decimal.Decimal, error) {
	text := unsigned(b.cell(colFee), outward)
	whole, part, _ := strings.Cut(text, ".")
	digits := whole + part
	n, err := strconv.ParseUint("0"+digits, 10, 63)
	if len(whole) > 9 || len(part) > 8 || strings.Count(text, ".") > 1 || err != nil {
		return decimal.Decimal{}, b.corrupt("column %s: %.40q is not a fee", b.columns.names[colFee], text)
	}
	return decimal.New(int64(n), -int32(len(part))), nil
}

func (b *bill) at() (time.Time, error) {
	t := parseTime(b.cell(colAt))
	if t.IsZero() {
		return t, b.corrupt("column %s: %.40q is not a time", b.columns.names[colAt], b.cell(colAt))
	}
	return t, nil
}

// number is an order's or a trade's number; "" for none.
func (b *bill) number(c column) (string, error) {
	text := b.cell(c)
	if text == "" {
		return "", nil
	}
	if _, err := domain.ParseTradeNo(text); err != nil {
		return "", b.corrupt("column %s: %w", b.columns.names[c], err)
	}
	return text, nil
}

// common reads what both bills have.
func (b *bill) common() (line domain.BillLine, err error) {
	if line.TradeNo, err = b.number(colTradeNo); err != nil {
		return line, err
	}
	if line.OrderNo, err = b.number(colOrderNo); err != nil {
		return line, err
	}
	line.At, err = b.at()
	line.ProviderStatus = b.cell(colKind)
	return line, err
}

// tradeLine is a row of the trade bill: money in and, with 退款, money out.
func (b *bill) tradeLine() (domain.BillLine, error) {
	line, err := b.common()
	if err != nil {
		return line, err
	}
	way := 0
	switch line.ProviderStatus {
	case "交易":
		line.Kind, line.Status = domain.LinePayment, domain.StatusPaid
	case "退款":
		line.Kind, line.Status, way = domain.LineRefund, domain.StatusSucceeded, 1
		if line.RefundNo, err = b.number(colRefundNo); err != nil {
			return line, err
		}
		line.RefundID = line.RefundNo
	default:
		return line, b.corrupt("column 业务类型: %.40q is neither 交易 nor 退款", line.ProviderStatus)
	}
	return b.tradeMoney(line, way)
}

func (b *bill) tradeMoney(line domain.BillLine, way int) (domain.BillLine, error) {
	signs := [...]string{inward, outward}[way]
	var err error
	if line.Amount, err = b.size(colAmount, signs); err != nil {
		return line, err
	}
	received, err := b.size(colReceived, signs)
	if err != nil {
		return line, err
	}
	shared, err := b.size(colShared, outward)
	if err != nil {
		return line, err
	}
	given, err := b.discount(&line)
	if err != nil {
		return line, err
	}
	if line.Fee, err = b.fee(); err != nil {
		return line, err
	}
	moved := received.Decimal().Sub(line.Fee).Sub(shared.Decimal())
	if way == 1 { // a refund gives the fee and the shares back
		line.Fee, moved = line.Fee.Neg(), moved.Neg()
	}
	if net, err := domain.MoneyFromDecimal(moved, domain.CNY); err == nil {
		line.Net = net // else it has parts of a fen, and the bill does not say what moved
	}
	return line, b.sums[way].add(b, received, given)
}

// discount is what the merchant gave away of an amount, by coupons of his own
// and by red packets; the foot adds up the first of the two alone. Of a refund
// it is the part that nobody has to give back. What Alipay gave away
// (支付宝红包, 集分宝, 支付宝优惠) reaches the merchant all the same.
func (b *bill) discount(line *domain.BillLine) (given discounts, err error) {
	if given.coupons, err = b.size(colDiscount, outward); err != nil {
		return given, err
	}
	if given.packets, err = b.size(colPacket, outward); err != nil {
		return given, err
	}
	all, err := given.coupons.Add(given.packets)
	if err != nil || all.Minor() > line.Amount.Minor() {
		return given, b.corrupt("column %s: %s is more than the amount %s", b.columns.names[colDiscount], all, line.Amount)
	}
	if all.IsPositive() {
		line.Discount = all
	}
	return given, nil
}

// fundKinds are the movements that have a name here, with their direction:
// +1 in, -1 out, 0 both.
var fundKinds = map[string]struct {
	kind domain.LineKind
	way  int
}{
	"在线支付": {domain.LinePayment, +1}, "交易付款": {domain.LinePayment, +1}, "交易退款": {domain.LineRefund, -1},
	"收费": {domain.LineFee, 0}, "服务费": {domain.LineFee, 0}, "退费": {domain.LineFee, 0},
	"提现": {domain.LinePayout, -1}, "提现退票": {domain.LinePayoutFailed, +1},
}

// fundLine is a row of the balance's movements.
func (b *bill) fundLine() (domain.BillLine, error) {
	line, err := b.common()
	if err != nil {
		return line, err
	}
	if line.ID, err = b.number(colID); err != nil {
		return line, err
	}
	if line.ID == "" {
		return line, b.corrupt("column %s: is empty", b.columns.names[colID])
	}
	in, err := b.size(colIn, inward)
	if err != nil {
		return line, err
	}
	out, err := b.size(colOut, outward)
	if err != nil {
		return line, err
	}
	if line.Net, err = in.Sub(out); err != nil {
		return line, b.corrupt("moves too much: %w", err)
	}
	if line.Balance, err = b.balance(); err != nil {
		return line, err
	}
	named := fundKinds[line.ProviderStatus]
	line.Kind, line.Amount = named.kind, line.Net
	if line.Kind == "" || int64(named.way)*line.Net.Minor() < 0 {
		line.Kind = domain.LineOther
	}
	return b.fundMoney(line, in, out)
}

// balance is what stands on the account after a movement: no money where the
// file does not say. Below zero it has its sign.
func (b *bill) balance() (domain.Money, error) {
	text, negative := strings.CutPrefix(b.cell(colBalance), "-")
	if text == "" && !negative {
		return domain.Money{}, nil
	}
	m, err := domain.ParseMoney(text, domain.CNY)
	if err != nil {
		return m, b.corrupt("column %s: %w", b.columns.names[colBalance], err)
	}
	if negative {
		m = m.Neg()
	}
	return m, nil
}

func (b *bill) fundMoney(line domain.BillLine, in, out domain.Money) (domain.BillLine, error) {
	if line.Kind != domain.LineOther && line.Amount.IsNegative() {
		line.Amount = line.Amount.Neg()
	}
	switch line.Kind {
	case domain.LineFee:
		line.Fee = line.Net.Decimal().Neg()
	case domain.LinePayout, domain.LinePayoutFailed:
		line.PayoutID = line.TradeNo
	case domain.LinePayment:
		line.Status = domain.StatusPaid
	case domain.LineRefund:
		line.Status = domain.StatusSucceeded
	default: // says nothing more
	}
	for way, m := range [...]domain.Money{in, out} {
		if m.IsZero() {
			continue
		}
		if err := b.sums[way].add(b, m, discounts{}); err != nil {
			return line, err
		}
	}
	return line, nil
}
