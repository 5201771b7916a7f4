package wechatpay

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// callV2 is a v2 request that was verified.
type callV2 struct {
	f  *Face
	m  *merchant
	w  http.ResponseWriter
	r  *http.Request
	in wechatpay.Fields
}

// v2 verifies a request, lets answer work out the fields and signs them.
func (f *Face) v2(answer func(*callV2) (form, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "request is too long", http.StatusRequestEntityTooLarge)
			return
		}
		c := &callV2{f: f, w: w, r: r}
		if c.in, err = wechatpay.ScanXML(body, "xml"); err != nil {
			c.refuse("XML格式错误")
			return
		}
		c.m = f.signers[c.in.Value("mch_id")]
		if c.m == nil || c.m.Protocol != wechatpay.V2 || !c.signed() {
			c.refuse("签名错误")
			return
		}
		var found bool
		if c.m, found = f.on(c.m, c.in.Value("sub_mch_id")); !found {
			c.refuse("特约子商户商户号未授权")
			return
		}
		out, err := answer(c)
		if errors.Is(err, errAnswered) {
			return
		}
		if err != nil {
			out = failV2(err)
		}
		c.write(out)
	}
}

func (c *callV2) signed() bool {
	signType := c.in.Value("sign_type")
	if signType == "" {
		signType = wechatpay.SignMD5
	}
	return signType == c.m.SignType && strings.EqualFold(c.in.Value("sign"), wechatpay.SignFields(c.in, c.m.APIKey, signType))
}

// refuse answers what v2 does not sign.
func (c *callV2) refuse(why string) {
	c.page(xmlOf(form{{Name: "return_code", Value: "FAIL"}, {Name: "return_msg", Value: why}}))
}

// write signs an answer.
func (c *callV2) write(out form) {
	out = append(form{
		{Name: "return_code", Value: "SUCCESS"},
		{Name: "return_msg", Value: "OK"},
		{Name: "appid", Value: c.m.AppID},
		{Name: "mch_id", Value: c.m.MchID},
		{Name: "sub_mch_id", Value: c.m.SubMchID},
		{Name: "nonce_str", Value: c.f.nonce(32, Name, "answer", strconv.Itoa(c.f.count()))},
	}, out...)
	c.page(c.m.signed(unique(out)))
}

// unique keeps the last of equal names.
func unique(f form) form {
	out := form{}
	for _, field := range f {
		out = out.set(field.Name, field.Value)
	}
	return out
}

func (c *callV2) page(body []byte) {
	c.w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	c.w.Write(body)
}

// failV2 is an error in v2's form. v2 spells the codes of v3 in its own way.
func failV2(err error) form {
	code, text := "PARAM_ERROR", err.Error()
	if t, ok := errors.AsType[trouble](err); ok {
		code, text = strings.ReplaceAll(t.code, "_", ""), t.message
	} else if domain.KindOf(err) == domain.KindConflict {
		code = "INVALID_REQUEST"
	}
	if code == "RESOURCENOTEXISTS" {
		code = "REFUNDNOTEXIST"
	}
	return form{{Name: "result_code", Value: "FAIL"}, {Name: "err_code", Value: code}, {Name: "err_code_des", Value: text}}
}

func success(f form) form { return append(form{{Name: "result_code", Value: "SUCCESS"}}, f...) }

func (f *Face) createV2(c *callV2) (form, error) {
	total, err := strconv.ParseInt(c.in.Value("total_fee"), 10, 64)
	if err != nil {
		return nil, trouble{http.StatusBadRequest, "PARAM_ERROR", "total_fee"}
	}
	if c.in.Value("appid") != c.m.AppID {
		return nil, trouble{http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配"}
	}
	o := order{
		no: c.in.Value("out_trade_no"), subject: c.in.Value("body"), attach: c.in.Value("attach"), kind: c.in.Value("trade_type"),
		notifyURL: c.in.Value("notify_url"), total: total,
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	made, err := f.add(c.m, o)
	if err != nil {
		return nil, err
	}
	return success(form{
		{Name: "trade_type", Value: o.kind}, {Name: "prepay_id", Value: "wx" + made.id}, {Name: "code_url", Value: f.payPage(made)},
	}), nil
}

// found is the order that a request names. The caller holds f.mu.
func (c *callV2) found() (*order, error) {
	o := c.m.byNo[c.in.Value("out_trade_no")]
	if id := c.in.Value("transaction_id"); id != "" {
		if o = c.f.orders[id]; o != nil && (o.m != c.m || !o.wasPaid()) {
			o = nil
		}
	}
	if o == nil {
		return nil, errNoOrder
	}
	return o, nil
}

func (f *Face) queryOrderV2(c *callV2) (form, error) {
	f.mu.Lock()
	o, err := c.found()
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	out := o.fieldsV2().set("trade_state", o.state)
	f.mu.Unlock()
	return c.spoil(o.id, success(out))
}

// spoil lets a planted fault happen to an answer about an order.
func (c *callV2) spoil(id string, out form) (form, error) {
	fault := c.f.troubles.Take(c.m.id(), id, c.f.stage.Now())
	if stage.Spoil(c.w, c.r, fault) {
		return nil, errAnswered
	}
	switch fault.Class {
	case stage.QueryMissing:
		return nil, errNoOrder
	case stage.QueryLimited:
		return nil, errLimited
	case QueryError:
		return nil, errSystem
	case stage.QueryUnsigned:
		c.page(xmlOf(append(form{{Name: "return_code", Value: "SUCCESS"}}, out...)))
		return nil, errAnswered
	case stage.QueryForged:
		c.page(signedWith(append(form{{Name: "return_code", Value: "SUCCESS"}}, out...), digestHex("somebody else's key")[:32], c.m.SignType))
		return nil, errAnswered
	default:
		return out, nil
	}
}

func (f *Face) closeOrderV2(c *callV2) (form, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, err := c.found()
	if err != nil {
		return nil, err
	}
	if o.wasPaid() {
		return nil, trouble{http.StatusBadRequest, "ORDER_PAID", "订单已支付"}
	}
	o.state = closedIt
	return success(nil), nil
}

func (f *Face) createRefundV2(c *callV2) (form, error) {
	amount, err := strconv.ParseInt(c.in.Value("refund_fee"), 10, 64)
	if err != nil || amount <= 0 || c.in.Value("out_refund_no") == "" {
		return nil, trouble{http.StatusBadRequest, "PARAM_ERROR", "refund_fee, out_refund_no"}
	}
	total, err := strconv.ParseInt(c.in.Value("total_fee"), 10, 64)
	if err != nil {
		return nil, trouble{http.StatusBadRequest, "PARAM_ERROR", "total_fee"}
	}
	a, err := f.refundBy(c.m, c.in.Value("transaction_id"), c.in.Value("out_trade_no"), c.in.Value("out_refund_no"),
		c.in.Value("notify_url"), amount, total)
	if err != nil {
		return nil, err
	}
	return success(form{
		{Name: "transaction_id", Value: a.TransactionID},
		{Name: "out_trade_no", Value: a.OutTradeNo},
		{Name: "out_refund_no", Value: a.OutRefundNo},
		{Name: "refund_id", Value: a.RefundID},
		{Name: "refund_fee", Value: whole(a.Amount.Refund)},
		{Name: "total_fee", Value: whole(a.Amount.Total)},
	}), nil
}

// queryRefundV2 answers one refund by its number, or all of an order.
func (f *Face) queryRefundV2(c *callV2) (form, error) {
	f.mu.Lock()
	rows, err := c.refunds()
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	o := rows[0].o
	out := form{
		{Name: "transaction_id", Value: o.id},
		{Name: "out_trade_no", Value: o.no},
		{Name: "total_fee", Value: whole(o.paid)},
		{Name: "refund_count", Value: strconv.Itoa(len(rows))},
	}
	for i, r := range rows {
		n := "_" + strconv.Itoa(i)
		out = out.set("refund_id"+n, r.id).set("out_refund_no"+n, r.no).set("refund_fee"+n, whole(r.fen)).
			set("refund_status"+n, map[string]string{paidFor: "SUCCESS", closedIt: "REFUNDCLOSE"}[r.status]).
			set("refund_recv_accout"+n, wallet)
		if !r.doneAt.IsZero() {
			out = out.set("refund_success_time"+n, r.doneAt.In(stage.China).Format("2006-01-02 15:04:05"))
		}
	}
	f.mu.Unlock()
	return c.spoil(o.id, success(out))
}

// refunds are those that a request names. The caller holds f.mu.
func (c *callV2) refunds() ([]*refund, error) {
	id, no := c.in.Value("refund_id"), c.in.Value("out_refund_no")
	if id != "" || no != "" {
		for _, r := range c.m.refunds {
			if (id != "" && r.id == id) || (id == "" && r.no == no) {
				return []*refund{r}, nil
			}
		}
		return nil, errNoRefund
	}
	o, err := c.found()
	if err != nil || len(o.refunds) == 0 {
		return nil, errNoRefund
	}
	return o.refunds, nil
}
