package stripe

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
)

// said sums up what came: how often each state was told, and each refusal.
func said(all []came) map[string]int {
	sum := map[string]int{}
	for _, c := range all {
		if c.reason != "" {
			sum["refused "+string(c.reason)]++
		}
		for _, n := range c.notices {
			word := strings.TrimSpace(string(n.About) + " " + string(n.Status))
			if len(n.Doubts) > 0 {
				word += " doubted"
			}
			sum[word]++
		}
	}
	return sum
}

func check(t *testing.T, what string, got map[string]int, want string) {
	t.Helper()
	var words []string
	for _, word := range slices.Sorted(maps.Keys(got)) {
		words = append(words, fmt.Sprint(word, "=", got[word]))
	}
	if text := strings.Join(words, " "); text != want {
		t.Errorf("%s: %s, want %s", what, text, want)
	}
}

// TestPayment: told by session and intent, found by both numbers, in the books.
func TestPayment(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		o := pay(t, face, "A-1")
		all := h.all()
		check(t, "payment", said(all), "paid=2")
		for _, c := range all {
			if n := c.notices[0]; n.OrderNo != "A-1" || n.TradeNo != o.ID || n.Amount != yuan(1000) || n.Account != "user:7" {
				t.Errorf("told %+v", n)
			}
		}
		for _, q := range []providers.Question{{TradeNo: o.ID}, {OrderNo: "A-1"}, {OrderNo: "A-1", TradeNo: o.ID}} {
			a, err := h.channel.Query(t.Context(), q)
			if err != nil || !a.Found || a.Notice.Status != domain.StatusPaid || a.Notice.OrderNo != "A-1" || a.Notice.Amount != yuan(1000) {
				t.Errorf("%+v: %+v, %v", q, a, err)
			}
		}
		if a, err := h.channel.Query(t.Context(), providers.Question{OrderNo: "A-2"}); err != nil || a.Found {
			t.Errorf("an order of nobody: %+v, %v", a, err)
		}
		b := face.Books()[0]
		if len(b.Payments) != 1 || !b.Payments[0].Due || !b.Payments[0].Accepted || b.Payments[0].TradeNo != o.ID || b.Opened != 1 {
			t.Errorf("books %+v", b)
		}
		if v := face.Orders(stage.OrderFilter{OrderNo: "A-1"}); len(v) != 1 || v[0].State != succeeded || v[0].Payable || v[0].Attempts != 2 {
			t.Errorf("orders %+v", v)
		}
		if _, err := face.Pay(o.ID); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("paid twice: %v", err)
		}
	})
}

// TestClasses: what each fault looks like to a merchant, and that the truth
// stays what it is.
func TestClasses(t *testing.T) {
	t.Parallel()
	for class, want := range map[stage.Class]string{
		stage.Lost:        "",
		stage.NoRetry:     "paid=2",
		stage.Repeated:    "paid=8",
		stage.Twice:       "paid=4",
		stage.Concurrent:  "paid=8",
		stage.Late:        "paid=2",
		stage.Reordered:   "paid=2",
		stage.ExtraField:  "paid=2",
		stage.Forged:      "paid=2 refused wrong_signature=5",
		stage.OtherPID:    "paid=2 refused foreign_merchant=2",
		stage.WrongStatus: "paid=2 waiting=1",
		stage.OtherAmount: "paid=2",
		stage.SecondTrade: "paid=4",
		Delayed:           "paid=2 waiting=2",
		Thin:              "other=1 paid=2",
		OldRelease:        "paid=2",
		TwoSigns:          "paid=2",
		KeyOrder:          "paid=2",
		FutureTime:        "paid=2 refused stale=2",
		NoMetadata:        "paid=1 paid doubted=1",
	} {
		t.Run(string(class), func(t *testing.T) {
			t.Parallel()
			play(t, nil, func(t *testing.T, face *Face, h *shop) {
				pay(t, face, "A-1", stage.Fault{Class: class})
				check(t, string(class), said(h.all()), want)
				b := face.Books()[0]
				payments, due := 1, true
				if class == stage.SecondTrade {
					payments = 2
				}
				if class == stage.OtherAmount {
					due = false
				}
				if len(b.Payments) != payments || b.Payments[0].Due != due || b.Planted[class] != 1 {
					t.Errorf("books %+v", b)
				}
			})
		})
	}
}

// TestSpoofsWithoutPayment: nobody pays, and nothing that comes says so.
func TestSpoofsWithoutPayment(t *testing.T) {
	t.Parallel()
	for class, want := range map[stage.Class]string{
		stage.Forged: "refused wrong_signature=5", stage.OtherPID: "refused foreign_merchant=2", stage.WrongStatus: "waiting=1",
	} {
		play(t, nil, func(t *testing.T, face *Face, h *shop) {
			o := open(t, face, "A-1")
			if _, err := face.Fire(o.ID, stage.Fault{Class: class, Unpaid: true}); err != nil {
				t.Fatal(err)
			}
			settle(t, face)
			check(t, string(class), said(h.all()), want)
			if b := face.Books()[0]; len(b.Payments) != 0 {
				t.Errorf("%s: books %+v", class, b)
			}
			a, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID})
			if err != nil || a.Notice.Status != domain.StatusWaiting {
				t.Errorf("%s: %+v, %v", class, a, err)
			}
		})
	}
}

// TestRetries: three days at growing pauses, each attempt signed anew, so that
// even the last is fresh when it arrives.
func TestRetries(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		h.down = func(int) bool { return true }
		o := pay(t, face, "A-1")
		all := h.all()
		check(t, "retries", said(all), fmt.Sprintf("paid=%d", 2*len(schedule)))
		first, last := all[0], all[len(all)-1]
		if span := last.at.Sub(first.at); span < 48*time.Hour || span > 72*time.Hour {
			t.Errorf("retries over %s", span)
		}
		if a, b := first.request.Header.Get("Stripe-Signature"), last.request.Header.Get("Stripe-Signature"); a == b {
			t.Error("the last attempt has the first one's signature")
		}
		if v := face.Orders(stage.OrderFilter{ID: o.ID}); v[0].Accepted || v[0].Trouble == "" {
			t.Errorf("order %+v", v[0])
		}
	})
}

// TestRotation: while a secret is rolled both sign, so a merchant with either
// goes on; after the next roll the first one is over.
func TestRotation(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		former := h.channel
		pay(t, face, "A-1", stage.Fault{Class: stage.Rotated})
		check(t, "with the former", said(h.all()), "paid=3")
		h.channel = channelOf(t, face, face.list[0])
		pay(t, face, "A-2")
		check(t, "with both", said(h.all()), "paid=2")
		if err := face.Rotate(acct); err != nil {
			t.Fatal(err)
		}
		h.channel = former
		pay(t, face, "A-3")
		if got := said(h.all()); got["paid"] > 0 || got["refused wrong_signature"] == 0 {
			t.Errorf("after two rolls the first secret: %v", got)
		}
	})
}

// TestRefunds: told twice, and one that succeeded fails an hour later.
func TestRefunds(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		o := pay(t, face, "A-1")
		h.all()
		first, err := face.Refund(stage.RefundOrder{ID: o.ID, Amount: yuan(300), No: "R-1"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := face.Refund(stage.RefundOrder{ID: o.ID, Amount: yuan(300), No: "R-1"})
		if err != nil || again != first {
			t.Errorf("again %+v, %v", again, err)
		}
		settle(t, face)
		all := h.all()
		check(t, "part", said(all), "refund succeeded=1 refund succeeded doubted=1")
		if _, err := face.Refund(stage.RefundOrder{ID: o.ID, Fails: true}); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		check(t, "rest, which fails", said(h.all()), "refund failed=1 refund succeeded=1 refund succeeded doubted=1")
		a, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID})
		if err != nil || len(a.Also) != 2 || a.Also[0].Status != domain.StatusSucceeded || a.Also[0].RefundNo != "R-1" || a.Also[1].Status != domain.StatusFailed {
			t.Errorf("asked %+v, %v", a, err)
		}
		r, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID, RefundID: first.ID})
		if err != nil || r.Notice.Amount != yuan(300) {
			t.Errorf("refund asked %+v, %v", r, err)
		}
		b := face.Books()[0].Payments[0]
		if len(b.Refunds) != 2 || b.Refunds[0].Failed || !b.Refunds[1].Failed || b.Refunds[1].Amount != yuan(700) {
			t.Errorf("books %+v", b)
		}
		for _, bad := range []stage.RefundOrder{{ID: o.ID, Amount: yuan(701)}, {ID: "pi_x"}, {ID: o.ID, Amount: domain.NewMoney(1, domain.JPY)}, {ID: o.ID, Amount: yuan(1), No: "R-1"}} {
			if _, err := face.Refund(bad); err == nil {
				t.Errorf("%+v is given back", bad)
			}
		}
	})
}

// TestDisputes: the money goes with a fee, comes back or stays away.
func TestDisputes(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		for i, won := range []bool{true, false} {
			o := pay(t, face, fmt.Sprint("A-", i))
			h.all()
			d, err := face.Dispute(o.ID, domain.Money{})
			if err != nil || d.Amount != yuan(1000) || d.Fee != yuan(1500) {
				t.Fatalf("%+v, %v", d, err)
			}
			settle(t, face)
			check(t, "taken", said(h.all()), "dispute withdrawn=2")
			if _, err := face.Refund(stage.RefundOrder{ID: o.ID}); err == nil {
				t.Error("disputed money is given back")
			}
			if d, err = face.Decide(d.ID, won); err != nil {
				t.Fatal(err)
			}
			settle(t, face)
			want, state := "dispute reinstated=1 dispute withdrawn=2", stage.DisputeWon
			if !won {
				want, state = "dispute lost=1 dispute withdrawn=1", stage.DisputeLost
			}
			check(t, "decided", said(h.all()), want)
			a, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID})
			if err != nil || len(a.Also) != 2 || a.Also[0].Fee != yuan(1500) || d.State != state {
				t.Errorf("asked %+v, %v, %+v", a, err, d)
			}
			if _, err := face.Decide(d.ID, won); domain.KindOf(err) != domain.KindConflict {
				t.Errorf("decided twice: %v", err)
			}
		}
		if _, err := face.Decide("du_x", true); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("a dispute of nobody: %v", err)
		}
	})
}

// TestMissed: what was lost is found in the list of undelivered events, and only
// that, for thirty days.
func TestMissed(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		pay(t, face, "A-1")
		lost := pay(t, face, "A-2", stage.Fault{Class: stage.Lost})
		bare := pay(t, face, "A-3", stage.Fault{Class: stage.Lost})
		missed := func() map[string]int {
			found := map[string]int{}
			for a, err := range h.channel.Missed(t.Context(), "", time.Now()) {
				if err != nil {
					t.Fatal(err)
				}
				if a.Notice.Status != domain.StatusPaid || a.Notice.Amount != yuan(1000) {
					t.Errorf("missed %+v", a.Notice)
				}
				found[a.Notice.TradeNo+" "+a.Notice.OrderNo]++
			}
			return found
		}
		want := map[string]int{lost.ID + " A-2": 2, bare.ID + " A-3": 2}
		if got := missed(); !maps.Equal(got, want) {
			t.Errorf("missed %v, want %v", got, want)
		}
		time.Sleep(31 * 24 * time.Hour)
		if got := missed(); len(got) != 0 {
			t.Errorf("after a month %v", got)
		}
	})
}

// TestBill: the day's movements add up to the balance, whatever goes wrong with
// the pages.
func TestBill(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		day := domain.DayOf(time.Now(), time.UTC)
		var one stage.Order
		for i := range 120 {
			one = pay(t, face, fmt.Sprint("A-", i))
		}
		if _, err := face.Refund(stage.RefundOrder{ID: one.ID, Amount: yuan(250), Fails: true}); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		d, err := face.Dispute(one.ID, yuan(500))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := face.Decide(d.ID, true); err != nil {
			t.Fatal(err)
		}
		po, err := face.Payout(stage.PayoutOrder{Merchant: acct, Currency: domain.CNY})
		if err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		time.Sleep(48 * time.Hour)
		face.troubles.Plant(acct, "", stage.Fault{Class: stage.Query5xx, Copies: 1})
		if err := face.troubles.Outage(face.Classes(), acct, stage.Fault{Class: stage.BillGrows}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var bill strings.Builder
		q := providers.BillQuestion{Kind: providers.BillFunds, Day: day, At: time.Now()}
		file, err := h.channel.FetchBill(t.Context(), q, &bill)
		if err != nil {
			t.Fatal(err)
		}
		kinds, net := map[domain.LineKind]int{}, int64(0)
		for l, err := range h.channel.ReadBill(strings.NewReader(bill.String()), file) {
			if err != nil {
				t.Fatal(err)
			}
			kinds[l.Kind]++
			net += l.Net.Minor()
			if l.Kind == domain.LinePayment && (l.TradeNo == "" || !strings.HasPrefix(l.OrderNo, "A-")) {
				t.Errorf("line %+v", l)
			}
			if l.Kind == domain.LinePayout && l.PayoutID != po.ID {
				t.Errorf("payout %+v", l)
			}
		}
		want := map[domain.LineKind]int{
			domain.LinePayment: 120, domain.LineRefund: 1, domain.LineRefundFailed: 1, domain.LineDisputeWithdrawn: 1,
			domain.LineDisputeReinstated: 1, domain.LinePayout: 1,
		}
		if !maps.Equal(kinds, want) || net != 0 {
			t.Errorf("bill has %v and leaves %d", kinds, net)
		}
		if strings.Contains(bill.String(), "payer@example.com") {
			t.Error("the bill knows the payer")
		}
		if err := face.troubles.Outage(face.Classes(), acct, stage.Fault{Class: stage.BillCut}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.channel.FetchBill(t.Context(), q, &bill); domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("a bill that breaks off: %v", err)
		}
	})
}

// TestConnected: events of a connected account carry it, answers need it.
func TestConnected(t *testing.T) {
	t.Parallel()
	play(t, func(a *Account) { a.Connected = true }, func(t *testing.T, face *Face, h *shop) {
		o := pay(t, face, "A-1", stage.Fault{Class: Thin})
		check(t, "connected", said(h.all()), "other=1 paid=2")
		if a, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID}); err != nil || !a.Found {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// TestAnswersGoWrong: planted trouble of answers is no answer.
func TestAnswersGoWrong(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		for class, kind := range map[stage.Class]domain.Kind{
			stage.Query5xx: domain.KindUnavailable, stage.QueryHTML: domain.KindUnavailable, stage.QueryClosed: domain.KindUnavailable,
			stage.QueryLimited: domain.KindUnavailable, stage.QueryMissing: 0,
		} {
			o := pay(t, face, "A-"+string(class), stage.Fault{Class: class, Copies: 1})
			a, err := h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID})
			if a.Found || (err == nil) != (class == stage.QueryMissing) || (err != nil && domain.KindOf(err) != kind) {
				t.Errorf("%s: %+v, %v", class, a, err)
			}
			if a, err = h.channel.Query(t.Context(), providers.Question{TradeNo: o.ID}); err != nil || !a.Found {
				t.Errorf("%s, afterwards: %+v, %v", class, a, err)
			}
		}
	})
}

// TestFire: a fault on an order that was paid sends its event again.
func TestFire(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		o := pay(t, face, "A-1")
		first := h.all()
		for class, want := range map[stage.Class]string{
			stage.Twice: "paid=2", stage.Forged: "refused wrong_signature=5", Thin: "other=1", FutureTime: "paid=1 refused stale=1",
		} {
			if _, err := face.Fire(o.ID, stage.Fault{Class: class}); err != nil {
				t.Fatal(err)
			}
			settle(t, face)
			all := h.all()
			check(t, string(class), said(all), want)
			if class == stage.Twice && !slices.ContainsFunc(first, func(c came) bool { return string(c.request.Body) == string(all[0].request.Body) }) {
				t.Error("what comes again is another event")
			}
		}
		if _, err := face.Fire(o.ID, stage.Fault{Class: stage.OtherAmount}); domain.KindOf(err) != domain.KindConflict {
			t.Errorf("another amount afterwards: %v", err)
		}
	})
}

// TestForm: what the adapter asks a site to pass on makes a session that comes
// back as it was meant.
func TestForm(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		form, err := h.channel.Form(providers.Order{OrderNo: "A-1", Amount: domain.NewMoney(1000, domain.JPY), Subject: "VIP 会员", ReturnURL: "https://shop.example/ok"})
		if err != nil {
			t.Fatal(err)
		}
		values := url.Values{}
		for name, value := range form.Fields {
			values.Set(name, value)
		}
		key := http.Header{"Idempotency-Key": {"k-1"}}
		status, body := post(t, face, "/v1/checkout/sessions", values, key)
		again, same := post(t, face, "/v1/checkout/sessions", values, key)
		if status != 200 || again != 200 || body != same || !strings.Contains(body, `"url": "`+base+`/pay/pi_`) {
			t.Fatalf("%d %s, again %d", status, body, again)
		}
		values.Set("client_reference_id", "A-2")
		if status, body := post(t, face, "/v1/checkout/sessions", values, key); status != 400 || !strings.Contains(body, "idempotency_error") {
			t.Errorf("the key for something else: %d %s", status, body)
		}
		orders := face.Orders(stage.OrderFilter{OrderNo: "A-1"})
		if len(orders) != 1 {
			t.Fatalf("orders %+v", orders)
		}
		if _, err := face.Pay(orders[0].ID); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		for _, c := range h.all() {
			if n := c.notices[0]; n.OrderNo != "A-1" || n.Amount.String() != "1000 JPY" || len(n.Doubts) > 0 {
				t.Errorf("told %+v", n)
			}
		}
	})
}

// TestAPI: the calls by which a merchant's server makes and ends things.
func TestAPI(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, h *shop) {
		status, body := post(t, face, "/v1/payment_intents", url.Values{"amount": {"700"}, "currency": {"usd"}, "metadata[order_no]": {"B-1"}}, nil)
		if status != 200 || !strings.Contains(body, `"status": "requires_payment_method"`) {
			t.Fatalf("%d %s", status, body)
		}
		id := face.Orders(stage.OrderFilter{OrderNo: "B-1"})[0].ID
		if _, err := face.Pay(id); err != nil {
			t.Fatal(err)
		}
		settle(t, face)
		check(t, "intent", said(h.all()), "paid=1")
		if status, body = post(t, face, "/v1/refunds", url.Values{"payment_intent": {id}, "amount": {"200"}, "metadata[refund_no]": {"R-1"}}, nil); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		settle(t, face)
		check(t, "refund", said(h.all()), "refund succeeded=1 refund succeeded doubted=1")
		open := open(t, face, "B-2")
		session := face.orders[open.ID].session
		if status, body = post(t, face, "/v1/checkout/sessions/"+session+"/expire", nil, nil); status != 200 || !strings.Contains(body, "expired") {
			t.Errorf("%d %s", status, body)
		}
		settle(t, face)
		check(t, "expired", said(h.all()), "closed=1")
		for _, bad := range []struct {
			method, path string
			form         url.Values
			status       int
		}{
			{"POST", "/v1/payment_intents", url.Values{"amount": {"1e3"}, "currency": {"usd"}}, 400},
			{"POST", "/v1/payment_intents", url.Values{"amount": {"1"}, "currency": {"xyz"}}, 400},
			{"POST", "/v1/refunds", url.Values{"payment_intent": {"pi_x"}}, 404},
			{"POST", "/v1/refunds", url.Values{"payment_intent": {id}, "amount": {"501"}}, 400},
			{"POST", "/v1/payment_intents/" + id + "/cancel", nil, 400},
			{"POST", "/v1/payouts", url.Values{"amount": {"99999"}, "currency": {"usd"}}, 400},
			{"GET", "/v1/payment_intents/pi_x", nil, 404},
			{"GET", "/v1/checkout/sessions/" + id, nil, 404},
			{"GET", "/v1/refunds/re_x", nil, 404},
			{"GET", "/v1/disputes/du_x", nil, 404},
			{"GET", "/v1/events/evt_x", nil, 404},
			{"GET", "/v1/charges/ch_x", nil, 404},
			{"GET", "/v1/events?limit=101", nil, 400},
			{"GET", "/v1/events?ending_before=evt_x", nil, 400},
			{"GET", "/v1/payment_intents/search?query=x", nil, 400},
			{"GET", "/v1/nothing", nil, 404},
		} {
			if status, body := ask(t, face, bad.method, bad.path, bad.form, nil); status != bad.status || !strings.Contains(body, `"error"`) {
				t.Errorf("%s %s: %d %s", bad.method, bad.path, status, body)
			}
		}
		for header, want := range map[string]int{"Bearer sk_test_nobody": 401, "": 401} {
			if status, _ := ask(t, face, "GET", "/v1/events", nil, http.Header{"Authorization": {header}}); status != want {
				t.Errorf("%q: %d", header, status)
			}
		}
		if status, _ := ask(t, face, "GET", "/v1/events", nil, http.Header{"Stripe-Account": {"acct_2Other"}}); status != 403 {
			t.Errorf("another account: %d", status)
		}
	})
}

// TestSearch: intents are found by a pair of their metadata without regard to
// case, the newest first, as their metadata is now.
func TestSearch(t *testing.T) {
	t.Parallel()
	play(t, nil, func(t *testing.T, face *Face, _ *shop) {
		first, other, second := open(t, face, "Aſ-1"), open(t, face, "B-1"), open(t, face, "aS-1")
		find := func(key, value string) string {
			query := url.Values{"query": {`metadata["` + key + `"]:"` + value + `"`}}
			status, body := ask(t, face, "GET", "/v1/payment_intents/search?"+query.Encode(), nil, nil)
			var found struct {
				Data []struct{ ID string }
			}
			if err := json.Unmarshal([]byte(body), &found); err != nil || status != 200 {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			var ids []string
			for _, o := range found.Data {
				ids = append(ids, o.ID)
			}
			return strings.Join(ids, " ")
		}
		for value, want := range map[string]string{"AS-1": second.ID + " " + first.ID, "b-1": other.ID, "a-1": "", "": ""} {
			if got := find(orderKey, value); got != want {
				t.Errorf("%q: found %q, want %q", value, got, want)
			}
		}
		if got := find("other", "B-1"); got != "" {
			t.Errorf("another key: %q", got)
		}
		if _, err := face.Pay(other.ID, stage.Fault{Class: NoMetadata}); err != nil {
			t.Fatal(err)
		}
		if got := find(orderKey, "B-1"); got != "" {
			t.Errorf("without metadata: %q", got)
		}
	})
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	good := Account{ID: acct}
	for field, c := range map[string]Config{
		"base_url": {BaseURL: "x", Accounts: []Account{good}},
		"accounts": {BaseURL: base},
		"id":       {BaseURL: base, Accounts: []Account{good, good}},
		"api_key":  {BaseURL: base, Accounts: []Account{{ID: acct, APIKey: "sk_live_0123456789abcdef0123"}}},
		"secret":   {BaseURL: base, Accounts: []Account{{ID: acct, Secret: "whsec_short"}}},
		"currency": {BaseURL: base, Accounts: []Account{{ID: acct, Currency: "USDT"}}},
	} {
		if _, err := New(s, c); domain.FieldOf(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
