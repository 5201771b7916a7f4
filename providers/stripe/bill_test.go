package stripe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/google/go-cmp/cmp"
)

const billDay = domain.Day("2026-02-14")

// transaction is a row of the list, with white space as Stripe writes it.
func transaction(i int, at int64, kind string, amount, fee int64, more string) string {
	return fmt.Sprintf("{\n  \"id\": \"txn_%05d\",\n  \"object\": \"balance_transaction\",\n  \"amount\": %d,\n  \"created\": %d,\n"+
		"  \"currency\": \"cny\",\n  \"description\": \"for Wang Xiaoming\",\n  \"exchange_rate\": null,\n  \"fee\": %d,\n  \"net\": %d,\n  \"type\": %q%s\n}",
		i, amount, at, fee, amount-fee, kind, more)
}

func source(text string) string { return ",\n  \"source\": " + text }

const chargeSource = `{"id":"ch_3","object":"charge","amount":1000,"amount_captured":1000,"billing_details":{"email":"buyer@example.com"},` +
	`"currency":"cny","metadata":{"order_no":"20260214100000001","account":"user:7","vip":"Wang"},"payment_intent":"pi_3Test","status":"succeeded"}`

func question(day domain.Day) providers.BillQuestion {
	return providers.BillQuestion{Kind: providers.BillFunds, Day: day, At: testNow.AddDate(1, 0, 0)}
}

func fetch(t *testing.T, a *api, change func(*Config)) (*Channel, providers.BillFile, string) {
	t.Helper()
	c := asking(t, a, change)
	var bill bytes.Buffer
	f, err := c.FetchBill(t.Context(), question(billDay), &bill)
	if err != nil {
		t.Fatal(err)
	}
	return c, f, bill.String()
}

func readAll(c *Channel, f providers.BillFile, bill string) (lines []domain.BillLine, err error) {
	for line, err := range c.ReadBill(strings.NewReader(bill), f) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// TestBill: one line for each transaction of the day, the oldest first, without
// what is personal, and each is what its type and source say.
func TestBill(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	disputed := `{"id":"du_1","object":"dispute","amount":1000,"currency":"cny","payment_intent":"pi_3Test","charge":"ch_3"}`
	refunded := `{"id":"re_1","object":"refund","amount":300,"currency":"cny","payment_intent":"pi_3Test","charge":"ch_3","metadata":{"refund_no":"R-7"}}`
	a := &api{list: pathTransactions, rows: []string{
		transaction(0, start-1, "charge", 9, 0, source(`"ch_0"`)),
		transaction(1, start, "charge", 1000, 37, source(chargeSource)),
		transaction(2, start+1, "payment", 500, 0, source(`"py_9"`)),
		transaction(3, start+2, "refund", -300, 0, source(refunded)),
		transaction(4, start+3, "payment_refund", -500, 5, source(`"pyr_1"`)),
		transaction(5, start+4, "refund_failure", 300, 0, source(refunded)),
		transaction(6, start+5, "payment_failure_refund", -500, 0, source(`"py_9"`)),
		transaction(7, start+6, "adjustment", -1000, 1500, `,"reporting_category":"dispute"`+source(disputed)),
		transaction(8, start+7, "adjustment", 1000, -1500, source(disputed)),
		transaction(9, start+8, "adjustment", 12, 0, `,"reporting_category":"other_adjustment","source":null`),
		transaction(10, start+9, "payout", -700, 0, source(`{"id":"po_1","object":"payout","amount":700,"currency":"cny"}`)),
		transaction(11, start+10, "payout_failure", 700, 0, source(`"po_1"`)),
		transaction(12, start+11, "payout_cancel", 700, 0, source(`"po_1"`)),
		transaction(13, start+12, "stripe_fee", -200, 0, ""),
		transaction(14, start+13, "stripe_fee", 50, 0, ""),
		transaction(15, start+14, "reserve_transaction", -77, 0, ""),
		transaction(16, start+86399, "charge", -5, 0, source(`"ch_5"`)),
		transaction(17, start+86400, "charge", 9, 0, source(`"ch_6"`)),
	}}
	c, f, bill := fetch(t, a, nil)
	if f.Empty || !f.Final || f.Question.Day != billDay || strings.Count(bill, "\n") != 17 || strings.Contains(bill, "\n ") {
		t.Errorf("file %+v:\n%s", f, bill)
	}
	for _, private := range []string{"buyer@example.com", "Wang"} {
		if strings.Contains(bill, private) {
			t.Errorf("the bill holds %s", private)
		}
	}
	if a.bills()[0] != fmt.Sprintf("/v1/balance_transactions?created[gte]=%d&created[lt]=%d&expand[]=data.source&limit=100", start, start+86400) {
		t.Errorf("asked %s", a.bills()[0])
	}
	lines, err := readAll(c, f, bill)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%d %s %s %s fee %s net %s %s %s %s %s %s %s %s", l.Row, l.ID, l.Kind, l.Amount, l.Fee, l.Net, l.Status,
			l.TradeNo, l.OrderNo, l.RefundID, l.DisputeID, l.PayoutID, l.Account)))
	}
	want := []string{
		"1 txn_00001 payment 10.00 CNY fee 0.37 net 9.63 CNY paid pi_3Test 20260214100000001    user:7",
		"2 txn_00002 payment 5.00 CNY fee 0 net 5.00 CNY paid py_9",
		"3 txn_00003 refund 3.00 CNY fee 0 net -3.00 CNY succeeded pi_3Test  re_1",
		"4 txn_00004 refund 5.00 CNY fee 0.05 net -5.05 CNY succeeded   pyr_1",
		"5 txn_00005 refund_failed 3.00 CNY fee 0 net 3.00 CNY failed pi_3Test  re_1",
		"6 txn_00006 refund 5.00 CNY fee 0 net -5.00 CNY succeeded   py_9",
		"7 txn_00007 dispute_withdrawn 10.00 CNY fee 15 net -25.00 CNY withdrawn pi_3Test   du_1",
		"8 txn_00008 dispute_reinstated 10.00 CNY fee -15 net 25.00 CNY reinstated pi_3Test   du_1",
		"9 txn_00009 other 0.12 CNY fee 0 net 0.12 CNY",
		"10 txn_00010 payout 7.00 CNY fee 0 net -7.00 CNY      po_1",
		"11 txn_00011 payout_failed 7.00 CNY fee 0 net 7.00 CNY      po_1",
		"12 txn_00012 payout_failed 7.00 CNY fee 0 net 7.00 CNY      po_1",
		"13 txn_00013 fee 2.00 CNY fee 2 net -2.00 CNY",
		"14 txn_00014 fee 0.50 CNY fee -0.5 net 0.50 CNY",
		"15 txn_00015 other -0.77 CNY fee 0 net -0.77 CNY",
		"16 txn_00016 other -0.05 CNY fee 0 net -0.05 CNY",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if lines[2].RefundNo != "R-7" || lines[0].FeeCurrency != domain.CNY || lines[0].At.Unix() != start || lines[13].ProviderStatus != "stripe_fee" {
		t.Errorf("lines %+v", lines)
	}
}

// TestBillOtherBalance: the payment in yen, the balance in dollars.
func TestBillOtherBalance(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	row := strings.NewReplacer(`"cny"`, `"usd"`, `"exchange_rate": null`, `"exchange_rate": 0.0064`).Replace(
		transaction(1, start, "charge", 640, 49, "")) // source is added below, in its own currency
	row = strings.TrimSuffix(row, "\n}") + source(`{"id":"ch_1","object":"charge","amount":2000,"amount_captured":1000,"currency":"jpy","payment_intent":"pi_1"}`) + "}"
	c, f, bill := fetch(t, &api{list: pathTransactions, rows: []string{row}}, nil)
	lines, err := readAll(c, f, bill)
	if err != nil || len(lines) != 1 {
		t.Fatalf("%+v, %v", lines, err)
	}
	l := lines[0]
	if l.Amount.String() != "1000 JPY" || l.Net.String() != "5.91 USD" || l.Fee.String() != "0.49" || l.FeeCurrency != domain.USD || l.TradeNo != "pi_1" {
		t.Errorf("line %+v", l)
	}
	if !strings.Contains(bill, `"exchange_rate":0.0064`) {
		t.Errorf("the rate is lost: %s", bill)
	}
}

// TestBillPages: a long day in another zone, over many pages; rows that come
// while it is read, behind and before the page at hand, change nothing of it.
func TestBillPages(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	start := billDay.Start(zone).Unix()
	a := &api{list: pathTransactions}
	for i := range 1500 {
		at := start + int64(i)*57
		if i >= 700 && i < 950 {
			at = start + 700*57 // 250 in one second
		}
		a.rows = append(a.rows, transaction(i, at, "charge", 1000, 0, source(fmt.Sprintf(`"ch_%d"`, i))))
	}
	n := 0
	a.before = func(string) { // the list grows at its end, which is another day
		a.mu.Lock()
		defer a.mu.Unlock()
		n++
		a.rows = append(a.rows, transaction(90000+n, start+86400+int64(n), "charge", 1, 0, ""))
	}
	c, f, bill := fetch(t, a, func(c *Config) { c.Zone = "Asia/Shanghai" })
	lines, err := readAll(c, f, bill)
	if err != nil || len(lines) != 1500 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, l := range lines {
		if want := fmt.Sprintf("txn_%05d", i); l.ID != want || l.Row != i+1 {
			t.Fatalf("line %d is %s", i, l.ID)
		}
	}
	if pages := len(a.bills()); pages > 90 {
		t.Errorf("%d pages for 1500 rows", pages)
	}
	// Only the second with 250 rows is held whole: the rest is asked for in
	// pieces of time, whose pages do not move.
	behind := 0
	for _, target := range a.bills() {
		if strings.Contains(target, "starting_after") {
			behind++
		}
	}
	if behind != 2 {
		t.Errorf("%d pages by cursor", behind)
	}
}

func TestBillEmptyAndNotReady(t *testing.T) {
	t.Parallel()
	c, f, bill := fetch(t, &api{list: pathTransactions}, nil)
	if lines, err := readAll(c, f, bill); !f.Empty || bill != "" || len(lines) != 0 || err != nil {
		t.Errorf("empty day: %+v, %q, %v", f, bill, err)
	}
	ready := c.BillReady(billDay)
	if want := time.Date(2026, 2, 15, 2, 0, 0, 0, time.UTC); !ready.Equal(want) {
		t.Errorf("ready at %s", ready)
	}
	for _, s := range []struct {
		change func(*providers.BillQuestion)
		kind   domain.Kind
	}{
		{func(q *providers.BillQuestion) { q.At = ready.Add(-time.Second) }, domain.KindNotFound},
		{func(q *providers.BillQuestion) { q.Kind = providers.BillTrade }, domain.KindInvalid},
		{func(q *providers.BillQuestion) { q.Day = "2026-2-14" }, domain.KindInvalid},
	} {
		q := question(billDay)
		s.change(&q)
		if _, err := c.FetchBill(t.Context(), q, io.Discard); domain.KindOf(err) != s.kind {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestBillTrouble: a page that fails for good, and a disk that is full.
func TestBillTrouble(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	broken := &api{answers: map[string]string{pathTransactions: "<html>"}}
	if _, err := asking(t, broken, nil).FetchBill(t.Context(), question(billDay), io.Discard); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("broken: %v", err)
	}
	if asked := len(broken.bills()); asked != tries {
		t.Errorf("asked %d times", asked)
	}
	full := asking(t, &api{list: pathTransactions, rows: []string{transaction(1, start, "charge", 1, 0, "")}}, nil)
	if _, err := full.FetchBill(t.Context(), question(billDay), fullDisk{}); domain.KindOf(err) != domain.KindInternal {
		t.Errorf("full disk: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestBillCorrupt: whatever is wrong with a bill is found, and ends it.
func TestBillCorrupt(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	var rows []string
	for i := range 3 {
		rows = append(rows, transaction(i, start+int64(i), "charge", 1000, 37, source(chargeSource)))
	}
	c, f, bill := fetch(t, &api{list: pathTransactions, rows: rows}, nil)
	lines := strings.SplitAfter(bill, "\n")
	for name, text := range map[string]string{
		"cut":           bill[:len(bill)/2],
		"no end":        strings.Join(lines[:3], ""),
		"row missing":   lines[0] + lines[1] + lines[3],
		"row twice":     lines[0] + lines[0] + lines[1] + lines[2] + lines[3],
		"turned":        lines[1] + lines[0] + lines[2] + lines[3],
		"behind end":    bill + lines[0],
		"two ends":      bill + lines[3],
		"empty":         "",
		"blank line":    "\n" + bill,
		"page":          "<html>\n",
		"other day":     strings.ReplaceAll(bill, string(billDay), "2026-02-13"),
		"other mode":    strings.Replace(bill, `"livemode":false`, `"livemode":true`, 1),
		"other account": strings.Replace(bill, `"account":""`, `"account":"acct_1"`, 1),
		"end unknown":   strings.Replace(bill, `"rows":3`, `"rows":3,"sum":1`, 1),
		"time":          strings.Replace(bill, fmt.Sprint(start), fmt.Sprint(start-1), 1),
		"net":           strings.Replace(bill, `"net":963`, `"net":964`, 1),
		"exponent":      strings.Replace(bill, `"amount":1000`, `"amount":1e3`, 1),
		"currency":      strings.Replace(bill, `"currency":"cny"`, `"currency":"xyz"`, 1),
		"duplicate":     strings.Replace(bill, `"fee":37`, `"fee":37,"Fee":0`, 1),
		"no id":         strings.Replace(bill, `"id":"txn_00000"`, `"id":null`, 1),
		"long line":     `{"object":"` + strings.Repeat("x", maxLine) + `"}` + "\n" + bill,
	} {
		if got, err := readAll(c, f, text); domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(fmt.Sprint(err), "row ") {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
	if got, err := readAll(c, f, bill); err != nil || len(got) != 3 {
		t.Errorf("whole: %d lines, %v", len(got), err)
	}
}

// TestBillUnits: counts of currencies with no, two and three digits, and of
// those that Stripe counts in another way than everybody.
func TestBillUnits(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	var rows, want []string
	for i, s := range []struct{ code, amount, fee string }{
		{"jpy", "1000 JPY", "37"},
		{"krw", "1000 KRW", "37"},
		{"usd", "10.00 USD", "0.37"},
		{"kwd", "1.000 KWD", "0.037"},
		{"isk", "10 ISK", "0"},
		{"ugx", "10 UGX", "0"},
		{"mga", "1000.00 MGA", "37"},
		{"huf", "10.00 HUF", "0.37"},
	} {
		row := transaction(i, start+int64(i), "charge", 1000, 37, "")
		if s.fee == "0" { // a part below the unit has no form, so that none is charged
			row = transaction(i, start+int64(i), "charge", 1000, 0, "")
		}
		rows = append(rows, strings.Replace(row, `"cny"`, `"`+s.code+`"`, 1))
		want = append(want, s.amount+" fee "+s.fee)
	}
	c, f, bill := fetch(t, &api{list: pathTransactions, rows: rows}, nil)
	lines, err := readAll(c, f, bill)
	var got []string
	for _, l := range lines {
		got = append(got, l.Amount.String()+" fee "+l.Fee.String())
		if l.FeeCurrency != l.Amount.Currency() || l.Net.Currency() != l.FeeCurrency {
			t.Errorf("%+v", l)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, lines (-want +got):\n%s", err, diff)
	}
}

// TestBillAmounts: no column of a bill takes what is no plain count.
func TestBillAmounts(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	c, f, bill := fetch(t, &api{list: pathTransactions, rows: []string{transaction(1, start, "charge", 1000, 37, "")}}, nil)
	for _, amount := range []string{
		"1e9", "1E+2", "0x10", "NaN", "Inf", "1.005", "1.0", "-0", "+1", "00012", "1_0", "1,000", "\u0661\u0662", "\uff11", `"1000"`, "null", "true", "[1]", "{}",
		"9223372036854775808", "1000000000000000",
	} {
		for column, good := range map[string]string{"amount": "1000", "fee": "37", "net": "963", "created": fmt.Sprint(start)} {
			text := strings.Replace(bill, `"`+column+`":`+good, `"`+column+`":`+amount, 1)
			lines, err := readAll(c, f, text)
			if text == bill || domain.KindOf(err) != domain.KindCorrupt || len(lines) > 0 || !strings.Contains(err.Error(), "row 1") {
				t.Errorf("%s %s: %+v, %v", column, amount, lines, err)
			}
		}
	}
}

// TestBillRoundAndRound: a list that leads nowhere is left soon.
func TestBillRoundAndRound(t *testing.T) {
	t.Parallel()
	start := billDay.Start(time.UTC).Unix()
	for name, at := range map[string]int64{"in the day": start + 7, "out of it": start - 1} {
		always := fmt.Sprintf(`{"object":"list","has_more":true,"data":[%s]}`, transaction(1, at, "charge", 1000, 37, ""))
		a := &api{answers: map[string]string{pathTransactions: always}}
		if _, err := asking(t, a, nil).FetchBill(t.Context(), question(billDay), io.Discard); domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("%s: %v", name, err)
		}
		if asked := len(a.bills()); asked > 30 {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
}

// TestBillMemory: a long bill needs no more memory than a short one.
func TestBillMemory(t *testing.T) { //nolint:paralleltest // it looks at the heap of the whole process
	const rows = 60_000
	start := billDay.Start(time.UTC).Unix()
	c := newChannel(t, config())
	pr, pw := io.Pipe()
	go func() {
		for i := range rows {
			line, err := c.line(mustObject(transaction(i, start+int64(i), "charge", 1000, 37, source(chargeSource))), "po_1")
			if err != nil {
				t.Error(err)
			}
			pw.Write(append(line, '\n'))
		}
		b := biller{c: c, w: pw, rows: rows}
		pw.CloseWithError(b.end(billDay))
	}()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	count := 0
	for l, err := range c.ReadBill(pr, providers.BillFile{Question: question(billDay)}) {
		if err != nil || l.PayoutID != "po_1" {
			t.Fatalf("%+v, %v", l, err)
		}
		if count++; count%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Fatalf("%d bytes held after %d rows", grown, count)
			}
		}
	}
	if count != rows {
		t.Errorf("%d rows", count)
	}
}
