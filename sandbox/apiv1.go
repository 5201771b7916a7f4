package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"counterfoil/sandbox/stage"
)

// apiV1 is /api.php: the V1 queries, which carry the key in clear, and refunds.
func (s *Sandbox) apiV1(w http.ResponseWriter, r *http.Request) {
	f := readForm(r.URL.RawQuery)
	if r.Method == http.MethodPost {
		body, err := bodyFields(r)
		if err != nil {
			unreadable(w)
			return
		}
		for name, value := range body {
			f[name] = value
		}
	}
	act := map[string]func(http.ResponseWriter, *http.Request, *merchant, fields){
		"order": s.orderV1, "orders": s.ordersV1, "query": s.infoV1, "refund": s.refundV1,
	}[f["act"]]
	if act == nil {
		writeRefusal(w, no(-5, "No Act!"))
		return
	}
	s.mu.Lock()
	m := s.merchants[f["pid"]]
	s.mu.Unlock()
	switch {
	case m == nil:
		writeRefusal(w, no(-3, "商户ID不存在 (no such pid)"))
	case m.RSAOnly:
		writeRefusal(w, no(-3, "该商户只能使用RSA签名类型 (this merchant signs with RSA only)"))
	case m.keys.md5 == "" || f["key"] != m.keys.md5:
		writeRefusal(w, no(-3, "商户密钥错误 (wrong key)"))
	default:
		act(w, r, m, f)
	}
}

// orderV1 answers about one order.
func (s *Sandbox) orderV1(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
	if f["trade_no"] == "" && f["out_trade_no"] == "" {
		writeRefusal(w, no(-4, "订单号不能为空 (no order number)"))
		return
	}
	s.mu.Lock()
	o := m.find(f["trade_no"], f["out_trade_no"])
	trouble := s.takeTrouble(m, o)
	s.mu.Unlock()
	if stage.Spoil(w, r, trouble) {
		return
	}
	if o == nil || trouble.Class == QueryMissing {
		writeRefusal(w, m.notFound())
		return
	}
	s.mu.Lock()
	reply := append(object{{"code", 1}, {"msg", "查询订单号成功！"}}, m.row(o)...)
	reply = append(reply, member{"payurl", s.payURL(o)})
	s.tell(m, o)
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, reply)
}

func (m *merchant) notFound() *refusal {
	return &refusal{code: -1, msg: "订单号不存在 (no such order)", status: m.habits.notFound}
}

// tell notes that the merchant has learned of the payment by a query.
func (s *Sandbox) tell(m *merchant, o *order) {
	if o.wasPaid() {
		o.told = true
		s.purgeTold(m, o)
	}
}

// row is an order as V1 answers show it.
func (m *merchant) row(o *order) object {
	return object{
		{"trade_no", o.tradeNo},
		{"out_trade_no", o.outTradeNo},
		{"api_trade_no", orNull(o.apiTradeNo)},
		{"bill_trade_no", nil},
		{"type", o.method},
		{"pid", m.number(m.PID)},
		{"addtime", bookTime(o.addTime)},
		{"endtime", endTime(o.endTime)},
		{"name", o.name},
		{"money", o.money.Amount()},
		{"param", orNull(o.param)},
		{"buyer", orNull(o.buyer)},
		{"status", m.number(strconv.Itoa(o.status))},
	}
}

// listed are the members of a row that the order list has.
var listed = []string{
	"trade_no", "out_trade_no", "type", "pid", "addtime", "endtime", "name", "money", "param", "buyer", "status",
}

// listRow is an order as lists show it.
func (m *merchant) listRow(o *order) object {
	return slices.DeleteFunc(m.row(o), func(x member) bool { return !slices.Contains(listed, x.name) })
}

// number is a whole number of the database: a JSON number, or a digit string
// as PHP before 8.1 writes it. What is no number stays a string.
func (m *merchant) number(digits string) any {
	n, err := strconv.Atoi(digits)
	if err != nil || m.TextNumbers || strconv.Itoa(n) != digits {
		return digits
	}
	return n
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func endTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return bookTime(t)
}

// ordersV1 lists orders, the newest first. With no rows "data" is null.
func (s *Sandbox) ordersV1(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
	s.mu.Lock()
	trouble := s.takeTrouble(m, nil)
	s.mu.Unlock()
	if stage.Spoil(w, r, trouble) {
		return
	}
	rows := s.page1(m, f, f["status"])
	reply := object{{"code", 1}, {"msg", "查询商户订单成功！"}, {"count", len(rows)}, {"data", nil}}
	if len(rows) > 0 {
		reply[3].value = rows
	}
	writeJSON(w, http.StatusOK, reply)
}

// page1 is one page of a list: offset (0) and limit (10, at most 50), of one
// status or all.
func (s *Sandbox) page1(m *merchant, f fields, status string) []object {
	limit, offset := whole(f["limit"], 10), whole(f["offset"], 0)
	limit = min(limit, 50)
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := []object{}
	for _, o := range slices.Backward(m.list) {
		if status != "" && strconv.Itoa(o.status) != status {
			continue
		}
		if offset > 0 {
			offset--
			continue
		}
		if len(rows) == limit {
			break
		}
		rows = append(rows, m.listRow(o))
	}
	return rows
}

// whole reads a count the way PHP's intval does for plain digits.
func whole(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// infoV1 tells a merchant about itself, the key included: so the servers do.
func (s *Sandbox) infoV1(w http.ResponseWriter, _ *http.Request, m *merchant, _ fields) {
	sum := s.summary(m)
	writeJSON(w, http.StatusOK, object{
		{"code", 1},
		{"pid", m.number(m.PID)},
		{"key", m.Key},
		{"active", m.number(sum.active)},
		{"money", sum.money},
		{"type", m.number("1")},
		{"account", "sandbox"},
		{"username", m.Name},
		{"orders", sum.orders},
		{"order_today", sum.today},
		{"order_lastday", sum.yesterday},
	})
}

// summary is what the merchant info says.
type summary struct {
	active                   string
	money                    string
	orders, today, yesterday int
}

func (s *Sandbox) summary(m *merchant) summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := summary{active: "1", orders: len(m.list)}
	if m.suspended {
		sum.active = "0"
	}
	now := s.stage.Books()
	today, yesterday := now.Format(time.DateOnly), now.AddDate(0, 0, -1).Format(time.DateOnly)
	money := noMoney
	for _, o := range m.list {
		if !o.wasPaid() {
			continue
		}
		money = minus(plus(money, o.money), o.refunded)
		switch o.addTime.In(stage.China).Format(time.DateOnly) {
		case today:
			sum.today++
		case yesterday:
			sum.yesterday++
		}
	}
	sum.money = money.Amount()
	return sum
}
