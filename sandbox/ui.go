package sandbox

import (
	"net/http"
	"net/url"
	"time"

	"counterfoil/sandbox/stage"
)

// shown is how many orders and attempts the start page lists.
const shown = 50

// startData is what the start page shows.
type startData struct {
	Root      string
	Base      string
	Note      string
	Clock     stage.ClockState
	Pending   int
	PID       string // shown alone; empty means all
	Merchants []merchantLine
	Orders    []Order
	Attempts  []stage.Attempt
	OnPaid    []Class // faults that can be fired at an order
	OnQuery   []Class
	Faces     []string
}

// merchantLine is one merchant on the start page.
type merchantLine struct {
	Credentials
	Opened, Paid, Faults       int
	Received, Credited, Parked string
}

// startPage lists everything, with buttons.
func (s *Sandbox) startPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	pid := q.Get("pid")
	data := startData{
		Root: s.rootPath(), Base: s.baseURL(), Note: stage.CutText(q.Get("note"), 300), Clock: s.Clock(), Pending: s.Pending(),
		PID: pid, Merchants: s.merchantLines(), Orders: s.Orders(pid, "", shown),
		Attempts: s.Attempts(stage.AttemptFilter{Merchant: pid, Limit: shown}),
		OnPaid:   CallbackClasses(), OnQuery: QueryClasses(),
		Faces: s.faceNames(),
	}
	s.page(w, "start.html", http.StatusOK, data)
}

func (s *Sandbox) merchantLines() []merchantLine {
	books := s.Books()
	credentials := s.Credentials()
	lines := make([]merchantLine, 0, len(books.Merchants))
	for i, b := range books.Merchants {
		line := merchantLine{
			Credentials: credentials[i], Opened: b.Opened, Paid: len(b.Paid),
			Received: "0.00", Credited: "0.00", Parked: "0.00",
		}
		for _, t := range b.Totals {
			line.Received, line.Credited, line.Parked = t.Received.Amount(), t.Credited.Amount(), t.Parked.Amount()
		}
		for _, n := range b.Planted {
			line.Faults += n
		}
		lines = append(lines, line)
	}
	return lines
}

func styleSheet(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, pageFiles, "pages/style.css")
}

// pressed is a button of the start page. It leads back there, with a note of
// what came of it.
func (s *Sandbox) pressed(w http.ResponseWriter, r *http.Request) {
	f, err := bodyFields(r)
	if err != nil {
		unreadable(w)
		return
	}
	note, err := s.press(f)
	if err != nil {
		note = err.Error()
	}
	back := url.Values{"note": {note}}
	if f["back"] != "" {
		back.Set("pid", f["back"])
	}
	http.Redirect(w, r, s.rootPath()+"/sandbox/?"+back.Encode(), http.StatusSeeOther)
}

// press does what the button says.
func (s *Sandbox) press(f fields) (string, error) {
	tradeNo := f["trade_no"]
	done := f["do"] + " " + tradeNo + f["pid"] + ": ok"
	switch f["do"] {
	case "open":
		o, err := s.Open(OpenOrder{
			PID: f["pid"], OutTradeNo: f["out_trade_no"], Money: f["money"], Name: f["name"], NotifyURL: f["notify_url"],
		})
		return "open " + o.TradeNo + ": ok", err
	case "pay":
		_, err := s.Pay(tradeNo)
		return done, err
	case "fire":
		_, err := s.Fire(tradeNo, Fault{Class: Class(f["class"]), Unpaid: f["unpaid"] != ""})
		return string(Class(f["class"])) + " " + done, err
	case "resend":
		return done, s.Resend(tradeNo)
	case "purge":
		return done, s.Purge(tradeNo)
	case "refund":
		return done, s.refundRest(tradeNo)
	case "next":
		return done, s.Next(f["pid"], Fault{Class: Class(f["class"])})
	case "outage":
		return done, s.Outage(f["pid"], Fault{Class: Class(f["class"])}, time.Minute)
	case "advance":
		d, err := time.ParseDuration(f["by"])
		if err != nil {
			return "", err
		}
		return "advance " + f["by"] + ": ok", s.Advance(d)
	}
	return "没有这个按钮 no such button", nil
}
