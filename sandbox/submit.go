package sandbox

import (
	"bytes"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// submit answers a payer's browser that posts a signed form: a page to pay on,
// or a page that says what is wrong. Both have status 200, as on the servers.
func (s *Sandbox) submit(v Version, needs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := orderFields(r)
		if err != nil {
			unreadable(w)
			return
		}
		o, refused := s.open(f, v, needs...)
		if refused != nil {
			s.page(w, "message.html", http.StatusOK, messagePage{Title: "下单失败 Order refused", Text: refused.msg})
			return
		}
		w.Header().Set("Sandbox-Trade-No", o.tradeNo)
		s.showPay(w, o)
	}
}

// create answers a merchant's server that opens an order: where to send the
// payer.
func (s *Sandbox) create(v Version, needs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, err := orderFields(r)
		if err != nil {
			unreadable(w)
			return
		}
		need := needs
		if v == V2 && f["method"] != "scan" {
			need = append([]string{"type"}, needs...)
		}
		o, refused := s.open(f, v, need...)
		if refused != nil {
			writeRefusal(w, refused)
			return
		}
		if v == V1 {
			writeJSON(w, http.StatusOK, object{{"code", 1}, {"trade_no", o.tradeNo}, {"payurl", s.payURL(o)}})
			return
		}
		s.mu.Lock()
		m := s.merchants[o.pid]
		s.mu.Unlock()
		s.writeSigned(w, m, Fault{}, object{
			{"code", 0}, {"trade_no", o.tradeNo}, {"pay_type", "jump"}, {"pay_info", s.payURL(o)},
		})
	}
}

func (s *Sandbox) payURL(o *order) string { return s.baseURL() + "/pay/" + o.tradeNo }

// payData is what the pay page shows.
type payData struct {
	Root, TradeNo, OutTradeNo, Name, Money, Merchant, Method string
}

// messagePage is a page that only says something.
type messagePage struct {
	Root, Title, Text, Link, LinkText string
}

// showPay shows an order to its payer, or what became of it.
func (s *Sandbox) showPay(w http.ResponseWriter, o *order) {
	s.mu.Lock()
	v, m := o.view(), s.merchants[o.pid]
	s.mu.Unlock()
	if v.Status != statusUnpaid {
		s.page(w, "message.html", http.StatusOK, messagePage{
			Title: "订单已支付 Order paid", Text: "¥ " + v.Money + " · " + v.OutTradeNo,
		})
		return
	}
	s.page(w, "pay.html", http.StatusOK, payData{
		Root: s.rootPath(), TradeNo: v.TradeNo, OutTradeNo: v.OutTradeNo, Name: v.Name, Money: v.Placed,
		Merchant: m.Name, Method: v.Method,
	})
}

// returnable is how long after the payment a browser is sent back with signed
// fields; later the page stands still.
const returnable = 5 * time.Minute

// payPage shows an order by its address. Soon after the payment it sends the
// browser back to the merchant.
func (s *Sandbox) payPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	o, m, err := s.order(r.PathValue("trade_no"))
	recent := err == nil && o.wasPaid() && s.stage.Books().Sub(o.endTime) <= returnable
	s.mu.Unlock()
	switch {
	case err != nil:
		s.page(w, "message.html", http.StatusNotFound, messagePage{Title: "订单不存在 No such order", Text: r.PathValue("trade_no")})
	case recent:
		s.sendBack(w, r, m, o)
	default:
		s.showPay(w, o)
	}
}

// payPressed is the payer's choice on the page.
func (s *Sandbox) payPressed(w http.ResponseWriter, r *http.Request) {
	f, err := bodyFields(r)
	if err != nil {
		unreadable(w)
		return
	}
	tradeNo := r.PathValue("trade_no")
	if f["do"] != "pay" {
		s.page(w, "message.html", http.StatusOK, messagePage{
			Title: "已取消 Cancelled", Text: "没有付款 Nothing was paid",
			Link: s.rootPath() + "/pay/" + tradeNo, LinkText: "返回支付 Back to the payment",
		})
		return
	}
	if _, err := s.Pay(tradeNo); err != nil {
		s.page(w, "message.html", http.StatusOK, messagePage{Title: "无法支付 Cannot be paid", Text: err.Error()})
		return
	}
	http.Redirect(w, r, s.rootPath()+"/pay/"+tradeNo, http.StatusSeeOther) //nolint:gosec // Pay found the number: it is 19 digits of ours
}

// sendBack sends the browser to the merchant's return address.
func (s *Sandbox) sendBack(w http.ResponseWriter, r *http.Request, m *merchant, o *order) {
	back, err := s.returnURL(m, o)
	if err != nil || back == "" {
		s.showPay(w, o)
		return
	}
	http.Redirect(w, r, back, http.StatusFound)
}

// page renders a page wholly before the first byte goes out.
func (s *Sandbox) page(w http.ResponseWriter, name string, status int, data any) {
	if m, ok := data.(messagePage); ok {
		m.Root = s.rootPath()
		data = m
	}
	var buf bytes.Buffer
	if err := pages.ExecuteTemplate(&buf, name, data); err != nil {
		s.cfg.Log.Error("page not rendered", slog.String("page", name), slog.String("error", err.Error()))
		http.Error(w, "page not rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	w.Write(buf.Bytes())
}
