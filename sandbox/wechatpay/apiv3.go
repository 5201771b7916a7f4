package wechatpay

import (
	"net/http"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// createOrder is the body of a create call (order page of v3).
type createOrder struct {
	AppID       string `json:"appid"`
	MchID       string `json:"mchid"`
	SpAppID     string `json:"sp_appid"` // of a partner's call, in place of the two above
	SpMchID     string `json:"sp_mchid"`
	SubAppID    string `json:"sub_appid"`
	SubMchID    string `json:"sub_mchid"`
	Description string `json:"description"`
	OutTradeNo  string `json:"out_trade_no"`
	NotifyURL   string `json:"notify_url"`
	Attach      string `json:"attach"`
	Amount      struct {
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

var tradeTypes = map[string]string{"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB", "app": "APP"}

// takenBy checks that an order is made by whom the call says, with an app of
// his.
func (in createOrder) takenBy(c *call) error {
	if err := c.of(owner{in.MchID, in.SpMchID, in.SubMchID}); err != nil {
		return err
	}
	app := in.AppID
	if c.partner() {
		app = in.SpAppID
	}
	if app != c.m.AppID || (in.SubAppID != "" && in.SubAppID != c.m.SubAppID) {
		return trouble{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配"}
	}
	return nil
}

// create makes an order and answers what its payer needs.
func (f *Face) create(kind string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		var in createOrder
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if err := in.takenBy(c); err != nil {
			return nil, err
		}
		if in.Amount.Currency != "" && in.Amount.Currency != "CNY" {
			return nil, trouble{http.StatusBadRequest, "PARAM_ERROR", "境内商户号仅支持人民币"}
		}
		o := order{
			no: in.OutTradeNo, subject: in.Description, attach: in.Attach, kind: tradeTypes[kind], notifyURL: in.NotifyURL,
			total: in.Amount.Total,
		}
		if err := o.check(); err != nil {
			return nil, err
		}
		made, err := f.add(c.m, o)
		if err != nil {
			return nil, err
		}
		switch kind {
		case "native":
			return map[string]string{"code_url": f.payPage(made)}, nil
		case "h5":
			return map[string]string{"h5_url": f.payPage(made)}, nil
		}
		return map[string]string{"prepay_id": "wx" + made.id}, nil
	}
}

// queryOrder answers by either number. An order that was not paid has no
// transaction_id to be found by.
func (f *Face) queryOrder(c *call) (any, error) {
	if err := c.of(ownerIn(c.r.URL.Query())); err != nil {
		return nil, err
	}
	f.mu.Lock()
	o := c.m.byNo[c.r.PathValue("no")]
	if id := c.r.PathValue("id"); id != "" {
		if o = f.orders[id]; o != nil && (o.m != c.m || !o.wasPaid()) {
			o = nil
		}
	}
	if o == nil {
		f.mu.Unlock()
		return nil, errNoOrder
	}
	t := o.transaction()
	f.mu.Unlock()
	return c.spoil(o.id, t)
}

func (f *Face) closeOrder(c *call) (any, error) {
	var in struct {
		MchID    string `json:"mchid"`
		SpMchID  string `json:"sp_mchid"`
		SubMchID string `json:"sub_mchid"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := c.of(owner{in.MchID, in.SpMchID, in.SubMchID}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o := c.m.byNo[c.r.PathValue("no")]
	switch {
	case o == nil:
		return nil, errNoOrder
	case o.wasPaid():
		return nil, trouble{http.StatusBadRequest, "ORDER_PAID", "该订单已支付"}
	}
	o.state = closedIt // also what was closed before
	return nil, nil
}

// createRefundOrder is the body of a refund call (refund page of v3).
type createRefundOrder struct {
	SubMchID      string `json:"sub_mchid"` // of a partner's call
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	NotifyURL     string `json:"notify_url"`
	Amount        struct {
		Refund   int64  `json:"refund"`
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

func (f *Face) createRefund(c *call) (any, error) {
	var in createRefundOrder
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := c.on(in.SubMchID); err != nil {
		return nil, err
	}
	if in.OutRefundNo == "" || in.Amount.Refund <= 0 {
		return nil, trouble{http.StatusBadRequest, "PARAM_ERROR", "out_refund_no, amount.refund"}
	}
	return f.refundBy(c.m, in.TransactionID, in.OutTradeNo, in.OutRefundNo, in.NotifyURL, in.Amount.Refund, in.Amount.Total)
}

// refundBy gives money back as a call of either protocol asks. What it answers
// is that the refund was taken; the callback tells its end.
func (f *Face) refundBy(m *merchant, id, no, refundNo, notifyURL string, amount, total int64) (refundAnswer, error) {
	f.mu.Lock()
	o := m.byNo[no]
	if id != "" {
		o = f.orders[id]
	}
	if o == nil || o.m != m {
		f.mu.Unlock()
		return refundAnswer{}, errNoOrder
	}
	if total != o.paid {
		f.mu.Unlock()
		return refundAnswer{}, domain.EField(domain.KindInvalid, "amount.total", "the order was paid with %d", o.paid)
	}
	r, fresh, err := f.giveBack(o, refundNo, fen(amount), notifyURL, false)
	if err != nil {
		f.mu.Unlock()
		return refundAnswer{}, err
	}
	answer := r.answer()
	f.mu.Unlock()
	if fresh {
		answer.Status, answer.SuccessTime = "PROCESSING", ""
		f.announceRefund(r, stage.Fault{})
	}
	return answer, nil
}

func (f *Face) queryRefund(c *call) (any, error) {
	if err := c.on(c.r.URL.Query().Get("sub_mchid")); err != nil {
		return nil, err
	}
	f.mu.Lock()
	r := c.m.refunds[c.r.PathValue("no")]
	if r == nil {
		f.mu.Unlock()
		return nil, errNoRefund
	}
	answer := r.answer()
	f.mu.Unlock()
	return c.spoil(r.o.id, answer)
}

// certificate is one element of the certificates' answer.
type certificate struct {
	SerialNo      string   `json:"serial_no"`
	EffectiveTime string   `json:"effective_time"`
	ExpireTime    string   `json:"expire_time"`
	Encrypted     resource `json:"encrypt_certificate"`
}

// certificates answers the platform's certificates, sealed with the APIv3 key.
func (f *Face) certificates(c *call) (any, error) {
	f.mu.Lock()
	keys := c.m.keys.certificates()
	f.mu.Unlock()
	if len(keys) == 0 {
		return nil, trouble{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全使用微信支付公钥"}
	}
	data := []certificate{}
	for _, k := range keys {
		sealed := f.seal(c.m, "certificate", []byte(k.pem), Name, c.m.MchID, k.id)
		sealed.OriginalType = ""
		data = append(data, certificate{
			SerialNo: k.id, EffectiveTime: rfc3339(k.cert.NotBefore), ExpireTime: rfc3339(k.cert.NotAfter), Encrypted: sealed,
		})
	}
	// The older one signs the answer: who has not seen the new one yet can verify
	// it, too.
	c.wanted = keys[0].id
	return map[string]any{"data": data}, nil
}
