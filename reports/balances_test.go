package reports

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// What a bill said of the balance, and what our book of it held, stand in every
// form of the report; a bill that states none has no table.
func TestReportTellsBalances(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.at = time.Date(2026, 10, 3, 9, 0, 0, 0, shanghai)
	for i, b := range []domain.BillBalance{
		{Currency: domain.CNY, Opening: cny(100), In: cny(730), Out: cny(34), Closing: cny(796), Held: true},
		{
			Currency: domain.CNY, Opening: cny(100), In: cny(730), Out: cny(34), Closing: cny(796), Held: true, Book: cny(1_234_566), Before: cny(-70),
			Parts: []domain.BalancePart{{What: domain.PartRefund, Bill: cny(-30), Book: cny(5)}},
		},
	} {
		a.put(domain.ReconciliationStream("wx", "2026-10-02"), domain.ReconciliationCompared{
			Run: []string{"bill-1", "bill-2"}[i], Channel: "wx", Day: "2026-10-02", Bill: "fund_flow", Import: i + 1, SHA256: "ab", Balances: []domain.BillBalance{b},
		})
	}
	r := a.report(t, october, nil)
	sheet, err := r.Sheet("Balances")
	if err != nil || len(sheet.Rows) != 2 {
		t.Fatalf("%+v, %v", sheet, err)
	}
	if row := sheet.Rows[0]; row[9] != cny(0) || row[10] != cny(796) {
		t.Errorf("a book that held nothing: %v", row)
	}
	row := sheet.Rows[1]
	if row[8] != cny(796) || row[9] != cny(1_234_566) || row[10] != cny(-1_233_770) || row[11] != cny(-70) || row[12] != "refund -0.30 / 0.05" {
		t.Errorf("%v", row)
	}
	var page, plain bytes.Buffer
	if err := r.HTML(&page, LangBoth); err != nil || strings.Count(page.String(), "渠道余额") != 1 || !strings.Contains(page.String(), "12,345.66") ||
		!strings.Contains(page.String(), "12,337.70") || !strings.Contains(page.String(), "退款") || !strings.Contains(page.String(), " −0.30 / 0.05</td>") {
		t.Errorf("%v\n%s", err, page.String())
	}
	if err := theMonth(2).report(t, october, nil).HTML(&plain, LangBoth); err != nil || strings.Contains(plain.String(), "渠道余额") {
		t.Errorf("a table without a balance, %v", err)
	}
	data, err := json.Marshal(r.Runs[1].Balances)
	if err != nil || !strings.Contains(string(data), `"held":true,"book":{"amount":"12345.66","currency":"CNY"},"before":{"amount":"-0.70","currency":"CNY"},"parts":[{"what":"refund"`) {
		t.Errorf("%s, %v", data, err)
	}
}
