package stripe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// FuzzRead gives a channel any bytes, rightly signed. Whatever is accepted is
// ours, of a known sort, and the same again from its evidence.
func FuzzRead(f *testing.F) {
	f.Add(vectorBody)
	f.Add(eventOf("refund.created", refundText))
	f.Add(eventOf("charge.refunded", `{"id":"ch_1","object":"charge","amount_refunded":5,"currency":"isk","payment_intent":{"id":"pi_1"}}`))
	f.Add(eventOf("charge.dispute.closed", `{"id":"du_1","object":"dispute","amount":5,"currency":"jpy","charge":"ch_1","status":"lost","balance_transactions":[{"amount":-5,"fee":1,"currency":"usd","created":1}]}`))
	f.Add(eventOf("charge.dispute.closed", `{"id":"du_1","object":"dispute","amount":0,"currency":"jpy","charge":"ch_1","status":"won","balance_transactions":[{"amount":5,"fee":0,"currency":"usd","created":1}]}`))
	f.Add(eventOf("payment_intent.succeeded", intentText))
	f.Add(`{"id":"evt_1","object":"v2.core.event","type":"v1.x","livemode":false,"created":"2026-02-14T02:00:06Z","related_object":{"id":"pi_1"}}`)
	f.Add(`{"id":"evt_1","object":"event","type":"x","livemode":false,"data":{"object":{"metadata":{"a":1,"A":2}}}}`)
	c := newChannel(f, config())
	f.Fuzz(func(t *testing.T, body string) {
		read, refusal, err := c.Read(signed(body))
		if err != nil {
			if kind := domain.KindOf(err); refusal.Reason == "" || len(read.Notices) > 0 || (kind != domain.KindInvalid && kind != domain.KindForged) {
				t.Fatalf("refused with %+v, %v", refusal, err)
			}
			return
		}
		if len(read.Notices) == 0 || !strings.Contains(body, "false") {
			t.Fatalf("accepted %q as %+v", body, read.Notices)
		}
		for i, n := range read.Notices {
			checkNotice(t, n, i)
		}
		again, err := c.Reverify(read.Evidence)
		if err != nil || !slices.EqualFunc(again, read.Notices, providers.SameContent) {
			t.Fatalf("from its evidence: %+v, %v", again, err)
		}
	})
}

// checkNotice holds what is true of every notice.
func checkNotice(t *testing.T, n domain.Notice, index int) {
	t.Helper()
	moves := n.Status == domain.StatusPaid || n.Status == domain.StatusSucceeded || n.Status == domain.StatusWithdrawn ||
		n.Status == domain.StatusReinstated || n.Status == domain.StatusLost
	switch {
	case n.Index != index || n.Channel != "stripe-main" || n.Status == "" || n.Amount.IsNegative():
		t.Fatalf("notice %+v", n)
	case moves && !n.Amount.IsPositive():
		t.Fatalf("nothing moved: %+v", n)
	case moves && n.TradeNo == "" && !slices.Contains(n.Doubts, domain.DoubtNoTradeNo):
		t.Fatalf("money without a number: %+v", n)
	case n.About == domain.AboutRefund && n.RefundID == "" && !slices.Contains(n.Doubts, domain.DoubtNoRefundID):
		t.Fatalf("a refund without a number: %+v", n)
	case n.About == domain.AboutDispute && n.DisputeID == "":
		t.Fatalf("a dispute without a number: %+v", n)
	}
}

// FuzzSignature gives the verifier any header. Only one with the true digest
// and time passes.
func FuzzSignature(f *testing.F) {
	f.Add(vectorSignature)
	f.Add("t=1771034406,v1=" + strings.Repeat("0", 64) + ",v0=,,=")
	f.Add("t=1,t=2,v1=")
	_, hash, _ := strings.Cut(vectorSignature, ",v1=")
	f.Fuzz(func(t *testing.T, header string) {
		known := []secret{{key: []byte(sampleSecret), mark: "m"}}
		_, reason, err := proven(http.Header{SignatureHeader: {header}}, []byte(vectorBody), known, testNow)
		if err == nil && (!strings.Contains(strings.ToLower(header), "v1="+hash) || !strings.Contains(header, "t=1771034406")) {
			t.Fatalf("accepted %q", header)
		}
		if err != nil && reason == domain.ReasonNone {
			t.Fatalf("refused without a reason: %v", err)
		}
	})
}

// FuzzAnswer gives a channel any bytes as the answer to each of its questions.
func FuzzAnswer(f *testing.F) {
	targets := []string{
		"/v1/payment_intents/pi_3Test", "/v1/charges/ch_3", "/v1/refunds/re_1", "/v1/checkout/sessions?payment_intent=pi_3Test",
		"/v1/disputes?payment_intent=pi_3Test", "/v1/payment_intents/search?query=x", "/v1/events?limit=100#evt_1", "/v1/other/x",
		"/v1/payment_intents/pi_3Test /v1/disputes?payment_intent=pi_3Test",
	}
	for i, body := range []string{
		intentText, `{"id":"ch_3","object":"charge","amount":1,"currency":"cny","livemode":false,"status":"pending"}`, refundText,
		`{"data":[{"client_reference_id":"A1","payment_intent":` + intentText + `}]}`,
		`{"data":[{"id":"du_1","object":"dispute","amount":1,"currency":"cny","payment_intent":` + intentText + `}]}`,
		`{"data":[]}`, eventOf("refund.created", refundText), `{"error":{"code":"resource_missing"}}`,
	} {
		f.Add(200, uint8(i), []byte(body))
	}
	f.Add(404, uint8(0), []byte(`{"error":{"code":"resource_missing"}}`))
	c := newChannel(f, config())
	f.Fuzz(func(t *testing.T, status int, which uint8, body []byte) {
		notices, err := c.readAnswer(targets[int(which)%len(targets)], status, body)
		if err != nil && domain.KindOf(err) == domain.KindInternal {
			t.Fatal(err)
		}
		if len(notices) > 0 && (err != nil || status != 200) {
			t.Fatalf("status %d, %v: %+v", status, err, notices)
		}
		for i, n := range notices {
			if n.Source != domain.SourceQuery || n.Index != i {
				t.Fatalf("notice %+v", n)
			}
		}
	})
}

// FuzzBill gives the reader of bills any bytes. It never yields a line whose
// sums do not hold, nor ends well without its end.
func FuzzBill(f *testing.F) {
	start := billDay.Start(newChannel(f, config()).zone).Unix()
	c := newChannel(f, config())
	line, err := c.line(mustObject(transaction(1, start, "charge", 1000, 37, source(chargeSource))), "po_1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(line) + "\n" + `{"object":"counterfoil.bill_end","rows":1,"day":"2026-02-14","zone":"UTC","account":"","livemode":false}` + "\n")
	f.Add(`{"object":"counterfoil.bill_end","rows":0,"day":"2026-02-14","zone":"UTC","account":"","livemode":false}`)
	file := providers.BillFile{Question: question(billDay)}
	f.Fuzz(func(t *testing.T, bill string) {
		good := true
		for l, err := range c.ReadBill(strings.NewReader(bill), file) {
			if err != nil {
				good = false
				if domain.KindOf(err) != domain.KindCorrupt {
					t.Fatal(err)
				}
				continue
			}
			if l.ID == "" || l.Kind == "" || (l.Amount.IsNegative() && l.Kind != domain.LineOther) {
				t.Fatalf("line %+v", l)
			}
		}
		if good && !strings.Contains(bill, objectEnd) {
			t.Fatalf("a bill without an end: %q", bill)
		}
	})
}

// answering is an API that answers the same to everything, and counts.
type answering struct {
	body  string
	asked int
}

func (a *answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.asked++
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// FuzzFetchBill gives a channel any bytes as the answer to each of its questions
// for a bill. It comes to an end, and what it writes without an error is a bill
// that it reads again.
func FuzzFetchBill(f *testing.F) {
	start := billDay.Start(newChannel(f, config()).zone).Unix()
	list := func(more bool, rows ...string) string {
		return fmt.Sprintf(`{"object":"list","has_more":%t,"data":[%s]}`, more, strings.Join(rows, ","))
	}
	row := transaction(1, start, "charge", 1000, 37, source(chargeSource))
	f.Add(list(false))
	f.Add(list(false, row))
	f.Add(list(true, row))
	f.Add(list(false, payoutRow("po_1", start, true)))
	f.Add(list(true, payoutRow("po_1", start+86399, true), payoutRow("po_2", start, true)))
	f.Add(list(false, transaction(2, start+9, "adjustment", -5, 0, `,"source":{"object":"dispute","currency":"jpy","amount":1e3}`), row))
	f.Fuzz(func(t *testing.T, body string) {
		api := &answering{body: body}
		c, err := New(config(), &http.Client{Transport: api}, clock)
		if err != nil {
			t.Fatal(err)
		}
		c.wait = func(context.Context, time.Duration) error { return nil }
		var bill strings.Builder
		file, err := c.FetchBill(t.Context(), question(billDay), &bill)
		if api.asked > 5000 {
			t.Fatalf("asked %d times", api.asked)
		}
		if err != nil {
			if kind := domain.KindOf(err); kind != domain.KindUnavailable && kind != domain.KindInternal {
				t.Fatal(err)
			}
			return
		}
		for _, err := range c.ReadBill(strings.NewReader(bill.String()), file) {
			if err != nil && strings.Contains(err.Error(), "end") {
				t.Fatalf("%v in %q", err, bill.String())
			}
		}
	})
}
