package sandbox

import (
	"net/http"
	"strconv"

	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// signedCall is a V2 method: the request is authentic when it is called.
type signedCall func(w http.ResponseWriter, r *http.Request, m *merchant, f fields)

// signed verifies a V2 request before it is served. Refusals are not signed.
func (s *Sandbox) signed(serve signedCall) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := bodyFields(r)
		if err != nil {
			unreadable(w)
			return
		}
		if f["pid"] == "" {
			writeRefusal(w, no(-4, "参数不能为空 (no parameters)"))
			return
		}
		s.mu.Lock()
		m := s.merchants[f["pid"]]
		s.mu.Unlock()
		if m == nil {
			writeRefusal(w, no(-3, "商户ID不存在 (no such pid)"))
			return
		}
		if refused := s.authentic(m, f, V2); refused != nil {
			writeRefusal(w, refused)
			return
		}
		serve(w, r, m, f)
	}
}

// writeSigned answers with the platform's signature over the top-level scalars
// as text. Members that are empty are left out.
func (s *Sandbox) writeSigned(w http.ResponseWriter, m *merchant, trouble Fault, o object) {
	o = append(o, member{"timestamp", strconv.FormatInt(s.stage.Now().Unix(), 10)})
	kept := make(object, 0, len(o)+2)
	for _, x := range o {
		if x.value != nil && x.value != "" {
			kept = append(kept, x)
		}
	}
	if trouble.Class == QueryUnsigned {
		writeJSON(w, http.StatusOK, kept)
		return
	}
	sign, err := s.signReply(m, trouble, scalars(kept))
	if err != nil {
		writeRefusal(w, no(-1, "平台密钥未配置 (no platform key)"))
		return
	}
	writeJSON(w, http.StatusOK, append(kept, member{"sign", sign}, member{"sign_type", "RSA"}))
}

func (s *Sandbox) signReply(m *merchant, trouble Fault, p epay.Params) (string, error) {
	if trouble.Class == QueryForged {
		key, err := s.strangerKey()
		if err != nil {
			return "", err
		}
		return epay.SignRSA(m.text(p), key)
	}
	signed, err := m.sign(p, V2)
	return signed.Value("sign"), err
}

// scalars are the members that a reply's signature covers: arrays are not.
func scalars(o object) epay.Params {
	var p epay.Params
	for _, x := range o {
		switch v := x.value.(type) {
		case string:
			p = append(p, epay.Param{Name: x.name, Value: v})
		case int:
			p = append(p, epay.Param{Name: x.name, Value: strconv.Itoa(v)})
		}
	}
	return p
}

// queryV2 answers about one order.
func (s *Sandbox) queryV2(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
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
	reply := append(object{{"code", 0}}, m.row(o)...)
	reply = append(reply, member{"clientip", o.clientIP})
	if o.refunded.IsPositive() {
		reply = append(reply, member{"refundmoney", o.refunded.Amount()})
	}
	s.tell(m, o)
	s.mu.Unlock()
	s.writeSigned(w, m, trouble, reply)
}

// ordersV2 lists orders; "data" is outside the signature. A posted status is
// looked up in the query string, a mistake of the servers, and so is taken for
// 0, unpaid.
func (s *Sandbox) ordersV2(w http.ResponseWriter, r *http.Request, m *merchant, f fields) {
	s.mu.Lock()
	trouble := s.takeTrouble(m, nil)
	s.mu.Unlock()
	if stage.Spoil(w, r, trouble) {
		return
	}
	status := ""
	if f["status"] != "" {
		status = strconv.Itoa(whole(readForm(r.URL.RawQuery)["status"], statusUnpaid))
	}
	s.writeSigned(w, m, trouble, object{{"code", 0}, {"data", s.page1(m, f, status)}})
}

// infoV2 tells a merchant about itself.
func (s *Sandbox) infoV2(w http.ResponseWriter, _ *http.Request, m *merchant, _ fields) {
	sum := s.summary(m)
	s.writeSigned(w, m, Fault{}, object{
		{"code", 0},
		{"pid", m.number(m.PID)},
		{"status", m.number(sum.active)},
		{"pay_status", m.number(sum.active)},
		{"settle_status", 1},
		{"money", sum.money},
		{"settle_type", 1},
		{"settle_name", m.Name},
		{"settle_account", "sandbox"},
		{"order_num", sum.orders},
		{"order_num_today", sum.today},
		{"order_num_lastday", sum.yesterday},
	})
}
