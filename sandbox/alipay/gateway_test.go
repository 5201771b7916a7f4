package alipay

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"
)

// get opens an address of Alipay's in a browser.
func (w *world) get(address string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	w.hosts["box.example"].ServeHTTP(out, httptest.NewRequest(http.MethodGet, address, nil))
	return out
}

// TestFromFormToCredit walks a payment through all that is signed: form, pay
// page, notice, query, refund, refund query.
func TestFromFormToCredit(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		form, err := w.channel.Form(providers.Order{
			OrderNo: "A1", Amount: fen(1000), Subject: "测试商品+1", NotifyURL: "http://shop.example/notify", ReturnURL: "http://shop.example/back?x=1",
		})
		if err != nil {
			t.Fatal(err)
		}
		out := w.get(form.URL)
		id := strings.TrimPrefix(out.Header().Get("Location"), "http://box.example/alipay/pay/")
		if out.Code != http.StatusFound || len(id) != 28 {
			t.Fatalf("%d %s %s", out.Code, out.Header(), out.Body)
		}
		if again := w.get(form.URL).Header().Get("Location"); !strings.HasSuffix(again, id) {
			t.Errorf("the same form again: %s", again)
		}
		if a, err := w.ask("A1", ""); err != nil || a.Found {
			t.Errorf("nobody has opened the cashier: %+v, %v", a, err)
		}
		if _, err := w.face.Pay(id); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if n := w.came[0].notices[0]; n.OrderNo != "A1" || n.Amount != fen(1000) {
			t.Errorf("%+v", n)
		}
		if a, err := w.ask("A1", ""); err != nil || a.Notice.Status != domain.StatusPaid || a.Notice.TradeNo != id || a.Evidence.Grade != domain.GradeA {
			t.Errorf("%+v, %v", a, err)
		}
		back, err := url.Parse(w.face.Orders(stage.OrderFilter{ID: id})[0].ReturnURL)
		if err != nil || back.Query().Get("x") != "1" || back.Query().Get("trade_no") != id || back.Query().Get("sign") == "" {
			t.Errorf("return %s, %v", back, err)
		}
		checkReplayedReturn(t, w, back.Query())
	})
}

// checkReplayedReturn posts the fields of the return to the notify address:
// rightly signed, and no proof of anything.
func checkReplayedReturn(t *testing.T, w *world, fields url.Values) {
	t.Helper()
	fields.Del("x")
	out := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://shop.example/notify", strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.shop(out, r)
	if last := w.came[len(w.came)-1]; last.reason != domain.ReasonUnreadable || out.Body.String() != "fail" {
		t.Errorf("the return as a notice: %+v, %s", last, out.Body)
	}
}

func TestScannedTradeWaits(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1", stage.Fault{Class: Scanned})
		if a, err := w.ask("A1", ""); err != nil || a.Notice.Status != domain.StatusWaiting || a.Notice.TradeNo != o.ID {
			t.Errorf("%+v, %v", a, err)
		}
		if body := w.call("alipay.trade.close", `{"out_trade_no":"A1"}`); !strings.Contains(body, `"code":"10000"`) {
			t.Errorf("close: %s", body)
		}
		w.settle()
		if n := w.came[0].notices; len(n) != 1 || n[0].Status != domain.StatusClosed {
			t.Errorf("%+v", n)
		}
		if a, err := w.ask("A1", ""); err != nil || a.Notice.Status != domain.StatusClosed {
			t.Errorf("%+v, %v", a, err)
		}
		if body := w.call("alipay.trade.close", `{"out_trade_no":"A1"}`); !strings.Contains(body, "ACQ.TRADE_STATUS_ERROR") {
			t.Errorf("close again: %s", body)
		}
		if body := w.call("alipay.trade.close", `{"out_trade_no":"A2"}`); !strings.Contains(body, "ACQ.TRADE_NOT_EXIST") {
			t.Errorf("close nothing: %s", body)
		}
	})
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1")
		refund := func(content, want string) {
			t.Helper()
			if body := w.call("alipay.trade.refund", content); !strings.Contains(body, want) {
				t.Errorf("%s: %s lacks %s", content, body, want)
			}
			w.settle()
		}
		refund(`{"out_trade_no":"A1","refund_amount":"4.00","out_request_no":"R1"}`, `"fund_change":"Y"`)
		refund(`{"out_trade_no":"A1","refund_amount":"4.00","out_request_no":"R1"}`, `"fund_change":"N"`)
		refund(`{"out_trade_no":"A1","refund_amount":"5.00","out_request_no":"R1"}`, "ACQ.DISCORDANT_REPEAT_REQUEST")
		refund(`{"out_trade_no":"A1","refund_amount":"7.00","out_request_no":"R2"}`, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
		refund(`{"out_trade_no":"A2","refund_amount":"7.00","out_request_no":"R2"}`, "ACQ.TRADE_NOT_EXIST")
		if got := w.came[1].notices; len(w.came) != 2 || len(got) != 2 || got[0].Status != domain.StatusPaid || got[1].Amount != fen(400) ||
			got[1].RefundNo != "R1" || !got[1].Total {
			t.Errorf("%d messages, %+v", len(w.came), got)
		}
		if a, err := w.ask("A1", "R1"); err != nil || !a.Found || a.Notice.Amount != fen(400) || a.Notice.Status != domain.StatusSucceeded {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := w.ask("A1", "R9"); err != nil || a.Found {
			t.Errorf("%+v, %v", a, err)
		}
		if r, err := w.face.Refund(stage.RefundOrder{ID: o.ID}); err != nil || r.Amount != fen(600) {
			t.Errorf("the rest: %+v, %v", r, err)
		}
		w.settle()
		if got := w.came[2]; got.fields["trade_status"] != "TRADE_CLOSED" || got.notices[1].Amount != fen(1000) {
			t.Errorf("%+v", got)
		}
		if a, err := w.ask("A1", ""); err != nil || a.Notice.Status != domain.StatusPaid || len(a.Also) != 1 || a.Also[0].Amount != fen(1000) {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Fails: true}); domain.FieldOf(err) != "fails" {
			t.Errorf("%v", err)
		}
		if b := w.face.Books()[0]; len(b.Payments) != 1 || len(b.Payments[0].Refunds) != 2 || !b.Payments[0].Due || !b.Payments[0].Accepted {
			t.Errorf("%+v", b)
		}
	})
}

// TestTroubledAnswers: what each fault makes of a query, in the eyes of the
// adapter; afterwards it answers again.
func TestTroubledAnswers(t *testing.T) {
	t.Parallel()
	for class, want := range map[stage.Class]domain.Kind{
		stage.Query5xx: domain.KindUnavailable, stage.QueryHTML: domain.KindUnavailable, stage.QueryUnsigned: domain.KindUnavailable,
		stage.QueryForged: domain.KindUnavailable, stage.QueryLimited: domain.KindUnavailable, QueryBusy: domain.KindUnavailable,
		QueryError: domain.KindUnavailable,
	} {
		inWorld(t, func(t *testing.T, w *world) {
			w.pay("A1", stage.Fault{Class: class, Copies: 1})
			if a, err := w.ask("A1", ""); err == nil || domain.KindOf(err) != want {
				t.Errorf("%s: %+v, %v", class, a, err)
			}
			if a, err := w.ask("A1", ""); err != nil || a.Notice.Status != domain.StatusPaid {
				t.Errorf("after %s: %+v, %v", class, a, err)
			}
		})
	}
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1", stage.Fault{Class: stage.QueryMissing, Copies: 1})
		if a, err := w.ask("A1", ""); err != nil || a.Found {
			t.Errorf("missing: %+v, %v", a, err)
		}
	})
}

// TestStrangers: whoever does not sign as an application gets nothing.
func TestStrangers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1")
		good := wire.Params{
			{Name: "app_id", Value: appID},
			{Name: "method", Value: "alipay.trade.query"},
			{Name: "charset", Value: "utf-8"},
			{Name: "sign_type", Value: "RSA2"},
			{Name: "timestamp", Value: "2026-01-01 00:00:00"},
			{Name: "version", Value: "1.0"},
			{Name: "biz_content", Value: `{"out_trade_no":"A1"}`},
		}
		sign, err := wire.Sign(wire.RequestText(good), w.face.list[0].app)
		if err != nil {
			t.Fatal(err)
		}
		good = good.With("sign", sign)
		for want, p := range map[string]wire.Params{
			`"trade_no":`:           good,
			"isv.invalid-signature": good.With("biz_content", `{"out_trade_no":"A2"}`),
			"isv.invalid-app-id":    good.With("app_id", "1"),
			"isv.missing-sign":      good.With("sign", ""),
			"isv.missing-method":    good.With("method", ""),
		} {
			if body := w.post(p); !strings.Contains(body, want) {
				t.Errorf("%s lacks %s", body, want)
			}
		}
		if body := w.post(good.With("sign_type", "RSA")); strings.Contains(body, "trade_no") {
			t.Errorf("under another sign_type: %s", body)
		}
		for method, want := range map[string]string{"alipay.none": "isv.invalid-method", "alipay.trade.query": "isv.invalid-parameter"} {
			content := `{}`
			if method == "alipay.trade.query" {
				content = `{"a":1,"a":2}`
			}
			if body := w.call(method, content); !strings.Contains(body, want) {
				t.Errorf("%s: %s", method, body)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		for field, in := range map[string]stage.OpenOrder{
			"out_trade_no": {OrderNo: "a-b", Amount: fen(1)},
			"amount":       {OrderNo: "A1", Amount: domain.NewMoney(1, domain.USD)},
			"notify_url":   {OrderNo: "A1", Amount: fen(1), NotifyURL: "x"},
			"name":         {OrderNo: "A1", Amount: fen(1), Subject: "a\nb"},
			"app_id":       {OrderNo: "A1", Amount: fen(1), Merchant: "9"},
		} {
			if _, err := w.face.Open(in); domain.FieldOf(err) != field {
				t.Errorf("%+v: %v", in, err)
			}
		}
		w.pay("A1")
		if _, err := w.face.Open(stage.OpenOrder{OrderNo: "A1", Amount: fen(1000)}); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("a paid number again: %v", err)
		}
	})
}

// fetch downloads and reads a bill of the first day.
func (w *world) fetch(kind providers.BillKind) ([]domain.BillLine, providers.BillFile, error) {
	return w.fetchDay(kind, domain.DayOf(w.face.list[0].list[0].openedAt, stage.China))
}

// TestBills: what the bills list is what the books have, to the fen.
func TestBills(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		o := w.pay("A1")
		w.pay("A2", stage.Fault{Class: OddSubject})
		time.Sleep(time.Minute)
		if _, err := w.face.Refund(stage.RefundOrder{ID: o.ID, Amount: fen(400), No: "R1"}); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if _, _, err := w.fetch(providers.BillTrade); domain.KindOf(err) == domain.KindCorrupt || err == nil {
			t.Errorf("today's bill: %v", err)
		}
		time.Sleep(26 * time.Hour) // ten in the morning
		lines, f, err := w.fetch(providers.BillTrade)
		if err != nil || len(lines) != 3 || f.Empty || !strings.HasSuffix(f.Name, ".csv.zip") {
			t.Fatalf("%+v, %+v, %v", lines, f, err)
		}
		last := lines[2]
		if last.Kind != domain.LineRefund || last.Amount != fen(400) || last.RefundNo != "R1" || last.TradeNo != o.ID || last.Net != fen(-398) {
			t.Errorf("%+v", last)
		}
		funds, _, err := w.fetch(providers.BillFunds)
		if err != nil || len(funds) != 6 {
			t.Fatalf("%+v, %v", funds, err)
		}
		var net int64
		for _, l := range funds {
			net += l.Net.Minor()
		}
		if net != 1000-6+1000-6-400+2 {
			t.Errorf("the balance moved by %d", net)
		}
	})
}

func TestTroubledBills(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1")
		w.pay("A2")
		time.Sleep(26 * time.Hour) // ten in the morning
		trouble := func(class stage.Class) ([]domain.BillLine, providers.BillFile, error) {
			t.Helper()
			until := time.Now().Add(time.Minute)
			if err := w.face.Troubles().Outage(w.face.Classes(), appID, stage.Fault{Class: class}, until); err != nil {
				t.Fatal(err)
			}
			defer time.Sleep(2 * time.Minute)
			return w.fetch(providers.BillTrade)
		}
		if lines, _, err := trouble(stage.BillCut); domain.KindOf(err) != domain.KindCorrupt || err == nil {
			t.Errorf("cut off: %v, %v", lines, err)
		}
		if _, _, err := trouble(BillExpired); domain.KindOf(err) != domain.KindUnavailable || err == nil {
			t.Errorf("dead address: %v", err)
		}
		if lines, _, err := trouble(stage.BillChanged); err != nil || len(lines) != 1 {
			t.Errorf("to be changed: %v, %v", lines, err)
		}
		if _, f, err := trouble(stage.BillLate); err != nil || !f.Empty {
			t.Errorf("late: %+v, %v", f, err)
		}
		if lines, _, err := w.fetch(providers.BillTrade); err != nil || len(lines) != 2 {
			t.Errorf("in the end: %v, %v", lines, err)
		}
	})
}

// TestBillAddressDies after thirty seconds.
func TestBillAddressDies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		w.pay("A1")
		time.Sleep(26 * time.Hour) // ten in the morning
		day := domain.DayOf(w.face.list[0].list[0].openedAt, stage.China)
		body := w.call("alipay.data.dataservice.bill.downloadurl.query", `{"bill_type":"trade","bill_date":"`+string(day)+`"}`)
		_, rest, _ := strings.Cut(body, `"bill_download_url":"`)
		address, _, _ := strings.Cut(rest, `"`)
		address = strings.ReplaceAll(address, `\u0026`, "&")
		time.Sleep(29 * time.Second)
		if out := w.get(address); out.Code != http.StatusOK || !strings.HasPrefix(out.Body.String(), "PK") {
			t.Errorf("in time: %d", out.Code)
		}
		time.Sleep(2 * time.Second)
		if out := w.get(address); out.Code != http.StatusForbidden {
			t.Errorf("too late: %d", out.Code)
		}
	})
}
