package wechatpay_test

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

func yuan(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }

// The fund flow has every movement of a day with the balance after it, over
// several days, payouts that come back and a word of WeChat's own among them.
func TestFundFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ch := w.shop.channels[v3Merchant]
	day := domain.DayOf(w.stage.Books(), stage.China)
	o := w.open(v3Merchant, "order-0001", 100_000)
	w.pay(o.ID)
	if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: yuan(40_000)}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	sent, err := w.face.Payout(stage.PayoutOrder{Merchant: v3Merchant, Amount: yuan(10_000)})
	if err != nil || sent.Failed || sent.State != "SUCCESS" {
		t.Fatalf("%+v, %v", sent, err)
	}
	fails, err := w.face.Payout(stage.PayoutOrder{Merchant: v3Merchant, Fails: true})
	if err != nil || fails.Amount != yuan(100_000-600-40_000+240-10_000) {
		t.Fatalf("all that is left: %+v, %v", fails, err)
	}
	move, err := w.face.Move(stage.MoveOrder{Merchant: v3Merchant, Amount: yuan(-7)})
	if err != nil || move.Word == "" {
		t.Fatalf("%+v, %v", move, err)
	}
	if err := w.stage.Advance(72 * time.Hour); err != nil {
		t.Fatal(err)
	}
	_, first, err := lines(t, ch, providers.BillFunds, day)
	if err != nil {
		t.Fatal(err)
	}
	balance := int64(0)
	for i, want := range []struct {
		kind domain.LineKind
		net  int64
	}{
		{domain.LinePayment, 100_000},
		{domain.LineFee, -600},
		{domain.LineRefund, -40_000},
		{domain.LineFee, 240},
		{domain.LinePayout, -10_000},
		{domain.LinePayout, -49_640},
		{domain.LineOther, -7},
	} {
		balance += want.net
		if i >= len(first) || first[i].Kind != want.kind || first[i].Net != yuan(want.net) || first[i].Balance != yuan(balance) || first[i].ID == "" {
			t.Fatalf("row %d of %+v, want %+v and %d then", i+1, first, want, balance)
		}
	}
	if len(first) != 7 || first[4].PayoutID != sent.ID || first[5].PayoutID != fails.ID || first[6].TradeNo != move.ID || first[6].ProviderStatus != move.Word {
		t.Errorf("%+v", first)
	}
	// The bank sends the second payout back a day later.
	_, second, err := lines(t, ch, providers.BillFunds, day.Add(1))
	if err != nil || len(second) != 1 || second[0].Kind != domain.LinePayoutFailed || second[0].PayoutID != fails.ID ||
		second[0].Net != yuan(49_640) || second[0].Balance != yuan(49_633) {
		t.Errorf("%+v, %v", second, err)
	}
	books := w.face.Books()[0]
	if len(books.Balance) != 1 || books.Balance[0] != yuan(49_633) || len(books.Payouts) != 2 || !books.Payouts[1].Failed ||
		books.Payouts[0].Failed || len(books.Moves) != 1 {
		t.Errorf("%+v", books)
	}
}

func TestMovementsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay(w.open(v3Merchant, "order-0001", 1000).ID)
	for name, c := range map[string]struct {
		in   stage.PayoutOrder
		kind domain.Kind
	}{
		"more than there is":  {stage.PayoutOrder{Amount: yuan(995)}, domain.KindConflict},
		"of nothing":          {stage.PayoutOrder{Merchant: v2Merchant}, domain.KindConflict},
		"below zero":          {stage.PayoutOrder{Amount: yuan(-1)}, domain.KindInvalid},
		"of another currency": {stage.PayoutOrder{Amount: domain.NewMoney(1, domain.USD)}, domain.KindInvalid},
		"of all dollars":      {stage.PayoutOrder{Currency: domain.USD}, domain.KindInvalid},
		"of nobody":           {stage.PayoutOrder{Merchant: "1"}, domain.KindNotFound},
	} {
		if got, err := w.face.Payout(c.in); domain.KindOf(err) != c.kind {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, in := range map[string]stage.MoveOrder{
		"nothing": {}, "dollars": {Amount: domain.NewMoney(1, domain.USD)}, "a word that ends the row": {Amount: yuan(1), Word: "a,`b"},
	} {
		if got, err := w.face.Move(in); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	w.settle()
}

// What a coupon of the merchant's pays is in the order and never on the balance.
func TestCoupons(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant} {
		w := newWorld(t)
		ch := w.shop.channels[merchant]
		day := domain.DayOf(w.stage.Books(), stage.China)
		o := w.open(merchant, "order-0001", 1000)
		w.pay(o.ID, stage.Fault{Class: wechatpay.Coupon, Money: "1.00"})
		w.settle()
		if notices, _ := w.shop.seen(); len(notices) != 1 || notices[0].Amount != yuan(1000) {
			t.Errorf("%s: %+v", merchant, notices)
		}
		for _, amount := range []domain.Money{yuan(333), {}} {
			if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: amount}); err != nil {
				t.Fatal(err)
			}
		}
		w.settle()
		if err := w.stage.Advance(48 * time.Hour); err != nil {
			t.Fatal(err)
		}
		_, all, err := lines(t, ch, providers.BillTrade, day)
		if err != nil || len(all) != 3 || all[0].Amount != yuan(1000) || all[0].Discount != yuan(100) || all[1].Discount != yuan(33) || all[2].Discount != yuan(67) ||
			all[2].Amount != yuan(667) {
			t.Errorf("%s: %+v, %v", merchant, all, err)
		}
		books := w.face.Books()
		for _, b := range books {
			if b.Merchant == merchant && (!b.Payments[0].Due || b.Balance[0] != yuan(900-5-300-600+2+4)) {
				t.Errorf("%s: %+v", merchant, b)
			}
		}
	}
}

// A payer pays the same number again: other money, which is nobody's due.
func TestSecondTrade(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant, ofPartner} {
		w := newWorld(t)
		ch := w.shop.channels[merchant]
		o := w.open(merchant, "order-0001", 730)
		w.pay(o.ID, stage.Fault{Class: stage.SecondTrade})
		w.settle()
		notices, refusals := w.shop.seen()
		second := ""
		for _, n := range notices {
			if n.TradeNo != o.ID && n.OrderNo == "order-0001" {
				second = n.TradeNo
			}
		}
		if len(notices) != 2 || len(refusals) != 0 || second == "" {
			t.Fatalf("%s: %+v, %v", merchant, notices, refusals)
		}
		a, err := ch.Query(t.Context(), providers.Question{OrderNo: "order-0001", TradeNo: second})
		if err != nil || !a.Found || a.Notice.TradeNo != second {
			t.Errorf("%s: %+v, %v", merchant, a, err)
		}
		for _, b := range w.face.Books() {
			if b.Merchant == merchant && (len(b.Payments) != 2 || !b.Payments[0].Due || b.Payments[1].Due || b.Opened != 1) {
				t.Errorf("%s: %+v", merchant, b)
			}
		}
	}
}

// A bill that grows between its hash and its bytes is none, until it stands
// still; v2 names no hash, and the totals tell.
func TestBillThatGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := domain.DayOf(w.stage.Books(), stage.China)
	for merchant, want := range map[string]domain.Kind{v3Merchant: domain.KindUnavailable, v2Merchant: domain.KindCorrupt, ofPartner: domain.KindUnavailable} {
		for _, no := range []string{"order-0001", "order-0002"} {
			w.pay(w.open(merchant, no, 730).ID)
		}
		w.settle()
		ch := w.shop.channels[merchant]
		if err := w.stage.Advance(48 * time.Hour); err != nil {
			t.Fatal(err)
		}
		plant := func(until time.Time) {
			t.Helper()
			if err := w.face.Troubles().Outage(w.face.Classes(), merchant, stage.Fault{Class: stage.BillGrows}, until); err != nil {
				t.Fatal(err)
			}
		}
		plant(w.stage.Now().Add(time.Hour))
		for _, kind := range ch.Bills() {
			if _, all, err := lines(t, ch, kind, day); domain.KindOf(err) != want || err == nil {
				t.Errorf("%s, %s: %+v, %v", merchant, kind, all, err)
			}
		}
		plant(w.stage.Now())
		if _, all, err := lines(t, ch, providers.BillTrade, day); err != nil || len(all) != 2 {
			t.Errorf("%s: %+v, %v", merchant, all, err)
		}
		day = domain.DayOf(w.stage.Books(), stage.China)
	}
}
