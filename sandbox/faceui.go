package sandbox

import (
	"net/http"
	"net/url"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// providerNames are what people call the providers.
var providerNames = map[string]string{
	Name: "易支付 Epay", "wechatpay": "微信支付 WeChat Pay", "alipay": "支付宝 Alipay", "stripe": "Stripe",
}

func providerName(face string) string {
	if name := providerNames[face]; name != "" {
		return name
	}
	return face
}

// sumText is an amount, 0 where nothing came in any currency.
func sumText(m domain.Money) string {
	if m.Currency() == "" {
		return "0"
	}
	return m.String()
}

// facePageData is what the page of one provider shows.
type facePageData struct {
	faceView
	Root, Note string
	Clock      stage.ClockState
	Pending    int
	Faces      []string
	Books      []bookLine
	Balances   []stage.MerchantBooks
	Bank       []bankLine
	Orders     []stage.Order
	Attempts   []stage.Attempt
}

// bookLine is one merchant and currency on the page.
type bookLine struct {
	Merchant                               string
	Paid, Opened                           int
	Received, Refunded, Disputed, Credited domain.Money
}

// facePage lists what one provider has, with buttons.
func (s *Sandbox) facePage(w http.ResponseWriter, r *http.Request) {
	f, err := s.Face(r.PathValue("face"))
	if err != nil {
		s.page(w, "message.html", http.StatusNotFound, messagePage{Title: "没有这个渠道 No such provider", Text: r.PathValue("face")})
		return
	}
	pid := r.URL.Query().Get("pid")
	books := f.Books()
	s.page(w, "face.html", http.StatusOK, facePageData{
		faceView: viewOf(f), Root: s.rootPath(), Note: stage.CutText(r.URL.Query().Get("note"), 300),
		Clock: s.Clock(), Pending: s.Pending(), Faces: s.faceNames(), Books: bookLines(books), Balances: books,
		Bank:     bankLines(books),
		Orders:   f.Orders(stage.OrderFilter{Merchant: pid, Limit: shown}),
		Attempts: s.Attempts(stage.AttemptFilter{Face: f.Name(), Merchant: pid, Limit: shown}),
	})
}

func (s *Sandbox) faceNames() []string {
	var names []string
	for _, f := range s.Faces() {
		names = append(names, f.Name())
	}
	return names
}

// bookLines adds up the books, a line for each merchant and currency.
func bookLines(books []stage.MerchantBooks) []bookLine {
	var lines []bookLine
	for _, b := range books {
		found := false
		for _, t := range stage.Totals(b.Payments) {
			found = true
			lines = append(lines, bookLine{
				Merchant: b.Merchant, Paid: t.Count, Opened: b.Opened, Received: t.Received, Refunded: t.Refunded,
				Disputed: t.Disputed, Credited: t.Due,
			})
		}
		if !found {
			lines = append(lines, bookLine{Merchant: b.Merchant, Opened: b.Opened})
		}
	}
	return lines
}

// facePressed is a button of a provider's page. It leads back there, with a
// note of what came of it.
func (s *Sandbox) facePressed(w http.ResponseWriter, r *http.Request) {
	form, err := bodyFields(r)
	if err != nil {
		unreadable(w)
		return
	}
	f, err := s.Face(r.PathValue("face"))
	if err != nil {
		respond(w, nil, err)
		return
	}
	note := form["do"] + " " + form["id"] + form["pid"] + ": ok"
	if err := s.pressFace(f, form); err != nil {
		note = err.Error()
	}
	http.Redirect(w, r, s.rootPath()+"/sandbox/"+f.Name()+"/?"+url.Values{"note": {note}}.Encode(), http.StatusSeeOther) //nolint:gosec // the name is that of a mounted face
}

// pressFace does what the button says.
func (s *Sandbox) pressFace(f stage.Face, form fields) error {
	id, fault := form["id"], Fault{Class: Class(form["class"]), Unpaid: form["unpaid"] != ""}
	switch form["do"] {
	case "open":
		return openByForm(f, form)
	case "pay":
		_, err := s.PayAt(f.Name(), id)
		return err
	case "fire":
		_, err := f.Fire(id, fault)
		return err
	case "refund", "refund_fails":
		amount, err := amountOf(form)
		if err != nil {
			return err
		}
		_, err = f.Refund(stage.RefundOrder{ID: id, Amount: amount, Fails: form["do"] == "refund_fails"})
		return err
	case "next":
		return s.NextAt(f.Name(), form["pid"], fault)
	case "outage":
		return s.OutageAt(f.Name(), form["pid"], fault, time.Minute)
	case "advance":
		by, err := time.ParseDuration(form["by"])
		if err != nil {
			return domain.EField(domain.KindInvalid, "by", "%.20q is no length of time", form["by"])
		}
		return s.Advance(by)
	}
	return pressRare(f, form)
}

// pressRare is for what only some providers have.
func pressRare(f stage.Face, form fields) error {
	switch d, _ := f.(stage.Disputer); {
	case d == nil:
	case form["do"] == "dispute":
		_, err := d.Dispute(form["id"], domain.Money{})
		return err
	case form["do"] == "won" || form["do"] == "lost":
		_, err := d.Decide(form["id"], form["do"] == "won")
		return err
	}
	if r, ok := f.(stage.Rotator); ok && form["do"] == "rotate" {
		return r.Rotate(form["pid"])
	}
	if b, ok := f.(stage.Banker); ok && banking(form["do"]) {
		return pressBank(b, form)
	}
	return domain.E(domain.KindInvalid, "没有这个按钮 no such button")
}

// amountOf is the amount of a form, the zero Money for an empty one.
func amountOf(form fields) (domain.Money, error) {
	if form["amount"] == "" {
		return domain.Money{}, nil
	}
	currency, err := domain.ParseCurrency(form["currency"])
	if err != nil {
		return domain.Money{}, err
	}
	return domain.ParseMoney(form["amount"], currency)
}

func openByForm(f stage.Face, form fields) error {
	amount, err := amountOf(form)
	if err != nil {
		return err
	}
	_, err = f.Open(stage.OpenOrder{
		Merchant: form["pid"], OrderNo: form["out_trade_no"], Amount: amount, Subject: form["name"],
		NotifyURL: form["notify_url"], Attach: form["attach"],
	})
	return err
}
