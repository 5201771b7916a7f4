package sandbox

import (
	"net/http"
	"strings"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Name is the provider that the sandbox's root plays.
const Name = "epay"

// gateway is the Epay gateway as a face among the others. Its routes are those
// of the root.
type gateway struct{ s *Sandbox }

// Name is that of the provider.
func (g gateway) Name() string { return Name }

// Routes are the gateway's own.
func (g gateway) Routes() http.Handler { return g.s.gatewayRoutes() }

// Classes are the gateway's faults.
func (g gateway) Classes() stage.Classes { return classes }

// Troubles are those of the gateway's answers.
func (g gateway) Troubles() *stage.Troubles { return &g.s.troubles }

// Channels is one channel for each merchant.
func (g gateway) Channels() []stage.Channel {
	var all []stage.Channel
	for _, c := range g.s.Credentials() {
		all = append(all, c.channel())
	}
	return all
}

func (c Credentials) channel() stage.Channel {
	set := []stage.Setting{
		{Name: "provider", Value: Name},
		{Name: "protocol", Value: string(c.Version)},
		{Name: "gateway", Value: c.BaseURL},
		{Name: "pid", Value: c.PID},
		{Name: "test", Value: true},
	}
	if strings.HasPrefix(c.BaseURL, "http:") {
		set = append(set, stage.Setting{Name: "allow_plain_http", Value: true})
	}
	if c.Version == V1 {
		set = append(set, stage.Setting{Name: "key", Value: c.Key})
	} else {
		set = append(
			set,
			stage.Setting{Name: "merchant_key", Value: c.MerchantKey},
			stage.Setting{Name: "platform_key", Value: c.PlatformPublicKey},
		)
	}
	return stage.Channel{ID: "sandbox-" + c.PID, Merchant: c.PID, Settings: set}
}

// Open signs and hands in a form.
func (g gateway) Open(in stage.OpenOrder) (stage.Order, error) {
	pid := in.Merchant
	if all := g.s.Credentials(); pid == "" && len(all) > 0 {
		pid = all[0].PID
	}
	if in.Amount.Currency() != domain.CNY {
		return stage.Order{}, domain.EField(domain.KindInvalid, "amount", "the gateway takes CNY only, not %q", in.Amount.Currency())
	}
	o, err := g.s.Open(OpenOrder{
		PID: pid, OutTradeNo: in.OrderNo, Money: in.Amount.Amount(), Name: in.Subject, NotifyURL: in.NotifyURL,
		ReturnURL: in.ReturnURL, Param: in.Attach,
	})
	return g.seen(o, err)
}

// Orders lists orders, the newest first.
func (g gateway) Orders(f stage.OrderFilter) []stage.Order {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	found := []stage.Order{}
	for i := len(g.s.truth) - 1; i >= 0 && (f.Limit == 0 || len(found) < f.Limit); i-- {
		o := g.s.truth[i]
		if (f.ID == "" || f.ID == o.tradeNo) && (f.Merchant == "" || f.Merchant == o.pid) &&
			(f.OrderNo == "" || f.OrderNo == o.outTradeNo) {
			found = append(found, o.onStage())
		}
	}
	return found
}

// seen is an order after an act on it.
func (g gateway) seen(o Order, err error) (stage.Order, error) {
	if err != nil {
		return stage.Order{}, err
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	return g.s.orders[o.TradeNo].onStage(), nil
}

// Pay lets the payer pay with exactly these faults.
func (g gateway) Pay(id string, faults ...Fault) (stage.Order, error) {
	return g.seen(g.s.PayWith(id, faults...))
}

// Fire lets a fault happen now.
func (g gateway) Fire(id string, f Fault) (stage.Order, error) { return g.seen(g.s.Fire(id, f)) }

// Refund gives money back without telling anyone, as these gateways do. They
// know of no refund that fails.
func (g gateway) Refund(in stage.RefundOrder) (stage.Refund, error) {
	if in.Fails {
		return stage.Refund{}, domain.EField(domain.KindInvalid, "fails", "a refund of this gateway does not fail afterwards")
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	o, m, err := g.s.order(in.ID)
	if err != nil {
		return stage.Refund{}, err
	}
	if in.No != "" {
		if old := m.refund("", in.No); old != nil {
			return old.onStage(), nil
		}
	}
	money := in.Amount
	if money.IsZero() {
		money = minus(o.money, o.refunded)
	}
	done, refused := g.s.giveBack(m, o, money, in.No)
	if refused != nil {
		return stage.Refund{}, domain.E(domain.KindConflict, "refund of order %s: %w", in.ID, refused)
	}
	return done.onStage(), nil
}

// Books is the truth about every merchant.
func (g gateway) Books() []stage.MerchantBooks {
	books := g.s.Books()
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	all := make([]stage.MerchantBooks, 0, len(books.Merchants))
	for _, m := range books.Merchants {
		b := stage.MerchantBooks{Face: Name, Merchant: m.PID, Opened: m.Opened, Planted: m.Planted, Payments: []stage.Payment{}}
		for _, p := range m.Paid {
			b.Payments = append(b.Payments, stage.Payment{
				TradeNo: p.TradeNo, OrderNo: p.OutTradeNo, Amount: p.Money, Placed: p.Placed, PaidAt: p.PaidAt,
				Accepted: p.Accepted, Forgot: p.Purged, Due: p.Credit, Refunds: g.s.orders[p.TradeNo].refundsOnStage(),
			})
		}
		all = append(all, b)
	}
	return all
}

// states are the words of the protocol's numbers.
var states = map[int]string{statusUnpaid: "unpaid", statusPaid: "paid", statusRefunded: "refunded", statusFrozen: "frozen"}

// onStage copies o out from under the lock, as faces show orders.
func (o *order) onStage() stage.Order {
	v := stage.Order{
		Face: Name, Merchant: o.pid, ID: o.tradeNo, OrderNo: o.outTradeNo, Subject: o.name, Placed: o.placed,
		Refunded: o.refunded, State: states[o.status], Payable: !o.wasPaid() && !o.purged, WasPaid: o.wasPaid(),
		NotifyURL: o.notifyURL, ReturnURL: o.returnURL, OpenedAt: o.addTime, PaidAt: o.endTime,
		Accepted: o.accepted, Attempts: o.attempts, Faults: append([]Fault(nil), o.faults...), Refunds: o.refundsOnStage(),
	}
	if o.wasPaid() {
		v.Paid = o.money
	}
	if o.purged {
		v.State += ", purged"
	}
	if o.trouble != nil {
		v.Trouble = o.trouble.text
	}
	return v
}

func (o *order) refundsOnStage() []stage.Refund {
	var all []stage.Refund
	for _, r := range o.refunds {
		all = append(all, r.onStage())
	}
	return all
}

func (r *refund) onStage() stage.Refund {
	return stage.Refund{ID: r.no, No: r.outNo, Amount: r.money, At: r.at}
}

var _ stage.Face = gateway{}
