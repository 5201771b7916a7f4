package month

import (
	"fmt"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox"
	"counterfoil/sandbox/alipay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// till is one channel and the merchant account behind it.
type till struct {
	id         domain.ChannelID
	face       stage.Face
	merchant   string
	share      int // of the payments, in a hundred
	currencies []domain.Currency
	zone       *time.Location
	more       []stage.Setting // of the channel, beside the provider's own
	yaml       string
	harmless   []stage.Class // ways in which callbacks arrive late, twice or in disorder, but arrive
	grade      domain.Grade  // of its callbacks
	asks       bool          // its callbacks move no money before the provider was asked
	serial     int
}

func (t *till) isEpay() bool { return t.face.Name() == sandbox.Name }

// day is the day of a slot in the till's zone: that of the bill that has what
// happens then.
func (t *till) day(at int) domain.Day { return domain.DayOf(slotTime(at), t.zone) }

// The accounts at the gateway: one that asks back, one that believes, one that
// signs with RSA.
func gatewayMerchants() []sandbox.MerchantConfig {
	return []sandbox.MerchantConfig{{PID: "1001"}, {PID: "1002", PostCallbacks: true}, {PID: "1003", Version: sandbox.V2}}
}

// otherFaces are the providers beside the gateway.
func (w *world) otherFaces() []stage.Face {
	on := w.box.Stage()
	wx, err := wechatpay.New(on, wechatpay.Config{BaseURL: w.boxAt + "/" + wechatpay.Name, Merchants: []wechatpay.Merchant{
		{MchID: "1900000109"}, {MchID: "1900000110", Protocol: "v2"},
	}})
	w.do(err)
	ali, err := alipay.New(on, alipay.Config{BaseURL: w.boxAt + "/" + alipay.Name, Merchants: []alipay.Merchant{{AppID: "2021000000000001"}}})
	w.do(err)
	card, err := stripe.New(on, stripe.Config{BaseURL: w.boxAt + "/" + stripe.Name, Accounts: []stripe.Account{
		{ID: "acct_1Shop", Currency: domain.USD, NotifyURL: w.shopAt + "/callbacks/card"},
	}})
	w.do(err)
	return []stage.Face{wx, ali, card}
}

// openTills makes a channel of each account.
func (w *world) openTills() {
	steady := []stage.Class{stage.Repeated, stage.Twice, stage.Reordered, stage.Concurrent, stage.Late, stage.Closed, stage.ReplyLost}
	coupons := append(slices.Clone(steady), wechatpay.Coupon) // alipay.Coupon has the same name
	cards := []stage.Class{stage.Repeated, stage.Twice, stage.Concurrent, stripe.Thin, stripe.TwoSigns, stripe.KeyOrder, stripe.OldRelease}
	yuan := []domain.Currency{domain.CNY}
	at := func(name string) stage.Face {
		f, err := w.box.Face(name)
		w.do(err)
		return f
	}
	gate, wx, ali, card := at(sandbox.Name), at(wechatpay.Name), at(alipay.Name), at(stripe.Name)
	w.tills = []*till{
		{
			id: "wx", face: wx, merchant: "1900000109", share: 13, currencies: yuan, harmless: coupons, grade: domain.GradeA,
			more: []stage.Setting{{Name: "account_from", Value: "attach"}, {Name: "fee_rate", Value: "0.006"}},
		},
		{id: "wx2", face: wx, merchant: "1900000110", share: 12, currencies: yuan, harmless: steady, grade: domain.GradeB, asks: true},
		{
			id: "ali", face: ali, merchant: "2021000000000001", share: 13, currencies: yuan, harmless: coupons, grade: domain.GradeA,
			more: []stage.Setting{{Name: "account_from", Value: "passback_params"}},
		},
		{
			id: "card", face: card, merchant: "acct_1Shop", share: 30, harmless: cards, grade: domain.GradeB,
			currencies: []domain.Currency{domain.USD, domain.USD, "EUR", "HKD"},
			more: []stage.Setting{
				{Name: "currencies", Value: []string{"USD", "EUR", "HKD", "JPY"}}, {Name: "fee_rate", Value: "0.029"}, {Name: "fee_within", Value: "0.31"},
			},
		},
		{
			id: "epay-a", face: gate, merchant: "1001", share: 12, currencies: yuan, harmless: steady, grade: domain.GradeB, asks: true,
			more: []stage.Setting{{Name: "confirm_by_query", Value: "always"}},
		},
		{
			id: "epay-b", face: gate, merchant: "1002", share: 12, currencies: yuan, harmless: steady, grade: domain.GradeB,
			more: []stage.Setting{{Name: "confirm_by_query", Value: "never"}},
		},
		{id: "epay-c", face: gate, merchant: "1003", share: 8, currencies: yuan, harmless: steady, grade: domain.GradeA},
	}
	for _, t := range w.tills {
		t.zone = stage.China
		if t.face == card {
			t.zone = time.UTC
		}
		for _, c := range t.face.Channels() {
			if c.Merchant == t.merchant {
				t.yaml = c.YAML(string(t.id), t.more...)
			}
		}
	}
}

// sale is one order, as the shop and the payer have it.
type sale struct {
	till     *till
	no       string
	amount   domain.Money // what is asked for at the provider
	placed   domain.Money // what the shop placed with us; zero Money when it did not
	attach   string       // the account that the payment itself names
	fault    stage.Fault
	unpaid   bool   // nobody pays
	trial    bool   // it tries the channel
	canceled bool   // the shop cancels it before it is paid
	fake     string // the trade number on which people credit it
	own      bool   // or its own number, under which nobody paid
	fakes    *sale  // or the order whose trade number that is
	twin     *sale  // it is the second payment of that order
	id       string
}

// trade is the number of the money that people decide about.
func (w *world) trade(s *sale) string {
	switch {
	case s.fake != "":
		return s.fake
	case s.fakes != nil:
		return s.fakes.id
	case s.own, s.twin == nil:
		return s.id
	}
	for _, o := range s.till.face.Orders(stage.OrderFilter{Merchant: s.till.merchant, OrderNo: s.no}) {
		if o.ID != s.twin.id {
			return o.ID
		}
	}
	w.tb.Errorf("%s was not paid twice", s.no)
	return ""
}

// sell lets the shop place, and payers pay. They come at the same time.
func (w *world) sell(sales []*sale) {
	w.tb.Helper()
	w.parallel(len(sales), func(i int) error { return w.sellOne(sales[i]) })
}

func (w *world) sellOne(s *sale) error {
	if !s.placed.IsZero() {
		if err := w.place(s); err != nil {
			return err
		}
	}
	o, err := s.till.face.Open(stage.OpenOrder{
		Merchant: s.till.merchant, OrderNo: s.no, Amount: s.amount, Subject: "积分", Attach: s.attach,
		NotifyURL: w.shopAt + "/callbacks/" + string(s.till.id),
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", s.no, err)
	}
	s.id = o.ID
	if s.unpaid {
		return nil
	}
	if _, err = s.till.face.Pay(s.id, s.fault); err != nil {
		return fmt.Errorf("pay %s: %w", s.no, err)
	}
	return nil
}

func (w *world) parallel(n int, do func(i int) error) {
	w.tb.Helper()
	errs := make(chan error, n)
	turn := make(chan struct{}, 8)
	for i := range n {
		turn <- struct{}{}
		go func() {
			defer func() { <-turn }()
			errs <- do(i)
		}()
	}
	for range n {
		w.do(<-errs)
	}
}
