package wechatpay

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
)

// maxRequest is the longest request, in bytes.
const maxRequest = 64 << 10

func (f *Face) mux() http.Handler {
	mux := http.NewServeMux()
	for _, orders := range []string{"/v3/pay/transactions/", "/v3/pay/partner/transactions/"} {
		for _, kind := range []string{"native", "jsapi", "h5", "app"} {
			mux.HandleFunc("POST "+orders+kind, f.v3(f.create(kind)))
		}
		mux.HandleFunc("GET "+orders+"out-trade-no/{no}", f.v3(f.queryOrder))
		mux.HandleFunc("GET "+orders+"id/{id}", f.v3(f.queryOrder))
		mux.HandleFunc("POST "+orders+"out-trade-no/{no}/close", f.v3(f.closeOrder))
	}
	mux.HandleFunc("POST /v3/refund/domestic/refunds", f.v3(f.createRefund))
	mux.HandleFunc("GET /v3/refund/domestic/refunds/{no}", f.v3(f.queryRefund))
	mux.HandleFunc("GET /v3/certificates", f.v3(f.certificates))
	mux.HandleFunc("GET /v3/bill/tradebill", f.v3(f.tradeBill))
	mux.HandleFunc("GET /v3/bill/fundflowbill", f.v3(f.fundBill))
	mux.HandleFunc("GET /v3/billdownload/file", f.download)
	mux.HandleFunc("POST /pay/unifiedorder", f.v2(f.createV2))
	mux.HandleFunc("POST /pay/orderquery", f.v2(f.queryOrderV2))
	mux.HandleFunc("POST /pay/closeorder", f.v2(f.closeOrderV2))
	mux.HandleFunc("POST /secapi/pay/refund", f.v2(f.createRefundV2))
	mux.HandleFunc("POST /pay/refundquery", f.v2(f.queryRefundV2))
	mux.HandleFunc("POST /pay/downloadbill", f.v2(f.downloadV2))
	return mux
}

// call is a v3 request that was verified.
type call struct {
	f *Face
	m *merchant // who signed it; once it is known, the partner's merchant that it is about
	w http.ResponseWriter
	r *http.Request

	body   []byte
	wanted string // the platform key that answers are asked to be signed with
}

// trouble is an answer of v3 that is no success.
type trouble struct {
	status        int
	code, message string
}

// Error is the code, for logs.
func (t trouble) Error() string { return t.code + ": " + t.message }

var (
	errSign     = trouble{http.StatusUnauthorized, "SIGN_ERROR", "签名错误"}
	errNoOrder  = trouble{http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在"}
	errNoRefund = trouble{http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在"}
	errSystem   = trouble{http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请稍后重试"}
	errLimited  = trouble{http.StatusTooManyRequests, "FREQUENCY_LIMITED", "请求频率过高"}
)

// v3 verifies a request, lets answer work out a value and signs it: 204 for nil,
// 200 for anything else.
func (f *Face) v3(answer func(*call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "request is too long", http.StatusRequestEntityTooLarge)
			return
		}
		c := &call{f: f, w: w, r: r, body: body, wanted: r.Header.Get(wechatpay.HeaderSerial)}
		if c.m, err = f.authenticate(r, body); err != nil {
			c.fail(errSign)
			return
		}
		v, err := answer(c)
		switch {
		case errors.Is(err, errAnswered):
		case err != nil:
			c.fail(err)
		case v == nil:
			c.write(http.StatusNoContent, nil)
		default:
			c.write(http.StatusOK, compact(v))
		}
	}
}

// errAnswered says that a fault has answered already.
var errAnswered = errors.New("answered")

// fail turns an error into v3's form.
func (c *call) fail(err error) {
	t, ok := errors.AsType[trouble](err)
	if !ok {
		t = trouble{http.StatusBadRequest, "PARAM_ERROR", err.Error()}
		if domain.KindOf(err) == domain.KindConflict {
			t.code = "INVALID_REQUEST"
		}
	}
	c.write(t.status, compact(map[string]string{"code": t.code, "message": t.message}))
}

func (c *call) write(status int, body []byte) { c.writeAs(status, body, c.f.signedHeader) }

// writeAs writes an answer with the headers that a signer makes. An answer to
// nobody known is signed by the first merchant's key.
func (c *call) writeAs(status int, body []byte, header func([]byte, *platformKey) http.Header) {
	m := c.m
	if m == nil {
		m = c.f.anyV3()
	}
	h := c.w.Header()
	if m != nil && header != nil {
		for name, values := range header(body, c.f.signer(m, c.wanted)) {
			h[name] = values
		}
		h.Del("Accept")
		h.Del("User-Agent")
	}
	if status == http.StatusNoContent {
		h.Del("Content-Type")
	} else {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	c.w.WriteHeader(status)
	c.w.Write(body)
}

func (f *Face) anyV3() *merchant {
	for _, m := range f.list {
		if m.Protocol == wechatpay.V3 {
			return m
		}
	}
	return nil
}

var (
	authorization = regexp.MustCompile(`^` + wechatpay.AuthScheme + `\s+(.*)$`)
	authField     = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// authenticate verifies a v3 request: merchant, serial, a time within five
// minutes, and the signature over the request as it was on the wire.
func (f *Face) authenticate(r *http.Request, body []byte) (*merchant, error) {
	head := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if head == nil || r.Header.Get("User-Agent") == "" {
		return nil, errSign
	}
	got := map[string]string{}
	for _, pair := range authField.FindAllStringSubmatch(head[1], -1) {
		got[pair[1]] = pair[2]
	}
	m := f.signers[got["mchid"]]
	if m == nil || m.keys.merchant == nil || got["serial_no"] != m.keys.serial {
		return nil, errSign
	}
	seconds, err := strconv.ParseInt(got["timestamp"], 10, 64)
	if age := f.stage.Now().Sub(time.Unix(seconds, 0)); err != nil || age > 5*time.Minute || age < -5*time.Minute {
		return nil, errSign
	}
	text := wechatpay.Message(r.Method, r.RequestURI, got["timestamp"], got["nonce_str"], string(body))
	if !wechatpay.VerifyRSA(text, got["signature"], &m.keys.merchant.PublicKey) {
		return nil, errSign
	}
	return m, nil
}

// read decodes a request's body. It may only name the merchant who signed it.
func (c *call) read(into any) error {
	if err := strictjson.Unmarshal(c.body, into); err != nil {
		return trouble{http.StatusBadRequest, "PARAM_ERROR", err.Error()}
	}
	return nil
}

// spoil lets a planted fault happen to an answer about an order.
func (c *call) spoil(id string, v any) (any, error) {
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
		c.writeAs(http.StatusOK, compact(v), nil)
		return nil, errAnswered
	case stage.QueryForged:
		c.writeAs(http.StatusOK, compact(v), func(body []byte, key *platformKey) http.Header {
			other, err := stranger()
			if err != nil {
				return http.Header{}
			}
			return c.f.signedHeader(body, &platformKey{id: key.id, key: other})
		})
		return nil, errAnswered
	default:
		return v, nil
	}
}

// payPage is where an order's payer is sent.
func (f *Face) payPage(o *order) string { return f.base + "/pay/" + url.PathEscape(o.id) }
