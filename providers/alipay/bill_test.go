package alipay

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const billDay domain.Day = "2026-02-14"

func billOf(kind providers.BillKind) providers.BillFile {
	return providers.BillFile{Question: providers.BillQuestion{Kind: kind, Day: billDay}}
}

// entry is one file of a bill.
type entry struct {
	name string
	text string
	utf8 bool // the name is flagged as UTF-8
}

// zipped is a bill as Alipay packs it: names and texts in GBK, without the flag
// of UTF-8 names.
func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		name := gbk(t, e.name)
		if e.utf8 {
			name = e.name
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, NonUTF8: !e.utf8})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, gbk(t, e.text))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gbk(t testing.TB, text string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	tradeName    = "20881021196858380156_20260214_业务明细.csv"
	tradeHeading = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）," +
		"商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）," +
		"退款批次号/请求号,服务费（元）,分润（元）,备注"
	fundName    = "20881021196858380156_20260214_账务明细.csv"
	fundHeading = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注"
)

func head(what string) string {
	return "#支付宝" + what + "查询\r\n#账号：[20881021196858380156]\r\n" +
		"#起始日期：[2026年02月14日 00:00:00]   终止日期：[2026年02月15日 00:00:00]\r\n" +
		"#-----------------------------------------" + what + "列表----------------------------------------\r\n"
}

func foot(what string, sums ...string) string {
	text := "#-----------------------------------------" + what + "列表结束------------------------------------\r\n"
	for _, s := range sums {
		text += "#" + s + "\r\n"
	}
	return text + "#导出时间：[2026年02月15日 10:12:34]\r\n"
}

// tradeRow is a row of the 25 columns.
func tradeRow(trade, order, kind, goods, amount, received, refundNo, fee string) string {
	return trade + "\t," + order + "\t," + kind + "\t," + goods + "\t,2026-02-14 10:00:00\t,2026-02-14 10:00:05\t,\t,\t,\t,\t,*某(159****5620)\t," +
		amount + "\t," + received + "\t,0.00\t,0.00\t,0.00\t,0.00\t,0.00\t,\t,0.00\t,0.00\t," + refundNo + "\t," + fee + "\t,0.00\t,\t\r\n"
}

func tradeBill(rows, sums string) string {
	return head("业务明细") + tradeHeading + "\r\n" + rows + foot("业务明细", strings.Split(sums, "|")...)
}

const twoSums = "交易合计：2笔，商家实收共14.60元，商家优惠共0.00元|退款合计：1笔，商家实收退款共-4.00元，商家优惠退款共0.00元"

func threeRows() string {
	return tradeRow("2026021422001473037000123456", "20260214100000001", "交易", "测试商品", "10.00", "10.00", "", "-0.06") +
		tradeRow("2026021422001473037000123457", "20260214100000002", "交易", "一,二,三", "4.60", "4.60", "", "-0.03") +
		tradeRow("2026021422001473037000123456", "20260214100000001", "退款", `"带,逗号"`, "-4.00", "-4.00", "R1", "0.02")
}

func readAll(t testing.TB, r io.Reader, f providers.BillFile) ([]domain.BillLine, error) {
	t.Helper()
	return readWith(newChannel(t, testConfig()), r, f)
}

func readWith(c *Channel, r io.Reader, f providers.BillFile) ([]domain.BillLine, error) {
	var lines []domain.BillLine
	for line, err := range c.ReadBill(r, f) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// stream hides that a reader can seek.
type stream struct{ io.Reader }

func TestReadTradeBill(t *testing.T) {
	t.Parallel()
	summary := entry{name: "20881021196858380156_20260214_业务明细(汇总).csv", text: "#支付宝业务汇总查询\r\n"}
	file := zipped(t, summary, entry{name: tradeName, text: tradeBill(threeRows(), twoSums)})
	at := parseTime("2026-02-14 10:00:05")
	want := []domain.BillLine{
		{
			Row: 6, Kind: domain.LinePayment, OrderNo: "20260214100000001", TradeNo: "2026021422001473037000123456", Amount: yuan(1000),
			Fee: decimal.New(6, -2), FeeCurrency: domain.CNY, Net: yuan(994), Status: domain.StatusPaid, ProviderStatus: "交易", At: at,
		},
		{
			Row: 7, Kind: domain.LinePayment, OrderNo: "20260214100000002", TradeNo: "2026021422001473037000123457", Amount: yuan(460),
			Fee: decimal.New(3, -2), FeeCurrency: domain.CNY, Net: yuan(457), Status: domain.StatusPaid, ProviderStatus: "交易", At: at,
		},
		{
			Row: 8, Kind: domain.LineRefund, OrderNo: "20260214100000001", TradeNo: "2026021422001473037000123456", RefundID: "R1", RefundNo: "R1",
			Amount: yuan(400), Fee: decimal.New(-2, -2), FeeCurrency: domain.CNY, Net: yuan(-398), Status: domain.StatusSucceeded,
			ProviderStatus: "退款", At: at,
		},
	}
	for name, r := range map[string]io.Reader{"file": bytes.NewReader(file), "stream": stream{bytes.NewReader(file)}} {
		got, err := readAll(t, r, billOf(providers.BillTrade))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(domain.Money{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestReadTradeBillSigns: in some files refunds have positive amounts; the kind
// of the row tells which way the money went.
func TestReadTradeBillSigns(t *testing.T) {
	t.Parallel()
	rows := strings.NewReplacer("-4.00", "4.00", "-0.06", "0.06").Replace(threeRows())
	sums := strings.Replace(twoSums, "-4.00", "4.00", 1)
	got, err := readAll(t, bytes.NewReader(zipped(t, entry{name: tradeName, text: tradeBill(rows, sums)})), billOf(providers.BillTrade))
	if err != nil || len(got) != 3 || got[2].Net != yuan(-398) || got[0].Net != yuan(994) || !got[2].Fee.IsNegative() {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadTradeBillOlder: older files have fewer columns, in another order and
// with other brackets.
func TestReadTradeBillOlder(t *testing.T) {
	t.Parallel()
	text := head("业务明细") + "商户订单号,支付宝交易号,业务类型,商品名称,完成时间,服务费(元),订单金额(元),商家实收(元)\n" +
		"A1\t,T1\t,交易\t,x\t,2018-01-01 10:00:05,-0.00012345,1.00,0.90\n" +
		foot("业务明细", "交易合计：1笔，商家实收共0.90元", "退款合计：0笔，商家实收退款共0.00元")
	got, err := readAll(t, bytes.NewReader(zipped(t, entry{name: tradeName, text: text})), billOf(providers.BillTrade))
	if err != nil || len(got) != 1 || got[0].OrderNo != "A1" || got[0].TradeNo != "T1" || got[0].Amount != yuan(100) ||
		!got[0].Fee.Equal(decimal.New(12345, -8)) || got[0].Net != (domain.Money{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func fundRow(id, trade, order, in, out, kind string) string {
	return id + "\t," + trade + "\t," + order + "\t,商品\t,2026-02-14 20:24:45,某人 (a@example.com)\t," + in + "," + out + ",11875.06,支付宝," + kind + ",\r\n"
}

func TestReadFundBill(t *testing.T) {
	t.Parallel()
	rows := fundRow("1", "T1", "A1", "10.00", "0.00", "在线支付") + fundRow("2", "T1", "A1", "0.00", "-0.06", "收费") +
		fundRow("3", "T1", "A1", "0.00", "-4.00", "交易退款") + fundRow("4", "T1", "A1", "0.02", "", "退费") +
		fundRow("5", "P1", "", "", "-5.00", "提现") + fundRow("6", "P1", "", "5.00", "0.00", "提现退票") +
		fundRow("7", "X1", "", "", "-1.00", "转账") + fundRow("8", "T2", "", "", "-2.00", "在线支付")
	text := head("账务明细") + fundHeading + "\r\n" + rows + foot("账务明细", "支出合计：5笔，共-12.06元", "收入合计：3笔，共15.02元")
	got, err := readAll(t, bytes.NewReader(zipped(t, entry{name: fundName, text: text, utf8: true})), billOf(providers.BillFunds))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		kind   domain.LineKind
		amount int64
		net    int64
		fee    string
		payout string
	}{
		{domain.LinePayment, 1000, 1000, "0", ""},
		{domain.LineFee, 6, -6, "0.06", ""},
		{domain.LineRefund, 400, -400, "0", ""},
		{domain.LineFee, 2, 2, "-0.02", ""},
		{domain.LinePayout, 500, -500, "0", "P1"},
		{domain.LinePayoutFailed, 500, 500, "0", "P1"},
		{domain.LineOther, -100, -100, "0", ""},
		{domain.LineOther, -200, -200, "0", ""},
	} {
		g := got[i]
		if g.Kind != want.kind || g.Amount != yuan(want.amount) || g.Net != yuan(want.net) || g.Fee.String() != want.fee || g.PayoutID != want.payout ||
			g.ID != fmt.Sprint(i+1) {
			t.Errorf("row %d: %+v, want %+v", i, g, want)
		}
	}
}

// TestReadBillCorrupt: everything that cannot be right is told with its place.
func TestReadBillCorrupt(t *testing.T) {
	t.Parallel()
	good := tradeBill(threeRows(), twoSums)
	change := func(from, to string) []byte {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q in the bill", from)
		}
		return zipped(t, entry{name: tradeName, text: strings.Replace(good, from, to, 1)})
	}
	whole := zipped(t, entry{name: tradeName, text: good})
	raw := func(text string) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.CreateHeader(&zip.FileHeader{Name: gbk(t, tradeName), Method: zip.Store, NonUTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(text))
		w.Close()
		return b.Bytes()
	}
	end := foot("业务明细", strings.Split(twoSums, "|")...)
	for name, tt := range map[string]struct {
		file []byte
		says string
	}{
		"no zip":         {[]byte("<html>"), "ZIP"},
		"cut off":        {whole[:len(whole)-30], "ZIP"},
		"flipped byte":   {flipped(whole, 200), ""},
		"no detail":      {zipped(t, entry{name: "x_业务明细(汇总).csv", text: good}), "no file of"},
		"two details":    {zipped(t, entry{name: tradeName, text: good}, entry{name: "a_业务明细.csv", text: good}), "two files"},
		"path":           {zipped(t, entry{name: "../" + tradeName, text: good}), "the name"},
		"absolute path":  {zipped(t, entry{name: "/etc/x", text: "x"}, entry{name: tradeName, text: good}), "the name"},
		"backslash":      {zipped(t, entry{name: `..\x`, text: "x"}, entry{name: tradeName, text: good}), "the name"},
		"no end":         {change(end, ""), "end of the list is missing"},
		"no sums":        {change(strings.Split(twoSums, "|")[1], "x"), "sums are missing"},
		"one fen off":    {change("共14.60元", "共14.61元"), "交易合计"},
		"one row off":    {change("交易合计：2笔", "交易合计：3笔"), "交易合计"},
		"refunds off":    {change("共-4.00元", "共-4.01元"), "退款合计"},
		"sum twice":      {change(end, end+"#交易合计：2笔，商家实收共14.60元\r\n"), "sum where none can be"},
		"unreadable sum": {change("交易合计：2笔", "交易合计：二笔"), "sum that cannot be read"},
		"other merchant": {change("[20881021196858380156]", "[20881021196858390156]"), "another merchant"},
		"nobody's":       {change("#账号：[20881021196858380156]\r\n", ""), "whose it is"},
		"of no day":      {change("#起始日期：[2026年02月14日 00:00:00]   终止日期：[2026年02月15日 00:00:00]\r\n", ""), "which day"},
		"other day":      {change("[2026年02月14日", "[2026年02月13日"), "another day"},
		"the day before": {
			zipped(t, entry{name: tradeName, text: strings.NewReplacer(
				"[2026年02月14日", "[2026年02月13日", "[2026年02月15日", "[2026年02月14日").Replace(good)}), "another day",
		},
		"no column":        {change("服务费（元）", "服务费用（元）"), "heading"},
		"column twice":     {change("分润（元）", "服务费（元）"), "twice"},
		"few cells":        {change("\t,0.00\t,0.00\t,0.00\t,0.00\t,0.00\t,", "\t,"), "cells"},
		"money":            {change("10.00\t,10.00", "1e3\t,10.00"), "订单金额"},
		"time":             {change("2026-02-14 10:00:05", "2026-02-30 10:00:05"), "完成时间"},
		"fee":              {change("-0.06", "-0.0.6"), "服务费"},
		"long fee":         {change("-0.06", "-0.000000001"), "服务费"},
		"number":           {change("20260214100000001\t", "2026 0214\t"), "商户订单号"},
		"kind":             {change("退款\t", "退票\t"), "业务类型"},
		"row before list":  {change("#支付宝业务明细查询", "x,y"), "outside"},
		"row after list":   {change("#导出时间", "导出时间"), "outside"},
		"second list":      {change("#导出时间", "#--业务明细列表--"), "second list"},
		"end without list": {change("#支付宝业务明细查询", "#-业务明细列表结束-"), "did not begin"},
		"not GB18030":      {raw("#\xff\xff\r\n" + gbk(t, good)), "GB18030"},
		"UTF-8 with BOM":   {raw("\xef\xbb\xbf" + good), "row 1"},
		"long line":        {change("测试商品", strings.Repeat("长", 40000)), "longer"},
		"bomb":             {zipped(t, entry{name: tradeName, text: head("业务明细") + strings.Repeat("#\n", 5<<20)}), "more than a bill"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := readAll(t, bytes.NewReader(tt.file), billOf(providers.BillTrade))
			if domain.KindOf(err) != domain.KindCorrupt || err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%d lines, %v; want %q", len(lines), err, tt.says)
			}
		})
	}
	if lines, err := readAll(t, bytes.NewReader(nil), providers.BillFile{Empty: true}); err != nil || len(lines) != 0 {
		t.Errorf("an empty day: %v, %v", lines, err)
	}
	if _, err := readAll(t, bytes.NewReader(whole), billOf("payouts")); domain.FieldOf(err) != "kind" {
		t.Errorf("another kind: %v", err)
	}
}

func flipped(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

// TestReadBillEarlyEnd: a caller may stop.
func TestReadBillEarlyEnd(t *testing.T) {
	t.Parallel()
	file := zipped(t, entry{name: tradeName, text: tradeBill(threeRows(), twoSums)})
	for line, err := range newChannel(t, testConfig()).ReadBill(stream{bytes.NewReader(file)}, billOf(providers.BillTrade)) {
		if err != nil || line.Row != 6 {
			t.Fatalf("%+v, %v", line, err)
		}
		break
	}
}

// TestReadBillMemory: a long bill needs no more memory than a short one.
func TestReadBillMemory(t *testing.T) {
	const rows = 60_000
	pr, pw := io.Pipe()
	go func() {
		w := zip.NewWriter(pw)
		f, _ := w.CreateHeader(&zip.FileHeader{Name: gbk(t, tradeName), Method: zip.Deflate, NonUTF8: true})
		io.WriteString(f, gbk(t, head("业务明细")+tradeHeading+"\r\n"))
		for i := range rows {
			io.WriteString(f, gbk(t, tradeRow(fmt.Sprintf("T%d", i), fmt.Sprintf("A%d", i*7919), "交易", fmt.Sprint(i*31), "1.00", "1.00", "", "-0.01")))
		}
		io.WriteString(f, gbk(t, foot("业务明细", fmt.Sprintf("交易合计：%d笔，商家实收共%d.00元", rows, rows), "退款合计：0笔，商家实收退款共0.00元")))
		pw.CloseWithError(w.Close())
	}()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	count := 0
	for _, err := range newChannel(t, testConfig()).ReadBill(pr, billOf(providers.BillTrade)) {
		if err != nil {
			t.Fatal(err)
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

func TestFetchBill(t *testing.T) {
	t.Parallel()
	file := zipped(t, entry{name: tradeName, text: tradeBill(threeRows(), twoSums)})
	g := newGateway(t)
	dead := 1 // addresses that have expired
	g.file = func(w http.ResponseWriter, _ *http.Request) {
		if dead > 0 {
			dead--
			http.Error(w, "expired", http.StatusForbidden)
			return
		}
		w.Write(file)
	}
	g.answer = always(`{"code":"10000","msg":"Success","bill_download_url":"` + g.url + `/file?downloadFileName=20881021196858380156_20260214.csv.zip"}`)
	c := g.channel()
	q := providers.BillQuestion{Kind: providers.BillTrade, Day: billDay, At: testNow}
	var b bytes.Buffer
	f, err := c.FetchBill(context.Background(), q, &b)
	if err != nil || !bytes.Equal(b.Bytes(), file) {
		t.Fatalf("%d bytes, %v", b.Len(), err)
	}
	if f.Name != "20881021196858380156_20260214.csv.zip" || f.MediaType != "application/zip" || f.Empty || f.Final || f.Question != q {
		t.Errorf("%+v", f)
	}
	if g.content[0] != `{"bill_type":"trade","bill_date":"2026-02-14"}` || len(g.content) != 2 {
		t.Errorf("asked %v", g.content)
	}
	lines, err := readAll(t, &b, f)
	if err != nil || len(lines) != 3 {
		t.Errorf("%+v, %v", lines, err)
	}
	dead = 2
	if _, err := c.FetchBill(context.Background(), q, io.Discard); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("two dead addresses: %v", err)
	}
}

func TestFetchBillNone(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.answer = always(`{"code":"40004","msg":"Business Failed","sub_code":"isp.bill_not_exist","sub_msg":"账单不存在"}`)
	c := g.channel()
	ready := c.BillReady(billDay)
	if !ready.Equal(time.Date(2026, 2, 15, 2, 0, 0, 0, time.UTC)) {
		t.Errorf("ready at %s", ready)
	}
	q := providers.BillQuestion{Kind: providers.BillFunds, Day: billDay, At: ready.Add(-time.Second)}
	if _, err := c.FetchBill(context.Background(), q, io.Discard); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("not made yet: %v", err)
	}
	q.At = ready
	if f, err := c.FetchBill(context.Background(), q, io.Discard); err != nil || !f.Empty || f.Final {
		t.Errorf("an empty day, or a late bill: %+v, %v", f, err)
	}
	q.At = ready.Add(12 * time.Hour)
	if f, err := c.FetchBill(context.Background(), q, io.Discard); err != nil || !f.Empty || !f.Final {
		t.Errorf("an empty day: %+v, %v", f, err)
	}
	if g.content[0] != `{"bill_type":"signcustomer","bill_date":"2026-02-14"}` {
		t.Errorf("asked %v", g.content)
	}
}

func TestFetchBillTrouble(t *testing.T) {
	t.Parallel()
	address := `{"code":"10000","bill_download_url":"%s"}`
	for name, tt := range map[string]struct {
		inner string
		file  func(http.ResponseWriter, *http.Request)
		want  domain.Kind
	}{
		"today":       {inner: `{"code":"40002","sub_code":"isv.invalid-arguments"}`, want: domain.KindInvalid},
		"busy":        {inner: `{"code":"20000"}`, want: domain.KindUnavailable},
		"no address":  {inner: `{"code":"10000"}`, want: domain.KindUnavailable},
		"odd address": {inner: `{"code":"10000","bill_download_url":"file:///etc/passwd"}`, want: domain.KindUnavailable},
		"login":       {inner: `{"code":"10000","bill_download_url":"https://u:p@a.example/"}`, want: domain.KindUnavailable},
		"page":        {inner: address, file: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, want: domain.KindUnavailable},
		"nothing":     {inner: address, file: func(http.ResponseWriter, *http.Request) {}, want: domain.KindUnavailable},
		"redirect": {inner: address, file: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, want: domain.KindUnavailable},
		"broken off": {inner: address, file: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "PK\x03\x04")
		}, want: domain.KindUnavailable},
		"too long": {inner: address, file: func(w http.ResponseWriter, _ *http.Request) {
			w.Write(append([]byte("PK"), make([]byte, 2000)...))
		}, want: domain.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			g.file = tt.file
			g.answer = always(strings.Replace(tt.inner, "%s", g.url+"/file", 1))
			cfg := testConfig()
			cfg.Gateway, cfg.AllowPlainHTTP, cfg.MaxBill = g.url+"/gateway.do", true, 1000
			q := providers.BillQuestion{Kind: providers.BillTrade, Day: billDay, At: testNow}
			if f, err := newChannel(t, cfg).FetchBill(context.Background(), q, io.Discard); domain.KindOf(err) != tt.want || err == nil {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
	c := newChannel(t, testConfig())
	if _, err := c.FetchBill(context.Background(), providers.BillQuestion{Kind: "x", Day: billDay}, io.Discard); domain.FieldOf(err) != "kind" {
		t.Errorf("another kind: %v", err)
	}
	if _, err := c.FetchBill(context.Background(), providers.BillQuestion{Kind: providers.BillTrade, Day: "2026-2-1"}, io.Discard); domain.FieldOf(err) != "day" {
		t.Errorf("no day: %v", err)
	}
}

var errFull = errors.New("no space")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestFetchBillNoSpace: what goes wrong on our side is not blamed on Alipay.
func TestFetchBillNoSpace(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.file = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "PK\x05\x06") }
	g.answer = always(`{"code":"10000","bill_download_url":"` + g.url + `/file"}`)
	q := providers.BillQuestion{Kind: providers.BillTrade, Day: billDay, At: testNow}
	if _, err := g.channel().FetchBill(context.Background(), q, full{}); !errors.Is(err, errFull) || domain.KindOf(err) == domain.KindUnavailable {
		t.Errorf("%v", err)
	}
}

// FuzzReadBill gives the reader of rows any text inside of a ZIP file.
func FuzzReadBill(f *testing.F) {
	f.Add([]byte(gbk(f, tradeBill(threeRows(), twoSums))), true)
	f.Add([]byte(gbk(f, head("账务明细")+fundHeading+"\r\n"+fundRow("1", "T1", "A1", "10.00", "", "在线支付")+
		foot("账务明细", "支出合计：0笔，共0.00元", "收入合计：1笔，共10.00元"))), false)
	f.Add([]byte(gbk(f, discountBill())), true)
	f.Add([]byte(gbk(f, fundBill(strings.Replace(fundRow("901", "P1", "", "", "-5.00", "提现"), "11875.06", "-2.50", 1)))), false)
	c := newChannel(f, testConfig())
	f.Fuzz(func(t *testing.T, text []byte, trade bool) {
		kind := providers.BillFunds
		if trade {
			kind = providers.BillTrade
		}
		b := newBill(bytes.NewReader(text), layouts[kind], billDay, c.cfg.SellerID)
		for {
			line, err := b.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				if domain.KindOf(err) != domain.KindCorrupt {
					t.Fatalf("%v", err)
				}
				return
			}
			given := line.Discount.Minor()
			if (line.Kind != domain.LineOther && line.Amount.IsNegative()) || given < 0 || given > max(0, line.Amount.Minor()) || (!trade && line.ID == "") {
				t.Fatalf("%+v", line)
			}
		}
	})
}

// FuzzOpenBill gives the reader of bills any bytes.
func FuzzOpenBill(f *testing.F) {
	f.Add(zipped(f, entry{name: tradeName, text: tradeBill(threeRows(), twoSums)}))
	f.Add([]byte("PK\x05\x06"))
	c := newChannel(f, testConfig())
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := readWith(c, bytes.NewReader(file), billOf(providers.BillTrade)); err != nil && domain.KindOf(err) != domain.KindCorrupt {
			t.Fatal(err)
		}
	})
}
