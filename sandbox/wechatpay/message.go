package wechatpay

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// transaction is a payment as v3 tells it, in callbacks and query answers.
type transaction struct {
	MchID          string      `json:"mchid,omitempty"`
	AppID          string      `json:"appid,omitempty"`
	SpMchID        string      `json:"sp_mchid,omitempty"` // partner mode, in place of the two above
	SpAppID        string      `json:"sp_appid,omitempty"`
	SubMchID       string      `json:"sub_mchid,omitempty"`
	SubAppID       string      `json:"sub_appid,omitempty"`
	OutTradeNo     string      `json:"out_trade_no"`
	TransactionID  string      `json:"transaction_id,omitempty"`
	TradeType      string      `json:"trade_type,omitempty"`
	TradeState     string      `json:"trade_state"`
	TradeStateDesc string      `json:"trade_state_desc"`
	BankType       string      `json:"bank_type,omitempty"`
	Attach         string      `json:"attach"`
	SuccessTime    string      `json:"success_time,omitempty"`
	Payer          *payer      `json:"payer,omitempty"`
	Amount         *amount     `json:"amount,omitempty"`
	Promotions     []promotion `json:"promotion_detail,omitempty"`
	Undocumented   string      `json:"sandbox_extra,omitempty"`
}

type payer struct {
	OpenID    string `json:"openid,omitempty"`
	SpOpenID  string `json:"sp_openid,omitempty"`
	SubOpenID string `json:"sub_openid,omitempty"`
}

// promotion is a coupon that a payer used. NOCASH means that the merchant is not
// given what it stands for.
type promotion struct {
	CouponID           string `json:"coupon_id"`
	Name               string `json:"name"`
	Scope              string `json:"scope"`
	Type               string `json:"type"`
	Amount             int64  `json:"amount"`
	MerchantContribute int64  `json:"merchant_contribute"`
	Currency           string `json:"currency"`
}

type amount struct {
	Total         int64  `json:"total"`
	PayerTotal    int64  `json:"payer_total"`
	Currency      string `json:"currency"`
	PayerCurrency string `json:"payer_currency"`
}

// refundNotice is a refund as v3's callback tells it.
type refundNotice struct {
	MchID         string        `json:"mchid,omitempty"`
	SpMchID       string        `json:"sp_mchid,omitempty"` // partner mode
	SubMchID      string        `json:"sub_mchid,omitempty"`
	OutTradeNo    string        `json:"out_trade_no"`
	TransactionID string        `json:"transaction_id"`
	OutRefundNo   string        `json:"out_refund_no"`
	RefundID      string        `json:"refund_id"`
	RefundStatus  string        `json:"refund_status"`
	SuccessTime   string        `json:"success_time,omitempty"`
	UserAccount   string        `json:"user_received_account"`
	Amount        refundAmounts `json:"amount"`
}

type refundAmounts struct {
	Total       int64 `json:"total"`
	Refund      int64 `json:"refund"`
	PayerTotal  int64 `json:"payer_total"`
	PayerRefund int64 `json:"payer_refund"`
}

// refundAnswer is a refund as v3's query and create calls tell it.
type refundAnswer struct {
	RefundID      string             `json:"refund_id"`
	OutRefundNo   string             `json:"out_refund_no"`
	TransactionID string             `json:"transaction_id"`
	OutTradeNo    string             `json:"out_trade_no"`
	Channel       string             `json:"channel"`
	UserAccount   string             `json:"user_received_account"`
	SuccessTime   string             `json:"success_time,omitempty"`
	CreateTime    string             `json:"create_time"`
	Status        string             `json:"status"`
	FundsAccount  string             `json:"funds_account"`
	Amount        refundAnswerAmount `json:"amount"`
}

type refundAnswerAmount struct {
	refundAmounts
	SettlementRefund int64  `json:"settlement_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

// wallet is where refunds of the sandbox go.
const wallet = "支付用户零钱"

var stateTexts = map[string]string{notPaid: "订单未支付", paidFor: "支付成功", givenIn: "订单发生过退款", closedIt: "订单已关闭"}

// transaction says how the order stands. The caller holds f.mu.
func (o *order) transaction() transaction {
	t := transaction{
		MchID: o.m.MchID, AppID: o.appID, OutTradeNo: o.no, TradeState: o.state, TradeStateDesc: stateTexts[o.state], Attach: o.attach,
	}
	if o.m.SubMchID != "" {
		t.SpMchID, t.SpAppID, t.MchID, t.AppID = t.MchID, t.AppID, "", ""
		t.SubMchID, t.SubAppID = o.m.SubMchID, o.m.SubAppID
	}
	if !o.wasPaid() {
		t.Amount = &amount{o.total, o.total, "CNY", "CNY"}
		return t
	}
	t.TransactionID, t.TradeType, t.BankType, t.SuccessTime = o.id, o.kind, "OTHERS", rfc3339(o.paidAt)
	t.Payer = o.payer()
	t.Amount = &amount{o.paid, o.settled(), "CNY", "CNY"}
	if o.coupon > 0 {
		t.Promotions = []promotion{{
			CouponID: o.couponID(), Name: "商家券", Scope: "GLOBAL", Type: "NOCASH", Amount: o.coupon, MerchantContribute: o.coupon, Currency: "CNY",
		}}
	}
	return t
}

// payer is whom an order was paid by, as the app of a partner and of his
// merchant know him.
func (o *order) payer() *payer {
	switch {
	case o.m.SubMchID == "":
		return &payer{OpenID: o.openID()}
	case o.m.SubAppID == "":
		return &payer{SpOpenID: o.openID()}
	}
	return &payer{SpOpenID: o.openID(), SubOpenID: "o" + digestHex(o.m.SubAppID, "payer")[:27]}
}

func (o *order) couponID() string { return whole(10_000_000_000 + o.coupon) }

// openID is the payer of every order of the sandbox, one for each app.
func (o *order) openID() string { return "o" + digestHex(o.appID, "payer")[:27] }

func (r *refund) notice() refundNotice {
	n := refundNotice{
		MchID: r.o.m.MchID, OutTradeNo: r.o.no, TransactionID: r.o.id, OutRefundNo: r.no, RefundID: r.id,
		RefundStatus: r.status, UserAccount: wallet, Amount: r.amounts(),
	}
	if r.o.m.SubMchID != "" {
		n.SpMchID, n.SubMchID, n.MchID = n.MchID, r.o.m.SubMchID, ""
	}
	if !r.doneAt.IsZero() {
		n.SuccessTime = rfc3339(r.doneAt)
	}
	return n
}

func (r *refund) amounts() refundAmounts {
	return refundAmounts{Total: r.o.paid, Refund: r.fen, PayerTotal: r.o.settled(), PayerRefund: r.settled()}
}

func (r *refund) answer() refundAnswer {
	n := r.notice()
	return refundAnswer{
		RefundID: n.RefundID, OutRefundNo: n.OutRefundNo, TransactionID: n.TransactionID, OutTradeNo: n.OutTradeNo,
		Channel: "ORIGINAL", UserAccount: wallet, SuccessTime: n.SuccessTime, CreateTime: rfc3339(r.at), Status: n.RefundStatus,
		FundsAccount: "AVAILABLE",
		Amount: refundAnswerAmount{
			refundAmounts: n.Amount, SettlementRefund: r.settled(), SettlementTotal: r.o.settled(), DiscountRefund: r.coupon, Currency: "CNY",
		},
	}
}

// rfc3339 is a time as WeChat writes it.
func rfc3339(t time.Time) string { return t.In(stage.China).Format("2006-01-02T15:04:05-07:00") }

// compact is JSON as WeChat writes it: no escapes for HTML.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("wechatpay: a message has no JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// envelope is a v3 callback.
type envelope struct {
	ID           string   `json:"id"`
	CreateTime   string   `json:"create_time"`
	ResourceType string   `json:"resource_type"`
	EventType    string   `json:"event_type"`
	Summary      string   `json:"summary"`
	Resource     resource `json:"resource"`
}

type resource struct {
	OriginalType   string `json:"original_type,omitempty"`
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
}

// seal encrypts a resource. The nonce is new for each message: the same twice
// under one key would give the key away.
func (f *Face) seal(m *merchant, original string, plain []byte, names ...string) resource {
	nonce := f.nonce(12, append(names, "resource", strconv.Itoa(f.count()))...)
	text, err := wechatpay.Seal(m.keys.aead, nonce, original, plain)
	if err != nil {
		panic("wechatpay: cannot seal: " + err.Error())
	}
	return resource{original, wechatpay.ResourceAlgorithm, text, original, nonce}
}

func (f *Face) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serial++
	return f.serial
}

// nonce is n letters and digits.
func (f *Face) nonce(n int, names ...string) string {
	const from = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	rnd := f.stage.Chance(names...)
	text := make([]byte, n)
	for i := range text {
		text[i] = from[rnd.IntN(len(from))]
	}
	return string(text)
}

// callbackV3 is the body of a callback; original is transaction or refund.
func (f *Face) callbackV3(m *merchant, event, original string, plain []byte, names ...string) []byte {
	names = append([]string{Name, m.MchID, event}, names...)
	return compact(envelope{
		ID: uuid(names...), CreateTime: rfc3339(f.stage.Books()), ResourceType: "encrypt-resource", EventType: event,
		Summary: event, Resource: f.seal(m, original, plain, names...),
	})
}

// uuid names a message; the same on every attempt.
func uuid(names ...string) string {
	h := digestHex(names...)
	return h[:8] + "-" + h[8:12] + "-5" + h[13:16] + "-9" + h[17:20] + "-" + h[20:32]
}
