package wechatpay_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	provider "counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

// partners are the merchants that somebody else collects for.
var partners = []string{ofPartner, ofPartnerB, ofPartnerV2}

// A payment of a partner's merchant is told, asked, refunded and in the bill
// under his own number, and means nothing to the partner's other merchants.
func TestPartnersMerchant(t *testing.T) {
	t.Parallel()
	for _, merchant := range partners {
		t.Run(merchant, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ch := w.shop.channels[merchant]
			day := domain.DayOf(w.stage.Books(), stage.China)
			o := w.open(merchant, "order-0001", 730)
			w.pay(o.ID)
			w.settle()
			r, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(30, domain.CNY)})
			if err != nil {
				t.Fatal(err)
			}
			w.settle()
			notices, refusals := w.shop.seen()
			if len(notices) != 2 || len(refusals) != 0 {
				t.Fatalf("notices %+v, refusals %v", notices, refusals)
			}
			if n := notices[0]; n.TradeNo != o.ID || n.Amount.Minor() != 730 || n.Status != domain.StatusPaid || n.Channel != ch.Config().Channel {
				t.Errorf("%+v", n)
			}
			if n := notices[1]; n.About != domain.AboutRefund || n.RefundID != r.ID || n.Amount.Minor() != 30 {
				t.Errorf("%+v", n)
			}
			w.askAll(ch, o, r)
			w.billOf(ch, day, o, r)
		})
	}
}

// askAll asks for an order by both numbers and for its refund.
func (w *world) askAll(ch *provider.Channel, o stage.Order, r stage.Refund) {
	w.t.Helper()
	for _, q := range []providers.Question{
		{OrderNo: o.OrderNo},
		{OrderNo: o.OrderNo, TradeNo: o.ID},
		{OrderNo: o.OrderNo, TradeNo: o.ID, RefundNo: r.No, RefundID: r.ID},
	} {
		a, err := ch.Query(w.t.Context(), q)
		if err != nil || !a.Found || a.Notice.TradeNo != o.ID {
			w.t.Errorf("%+v: %+v, %v", q, a, err)
			continue
		}
		if again, err := ch.Reverify(a.Evidence); err != nil || len(again) != 1+len(a.Also) {
			w.t.Errorf("%+v: from its evidence %+v, %v", q, again, err)
		}
	}
}

// billOf reads the trade bill, the only one that a partner has of his merchants.
func (w *world) billOf(ch *provider.Channel, day domain.Day, o stage.Order, r stage.Refund) {
	w.t.Helper()
	if err := w.stage.Advance(48 * time.Hour); err != nil {
		w.t.Fatal(err)
	}
	if kinds := ch.Bills(); !slices.Equal(kinds, []providers.BillKind{providers.BillTrade}) {
		w.t.Errorf("bills %v", kinds)
	}
	_, all, err := lines(w.t, ch, providers.BillTrade, day)
	if err != nil || len(all) != 2 || all[0].TradeNo != o.ID || all[1].RefundID != r.ID {
		w.t.Errorf("%+v, %v", all, err)
	}
	if ch.Config().Protocol == provider.V3 {
		f, _, err := lines(w.t, ch, providers.BillFunds, day)
		if err != nil || !f.Empty {
			w.t.Errorf("the partner's own fund flow: %+v, %v", f, err)
		}
	}
}

// One partner's merchants do not see each other's orders, although one key signs
// for both.
func TestPartnersMerchantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := domain.DayOf(w.stage.Books(), stage.China)
	w.pay(w.open(ofPartner, "order-0001", 100).ID)
	w.pay(w.open(ofPartnerB, "order-0001", 200).ID)
	w.settle()
	for merchant, fen := range map[string]int64{ofPartner: 100, ofPartnerB: 200} {
		a, err := w.shop.channels[merchant].Query(t.Context(), providers.Question{OrderNo: "order-0001"})
		if err != nil || a.Notice.Amount.Minor() != fen {
			t.Errorf("%s: %+v, %v", merchant, a, err)
		}
	}
	if err := w.stage.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, all, err := lines(t, w.shop.channels[ofPartner], providers.BillTrade, day); err != nil || len(all) != 1 || all[0].Amount.Minor() != 100 {
		t.Errorf("%+v, %v", all, err)
	}
	// A change of the partner's platform certificate is one for both.
	if err := w.face.Rotate(ofPartner); err != nil {
		t.Fatal(err)
	}
	if err := w.shop.channels[ofPartnerB].Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pay(w.open(ofPartnerB, "order-0002", 1).ID)
	w.settle()
	if o := w.face.Orders(stage.OrderFilter{Merchant: ofPartnerB, OrderNo: "order-0002"}); !o[0].Accepted || o[0].Attempts != 1 {
		t.Errorf("%+v", o)
	}
}

// A genuine signature over another merchant of the same partner is refused.
func TestForeignMerchantOfAPartner(t *testing.T) {
	t.Parallel()
	for _, merchant := range partners {
		w := newWorld(t)
		w.pay(w.open(merchant, "order-0001", 730).ID, stage.Fault{Class: stage.OtherPID, Unpaid: true})
		w.settle()
		notices, refusals := w.shop.seen()
		if len(notices) != 0 || !slices.Equal(refusals, []domain.Reason{domain.ReasonForeignMerchant}) {
			t.Errorf("%s: notices %+v, refusals %v", merchant, notices, refusals)
		}
	}
}

// A partner orders, closes and refunds by calls of his own, and only for
// merchants of his.
func TestCallsOfAPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.site(ofPartner)
	app := s.settings["appids"].([]string)[0]
	order := `{"sp_appid":"` + app + `","sp_mchid":"` + partner + `","sub_mchid":"` + ofPartner + `","description":"x","out_trade_no":"order-0001",` +
		`"notify_url":"` + w.shop.URL + `/` + ofPartner + `","amount":{"total":730,"currency":"CNY"}}`
	const orders = "/v3/pay/partner/transactions/"
	for name, c := range map[string]struct {
		target, body string
		status       int
	}{
		"another's merchant":   {orders + "native", strings.Replace(order, ofPartner, v3Merchant, 1), 403},
		"another partner's":    {orders + "native", strings.Replace(order, ofPartner, ofPartnerV2, 1), 403},
		"nobody's merchant":    {orders + "native", strings.Replace(order, `"sub_mchid":"`+ofPartner+`",`, "", 1), 403},
		"another partner":      {orders + "native", strings.Replace(order, partner, v3Merchant, 1), 400},
		"another app":          {orders + "native", strings.Replace(order, app, "wx0", 1), 400},
		"a sub_appid":          {orders + "native", strings.Replace(order, `"sub_mchid"`, `"sub_appid":"wx0","sub_mchid"`, 1), 400},
		"a merchant's address": {"/v3/pay/transactions/native", order, 400},
		"good":                 {orders + "native", order, 200},
		"close, nobody's":      {orders + "out-trade-no/order-0001/close", `{"sp_mchid":"` + partner + `"}`, 403},
		"refund, nobody's":     {"/v3/refund/domestic/refunds", `{"out_trade_no":"order-0001","out_refund_no":"r-1","amount":{"refund":1,"total":730}}`, 403},
	} {
		if status, body := s.v3("POST", c.target, c.body, 0); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if all := w.face.Orders(stage.OrderFilter{Merchant: ofPartner}); len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	if err := w.shop.channels[ofPartner].CloseOrder(t.Context(), "order-0001"); err != nil {
		t.Error(err)
	}
	// A merchant himself has no business at a partner's address.
	if status, body := w.site(v3Merchant).v3("POST", orders+"native", order, 0); status != 400 {
		t.Errorf("%d %s", status, body)
	}
}

func TestNewNamesTheWrongPartner(t *testing.T) {
	t.Parallel()
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	v2 := func(mchID, sub string) wechatpay.Merchant {
		return wechatpay.Merchant{MchID: mchID, SubMchID: sub, Protocol: provider.V2}
	}
	for name, c := range map[string]struct {
		field     string
		merchants []wechatpay.Merchant
	}{
		"no number":         {"sub_mchid", []wechatpay.Merchant{v2("1", "x")}},
		"himself":           {"sub_mchid", []wechatpay.Merchant{v2("1", "1")}},
		"an app of nobody":  {"sub_appid", []wechatpay.Merchant{{MchID: "1", SubAppID: "wx1"}}},
		"twice":             {"mchid", []wechatpay.Merchant{v2("1", "2"), v2("1", "2")}},
		"partner and self":  {"sub_mchid", []wechatpay.Merchant{v2("1", ""), v2("1", "2")}},
		"of both protocols": {"sub_mchid", []wechatpay.Merchant{v2("1", "2"), {MchID: "1", SubMchID: "3"}}},
	} {
		if _, err := wechatpay.New(s, wechatpay.Config{BaseURL: "http://x", Merchants: c.merchants}); domain.FieldOf(err) != c.field {
			t.Errorf("%s: want %s named, got %v", name, c.field, err)
		}
	}
}
