package stripe

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// TestOnlyPaidIsPaid: of all events with all states of their objects, only
// money that came in is paid (other events taken for success).
func TestOnlyPaidIsPaid(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	words := []string{
		"paid", "unpaid", "no_payment_required", "open", "complete", "expired", "succeeded", "pending", "failed", "canceled", "processing",
		"requires_action", "requires_capture", "requires_payment_method", "requires_confirmation", "won", "lost", "needs_response", "Paid", "SUCCEEDED", "",
	}
	kinds := []string{
		"checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed", "checkout.session.expired",
		"payment_intent.succeeded", "payment_intent.payment_failed", "charge.succeeded", "charge.captured", "charge.failed", "charge.refunded",
		"refund.created", "charge.dispute.closed", "payout.paid", "invoice.paid",
	}
	paidBy := map[string]int{}
	for _, kind := range kinds {
		for _, word := range words {
			for _, captured := range []bool{true, false} {
				for _, object := range []string{
					sessionOf(fmt.Sprintf(`"payment_status":%q`, word), `"status":"complete"`),
					fmt.Sprintf(`{"id":"pi_1","object":"payment_intent","amount":1000,"amount_received":1000,"currency":"cny","status":%q}`, word),
					fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":1000,"amount_captured":1000,"amount_refunded":5,"captured":%t,"currency":"cny","status":%q}`, captured, word),
					fmt.Sprintf(`{"id":"re_1","object":"refund","amount":1000,"currency":"cny","charge":"ch_1","status":%q}`, word),
					fmt.Sprintf(`{"id":"du_1","object":"dispute","amount":1000,"currency":"cny","charge":"ch_1","status":%q}`, word),
					fmt.Sprintf(`{"id":"in_1","object":"invoice","amount_paid":1000,"currency":"cny","status":%q}`, word),
				} {
					for _, n := range mustRead(t, c, eventOf(kind, object)) {
						if n.Status == domain.StatusPaid {
							paidBy[fmt.Sprint(object[:strings.Index(object, `","amount`)], word, captured)]++
						}
					}
				}
			}
		}
	}
	// A session that is paid, an intent that succeeded, a charge that succeeded
	// and is captured; twice where captured makes no difference.
	if len(paidBy) != 5 {
		t.Errorf("paid: %v", paidBy)
	}
}

// TestCapitalWordsAreOther: words are compared byte by byte.
func TestCapitalWordsAreOther(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, word := range []string{"Paid", "PAID", "paid ", "раid", "paid\u0000"} {
		n := mustRead(t, c, eventOf("checkout.session.completed", sessionOf(fmt.Sprintf(`"payment_status":"%s"`, strings.ReplaceAll(word, "\x00", `\u0000`)))))
		if n[0].Status != domain.StatusOther {
			t.Errorf("%q is %s", word, n[0].Status)
		}
	}
}

// TestAmounts: what is no plain count of minor units is refused (amounts as
// 1e9, NaN, other digits, signs, fractions, overflow).
func TestAmounts(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, amount := range []string{
		"1e9", "1E+2", "1.5", "1.0", "1.005", "-1", "-0", `"1000"`, `"0x10"`, `"NaN"`, `"Inf"`, `"١٢"`, `"１２"`, "true", "[]", "[1000]", "{}",
		"9223372036854775807", "9223372036854775808", "1000000000000000", strings.Repeat("9", 5000), `" 1"`, `"1_0"`, `"1,000"`,
	} {
		read, refusal, err := c.Read(signed(eventOf("checkout.session.completed", sessionOf(`"amount_total":`+amount))))
		if err == nil || refusal.Reason != domain.ReasonUnreadable || refusal.OrderNo != sampleOrder {
			t.Errorf("amount %.30s: %+v, %+v, %v", amount, read.Notices, refusal, err)
		}
	}
	for amount, want := range map[string]string{"1": "0.01 CNY", "999999999999999": "9999999999999.99 CNY"} {
		if n := mustRead(t, c, eventOf("checkout.session.completed", sessionOf(`"amount_total":`+amount))); n[0].Amount.String() != want {
			t.Errorf("amount %s is %s", amount, n[0].Amount)
		}
	}
}

// TestWhole: the grammar of counts and times.
func TestWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "7": 7, "-7": -7, "999999999999999": 999999999999999, "-999999999999999": -999999999999999} {
		if n, ok := whole(text); !ok || n != want {
			t.Errorf("%s = %d, %t", text, n, ok)
		}
	}
	for _, text := range []string{"", "-", "-0", "00", "01", "-01", "+1", "1 ", " 1", "1e3", "1.0", "1000000000000000", "١", "--1", "0x1", "1_0"} {
		if n, ok := whole(text); ok {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// TestNamelessAndNegative: refunds and disputes of nothing, of less than
// nothing or without their numbers are no messages of Stripe's.
func TestNamelessAndNegative(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, object := range []string{
		`{"object":"refund","id":"re_1","amount":300,"currency":"cny","status":"succeeded"}`,
		`{"object":"refund","amount":300,"currency":"cny","status":"succeeded","charge":"ch_1"}`,
		`{"object":"refund","id":"re_1","amount":-300,"currency":"cny","status":"pending","charge":"ch_1"}`,
		`{"object":"refund","id":"re_1","amount":0,"currency":"cny","status":"succeeded","charge":"ch_1"}`,
		`{"object":"dispute","id":"du_1","amount":300,"currency":"cny","status":"lost"}`,
		`{"object":"dispute","id":"du_1","amount":-300,"currency":"cny","status":"lost","charge":"ch_1"}`,
		`{"object":"dispute","id":"du_1","amount":0,"currency":"jpy","status":"won","charge":"ch_1","balance_transactions":[{"amount":5,"fee":0,"currency":"usd"}]}`,
		`{"object":"payment_intent","id":"pi_1","amount":-1,"currency":"cny","status":"processing"}`,
	} {
		if read, refusal, err := c.Read(signed(eventOf("x", object))); err == nil || refusal.Reason != domain.ReasonUnreadable {
			t.Errorf("%s: %+v, %v", object, read.Notices, err)
		}
	}
}

// TestSpelling: names are matched exactly, whatever looks like one.
func TestSpelling(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, name := range []string{"Amount_Total", "amount_total ", "amount-total", "amount_total[]", "аmount_total", "amount_tota\u217c"} {
		body := eventOf("checkout.session.completed", strings.Replace(sessionOf(), `"amount_total"`, `"`+name+`"`, 1))
		if _, refusal, err := c.Read(signed(body)); err == nil || refusal.Reason != domain.ReasonUnreadable {
			t.Errorf("%s is taken for amount_total: %v", name, err)
		}
	}
	escaped := strings.Replace(sessionOf(), `"amount_total"`, `"amount\u005ftotal"`, 1)
	if n := mustRead(t, c, eventOf("checkout.session.completed", escaped)); n[0].Amount.Minor() != 1000 {
		t.Errorf("an escaped name is another: %+v", n)
	}
}

// TestOrderNumbers: any text is the order number as it stands, compared as
// bytes later; nothing is trimmed, folded or normalised.
func TestOrderNumbers(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, no := range []string{"A1", " A1", "a1", "Ａ1", "e\u0301", "\u00e9", "A1\u200b", "x&out_trade_no=VICTIM", strings.Repeat("9", 500)} {
		n := mustRead(t, c, eventOf("checkout.session.completed", sessionOf(`"client_reference_id":"`+no+`"`)))
		if n[0].OrderNo != no {
			t.Errorf("%q became %q", no, n[0].OrderNo)
		}
	}
}

// TestAccountRule: the account comes from the configured key alone, and only
// where it is one.
func TestAccountRule(t *testing.T) {
	t.Parallel()
	none := config()
	none.AccountFrom = ""
	for metadata, want := range map[string]domain.AccountID{
		`{"account":"user:7"}`: "user:7", `{"Account":"user:7"}`: "", `{"account":"user 7"}`: "", `{"account":7}`: "", `{}`: "", `null`: "",
		`{"account":"user:7","Account":"user:8"}`: "", // twins: nothing of it is trusted
	} {
		object := strings.TrimSuffix(sessionOf(), "}") + `,"metadata":` + metadata + "}"
		body := eventOf("checkout.session.completed", object)
		if n := mustRead(t, newChannel(t, config()), body); n[0].Account != want {
			t.Errorf("%s names %q, want %q", metadata, n[0].Account, want)
		}
		if n := mustRead(t, newChannel(t, none), body); n[0].Account != "" {
			t.Errorf("%s names %q without a rule", metadata, n[0].Account)
		}
	}
}

// TestReplays: the same message again is read the same, and one that was kept
// for years is refused as stale, not as forged.
func TestReplays(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	first, _, err := c.Read(request(vectorBody, vectorSignature))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		again, _, err := c.Read(request(vectorBody, vectorSignature))
		if err != nil || !providers.SameContent(first.Notices[0], again.Notices[0]) {
			t.Fatalf("copy %d: %+v, %v", i, again.Notices, err)
		}
	}
	late := request(vectorBody, vectorSignature)
	late.ReceivedAt = testNow.AddDate(3, 0, 0)
	if _, refusal, err := c.Read(late); refusal.Reason != domain.ReasonStale || refusal.OrderNo != sampleOrder {
		t.Errorf("after three years: %+v, %v", refusal, err)
	}
	if again, err := c.Reverify(first.Evidence); err != nil || !providers.SameContent(first.Notices[0], again[0]) {
		t.Errorf("evidence: %+v, %v", again, err)
	}
}

// TestPackedBody: the signature is over the bytes on the wire; nothing is
// unpacked for anybody.
func TestPackedBody(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, vectorBody)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := newChannel(t, config())
	for _, signature := range []string{vectorSignature, Sign(packed.Bytes(), sampleSecret, testNow)} {
		r := request(packed.String(), signature)
		r.Header.Set("Content-Encoding", "gzip")
		if read, _, err := c.Read(r); err == nil {
			t.Errorf("unpacked: %+v", read.Notices)
		}
	}
}

// TestBounds: long, deep and wide messages end early.
func TestBounds(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for name, s := range map[string]struct {
		body   string
		reason domain.Reason
	}{
		"long": {strings.Repeat(" ", limit+1), domain.ReasonTooLarge},
		"deep": {strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001), domain.ReasonUnreadable},
		"list": {strings.Repeat("[", 100_000), domain.ReasonUnreadable},
	} {
		began := time.Now()
		if _, refusal, err := c.Read(signed(s.body)); err == nil || refusal.Reason != s.reason {
			t.Errorf("%s: %+v, %v", name, refusal, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	var wide strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&wide, `,"m%d":%d`, i, i)
	}
	body := eventOf("checkout.session.completed", strings.TrimSuffix(sessionOf(), "}")+wide.String()+"}")
	if n := mustRead(t, c, body); n[0].Status != domain.StatusPaid {
		t.Errorf("wide: %+v", n)
	}
}

// TestRefundToldTwice: the refund's own event and the sum of charge.refunded, in
// any order and number: only what has an id and no doubt may book, once.
func TestRefundToldTwice(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	refund := func(id string, amount int) string {
		return eventOf("refund.created", fmt.Sprintf(`{"id":%q,"object":"refund","amount":%d,"currency":"cny","payment_intent":"pi_1","status":"succeeded"}`, id, amount))
	}
	sum := func(amount int) string {
		return eventOf("charge.refunded", fmt.Sprintf(`{"id":"ch_1","object":"charge","amount_refunded":%d,"currency":"cny","payment_intent":"pi_1"}`, amount))
	}
	for _, order := range [][]string{
		{refund("re_1", 300), sum(300), refund("re_2", 700), sum(1000)},
		{sum(300), refund("re_1", 300), sum(1000), refund("re_2", 700), refund("re_1", 300)},
		{sum(1000), sum(300), refund("re_2", 700), refund("re_2", 700), refund("re_1", 300)},
	} {
		booked := map[string]int64{}
		for _, body := range order {
			for _, n := range mustRead(t, c, body) {
				if n.Total != (len(n.Doubts) > 0) || n.Total == (n.RefundID != "") || n.TradeNo != "pi_1" {
					t.Errorf("notice %+v", n)
				}
				if len(n.Doubts) == 0 {
					booked[n.RefundID] = n.Amount.Minor()
				}
			}
		}
		if len(booked) != 2 || booked["re_1"]+booked["re_2"] != 1000 {
			t.Errorf("booked %v", booked)
		}
	}
}

// TestDisputeWhateverComesFirst: every event of a dispute tells all that moved
// so far, so that none of them must come first.
func TestDisputeWhateverComesFirst(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	took := `{"amount":-1000,"fee":1500,"currency":"cny","created":1771100001}`
	back := `{"amount":1000,"fee":0,"currency":"cny","created":1771200001}`
	dispute := func(status string, moved ...string) string {
		return fmt.Sprintf(`{"id":"du_1","object":"dispute","amount":1000,"currency":"cny","payment_intent":"pi_1","status":%q,"balance_transactions":[%s]}`,
			status, strings.Join(moved, ","))
	}
	for _, s := range []struct {
		object, want string
	}{
		{dispute("needs_response"), "opened"},
		{dispute("needs_response", took), "withdrawn"},
		{dispute("won", took), "withdrawn"},
		{dispute("won", back, took), "withdrawn reinstated"},
		{dispute("won", took, back), "withdrawn reinstated"},
		{dispute("won", strings.Replace(back, "1771200001", "1771100001", 1), took), "withdrawn reinstated"},
		{dispute("lost", took), "withdrawn lost"},
		{dispute("lost"), "opened"},
		{dispute("lost", took, back), "withdrawn reinstated"},
	} {
		for _, kind := range []string{"created", "updated", "closed", "funds_withdrawn", "funds_reinstated"} {
			var got []string
			for i, n := range mustRead(t, c, eventOf("charge.dispute."+kind, s.object)) {
				if n.Index != i || n.DisputeID != "du_1" || n.TradeNo != "pi_1" || n.Amount.Minor() != 1000 || n.OrderNo != "" {
					t.Errorf("notice %+v", n)
				}
				got = append(got, string(n.Status))
			}
			if strings.Join(got, " ") != s.want {
				t.Errorf("%s of %s: %v, want %s", kind, s.object, got, s.want)
			}
		}
	}
	for _, moved := range []string{
		`{"amount":0,"fee":0,"currency":"cny"}`, `{"amount":"-1000","fee":0,"currency":"cny"}`, `{"amount":-1e3,"fee":0,"currency":"cny"}`,
		`{"amount":-1000,"fee":null,"currency":"cny"}`, `{"amount":-1000,"fee":0,"currency":"xyz"}`,
	} {
		if _, refusal, err := c.Read(signed(eventOf("charge.dispute.created", dispute("needs_response", moved)))); err == nil || refusal.Reason != domain.ReasonUnreadable {
			t.Errorf("%s: %v", moved, err)
		}
	}
}
