package alipay

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/providers"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// The words of trade_status (Alipay, asynchronous notice and alipay.trade.query).
const (
	tradeWaiting  = "WAIT_BUYER_PAY"
	tradeSuccess  = "TRADE_SUCCESS"  // paid, can be refunded
	tradeFinished = "TRADE_FINISHED" // paid, cannot be refunded any more
	tradeClosed   = "TRADE_CLOSED"   // never paid, or paid and refunded in full
)

// texts reads the values of a message in its charset. What is read is the
// numbers, words, times and amounts; goods names and the like stay bytes.
type texts struct {
	fields Params
	gb     bool
	err    error
}

func textsOf(p Params) (*texts, error) {
	switch strings.ToLower(p.Value(fieldCharset)) {
	case "", "utf-8", "utf8":
		return &texts{fields: p}, nil
	case "gbk", "gb2312", "gb18030":
		return &texts{fields: p, gb: true}, nil
	}
	return nil, domain.E(domain.KindInvalid, "charset is neither UTF-8 nor GBK")
}

// text is a value as UTF-8 without control characters; "" if there is none.
func (t *texts) text(name string) string {
	value := t.fields.Value(name)
	if t.gb {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().String(value)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
			t.fail(name)
			return ""
		}
		value = decoded
	}
	if !providers.Readable(value) {
		t.fail(name)
		return ""
	}
	return strings.Clone(value)
}

func (t *texts) fail(name string) {
	if t.err == nil {
		t.err = domain.E(domain.KindInvalid, "the value of %s cannot be read", name)
	}
}

// money is an amount in the currency of the trade; the zero Money if there is
// none.
func (t *texts) money(name string) domain.Money {
	value := t.fields.Value(name)
	if value == "" {
		return domain.Money{}
	}
	m, err := domain.ParseMoney(value, currencyOf(t.text(fieldCurrency)))
	if err != nil && t.err == nil {
		t.err = domain.E(domain.KindInvalid, "%s: %w", name, err)
	}
	return m
}

// currencyOf is the currency of a trade's amounts. Only trades that were priced
// in another one than yuan name it.
func currencyOf(code string) domain.Currency {
	if code == "" {
		return domain.CNY
	}
	return domain.Currency(code)
}

// notices reads proven fields. A field that is missing is how other messages
// of Alipay's look that are signed with the same key: the return to the shop's
// page has no trade_status.
func (c *Channel) notices(p Params) ([]domain.Notice, error) {
	t, err := textsOf(p)
	if err != nil {
		return nil, err
	}
	trade := trade{
		word: t.text(fieldTradeStatus), total: t.money(fieldTotal), refunded: t.money(fieldRefundFee),
		refundNo: t.text(fieldRefundNo), paidAt: parseTime(t.text(fieldPaidAt)), refundedAt: parseTime(t.text(fieldRefundedAt)),
		closedAt: parseTime(t.text(fieldClosedAt)), wasPaid: p.Value(fieldPaidAt) != "",
	}
	trade.loose = trade.refunded.IsPositive() && trade.refundedAt.IsZero()
	base := domain.Notice{
		Source: domain.SourceCallback, Channel: c.cfg.Channel, OrderNo: t.text(fieldOrderNo), TradeNo: t.text(fieldTradeNo),
		Doubts: doubtsOf(p), Account: c.account(p.Value(fieldPassback)),
	}
	if t.err != nil {
		return nil, t.err
	}
	for _, must := range [...]Param{{fieldOrderNo, base.OrderNo}, {fieldTradeStatus, trade.word}} {
		if must.Value == "" {
			return nil, domain.E(domain.KindInvalid, "the field %s is missing", must.Name)
		}
	}
	return trade.notices(base)
}

// account is whose payment it is, as the channel's rule says. passback_params
// is escaped once more than the rest of the form.
func (c *Channel) account(passback string) domain.AccountID {
	if c.cfg.AccountFrom == "" || passback == "" {
		return ""
	}
	text, err := url.QueryUnescape(passback)
	if err != nil {
		return ""
	}
	account, err := domain.ParseAccountID(text)
	if err != nil {
		return ""
	}
	return account
}

// trade is the state of a trade as one message tells it.
type trade struct {
	word       string
	total      domain.Money
	refunded   domain.Money // of all refunds; no money where the message names none
	refundNo   string       // of the newest refund
	paidAt     time.Time
	refundedAt time.Time
	closedAt   time.Time
	wasPaid    bool // a time of payment is named
	loose      bool // a sum of refunds is named, but no time of a refund
}

// notices is what t says: of the payment, if it proves one, and then of its
// refunds; else that there was none. A closed trade that was paid was refunded
// in full: so the word is defined.
func (t trade) notices(base domain.Notice) ([]domain.Notice, error) {
	paid := t.word == tradeSuccess || t.word == tradeFinished
	if t.word == tradeClosed && (t.wasPaid || t.refunded.IsPositive()) {
		paid = true
		if !t.refunded.IsPositive() {
			t.refunded = t.total
		}
	}
	var all []domain.Notice
	add := func(n domain.Notice) {
		n.Index = len(all)
		all = append(all, n)
	}
	switch {
	case paid && t.total.IsPositive():
		add(t.payment(base, domain.StatusPaid, t.paidAt))
	case !paid:
		add(t.payment(base, unpaidStatus(t.word), t.closedAt))
	case !t.refunded.IsPositive():
		return nil, domain.E(domain.KindInvalid, "paid, but nothing")
	}
	if t.refunded.IsPositive() {
		add(t.refund(base))
	}
	return all, nil
}

func (t trade) payment(n domain.Notice, status domain.Status, at time.Time) domain.Notice {
	n.Amount, n.Status, n.ProviderStatus, n.OccurredAt = t.total, status, t.word, at
	return n
}

// refund is the sum of all refunds so far. The number is the merchant's, by
// which refunds are made and asked about; Alipay has none of its own. A sum
// without its time could have been cut out of passback_params, which sorts
// right before it: every true refund notice has both, and the time sorts where
// nothing of the payer's stands.
func (t trade) refund(n domain.Notice) domain.Notice {
	if t.loose && !slices.Contains(n.Doubts, domain.DoubtAmbiguousText) {
		n.Doubts = slices.Insert(slices.Clone(n.Doubts), 0, domain.DoubtAmbiguousText)
	}
	n.About, n.Amount, n.Total = domain.AboutRefund, t.refunded, true
	n.RefundID, n.RefundNo = t.refundNo, t.refundNo
	n.Status, n.ProviderStatus, n.OccurredAt = domain.StatusSucceeded, t.word, t.refundedAt
	return n
}

// unpaidStatus is what a trade_status without money means, compared byte by
// byte.
func unpaidStatus(word string) domain.Status {
	switch word {
	case tradeWaiting:
		return domain.StatusWaiting
	case tradeClosed:
		return domain.StatusClosed
	}
	return domain.StatusOther
}

// parseTime reads a time of Alipay's, with or without thousandths; zero if it
// is none.
func parseTime(text string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, text, beijing)
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t.UTC()
}
