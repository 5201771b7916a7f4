package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/providers"
	"counterfoil/sandbox"
)

// order is what the shop knows.
type order struct {
	no       string
	channel  domain.ChannelID
	amount   domain.Money
	account  string
	expires  time.Time
	placed   bool // the API acknowledged it
	tried    bool // the API may have it
	canceled bool // the API acknowledged that
	form     *providers.Form
	trade    string // the gateway's number, once the payer has opened the form
}

// acts are what may happen in a step, by weight.
var acts = []struct {
	weight int
	act    func(*world)
}{
	{22, (*world).placeNew},
	{26, (*world).payOne},
	{5, (*world).placeLater},
	{4, (*world).payFirst},
	{5, (*world).cancelOne},
	{4, (*world).placeAgain},
	{2, (*world).placeTwice},
	{14, func(w *world) { w.fold(); w.sweep(pick(w, w.sweepers)) }},
	{4, func(w *world) { pick(w, append(w.apis, w.sweepers...)).die() }},
	{4, (*world).again},
	{2, (*world).outage},
	{3, (*world).takeBack},
	{2, func(w *world) { w.do(w.box.Advance(0)) }}, // the gateway deletes old unpaid orders
	{5, (*world).readBalance},
}

// act is one step: something happens, time goes on, callbacks go out.
func (w *world) act() {
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	n := w.rnd.IntN(total)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			a.act(w)
			break
		}
	}
	w.gate.settle()
	w.step(w.someTime())
	w.gate.settle()
}

// someTime is mostly short and sometimes very long.
func (w *world) someTime() time.Duration {
	longest := []time.Duration{time.Second, time.Second, 30 * time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}
	if w.chance(2) {
		longest = append(longest, 30*time.Hour)
	}
	return time.Duration(w.rnd.Int64N(int64(pick(w, longest))))
}

func (w *world) newOrder() *order {
	o := &order{
		no: fmt.Sprintf("S%dN%03d", w.seed, len(w.orders)), channel: pick(w, channelIDs),
		amount: domain.NewMoney(2+w.rnd.Int64N(5000), domain.CNY), account: fmt.Sprint("user:", w.rnd.IntN(4)),
		expires: w.clock().Add(time.Duration(10+w.rnd.IntN(120)) * time.Minute).Truncate(time.Second),
	}
	w.orders = append(w.orders, o)
	return o
}

// placeNew is a buyer at the shop; some never get to the gateway.
func (w *world) placeNew() {
	o := w.newOrder()
	w.place(o)
	if !w.chance(15) {
		w.openForm(o)
	}
}

// place asks the API until it answers, a few times.
func (w *world) place(o *order) {
	for range 4 {
		if w.placeOnce(o) {
			return
		}
	}
}

// placing is the request that places o over an amount.
func (w *world) placing(o *order, m domain.Money) string {
	body, err := json.Marshal(httpapi.Order{
		Channel: string(o.channel), OrderNo: o.no, Account: o.account, Amount: m.Amount(), Currency: "CNY",
		Subject: "points", Method: "alipay", ReturnURL: "https://shop.test/return", ExpiresAt: &o.expires,
	})
	w.do(err)
	return string(body)
}

func (w *world) placeOnce(o *order) (answered bool) {
	got, ok := w.callAPI(http.MethodPost, "/v1/payments", w.placing(o, o.amount), "place-"+o.no)
	o.tried = true
	w.note("place %s %s %s: %d", o.channel, o.no, o.amount, got.status)
	if !ok || got.status/100 == 5 {
		return false
	}
	if got.status == http.StatusConflict && strings.Contains(got.body, "still running") {
		w.step(5 * time.Second) // its answer could not be kept
		return false
	}
	if got.status/100 != 2 {
		if w.clock().Before(o.expires) {
			w.fail("placing %s is refused: %d %s", o.no, got.status, got.body)
		}
		return true // too late to place it
	}
	var placed struct{ Form *providers.Form }
	w.do(json.Unmarshal([]byte(got.body), &placed))
	o.placed, o.form = true, placed.Form
	return true
}

// callAPI calls some API process; ok is false when no answer came back.
func (w *world) callAPI(method, path, body, key string) (got answer, ok bool) {
	p := pick(w, w.apis)
	h := http.Header{"Authorization": {"Bearer " + w.token}, "Content-Type": {"application/json"}}
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	w.inMood(w.drawMood(p), func() { got = p.serve(method, path, body, h) })
	if w.chance(3) {
		p.die()
		return got, false
	}
	return got, !w.chance(4)
}

// openForm is the payer's browser: it posts the form to the gateway.
func (w *world) openForm(o *order) {
	if o.form == nil || o.trade != "" {
		return
	}
	fields := url.Values{}
	for name, value := range o.form.Fields {
		fields.Set(name, value)
	}
	r, err := http.NewRequest(http.MethodPost, o.form.Action, nil)
	w.do(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body = bodyOf(fields.Encode())
	resp, err := w.askGateway(r)
	w.do(err)
	defer func() { _ = resp.Body.Close() }()
	o.trade = resp.Header.Get("Sandbox-Trade-No")
	w.note("open %s: %t", o.no, o.trade != "")
}

// faults are what may happen to a payment's callbacks.
var faults = []sandbox.Class{
	sandbox.None, sandbox.None, sandbox.None, sandbox.Lost, sandbox.Lost, sandbox.NoRetry, sandbox.Repeated, sandbox.Double,
	sandbox.Reordered, sandbox.Concurrent, sandbox.Late, sandbox.Slow, sandbox.ReplyLost, sandbox.Closed, sandbox.ExtraField,
	sandbox.ReturnReplay, sandbox.Forged, sandbox.OtherPID, sandbox.WrongStatus, sandbox.Ambiguous, sandbox.OtherAmount,
	sandbox.SecondTrade, sandbox.Reused, sandbox.Minted,
}

// payOne is a payer at the gateway, with whatever goes wrong.
func (w *world) payOne() {
	open := w.ordersWhere(func(o *order) bool { return o.trade != "" && !w.paid(o.trade) })
	if len(open) > 0 {
		w.pay(pick(w, open))
	}
}

func (w *world) pay(o *order) {
	f := sandbox.Fault{Class: pick(w, faults)}
	if f.Class == sandbox.Minted && o.channel != careful {
		f.Class = sandbox.None // where callbacks are believed, a leaked key is money
	}
	switch f.Class {
	case sandbox.Forged, sandbox.OtherPID, sandbox.WrongStatus, sandbox.Ambiguous, sandbox.Minted:
		f.Unpaid = w.rnd.IntN(2) == 0
	case sandbox.Repeated, sandbox.ReturnReplay:
		f.Copies = 1 + w.rnd.IntN(40)
	default:
	}
	all := []sandbox.Fault{f}
	if w.chance(25) {
		q := sandbox.Fault{Class: pick(w, sandbox.QueryClasses()), Copies: 1 + w.rnd.IntN(3)}
		if q.Class == sandbox.QuerySlow {
			q.Delay = sandbox.Duration(time.Microsecond)
		}
		all = append(all, q)
	}
	_, err := w.box.PayWith(o.trade, all...)
	w.note("pay %s %s with %v: %s", o.channel, o.no, all, kindOfError(err))
}

func (w *world) paid(trade string) bool {
	o, err := w.box.Order(trade)
	w.do(err)
	return o.Status != 0
}

func (w *world) ordersWhere(fits func(*order) bool) []*order {
	var out []*order
	for _, o := range w.orders {
		if fits(o) {
			out = append(out, o)
		}
	}
	return out
}

// payFirst is money for an order that the shop places later, or never: its
// form went out some other way.
func (w *world) payFirst() {
	o := w.newOrder()
	form, err := w.apis[0].channels[o.channel].Form(providers.Order{
		OrderNo: domain.OrderNo(o.no), Amount: o.amount, Subject: "points", Method: "alipay",
		NotifyURL: "http://shop.test/callbacks/" + string(o.channel), ReturnURL: "https://shop.test/return", At: w.clock(),
	})
	w.do(err)
	o.form = &form
	w.openForm(o)
	w.pay(o)
}

func (w *world) placeLater() {
	late := w.ordersWhere(func(o *order) bool { return !o.placed })
	if len(late) == 0 {
		return
	}
	if o := pick(w, late); w.clock().Before(o.expires) {
		form := o.form
		w.place(o)
		if o.trade != "" {
			o.form = form
		}
	}
}

func (w *world) cancelOne() {
	open := w.ordersWhere(func(o *order) bool { return o.placed })
	if len(open) == 0 {
		return
	}
	o := pick(w, open)
	got, ok := w.callAPI(http.MethodPost, "/v1/payments/"+string(o.channel)+"/"+o.no+"/cancel", `{"reason":"out of stock"}`, "")
	w.note("cancel %s: %d", o.no, got.status)
	o.canceled = o.canceled || ok && got.status == http.StatusOK
}

// placeAgain repeats a placing, with the same values or with others: the
// second must be refused.
func (w *world) placeAgain() {
	placed := w.ordersWhere(func(o *order) bool { return o.placed })
	if len(placed) == 0 {
		return
	}
	o := pick(w, placed)
	got, ok := w.callAPI(http.MethodPost, "/v1/payments", w.placing(o, more(o.amount)), fmt.Sprint("other-", o.no, "-", w.rnd.Uint32()))
	w.note("place %s over another amount: %d", o.no, got.status)
	if ok && got.status != http.StatusConflict && got.status/100 != 5 {
		w.fail("placing %s over another amount is answered %d", o.no, got.status)
	}
}

func more(m domain.Money) domain.Money { return domain.NewMoney(m.Minor()+1, domain.CNY) }

// placeTwice is a shop that places one order at two processes at the same
// moment, over two amounts: one of them is told that it came second.
func (w *world) placeTwice() {
	o := w.newOrder()
	h := http.Header{"Authorization": {"Bearer " + w.token}, "Content-Type": {"application/json"}}
	try := func(p *process, m domain.Money) answer {
		h := h.Clone()
		h.Set("Idempotency-Key", fmt.Sprint("twice-", o.no, "-", p.name))
		return p.serve(http.MethodPost, "/v1/payments", w.placing(o, m), h)
	}
	var second answer
	won := more(o.amount)
	m := mood{before: func() {
		old := w.setMood(mood{})
		second = try(w.apis[1], won)
		w.setMood(old)
	}}
	var first answer
	w.inMood(m, func() { first = try(w.apis[0], o.amount) })
	w.note("place %s twice at once: %d and %d", o.no, first.status, second.status)
	if first.status/100 == 2 && second.status/100 == 2 {
		w.fail("placing %s over %s and over %s are both answered with success", o.no, o.amount, won)
	}
	if second.status/100 == 2 {
		o.amount, o.placed = won, true
		var placed struct{ Form *providers.Form }
		w.do(json.Unmarshal([]byte(second.body), &placed))
		o.form = placed.Form
		w.openForm(o)
	}
	o.tried = true
}

// again is the gateway's operator who resends a callback, or a fault that
// happens to an order long paid.
func (w *world) again() {
	paid := w.ordersWhere(func(o *order) bool { return o.trade != "" && w.paid(o.trade) })
	if len(paid) == 0 {
		return
	}
	o := pick(w, paid)
	if w.rnd.IntN(2) == 0 {
		w.note("resend %s: %s", o.no, kindOfError(w.box.Resend(o.trade)))
		return
	}
	class := pick(w, []sandbox.Class{sandbox.Concurrent, sandbox.Forged, sandbox.SecondTrade, sandbox.Reused})
	_, err := w.box.Fire(o.trade, sandbox.Fault{Class: class})
	w.note("fire %s at %s: %s", class, o.no, kindOfError(err))
}

func (w *world) outage() {
	class := pick(w, []sandbox.Class{sandbox.Query5xx, sandbox.QueryClosed, sandbox.QueryHTML, sandbox.QueryMissing})
	pid := pids[pick(w, channelIDs)]
	w.do(w.box.Outage(pid, sandbox.Fault{Class: class}, time.Duration(w.rnd.IntN(3600))*time.Second))
	w.note("outage %s of %s", class, pid)
}

// takeBack is a refund or a freeze at the gateway, of what we have credited.
func (w *world) takeBack() {
	credited := w.ordersWhere(func(o *order) bool { return w.check.settled(o) == o.trade && o.trade != "" })
	if len(credited) == 0 {
		return
	}
	o := pick(w, credited)
	act := func() error { return w.box.Freeze(o.trade) }
	if w.rnd.IntN(2) == 0 {
		act = func() error { return w.box.Refund(o.trade, o.amount) }
	}
	err := act()
	w.note("take back %s: %s", o.no, kindOfError(err))
}

// readBalance compares an answer of the API with the fold of the log up to the
// position that it names.
func (w *world) readBalance() {
	w.fold()
	w.checkLog()
	account := fmt.Sprint("user:", w.rnd.IntN(4))
	got := pick(w, w.apis).serve(http.MethodGet, "/v1/accounts/"+account+"/balances", "",
		http.Header{"Authorization": {"Bearer " + w.token}})
	if got.status != http.StatusOK {
		w.fail("balances of %s: %d %s", account, got.status, got.body)
	}
	var out struct {
		Balances []struct{ Amount, Currency string } `json:"balances"`
	}
	w.do(json.Unmarshal([]byte(got.body), &out))
	want := w.check.wallet(domain.AccountID(account))
	have := domain.NewMoney(0, domain.CNY)
	for _, b := range out.Balances {
		m, err := domain.ParseMoney(b.Amount, domain.Currency(b.Currency))
		w.do(err)
		have = m
	}
	w.note("balance %s %s", account, have)
	if have != want {
		w.fail("the API says %s has %s, the log %s (R6)", account, have, want)
	}
}
