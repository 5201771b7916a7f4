package alipay

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"counterfoil/domain"
	"counterfoil/providers"
)

// The questions that are asked.
const (
	methodQuery       = "alipay.trade.query"
	methodRefundQuery = "alipay.trade.fastpay.refund.query"
	methodBill        = "alipay.data.dataservice.bill.downloadurl.query"
)

// The words of refund_status. It is absent while the refund has not happened.
const (
	refundSuccess    = "REFUND_SUCCESS"
	refundProcessing = "REFUND_PROCESSING"
	refundFail       = "REFUND_FAIL"
)

// asked is what a question was about; an empty number was not asked by.
type asked struct {
	orderNo  string
	tradeNo  string
	refundNo string
}

// Query asks about one order by alipay.trade.query or, with a refund's number,
// about that refund by alipay.trade.fastpay.refund.query. With a trade number
// it asks by that. An answer that cannot be trusted to be Alipay's answer to
// this question is KindUnavailable, as if none had come; a gateway that refuses
// our application is KindDenied.
func (c *Channel) Query(ctx context.Context, q providers.Question) (providers.Answer, error) {
	about := asked{orderNo: q.OrderNo, tradeNo: q.TradeNo, refundNo: q.RefundNo}
	if about.refundNo == "" {
		about.refundNo = q.RefundID // ours has the same number
	}
	if about.orderNo == "" && about.tradeNo == "" {
		return providers.Answer{}, domain.EField(domain.KindInvalid, "order_no", "is missing")
	}
	method, content, err := about.question()
	if err != nil {
		return providers.Answer{}, err
	}
	r, err := c.call(ctx, method, content)
	if err != nil {
		return providers.Answer{}, err
	}
	s, err := c.readAnswer(r, method, about)
	if err != nil {
		return providers.Answer{}, err
	}
	return c.answer(q, r, s), nil
}

func (c *Channel) answer(q providers.Question, r response, s said) providers.Answer {
	now := c.clock()
	a := providers.Answer{Found: len(s.notices) > 0, Evidence: domain.Evidence{
		Kind: kindQuery, Method: http.MethodPost, Target: r.target, Status: r.status, Headers: providers.Headers(r.header, nil),
		Body: bytes.Clone(r.body), Remote: r.remote, At: now, Scheme: SchemeRSA2, Key: s.key, Grade: domain.GradeA,
	}}
	for i := range s.notices {
		s.notices[i].Delivery, s.notices[i].Run, s.notices[i].ReceivedAt = q.Delivery, q.Run, now
	}
	if a.Found {
		a.Notice, a.Also = s.notices[0], s.notices[1:]
	}
	return a
}

// questionContent is the biz_content of both questions.
type questionContent struct {
	OrderNo   string   `json:"out_trade_no,omitempty"`
	TradeNo   string   `json:"trade_no,omitempty"`
	RequestNo string   `json:"out_request_no,omitempty"`
	Options   []string `json:"query_options,omitempty"`
}

func (a asked) question() (method, content string, err error) {
	q := questionContent{OrderNo: a.orderNo}
	if a.tradeNo != "" {
		q = questionContent{TradeNo: a.tradeNo}
	}
	method = methodQuery
	if a.refundNo != "" {
		method, q.RequestNo, q.Options = methodRefundQuery, a.refundNo, []string{"gmt_refund_pay"}
	}
	text, err := json.Marshal(q)
	if err != nil {
		return "", "", domain.E(domain.KindInternal, "write a question: %w", err)
	}
	return method, string(text), nil
}

// readAnswer reads an answer. No notices mean that Alipay positively does not
// know the order or the refund now: an order whose cashier nobody opened is one
// of those, so it is never proof that nobody will pay it.
func (c *Channel) readAnswer(r response, method string, about asked) (said, error) {
	e, err := c.open(r, method)
	if err != nil {
		return said{}, err
	}
	return c.readOpened(e, method, about)
}

// readOpened reads what was signed.
func (c *Channel) readOpened(e envelope, method string, about asked) (said, error) {
	if e.code == codeBusiness && e.subCode == subNoTrade {
		return said{key: e.key}, nil
	}
	if e.code != codeOK {
		return said{}, c.failure(e)
	}
	f := found{e}
	if err := c.sameOrder(f, about); err != nil {
		return said{}, err
	}
	read := c.tradeFound
	if method == methodRefundQuery {
		read = c.refundFound
	}
	notices, err := read(f)
	return said{notices: notices, key: e.key}, err
}

// found is the answer of a question that was answered.
type found struct{ envelope }

func (f found) text(name string) string {
	text, _ := f.members.Text(name)
	return text
}

// sameOrder holds the numbers of an answer against those of its question. A
// refund that was not found has no numbers.
func (c *Channel) sameOrder(f found, about asked) error {
	if f.text(fieldTradeStatus) == "" && f.text(fieldRefundStatus) == "" {
		return nil
	}
	for _, pair := range [...][2]string{
		{about.orderNo, f.text(fieldOrderNo)}, {about.tradeNo, f.text(fieldTradeNo)}, {about.refundNo, f.text(fieldRequestNo)},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return c.unusable("%w", providers.ErrOther)
		}
	}
	return nil
}

// tradeFound reads alipay.trade.query. It does not say how much was refunded;
// a closed trade that was paid was refunded in full.
func (c *Channel) tradeFound(f found) ([]domain.Notice, error) {
	total, err := domain.ParseMoney(f.text(fieldTotal), currencyOf(f.text(fieldCurrency)))
	if err != nil {
		return nil, c.unusable("answered with money that cannot be read: %w", err)
	}
	paidAt := f.text("send_pay_date")
	t := trade{
		word: f.text(fieldTradeStatus), total: total, paidAt: parseTime(paidAt), wasPaid: paidAt != "",
	}
	base := c.base(f)
	if t.word == "" || base.OrderNo == "" {
		return nil, c.unusable("answered without an order or its status")
	}
	if base.TradeNo == "" && t.word != tradeWaiting {
		base.Doubts = []domain.Doubt{domain.DoubtNoTradeNo}
	}
	notices, err := t.notices(base)
	if err != nil {
		return nil, c.unusable("answered strangely: %w", err)
	}
	return notices, nil
}

// refundFound reads alipay.trade.fastpay.refund.query. Without a status there
// is no refund of this number, or not yet.
func (c *Channel) refundFound(f found) ([]domain.Notice, error) {
	n := c.base(f)
	n.About, n.ProviderStatus = domain.AboutRefund, f.text(fieldRefundStatus)
	n.RefundID, n.RefundNo = f.text(fieldRequestNo), f.text(fieldRequestNo)
	n.OccurredAt = parseTime(f.text("gmt_refund_pay"))
	if n.ProviderStatus == "" {
		return nil, nil
	}
	amount, err := domain.ParseMoney(f.text("refund_amount"), currencyOf(f.text("refund_currency")))
	if err != nil {
		return nil, c.unusable("answered with money that cannot be read: %w", err)
	}
	if n.RefundID == "" || n.TradeNo == "" || n.OrderNo == "" {
		return nil, c.unusable("answered without the refund's numbers")
	}
	n.Amount, n.Status = amount, refundStatus(n.ProviderStatus)
	return []domain.Notice{n}, nil
}

func refundStatus(word string) domain.Status {
	switch word {
	case refundSuccess:
		return domain.StatusSucceeded
	case refundProcessing:
		return domain.StatusWaiting
	case refundFail:
		return domain.StatusFailed
	}
	return domain.StatusOther
}

func (c *Channel) base(f found) domain.Notice {
	return domain.Notice{
		Source: domain.SourceQuery, Channel: c.cfg.Channel, OrderNo: f.text(fieldOrderNo), TradeNo: f.text(fieldTradeNo),
	}
}
