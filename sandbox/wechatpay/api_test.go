package wechatpay_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

func TestQueries(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant} {
		w := newWorld(t)
		ch := w.shop.channels[merchant]
		ask := func(q providers.Question) providers.Answer {
			t.Helper()
			a, err := ch.Query(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: %+v: %v", merchant, q, err)
			}
			return a
		}
		if ask(providers.Question{OrderNo: "order-0001"}).Found {
			t.Error("an order that nobody made is found")
		}
		o := w.open(merchant, "order-0001", 730)
		if a := ask(providers.Question{OrderNo: "order-0001"}); a.Notice.Status != domain.StatusWaiting || a.Notice.TradeNo != "" {
			t.Errorf("%s: %+v", merchant, a.Notice)
		}
		w.pay(o.ID, stage.Fault{Class: stage.Lost})
		if a := ask(providers.Question{OrderNo: "order-0001", TradeNo: o.ID}); a.Notice.Status != domain.StatusPaid || a.Notice.Amount.Minor() != 730 {
			t.Errorf("%s: %+v", merchant, a.Notice)
		}
		r, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(30, domain.CNY)})
		if err != nil {
			t.Fatal(err)
		}
		a := ask(providers.Question{OrderNo: "order-0001"})
		if a.Notice.Status != domain.StatusPaid || len(a.Also) != 1 || a.Also[0].Status != domain.StatusRefunded {
			t.Errorf("%s: %+v", merchant, a)
		}
		a = ask(providers.Question{OrderNo: "order-0001", TradeNo: o.ID, RefundNo: r.No, RefundID: r.ID})
		if a.Notice.About != domain.AboutRefund || a.Notice.Status != domain.StatusSucceeded || a.Notice.Amount != r.Amount || len(a.Notice.Doubts) != 0 {
			t.Errorf("%s: %+v", merchant, a.Notice)
		}
		if notices, err := ch.Reverify(a.Evidence); err != nil || len(notices) != 1 {
			t.Errorf("%s: %+v, %v", merchant, notices, err)
		}
		if ask(providers.Question{OrderNo: "order-0001", RefundNo: "R-nothing"}).Found {
			t.Error("a refund that nobody made is found")
		}
		w.settle()
	}
}

func TestFaultsOfAnswers(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant} {
		w := newWorld(t)
		ch := w.shop.channels[merchant]
		for i, class := range []stage.Class{
			stage.Query5xx, stage.QueryClosed, stage.QueryHTML, stage.QueryUnsigned, stage.QueryForged, stage.QueryLimited, wechatpay.QueryError,
		} {
			o := w.open(merchant, "order-000"+string(rune('1'+i)), 730)
			w.pay(o.ID, stage.Fault{Class: stage.Lost}, stage.Fault{Class: class, Copies: 1})
			if _, err := ch.Query(t.Context(), providers.Question{OrderNo: o.OrderNo}); domain.KindOf(err) != domain.KindUnavailable {
				t.Errorf("%s: %s: %v", merchant, class, err)
			}
			if a, err := ch.Query(t.Context(), providers.Question{OrderNo: o.OrderNo}); err != nil || a.Notice.Status != domain.StatusPaid {
				t.Errorf("%s: after %s: %+v, %v", merchant, class, a.Notice, err)
			}
		}
		o := w.open(merchant, "order-0009", 730)
		w.pay(o.ID, stage.Fault{Class: stage.QueryMissing, Copies: 1})
		if a, err := ch.Query(t.Context(), providers.Question{OrderNo: o.OrderNo}); err != nil || a.Found {
			t.Errorf("%s: %+v, %v", merchant, a, err)
		}
		w.settle()
	}
}

func TestCloseAtTheProvider(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{v3Merchant, v2Merchant} {
		w := newWorld(t)
		ch := w.shop.channels[merchant]
		o := w.open(merchant, "order-0001", 730)
		for range 2 {
			if err := ch.CloseOrder(t.Context(), "order-0001"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.face.Pay(o.ID); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("a closed order is paid: %v", err)
		}
		if err := ch.CloseOrder(t.Context(), "order-0002"); domain.KindOf(err) != domain.KindNotFound {
			t.Error(err)
		}
		paid := w.open(merchant, "order-0003", 1)
		w.pay(paid.ID)
		if err := ch.CloseOrder(t.Context(), "order-0003"); domain.KindOf(err) != domain.KindConflict {
			t.Error(err)
		}
		w.settle()
	}
}

// lines reads a day's bill as the reconciler does.
func lines(t *testing.T, ch providers.Biller, kind providers.BillKind, day domain.Day) (providers.BillFile, []domain.BillLine, error) {
	t.Helper()
	var b bytes.Buffer
	f, err := ch.FetchBill(t.Context(), providers.BillQuestion{Kind: kind, Day: day}, &b)
	if err != nil {
		return f, nil, err
	}
	var all []domain.BillLine
	for line, err := range ch.ReadBill(&b, f) {
		if err != nil {
			return f, all, err
		}
		all = append(all, line)
	}
	return f, all, nil
}

func TestBills(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ch := w.shop.channels[v3Merchant]
	day := domain.DayOf(w.stage.Books(), stage.China)
	o := w.open(v3Merchant, "order-0001", 100_000)
	w.pay(o.ID)
	r, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: domain.NewMoney(40_000, domain.CNY)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := lines(t, ch, providers.BillTrade, day); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("a bill of today: %v", err)
	}
	w.settle()
	if err := w.stage.Advance(ch.BillReady(day).Sub(w.stage.Books()) + time.Second); err != nil {
		t.Fatal(err)
	}
	f, all, err := lines(t, ch, providers.BillTrade, day)
	if err != nil || len(all) != 2 || f.MediaType != "application/gzip" || !strings.HasPrefix(f.Claimed, "sha1:") {
		t.Fatalf("%+v, %+v, %v", f, all, err)
	}
	pay, back := all[0], all[1]
	if pay.Kind != domain.LinePayment || pay.TradeNo != o.ID || pay.Amount.Minor() != 100_000 || pay.Fee.String() != "6" || pay.Net.Minor() != 99_400 || pay.Account != "user:7" {
		t.Errorf("%+v", pay)
	}
	if back.Kind != domain.LineRefund || back.RefundID != r.ID || back.RefundNo != r.No || back.Amount.Minor() != 40_000 || back.Fee.String() != "-2.4" ||
		back.Net.Minor() != -39_760 || back.Status != domain.StatusSucceeded {
		t.Errorf("%+v", back)
	}
	_, all, err = lines(t, ch, providers.BillFunds, day)
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	var sum int64
	for _, l := range all {
		sum += l.Net.Minor()
	}
	if sum != 99_400-39_760 || all[0].Kind != domain.LinePayment || all[1].Kind != domain.LineFee || all[2].Kind != domain.LineRefund {
		t.Errorf("net %d, %+v", sum, all)
	}
	if f, _, err := lines(t, ch, providers.BillTrade, day.Add(-1)); err != nil || !f.Empty {
		t.Errorf("a day without trade: %+v, %v", f, err)
	}
}

func TestBillOfV2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ch := w.shop.channels[v2Merchant]
	day := domain.DayOf(w.stage.Books(), stage.China)
	w.pay(w.open(v2Merchant, "order-0001", 730).ID)
	w.settle()
	if err := w.stage.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if f, all, err := lines(t, ch, providers.BillTrade, day); err != nil || len(all) != 1 || all[0].Amount.Minor() != 730 || f.Claimed != "" {
		t.Errorf("%+v, %+v, %v", f, all, err)
	}
	// v2 has one word for "no trade" and "not made yet": the hour decides.
	for at, empty := range map[time.Time]bool{ch.BillReady(day.Add(-1)): true, ch.BillReady(day.Add(-1)).Add(-time.Second): false} {
		var b bytes.Buffer
		f, err := ch.FetchBill(t.Context(), providers.BillQuestion{Kind: providers.BillTrade, Day: day.Add(-1), At: at}, &b)
		if f.Empty != empty || (err == nil) != empty {
			t.Errorf("at %s: %+v, %v", at, f, err)
		}
	}
}

func TestFaultsOfBills(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ch := w.shop.channels[v3Merchant]
	day := domain.DayOf(w.stage.Books(), stage.China)
	for _, no := range []string{"order-0001", "order-0002", "order-0003"} {
		w.pay(w.open(v3Merchant, no, 730).ID)
	}
	w.settle()
	if err := w.stage.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	for class, want := range map[stage.Class]domain.Kind{
		stage.BillLate: domain.KindNotFound, stage.BillCut: domain.KindUnavailable, wechatpay.BillHash: domain.KindUnavailable,
	} {
		outage(t, w, class)
		if _, _, err := lines(t, ch, providers.BillTrade, day); domain.KindOf(err) != want || err == nil {
			t.Errorf("%s: %v", class, err)
		}
	}
	outage(t, w, stage.BillChanged)
	if _, all, err := lines(t, ch, providers.BillTrade, day); err != nil || len(all) != 2 {
		t.Errorf("before it changed: %+v, %v", all, err)
	}
	if err := w.face.Troubles().Outage(w.face.Classes(), v3Merchant, stage.Fault{Class: stage.BillChanged}, w.stage.Now()); err != nil {
		t.Fatal(err)
	}
	if _, all, err := lines(t, ch, providers.BillTrade, day); err != nil || len(all) != 3 {
		t.Errorf("after it changed: %+v, %v", all, err)
	}
}

func outage(t *testing.T, w *world, class stage.Class) {
	t.Helper()
	if err := w.face.Troubles().Outage(w.face.Classes(), v3Merchant, stage.Fault{Class: class}, w.stage.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}
