package sandbox

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// refusal is a no of the gateway, in its own words and codes. All of them go
// out with HTTP status 200 unless status says otherwise.
type refusal struct {
	code   int
	msg    string
	status int
}

// Error is the text the merchant reads.
func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.msg, r.code) }

func no(code int, msg string) *refusal { return &refusal{code: code, msg: msg, status: 200} }

var (
	orderNoGrammar = regexp.MustCompile(`^[A-Za-z0-9._|-]{1,150}$`)
	amountGrammar  = regexp.MustCompile(`^[0-9]{1,10}(\.[0-9]{1,2})?$`)
)

// freshness is how far a V2 timestamp may be off.
const freshness = 300 * time.Second

// reopenable is how long an order number stays with its first order.
const reopenable = 10 * 24 * time.Hour

// text is what the gateway signs and verifies for this merchant.
func (m *merchant) text(f epay.Params) string {
	if !m.habits.trims {
		return epay.Text(f)
	}
	kept := make(epay.Params, 0, len(f))
	for _, p := range f {
		if strings.Trim(p.Value, " \t\n\r\x00\x0b") != "" {
			kept = append(kept, p)
		}
	}
	return epay.Text(kept)
}

func (f fields) params() epay.Params {
	p := make(epay.Params, 0, len(f))
	for name, value := range f {
		p = append(p, epay.Param{Name: name, Value: value})
	}
	return p
}

// authentic verifies a merchant's signed request. The V1 endpoints take RSA as
// well, without a timestamp; the V2 endpoints take MD5 from a merchant that is
// not set to RSA only.
func (s *Sandbox) authentic(m *merchant, f fields, v Version) *refusal {
	if f["sign"] == "" {
		return no(-3, "签名不能为空 (sign is missing)")
	}
	if v == V2 && !s.fresh(f["timestamp"]) {
		return no(-3, "时间戳错误 (timestamp is not within 300 seconds)")
	}
	text := m.text(f.params())
	switch f["sign_type"] {
	case "", "MD5":
		if m.RSAOnly {
			return no(-3, "该商户只能使用RSA签名类型 (this merchant signs with RSA only)")
		}
		// Lower case only, as Rainbow compares.
		if m.keys.md5 == "" || epay.SignMD5(text, m.keys.md5) != f["sign"] {
			return no(-3, "签名校验失败 (signature does not hold)")
		}
	case "RSA":
		if !epay.VerifyRSA(text, f["sign"], m.keys.merchant) {
			return no(-3, "签名校验失败 (signature does not hold)")
		}
	default:
		return no(-3, "签名类型错误 (unknown sign_type)")
	}
	return nil
}

func (s *Sandbox) fresh(stamp string) bool {
	if len(stamp) != 10 {
		return false
	}
	var at int64
	for _, d := range []byte(stamp) {
		if d < '0' || d > '9' {
			return false
		}
		at = at*10 + int64(d-'0')
	}
	off := s.stage.Now().Sub(time.Unix(at, 0))
	return off <= freshness && off >= -freshness
}

// open takes a signed form: a new order, or the one it opened before.
func (s *Sandbox) open(f fields, v Version, needs ...string) (*order, *refusal) {
	s.mu.Lock()
	m := s.merchants[f["pid"]]
	s.mu.Unlock()
	if m == nil {
		return nil, no(-1, "商户ID不存在 (no such pid)")
	}
	if r := s.authentic(m, f, v); r != nil {
		return nil, r
	}
	money, r := checkForm(f, needs)
	if r != nil {
		return nil, r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, r := s.openLocked(m, f, v, money)
	if r != nil {
		return nil, r
	}
	return o, nil
}

// checkForm looks at the fields that opening an order needs.
func checkForm(f fields, needs []string) (domain.Money, *refusal) {
	for _, name := range append([]string{"out_trade_no", "notify_url", "name", "money"}, needs...) {
		if f[name] == "" {
			return domain.Money{}, no(-1, "参数不能为空："+name+" (parameter is missing)")
		}
	}
	if !orderNoGrammar.MatchString(f["out_trade_no"]) {
		return domain.Money{}, no(-1, "订单号格式不正确 (out_trade_no has other characters than A-Z a-z 0-9 . _ | -)")
	}
	if !amountGrammar.MatchString(f["money"]) {
		return domain.Money{}, no(-1, "金额不合法 (money is not a plain amount)")
	}
	// Leading zeros are fine with PHP and not with ParseMoney.
	trimmed := strings.TrimLeft(f["money"], "0")
	if trimmed == "" || trimmed[0] == '.' {
		trimmed = "0" + trimmed
	}
	money, err := domain.ParseMoney(trimmed, domain.CNY)
	if err != nil || !money.IsPositive() {
		return domain.Money{}, no(-1, "金额不合法 (money is not positive)")
	}
	for _, name := range []string{"name", "param"} {
		if !utf8.ValidString(f[name]) {
			return domain.Money{}, no(-1, "参数编码错误："+name+" (not UTF-8)")
		}
	}
	return money, nil
}

// openLocked applies the rules for an order number that is known already.
func (s *Sandbox) openLocked(m *merchant, f fields, v Version, money domain.Money) (*order, *refusal) {
	if m.suspended {
		return nil, no(-1, "商户支付权限已关闭 (this merchant is switched off: too many callbacks failed)")
	}
	form := m.form(f, money)
	now := s.stage.Books()
	if old := m.latest(f["out_trade_no"]); old != nil && now.Sub(old.addTime) < reopenable {
		switch {
		case old.wasPaid():
			return nil, no(-1, "该订单已支付 (this order is paid)")
		case old.reopened != form:
			return nil, no(-1, "该订单号已存在且参数不一致 (this order number was opened with other values)")
		}
		return old, nil
	}
	if s.opened >= s.cfg.MaxOrders {
		return nil, no(-1, "订单数已达上限 (this sandbox is full)")
	}
	o := s.enter(m, f["out_trade_no"], now)
	o.version, o.method, o.clientIP = v, f["type"], f["clientip"]
	o.reopened = form
	o.name, o.notifyURL, o.returnURL, o.param = form.name, form.notifyURL, form.returnURL, form.param
	o.placed, o.money = money, money
	if o.method == "" {
		o.method = "alipay" // what a payer takes at the cashier
	}
	if m.AutoPay > 0 {
		s.autoPay(o, time.Duration(m.AutoPay))
	}
	return o, nil
}

// form is what the server keeps of a form's texts.
func (m *merchant) form(f fields, money domain.Money) orderForm {
	keep := func(s string) string { return s }
	if m.habits.escapes {
		keep = daunt
	}
	return orderForm{
		money: money, name: keep(stage.CutText(f["name"], 127)),
		notifyURL: keep(f["notify_url"]), returnURL: keep(f["return_url"]), param: keep(f["param"]),
	}
}

// enter puts a new order under an order number in the books.
func (s *Sandbox) enter(m *merchant, outTradeNo string, at time.Time) *order {
	count := fmt.Sprint(len(m.byOut[outTradeNo]))
	o := &order{
		pid: m.PID, outTradeNo: outTradeNo, addTime: at.Truncate(time.Second),
		rnd:      s.stage.Chance(m.PID, outTradeNo, count),
		refunded: domain.NewMoney(0, domain.CNY),
	}
	o.tradeNo = newTradeNo(at, o.rnd, func(no string) bool { return s.orders[no] != nil })
	s.orders[o.tradeNo] = o
	s.truth = append(s.truth, o)
	s.opened++
	m.add(o)
	return o
}
