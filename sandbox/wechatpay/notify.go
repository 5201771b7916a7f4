package wechatpay

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// schedule is when a callback comes again: 15 repetitions in 24 h 4 min
// (callback page of v3 and v2).
var schedule = stage.Deliveries(
	15*time.Second, 15*time.Second, 30*time.Second, 3*time.Minute, 10*time.Minute, 20*time.Minute, 30*time.Minute,
	30*time.Minute, 30*time.Minute, time.Hour, 3*time.Hour, 3*time.Hour, 3*time.Hour, 6*time.Hour, 6*time.Hour,
)

// patience is how long WeChat waits for an answer.
const patience = 5 * time.Second

// message is what is told to a merchant; its headers are made for each attempt.
type message struct {
	m       *merchant
	tradeNo string
	orderNo string
	url     string
	body    []byte
	xml     bool
	header  func(body []byte, key *platformKey) http.Header // nil signs rightly
	key     *platformKey                                    // nil is the current one
}

// acceptedV3 goes by the status alone: whatever the body of a 200 says, it ends
// the repetitions, and a 201 does not.
func acceptedV3(a stage.Answer) bool {
	return a.Status == http.StatusOK || a.Status == http.StatusNoContent
}

var ackV2 = regexp.MustCompile(`^<xml><return_code>(<!\[CDATA\[SUCCESS\]\]>|SUCCESS)</return_code>(<return_msg>[^\r\n]*</return_msg>)?</xml>$`)

// acceptedV2 goes by the body, in which nothing may stand between the elements.
func acceptedV2(a stage.Answer) bool { return a.Status == http.StatusOK && ackV2.MatchString(a.Body) }

// send makes one attempt.
func (f *Face) send(ctx context.Context, shot stage.Shot, msg message) bool {
	d := stage.Delivery{
		Face: Name, Merchant: msg.m.id(), TradeNo: msg.tradeNo, OrderNo: msg.orderNo, Shot: shot,
		Method: http.MethodPost, URL: msg.url, Body: string(msg.body), Timeout: patience, Accepts: acceptedV2,
	}
	if msg.xml {
		d.Header = http.Header{"Content-Type": {"text/xml"}, "Accept": {"*/*"}, "User-Agent": {"Mozilla/4.0"}}
	} else {
		key := msg.key
		if key == nil {
			key = f.signer(msg.m, "")
		}
		header := f.signedHeader
		if msg.header != nil {
			header = msg.header
		}
		d.Header, d.Accepts = header(msg.body, key), acceptedV3
	}
	a := f.stage.Send(ctx, d)
	f.note(msg, shot, a)
	return a.Accepted
}

// note keeps what an order's owner wants to see of its callbacks.
func (f *Face) note(msg message, shot stage.Shot, a stage.Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.orders[msg.tradeNo]
	if o == nil || !shot.Genuine || shot.Kind == kindRefund {
		return
	}
	o.attempts++
	if o.accepted = o.accepted || a.Accepted; a.Accepted {
		o.trouble = ""
	} else {
		o.trouble = a.Trouble()
	}
}

const kindRefund = "refund"

// signedHeader signs a callback or an answer as it is now.
func (f *Face) signedHeader(body []byte, key *platformKey) http.Header {
	timestamp := strconv.FormatInt(f.stage.Now().Unix(), 10)
	nonce := f.nonce(32, Name, "header", strconv.Itoa(f.count()))
	sign, err := wechatpay.SignRSA(wechatpay.Message(timestamp, nonce, string(body)), key.key)
	if err != nil {
		panic("wechatpay: cannot sign: " + err.Error())
	}
	return http.Header{
		"Content-Type": {"application/json"}, "Accept": {"*/*"}, "User-Agent": {"Mozilla/4.0"},
		wechatpay.HeaderTimestamp: {timestamp}, wechatpay.HeaderNonce: {nonce}, wechatpay.HeaderSerial: {key.id},
		wechatpay.HeaderSignature: {sign}, wechatpay.HeaderSignatureType: {wechatpay.AuthScheme},
	}
}

// payment is the true message about an order, with what a fault adds to it.
func (f *Face) payment(o *order, fault stage.Fault) message {
	f.mu.Lock()
	t, v2 := o.transaction(), o.fieldsV2()
	f.mu.Unlock()
	t.TradeState, t.TradeStateDesc = paidFor, stateTexts[paidFor] // as it stood when it was paid
	if fault.Class == stage.ExtraField {
		t.Undocumented = "1"
		v2 = v2.set("sandbox_extra", "1")
	}
	msg := message{m: o.m, tradeNo: o.id, orderNo: o.no, url: o.notifyURL}
	if o.m.Protocol == wechatpay.V2 {
		msg.xml, msg.body = true, o.m.signed(v2.set("result_code", "SUCCESS").set("return_code", "SUCCESS").
			set("nonce_str", f.nonce(32, Name, o.m.MchID, o.id)))
		return msg
	}
	msg.body = f.callbackV3(o.m, "TRANSACTION.SUCCESS", "transaction", compact(t), o.id)
	return msg
}

// announce tells a payment, in the manner of a fault.
func (f *Face) announce(o *order, fault stage.Fault) {
	if f.Classes()[fault.Class].Spoof {
		f.spoof(o, fault)
		return
	}
	msg := f.payment(o, fault)
	series := f.series(msg, "")
	switch fault.Class {
	case stage.Probe:
		f.probed(series, msg)
	case stage.Rotated:
		f.rotated(series, msg)
	case RefundFirst:
		f.refundFirst(o, series, fault)
		return
	case stage.SecondTrade:
		f.stage.After(time.Duration(fault.Delay), func(context.Context) { f.payAgain(o) })
	default:
	}
	o.m.lane.Deliver(series, fault)
}

// series is a message on the real schedule.
func (f *Face) series(msg message, kind string) *stage.Series {
	return &stage.Series{
		Of: msg.tradeNo, Kind: kind, Retries: schedule,
		Send: func(ctx context.Context, shot stage.Shot) bool { return f.send(ctx, shot, msg) },
	}
}

// probed sends a wrong signature first, as WeChat does to try whether a merchant
// verifies; the right one follows like any repetition. v2 has no probes.
func (f *Face) probed(series *stage.Series, msg message) {
	probe := msg
	probe.header = func(body []byte, key *platformKey) http.Header {
		h := f.signedHeader(body, key)
		h[wechatpay.HeaderSignature] = []string{wechatpay.ProbePrefix + h.Get(wechatpay.HeaderSignature)}
		return h
	}
	series.Send = func(ctx context.Context, shot stage.Shot) bool {
		if shot.Try == 1 && !msg.xml {
			shot.Kind, shot.Genuine = string(stage.Probe), false
			return f.send(ctx, shot, probe)
		}
		return f.send(ctx, shot, msg)
	}
}

// rotated changes the platform's key after a first attempt whose answer is not
// waited for: the next one comes with a serial that nobody has seen.
func (f *Face) rotated(series *stage.Series, msg message) {
	series.Send = func(ctx context.Context, shot stage.Shot) bool {
		if shot.Try > 1 || msg.xml {
			return f.send(ctx, shot, msg)
		}
		shot.Manner = stage.HangingUp
		f.send(ctx, shot, msg)
		if err := f.Rotate(msg.m.id()); err != nil {
			f.stage.Log().WarnContext(ctx, "platform key not changed", slog.String("merchant", msg.m.id()), slog.String("error", err.Error()))
		}
		return false
	}
}

// refundFirst gives half of the money back at once and tells that first.
func (f *Face) refundFirst(o *order, series *stage.Series, fault stage.Fault) {
	f.mu.Lock()
	r, _, err := f.giveBack(o, "", fen(max(1, o.paid/2)), "", false)
	f.mu.Unlock()
	if err == nil {
		f.announceRefund(r, stage.Fault{})
	}
	o.m.lane.Deliver(series, stage.Fault{Class: stage.Late, Delay: fault.Delay})
}

// announceRefund tells a refund, in the manner of a fault.
func (f *Face) announceRefund(r *refund, fault stage.Fault) {
	o := r.o
	msg := message{m: o.m, tradeNo: o.id, orderNo: o.no, url: r.notifyURL}
	f.mu.Lock()
	notice, xml := r.notice(), f.xmlRefund(r, fault)
	f.mu.Unlock()
	if xml {
		msg.xml, msg.body = true, f.refundXML(r)
	} else {
		event := map[string]string{paidFor: "REFUND.SUCCESS", closedIt: "REFUND.CLOSED"}[r.status]
		msg.body = f.callbackV3(o.m, event, "refund", compact(notice), r.id)
	}
	series := f.series(msg, kindRefund)
	if fault.Class == stage.Probe {
		f.probed(series, msg)
	}
	o.m.lane.Deliver(series, fault)
}

// xmlRefund reports whether a refund is told as v2 XML.
func (f *Face) xmlRefund(r *refund, fault stage.Fault) bool {
	return r.o.m.Protocol == wechatpay.V2 || fault.Class == RefundXML
}
