package alipay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryTypeIsRecorded: every word of trade_status, with and without what
// tells of refunds and of time, and every field by which notices differ, has a
// recorded request.
func TestEveryTypeIsRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	var all []Params
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "trade_status=") {
				continue
			}
			if fields, err := scan(strings.TrimSpace(line), nil); err == nil {
				all = append(all, fields)
			}
		}
	}
	for _, want := range []struct {
		status  string
		with    string
		without string
	}{
		{"WAIT_BUYER_PAY", "", "gmt_payment refund_fee"},
		{"TRADE_SUCCESS", "gmt_payment", "refund_fee"},
		{"TRADE_SUCCESS", "gmt_payment refund_fee gmt_refund out_biz_no", ""},
		{"TRADE_SUCCESS", "refund_fee", "out_biz_no"},
		{"TRADE_FINISHED", "gmt_payment", "refund_fee"},
		{"TRADE_FINISHED", "refund_fee", ""},
		{"TRADE_CLOSED", "", "gmt_payment refund_fee"},
		{"TRADE_CLOSED", "gmt_payment refund_fee", ""},
		{"TRADE_CLOSED", "gmt_payment", "refund_fee"},
		{"TRADE_SUCCESS", "passback_params", ""},
		{"TRADE_SUCCESS", "voucher_detail_list", ""},
		{"TRADE_SUCCESS", "alipay_cert_sn", ""},
		{"TRADE_SUCCESS", "buyer_open_id", "buyer_id"},
		{"TRADE_SUCCESS", "trans_currency", ""},
		{"TRADE_SUCCESS", "mdiscount_amount", ""},
	} {
		if !anyHas(all, want.status, strings.Fields(want.with), strings.Fields(want.without)) {
			t.Errorf("no recorded request has %+v", want)
		}
	}
}

func anyHas(all []Params, status string, with, without []string) bool {
	for _, fields := range all {
		fits := fields.Value(fieldTradeStatus) == status
		for _, name := range with {
			fits = fits && fields.Value(name) != ""
		}
		for _, name := range without {
			fits = fits && fields.Value(name) == ""
		}
		if fits {
			return true
		}
	}
	return false
}
