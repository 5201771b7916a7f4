package stripe

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// eventRow is an undelivered event of a second.
func eventRow(i int, at int64, kind, object string) string {
	return fmt.Sprintf(`{"id":"evt_%05d","object":"event","created":%d,"livemode":false,"type":%q,"data":{"object":%s}}`, i, at, kind, object)
}

func collect(t *testing.T, c *Channel, after string) (answers []providers.Answer, errs []error) {
	t.Helper()
	for a, err := range c.Missed(t.Context(), after, testNow) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if again, err := c.Reverify(a.Evidence); err != nil || len(again) != 1+len(a.Also) || !providers.SameContent(again[0], a.Notice) {
			t.Errorf("%s from its evidence: %+v, %v", a.Cursor, again, err)
		}
		answers = append(answers, a)
	}
	return answers, errs
}

// TestMissed: everything of 30 days, the oldest first, over many pages, some
// with more events in one second than a page holds; and on from a cursor.
func TestMissed(t *testing.T) {
	t.Parallel()
	a := &api{list: pathEvents}
	base := testNow.Unix() - 20*24*3600
	for i := range 700 {
		at := base + int64(i/250)*3600
		a.rows = append(a.rows, eventRow(i, at, "checkout.session.completed", sessionOf(fmt.Sprintf(`"payment_intent":"pi_%d"`, i))))
	}
	old := eventRow(99999, testNow.Unix()-31*24*3600, "checkout.session.completed", sessionOf())
	a.rows = slices.Insert(a.rows, 0, old)
	c := asking(t, a, nil)
	for after, first := range map[string]int{"": 0, "evt_00349": 350, "evt_00699": 700, "evt_gone": 0, "no id": 0} {
		got, errs := collect(t, c, after)
		if len(errs) > 0 || len(got) != 700-first {
			t.Errorf("after %q: %d answers, %v", after, len(got), errs)
			continue
		}
		for i, x := range got {
			if want := fmt.Sprintf("evt_%05d", first+i); x.Cursor != want || x.Notice.TradeNo != fmt.Sprintf("pi_%d", first+i) ||
				x.Notice.Status != domain.StatusPaid || x.Notice.Source != domain.SourceQuery || x.Notice.ReceivedAt.IsZero() {
				t.Fatalf("answer %d: %+v, want %s", i, x, want)
			}
		}
	}
	for _, target := range a.asked {
		if !strings.Contains(target, "delivery_success=false") || !strings.Contains(target, "limit=100") {
			t.Errorf("asked %s", target)
		}
	}
}

// TestMissedIsPositive: an old snapshot proves money that moved, not that it had
// not yet.
func TestMissedIsPositive(t *testing.T) {
	t.Parallel()
	at := testNow.Unix() - 100
	a := &api{list: pathEvents, rows: []string{
		eventRow(1, at, "payment_intent.created", `{"id":"pi_3Test","object":"payment_intent","amount":1,"currency":"cny","status":"processing"}`),
		eventRow(2, at, "checkout.session.expired", sessionOf(`"payment_status":"unpaid"`, `"status":"expired"`)),
		eventRow(3, at, "refund.created", strings.Replace(refundText, "succeeded", "pending", 1)),
		eventRow(4, at, "refund.failed", strings.Replace(refundText, "succeeded", "failed", 1)),
		eventRow(5, at, "checkout.session.completed", sessionOf(`"amount_total":1e3`)),
		eventRow(6, at, "balance.available", `{"object":"balance"}`),
		eventRow(7, at, "charge.refunded", `{"id":"ch_3","object":"charge","amount_refunded":300,"currency":"cny","payment_intent":"pi_3Test"}`),
		eventRow(8, at, "payment_intent.succeeded", strings.Replace(intentText, "order_no", "other", 1)),
	}, answers: map[string]string{"/v1/payment_intents/pi_3Test": intentText}}
	got, errs := collect(t, asking(t, a, nil), "")
	if len(errs) != 1 || domain.KindOf(errs[0]) != domain.KindInvalid || !strings.Contains(errs[0].Error(), "evt_00005") {
		t.Errorf("errors %v", errs)
	}
	told := ""
	for _, x := range got {
		told += fmt.Sprintf("%s %s also %d doubts %d; ", x.Cursor, x.Notice.Status, len(x.Also), len(x.Notice.Doubts))
	}
	if told != "evt_00004 failed also 0 doubts 0; evt_00007 paid also 2 doubts 0; evt_00008 paid also 2 doubts 0; " {
		t.Errorf("told %q", told)
	}
}

// TestMissedTrouble: a page that fails is asked for again a few times; then the
// walk ends with an error.
func TestMissedTrouble(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	a := &api{answers: map[string]string{pathEvents: `{"error":{}}`}, status: map[string]int{pathEvents: http.StatusServiceUnavailable}}
	c := asking(t, a, nil)
	c.wait = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	got, errs := collect(t, c, "")
	if len(got) != 0 || len(errs) != 1 || domain.KindOf(errs[0]) != domain.KindUnavailable || len(a.asked) != tries || len(waits) != tries-1 {
		t.Errorf("%d answers, %v, %d asked, waited %v", len(got), errs, len(a.asked), waits)
	}
	for name, body := range map[string]string{
		"no list":        `{"object":"event","has_more":false,"data":[]}`,
		"no end":         `{"object":"list","data":[]}`,
		"more of none":   `{"object":"list","has_more":true,"data":[]}`,
		"out of order":   `{"object":"list","has_more":false,"data":[` + eventRow(1, testNow.Unix()-9, "x", "{}") + "," + eventRow(2, testNow.Unix()-5, "x", "{}") + `]}`,
		"out of time":    `{"object":"list","has_more":false,"data":[` + eventRow(1, testNow.Unix()+9, "x", "{}") + `]}`,
		"no object":      `{"object":"list","has_more":false,"data":[1]}`,
		"data is nought": `{"object":"list","has_more":false,"data":null}`,
	} {
		a := &api{answers: map[string]string{pathEvents: body}}
		if _, errs := collect(t, asking(t, a, nil), ""); len(errs) != 1 || domain.KindOf(errs[0]) != domain.KindUnavailable {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

// TestMissedStops: whoever has enough ends the walk.
func TestMissedStops(t *testing.T) {
	t.Parallel()
	a := &api{list: pathEvents}
	for i := range 5 {
		a.rows = append(a.rows, eventRow(i, testNow.Unix()-10, "checkout.session.completed", sessionOf()))
	}
	n := 0
	for range asking(t, a, nil).Missed(t.Context(), "", testNow) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d answers", n)
	}
}
