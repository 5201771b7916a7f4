package stripe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded are the requests of all fixtures, one text.
func recorded(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestEveryTypeIsRecorded: the events that Stripe documents for payments,
// refunds, disputes and payouts, and the states of disputes, refunds and
// sessions, each have a recorded request.
func TestEveryTypeIsRecorded(t *testing.T) {
	t.Parallel()
	all := recorded(t)
	for prefix, names := range map[string]string{
		`"type":"checkout.session.`: "completed async_payment_succeeded async_payment_failed expired",
		`"type":"payment_intent.`:   "created succeeded payment_failed processing canceled amount_capturable_updated requires_action partially_funded",
		`"type":"charge.`:           "succeeded failed captured pending updated expired refunded refund.updated",
		`"type":"refund.`:           "created updated failed",
		`"type":"charge.dispute.`:   "created updated closed funds_withdrawn funds_reinstated",
		`"type":"payout.`:           "created updated paid failed canceled reconciliation_completed",
		`"type":"balance.`:          "available",
		`"object":"`:                "v2.core.event",
		`"payment_status":"`:        "paid unpaid no_payment_required",
		`"status":"`: "warning_needs_response warning_under_review warning_closed needs_response under_review won lost prevented " +
			"pending requires_action succeeded failed canceled",
		`"currency":"`: "jpy kwd isk mga",
	} {
		for _, name := range strings.Fields(names) {
			if want := prefix + name + `"`; !strings.Contains(all, want) {
				t.Errorf("no recorded request has %s", want)
			}
		}
	}
}
