package alipay

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the old algorithm, which a merchant must refuse
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"counterfoil/domain"
	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// schedule is when a notice that nobody accepts comes again: eight deliveries
// in a day (Alipay, asynchronous notice).
var schedule = stage.Deliveries(
	4*time.Minute, 10*time.Minute, 10*time.Minute, time.Hour, 2*time.Hour, 6*time.Hour, 15*time.Hour,
)

// buyer is who pays here.
const buyer = "2088102116773037"

// message is a notice before it is signed: what it says stays as it was when
// the trade changed, over all retries.
type message struct {
	kind   string
	fields wire.Params
	manner signing
}

// signing is how a message is signed, when not as it should be.
type signing string

// The ways of signing.
const (
	rightly       signing = ""
	withoutEmpty  signing = "without empty values"
	inGBK         signing = "in GBK"
	byStranger    signing = "by a stranger"
	withoutBytes  signing = "with no bytes"
	withSHA1      signing = "with SHA-1"
	thenChanged   signing = "and changed afterwards"
	withOtherType signing = "under another sign_type"
	asReturned    signing = "as the browser brings it"
	cutAnew       signing = "and cut anew"
)

// message is what a notice of the trade says now. The caller holds Face.mu.
func (o *order) message() message {
	paid := fen(o.paid)
	if !o.wasPaid() {
		paid = fen(o.total)
	}
	p := wire.Params{
		{Name: "app_id", Value: o.m.AppID},
		{Name: "auth_app_id", Value: o.m.AppID},
		{Name: "buyer_id", Value: buyer},
		{Name: "charset", Value: "utf-8"},
		{Name: "gmt_create", Value: clock(o.openedAt)},
		{Name: "notify_type", Value: "trade_status_sync"},
		{Name: "out_trade_no", Value: o.no},
		{Name: "seller_id", Value: o.m.SellerID},
		{Name: "subject", Value: o.subject},
		{Name: "total_amount", Value: paid.Amount()},
		{Name: "trade_no", Value: o.id},
		{Name: "trade_status", Value: o.state},
		{Name: "version", Value: "1.0"},
	}
	if o.passback != "" {
		p = p.With("passback_params", url.QueryEscape(o.passback))
	}
	if o.wasPaid() {
		for _, name := range [...]string{"buyer_pay_amount", "invoice_amount", "receipt_amount"} {
			p = p.With(name, yuan(o.received()))
		}
		p = p.With("gmt_payment", clock(o.paidAt)).With("point_amount", "0.00").With("fund_bill_list", funds(fen(o.received())))
	}
	if o.state == closedIt {
		p = p.With("gmt_close", clock(o.closedAt))
	}
	if sum := o.refunded(); sum > 0 {
		last := o.refunds[len(o.refunds)-1]
		p = p.With("refund_fee", fen(sum).Amount()).With("out_biz_no", last.no).With("gmt_refund", clock(last.at)+".000")
	}
	return message{kind: "callback", fields: p}
}

func funds(m domain.Money) string {
	text, err := json.Marshal([]map[string]string{{"amount": m.Amount(), "fundChannel": "ALIPAYACCOUNT"}})
	if err != nil {
		return "[]"
	}
	return string(text)
}

// refundMessage is what the notice of the newest refund says.
func (o *order) refundMessage() message {
	msg := o.message()
	msg.kind = "refund"
	return msg
}

// in is the message as a fault wants it.
func (msg message) in(fault stage.Fault) message {
	switch fault.Class {
	case stage.ExtraField:
		msg.fields = msg.fields.With("brand_new_field", "1")
	case EmptySigned, EmptyUnsigned:
		msg.fields = msg.fields.With("body", "").With("gmt_close", msg.fields.Value("gmt_close")).With("voucher_detail_list", "")
		if fault.Class == EmptyUnsigned {
			msg.manner = withoutEmpty
		}
	case GBK:
		msg.manner = inGBK
	default:
	}
	return msg
}

// tell sends a message until it is accepted. The caller holds f.mu.
func (f *Face) tell(o *order, msg message, fault stage.Fault) {
	msg = msg.in(fault)
	f.serial++
	msg.fields = msg.fields.With("notify_id", fmt.Sprintf("%s00222%021d", f.stage.Books().Format("20060102"), f.serial))
	rotated := fault.Class == stage.Rotated
	o.m.lane.Deliver(&stage.Series{
		Of: o.id, Kind: msg.kind, Retries: schedule,
		Send: func(ctx context.Context, shot stage.Shot) bool {
			accepted := f.send(ctx, o, msg, shot)
			if rotated && shot.Try == 1 && f.Rotate(o.m.AppID) == nil {
				return false // the answer is lost on the way, so that it comes again under the new key
			}
			return accepted
		},
		Delivered: func() { f.delivered(o, msg.kind) },
	}, fault)
}

func (f *Face) delivered(o *order, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.accepted = o.accepted || kind == "callback"
}

// send signs a message with the key of now and sends it.
func (f *Face) send(ctx context.Context, o *order, msg message, shot stage.Shot) bool {
	body, err := msg.signed(f.signer(o.m), clock(f.stage.Books()))
	if err != nil {
		return false
	}
	f.mu.Lock()
	to := o.notifyURL
	f.mu.Unlock()
	got := f.stage.Send(ctx, stage.Delivery{
		Face: Name, Merchant: o.m.AppID, TradeNo: o.id, OrderNo: o.no, Shot: shot, Method: http.MethodPost, URL: to,
		Header:  http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=" + msg.fields.Value("charset")}},
		Body:    body,
		Accepts: func(a stage.Answer) bool { return a.Status == http.StatusOK && a.Body == "success" },
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if shot.Genuine {
		o.attempts++
		o.trouble = ""
		if !got.Accepted {
			o.trouble = got.Trouble()
		}
	}
	return got.Accepted
}

// signed is the body of a notice.
func (msg message) signed(key *rsa.PrivateKey, now string) (string, error) {
	p := msg.fields
	switch msg.manner {
	case asReturned:
	case inGBK:
		p = toGBK(p.With("notify_time", now))
	default:
		p = p.With("notify_time", now)
	}
	text, signType := wire.NoticeText(p), wire.SignRSA2
	switch msg.manner {
	case withoutEmpty:
		text = wire.NoticeText(dense(p))
	case byStranger:
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		key = stranger
	case withoutBytes:
		return wire.Encode(p.With("sign_type", signType).With("sign", "")), nil
	case withSHA1:
		sign, err := sha1Sign(text, key)
		return wire.Encode(p.With("sign_type", "RSA").With("sign", sign)), err
	case withOtherType:
		signType = "RSA"
	case rightly, inGBK, thenChanged, asReturned, cutAnew:
	}
	sign, err := wire.Sign(text, key)
	if err != nil {
		return "", err
	}
	switch msg.manner {
	case thenChanged:
		p = raised(p)
	case cutAnew:
		p = cut(text)
	default:
	}
	return wire.Encode(p.With("sign_type", signType).With("sign", sign)), nil
}

func sha1Sign(text string, key *rsa.PrivateKey) (string, error) {
	digest := sha1.Sum([]byte(text))
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, digest[:])
	return base64.StdEncoding.EncodeToString(raw), err
}

// raised is p with one fen more.
func raised(p wire.Params) wire.Params {
	m, err := domain.ParseMoney(p.Value("total_amount"), domain.CNY)
	if err != nil {
		return p
	}
	return p.With("total_amount", fen(m.Minor()+1).Amount())
}

// dense is p without empty values.
func dense(p wire.Params) wire.Params {
	var kept wire.Params
	for _, f := range p {
		if f.Value != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

// toGBK is p in the other charset: the bytes are what is signed and sent.
func toGBK(p wire.Params) wire.Params {
	encoder := simplifiedchinese.GB18030.NewEncoder()
	all := make(wire.Params, 0, len(p))
	for _, f := range p {
		if text, err := encoder.String(f.Value); err == nil {
			f.Value = text
		}
		all = append(all, f)
	}
	return all.With("charset", "GBK")
}

// forgeries are the variants of Forged that Alipay's protocol can meet.
var forgeries = []struct {
	variant string
	manner  signing
}{
	{stage.WrongSignature, byStranger},
	{stage.EmptyKey, withoutBytes},
	{stage.Downgraded, withSHA1},
	{stage.Downgraded, withOtherType},
	{stage.Tampered, thenChanged},
}

// spoofs are messages that are not the payment. The caller holds f.mu.
func (f *Face) spoofs(o *order, fault stage.Fault) []message {
	msg := o.message()
	msg.kind = string(fault.Class)
	msg.fields = msg.fields.With("notify_id", "0").With("trade_status", paidFor)
	if !o.wasPaid() {
		msg.fields = msg.fields.With("gmt_payment", clock(f.stage.Books()))
	}
	switch fault.Class {
	case Ambiguous:
		return f.recut(o, fault.Money)
	case ReturnReplay:
		brought := message{kind: string(ReturnReplay), fields: o.returned(), manner: asReturned}
		return slices.Repeat([]message{brought}, fault.Copies)
	case stage.OtherPID:
		msg.fields = msg.fields.With("app_id", "2021999999999999").With("auth_app_id", "2021999999999999")
		return []message{msg}
	case stage.WrongStatus:
		status := fault.Status
		if status == "" {
			status = waiting
		}
		msg.fields = msg.fields.With("trade_status", status).With("gmt_payment", "")
		return []message{msg}
	default:
	}
	var all []message
	for _, forgery := range forgeries {
		if fault.Variant == "" || fault.Variant == forgery.variant {
			forged := msg
			forged.kind, forged.manner = string(fault.Class)+"/"+forgery.variant, forgery.manner
			all = append(all, forged)
		}
	}
	return all
}
