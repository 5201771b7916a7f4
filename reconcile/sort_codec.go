package reconcile

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/shopspring/decimal"

	"counterfoil/domain"
)

// lineCodec packs lines for sorting. append writes all but the key, decode
// reads the key behind its length and then what append wrote. Packed lines live
// as long as one sort, so there is no version in them.
type lineCodec[T any] struct {
	key    func(*T) string
	append func([]byte, *T) []byte
	decode func(string) (T, error)
}

var billCodec = lineCodec[domain.BillLine]{
	key: func(b *domain.BillLine) string { return b.TradeNo }, append: appendBill, decode: decodeBill,
}

var oursCodec = lineCodec[domain.OurLine]{
	key: func(o *domain.OurLine) string { return o.TradeNo }, append: appendOurs, decode: decodeOurs,
}

func appendBill(b []byte, l *domain.BillLine) []byte {
	b = binary.AppendVarint(b, int64(l.Row))
	b = appendText(b, string(l.Kind), l.OrderNo, l.RefundID, l.RefundNo, l.DisputeID, l.PayoutID, l.ID)
	b = appendMoney(b, l.Amount)
	b = appendDecimal(b, l.Fee)
	b = appendText(b, string(l.FeeCurrency))
	b = appendMoney(b, l.Net)
	b = appendRare(b, l)
	b = appendText(b, string(l.Status), l.ProviderStatus)
	b = appendTime(b, l.At)
	return appendText(b, string(l.Account))
}

func decodeBill(packed string) (domain.BillLine, error) {
	r := unpacker{rest: packed}
	l := domain.BillLine{TradeNo: r.text()}
	r.bill(&l)
	return l, r.end()
}

// bill reads what appendBill wrote.
func (u *unpacker) bill(l *domain.BillLine) {
	l.Row, l.Kind, l.OrderNo = int(u.number()), domain.LineKind(u.text()), u.text()
	l.RefundID, l.RefundNo, l.DisputeID, l.PayoutID, l.ID = u.text(), u.text(), u.text(), u.text(), u.text()
	l.Amount, l.Fee, l.FeeCurrency, l.Net = u.money(), u.decimal(), domain.Currency(u.text()), u.money()
	u.rare(l)
	l.Status, l.ProviderStatus, l.At, l.Account = domain.Status(u.text()), u.text(), u.time(), domain.AccountID(u.text())
}

// What few lines of a bill say.
const (
	hasDiscount = 1 << iota
	hasBalance
)

// appendRare packs what few lines say: of the others a byte.
func appendRare(b []byte, l *domain.BillLine) []byte {
	at := len(b)
	b = append(b, 0)
	if l.Discount != (domain.Money{}) {
		b[at] |= hasDiscount
		b = appendMoney(b, l.Discount)
	}
	if l.Balance != (domain.Money{}) {
		b[at] |= hasBalance
		b = appendMoney(b, l.Balance)
	}
	return b
}

// rare reads what appendRare wrote.
func (u *unpacker) rare(l *domain.BillLine) {
	if u.rest == "" {
		u.fail()
		return
	}
	has := u.rest[0]
	if u.rest = u.rest[1:]; has&hasDiscount != 0 {
		l.Discount = u.money()
	}
	if has&hasBalance != 0 {
		l.Balance = u.money()
	}
}

// flowCodec packs lines under the number that key gives them: a fund flow knows
// refunds by other numbers than the trade bill.
func flowCodec(key func(*domain.FlowLine) string) lineCodec[domain.FlowLine] {
	return lineCodec[domain.FlowLine]{key: key, append: appendFlow, decode: decodeFlow}
}

func appendFlow(b []byte, l *domain.FlowLine) []byte {
	return appendBill(appendText(b, l.TradeNo, string(l.Day), string(l.Since)), &l.BillLine)
}

func decodeFlow(packed string) (domain.FlowLine, error) {
	r := unpacker{rest: packed}
	_ = r.text() // the key
	l := domain.FlowLine{}
	l.TradeNo, l.Day, l.Since = r.text(), domain.Day(r.text()), domain.Day(r.text())
	r.bill(&l.BillLine)
	return l, r.end()
}

func appendOurs(b []byte, l *domain.OurLine) []byte {
	b = appendText(b, string(l.Kind), l.OrderNo, l.RefundID, l.RefundNo, l.DisputeID)
	b = appendMoney(b, l.Amount)
	b = appendText(b, string(l.State), string(l.ValueDate))
	b = appendTime(b, l.At)
	b = binary.AppendUvarint(b, l.Position)
	return appendText(b, string(l.Since))
}

func decodeOurs(packed string) (domain.OurLine, error) {
	r := unpacker{rest: packed}
	l := domain.OurLine{TradeNo: r.text(), Kind: domain.LineKind(r.text()), OrderNo: r.text()}
	l.RefundID, l.RefundNo, l.DisputeID, l.Amount = r.text(), r.text(), r.text(), r.money()
	l.State, l.ValueDate, l.At = domain.TradeState(r.text()), domain.Day(r.text()), r.time()
	l.Position, l.Since = r.count(), domain.Day(r.text())
	return l, r.end()
}

func appendText(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func appendMoney(b []byte, m domain.Money) []byte {
	return appendText(binary.AppendVarint(b, m.Minor()), string(m.Currency()))
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) // 0 to 999,999,999
}

// Fees have a few digits; the others are rare and go as decimal packs itself.
const (
	smallDecimal = 0
	largeDecimal = 1
)

func appendDecimal(b []byte, d decimal.Decimal) []byte {
	if d.NumDigits() <= 17 {
		b = append(b, smallDecimal)
		b = binary.AppendVarint(b, d.CoefficientInt64())
		return binary.AppendVarint(b, int64(d.Exponent()))
	}
	packed, err := d.MarshalBinary()
	if err != nil { // it has no way to fail
		packed = nil
	}
	return appendText(append(b, largeDecimal), string(packed))
}

// unpacker reads a packed line. After the first fault everything is empty.
type unpacker struct {
	rest  string
	fault bool
}

func (u *unpacker) end() error {
	if u.fault || u.rest != "" {
		return domain.E(domain.KindCorrupt, "a packed line cannot be read back")
	}
	return nil
}

func (u *unpacker) fail() { u.fault, u.rest = true, "" }

// count reads what binary.AppendUvarint wrote.
func (u *unpacker) count() uint64 {
	var v uint64
	for i := range min(len(u.rest), binary.MaxVarintLen64) {
		c := u.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		if v |= uint64(c&0x7f) << (7 * i); c < 0x80 {
			u.rest = u.rest[i+1:]
			return v
		}
	}
	u.fail()
	return 0
}

// number reads what binary.AppendVarint wrote.
func (u *unpacker) number() int64 {
	v := u.count()
	return int64(v>>1) ^ -int64(v&1) // zigzag
}

func (u *unpacker) text() string {
	n := u.count()
	if n > uint64(len(u.rest)) {
		u.fail()
		return ""
	}
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) money() domain.Money {
	minor, currency := u.number(), domain.Currency(u.text())
	if minor == math.MinInt64 {
		u.fail()
		return domain.Money{}
	}
	return domain.NewMoney(minor, currency)
}

func (u *unpacker) time() time.Time {
	sec, nano := u.number(), u.count()
	if nano >= uint64(time.Second) {
		u.fail()
	}
	return time.Unix(sec, int64(nano)).UTC() // below a second
}

func (u *unpacker) decimal() decimal.Decimal {
	if u.rest == "" {
		u.fail()
		return decimal.Decimal{}
	}
	form := u.rest[0]
	if u.rest = u.rest[1:]; form == smallDecimal {
		v, exp := u.number(), u.number()
		if exp != int64(int32(exp)) { // that is what is asked
			u.fail()
		}
		return decimal.New(v, int32(exp)) // checked above
	}
	var d decimal.Decimal
	packed := u.text()
	if form != largeDecimal || len(packed) < 5 || d.UnmarshalBinary([]byte(packed)) != nil {
		u.fail()
	}
	return d
}
