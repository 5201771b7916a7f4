package wechatpay

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	billDay    = domain.Day("2026-02-14")
	askBill    = "/v3/bill/tradebill?bill_date=2026-02-14&bill_type=ALL&tar_type=GZIP"
	billTarget = "/v3/billdownload/file?token=t"
)

func tradeQuestion() providers.BillQuestion {
	return providers.BillQuestion{Kind: providers.BillTrade, Day: billDay}
}

func packedText(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// offer is the answer that says where a bill is.
func (g *gateway) offer(text []byte) reply {
	sum := sha1.Sum(text)
	return reply{body: `{"hash_type":"SHA1","hash_value":"` + hex.EncodeToString(sum[:]) + `","download_url":"` + g.URL + billTarget + `"}`}
}

func readAll(c *Channel, r io.Reader, f providers.BillFile) (all []domain.BillLine, err error) {
	for line, err := range c.ReadBill(r, f) {
		if err != nil {
			return all, err
		}
		all = append(all, line)
	}
	return all, nil
}

func TestReadPublishedBill(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	for _, text := range [][]byte{vector(t, "tradebill.csv"), packedText(t, vector(t, "tradebill.csv"))} {
		all, err := readAll(c, bytes.NewReader(text), providers.BillFile{Question: tradeQuestion()})
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		p, r := all[0], all[1]
		if p.Row != 1 || p.Kind != domain.LinePayment || p.OrderNo != orderNo || p.TradeNo != tradeNo || p.Amount.Minor() != 1000 ||
			p.Fee.String() != "0.06" || p.FeeCurrency != domain.CNY || p.Net.Minor() != 994 || p.Status != domain.StatusPaid ||
			!p.At.Equal(paid().OccurredAt) || p.RefundID != "" {
			t.Errorf("payment %+v", p)
		}
		if r.Row != 2 || r.Kind != domain.LineRefund || r.RefundID != refunded().RefundID || r.RefundNo != refunded().RefundNo || r.Amount.Minor() != 400 ||
			r.Fee.String() != "-0.02" || r.Net.Minor() != -398 || r.Status != domain.StatusWaiting || r.ProviderStatus != "PROCESSING" {
			t.Errorf("refund %+v", r)
		}
	}
}

// Every way in which a bill can be broken names its row or total.
func TestReadBrokenBill(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	good := string(vector(t, "tradebill.csv"))
	change := func(old, by string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the bill", old)
		}
		return strings.Replace(good, old, by, 1)
	}
	for name, text := range map[string]string{
		"empty":                  "",
		"only a heading":         good[:strings.Index(good, "\n")+1],
		"no totals":              good[:strings.Index(good, "总交易单数")],
		"no last line":           good[:strings.Index(good, "`2,`10.00,`4.00")],
		"cut in a row":           good[:len(good)/2],
		"total off by one fen":   change("`2,`10.00,`4.00,`0.00,`0.04000", "`2,`10.01,`4.00,`0.00,`0.04000"),
		"count off by one":       change("`2,`10.00", "`3,`10.00"),
		"fees off by 0.00001":    change("`0.04000", "`0.04001"),
		"a row less":             change(good[strings.Index(good, "`2026-02-14 11"):strings.Index(good, "总交易单数")], ""),
		"another merchant":       change("`1900000109,`0,`,`4200", "`1900000110,`0,`,`4200"),
		"another sub merchant":   change("`1900000109,`0,", "`1900000109,`1900000111,"),
		"another day":            change("2026-02-14 11:00:00", "2026-02-15 11:00:00"),
		"no time":                change("2026-02-14 11:00:00", "2026-02-30 11:00:00"),
		"amount with exponent":   change("`10.00,`0.00,`0,", "`1e1,`0.00,`0,"),
		"amount below a fen":     change("`0.60%,`10.00,", "`0.60%,`10.001,"),
		"negative amount":        change("`0.60%,`10.00,", "`0.60%,`-10.00,"),
		"another state":          change("`NATIVE,`SUCCESS", "`NATIVE,`success"),
		"another currency":       change("`CNY,`10.00", "`cny,`10.00"),
		"a column less":          change("`NATIVE,`SUCCESS,", "`NATIVE,"),
		"a column twice":         change("商品名称", "商户号"),
		"no column of the fee":   change("手续费,费率,", "手续,费率,"),
		"something behind it":    good + "`1\r\n",
		"not UTF-8":              change("测试商品", "\xb2\xe2"),
		"an endless line":        change("测试商品", strings.Repeat("测", maxBillLine)),
		"a web page":             "<html>\n</html>\n",
		"half of a gzip stream":  string(packedText(t, []byte(good))[:300]),
		"a gzip stream and more": string(packedText(t, []byte(good))) + "x",
	} {
		if all, err := readAll(c, strings.NewReader(text), providers.BillFile{Question: tradeQuestion()}); domain.KindOf(err) != domain.KindCorrupt || err == nil {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}

func TestReadBillHazards(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	good := string(vector(t, "tradebill.csv"))
	for name, text := range map[string]string{
		"commas in a name":   strings.Replace(good, "测试商品", "a,b,,\"c\"", 1),
		"line feeds only":    strings.ReplaceAll(good, "\r\n", "\n"),
		"no BOM":             strings.TrimPrefix(good, "\xef\xbb\xbf"),
		"no last line end":   strings.TrimSuffix(good, "\r\n"),
		"a total more":       strings.Replace(strings.Replace(good, "申请退款总金额\r\n", "申请退款总金额,新\r\n", 1), "`10.00,`4.00\r\n", "`10.00,`4.00,`x\r\n", 1),
		"another app's rows": good,
	} {
		all, err := readAll(c, strings.NewReader(text), providers.BillFile{Question: tradeQuestion()})
		if err != nil || len(all) != 2 {
			t.Errorf("%s: %d lines, %v", name, len(all), err)
		}
	}
	cfg := configV3()
	cfg.AppIDs = []string{"wx0000000000000000"}
	if all, err := readAll(newChannel(t, cfg), strings.NewReader(good), providers.BillFile{Question: tradeQuestion()}); err != nil || len(all) != 0 {
		t.Errorf("rows of another app: %+v, %v", all, err)
	}
	// Old merchants have other names for the amounts, and no order amount.
	old := strings.NewReplacer("应结订单金额", "总金额", "代金券金额", "企业红包金额", ",订单金额,申请退款金额", ",备注一,备注二",
		"应结订单总金额", "总交易额", "退款总金额,充值券", "总退款金额,充值券", ",订单总金额,申请退款总金额", ",x,y").Replace(good)
	all, err := readAll(c, strings.NewReader(old), providers.BillFile{Question: tradeQuestion()})
	if err != nil || len(all) != 2 || all[0].Amount.Minor() != 1000 || all[1].Amount.Minor() != 400 {
		t.Errorf("an old merchant's bill: %+v, %v", all, err)
	}
	revoked := strings.NewReplacer("`REFUND,", "`REVOKED,", "`50300001232026021412345678901,`R20260214100000001", "`0,`0").Replace(good)
	all, err = readAll(c, strings.NewReader(revoked), providers.BillFile{Question: tradeQuestion()})
	if err != nil || all[1].RefundID != "revoked:"+tradeNo || all[1].Status != domain.StatusSucceeded {
		t.Errorf("a revoked order: %+v, %v", all, err)
	}
}

// What a coupon of the merchant's paid never reaches the balance, and what of it
// goes back never leaves it.
func TestReadBillWithCoupons(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	plain := string(vector(t, "tradebill.csv"))
	change := func(text string, changes ...string) string {
		for i := 0; i < len(changes); i += 2 {
			if !strings.Contains(text, changes[i]) {
				t.Fatalf("no %s in %s", changes[i], text)
			}
			text = strings.Replace(text, changes[i], changes[i+1], 1)
		}
		return text
	}
	text := change(plain, "`CNY,`10.00,`0.00,`0", "`CNY,`9.00,`1.00,`0", "`0.06000,`0.60%", "`0.05000,`0.60%",
		"`R20260214100000001,`4.00", "`R20260214100000001,`3.60", "`2,`10.00,`4.00,`0.00,`0.04000", "`2,`9.00,`3.60,`0.00,`0.03000")
	all, err := readAll(c, strings.NewReader(text), providers.BillFile{Question: tradeQuestion()})
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if p := all[0]; p.Amount.Minor() != 1000 || p.Discount.Minor() != 100 || p.Net.Minor() != 895 {
		t.Errorf("payment %+v", p)
	}
	if r := all[1]; r.Amount.Minor() != 400 || r.Discount.Minor() != 40 || r.Net.Minor() != -358 {
		t.Errorf("refund %+v", r)
	}
	failed := change(text, "`PROCESSING", "`FAIL")
	if all, err = readAll(c, strings.NewReader(failed), providers.BillFile{Question: tradeQuestion()}); err != nil || !all[1].Discount.IsZero() || !all[1].Net.IsZero() {
		t.Errorf("a refund that failed: %+v, %v", all, err)
	}
	more := change(plain, "`CNY,`10.00,`0.00,`0", "`CNY,`11.00,`0.00,`0", "`2,`10.00,`4.00", "`2,`11.00,`4.00")
	if all, err = readAll(c, strings.NewReader(more), providers.BillFile{Question: tradeQuestion()}); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("more settled than ordered: %+v, %v", all, err)
	}
	if all, err = readAll(c, strings.NewReader(plain), providers.BillFile{Question: tradeQuestion()}); err != nil || all[0].Discount != (domain.Money{}) {
		t.Errorf("no coupon: %+v, %v", all, err)
	}
}

const fundFlow = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n" +
	"`2026-02-14 10:00:06,`4200001234202602141234567890,`1000000001,`交易,`交易,`收入,`10.00,`10.00,`system,`,`20260214100000001\r\n" +
	"`2026-02-14 10:00:06,`4200001234202602141234567890,`1000000002,`扣除交易手续费,`扣除交易手续费,`支出,`0.06,`9.94,`system,`,`20260214100000001\r\n" +
	"`2026-02-14 11:00:00,`50300001232026021412345678901,`1000000003,`退款,`退款,`支出,`4.00,`5.94,`api,`,`R20260214100000001\r\n" +
	"`2026-02-14 23:00:00,`1900000109W1,`1000000004,`提现,`提现,`支出,`5.00,`0.94,`system,`,`\r\n" +
	"`2026-02-14 23:30:00,`1900000109W1,`1000000005,`提现失败,`提现,`收入,`5.00,`5.94,`system,`,`\r\n" +
	"`2026-02-14 23:40:00,`x,`1000000006,`其他,`其他,`支出,`0.01,`5.93,`system,`,`\r\n" +
	"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`6.0,`2.0,`15.00,`4.0,`9.07\r\n"

func TestReadFundFlow(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	f := providers.BillFile{Question: providers.BillQuestion{Kind: providers.BillFunds, Day: billDay}}
	all, err := readAll(c, strings.NewReader(fundFlow), f)
	if err != nil || len(all) != 6 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, want := range []struct {
		kind         domain.LineKind
		net, balance int64
	}{
		{domain.LinePayment, 1000, 1000},
		{domain.LineFee, -6, 994},
		{domain.LineRefund, -400, 594},
		{domain.LinePayout, -500, 94},
		{domain.LinePayoutFailed, 500, 594},
		{domain.LineOther, -1, 593},
	} {
		if all[i].Kind != want.kind || all[i].Net.Minor() != want.net || all[i].Balance != domain.NewMoney(want.balance, domain.CNY) ||
			all[i].ID == "" || all[i].Row != i+1 {
			t.Errorf("row %d: %+v, want %+v", i+1, all[i], want)
		}
	}
	if all[1].Fee.String() != "0.06" || all[1].TradeNo != tradeNo || all[2].RefundNo != "R"+orderNo || all[3].PayoutID != "1900000109W1" || all[5].Amount.Minor() != -1 {
		t.Errorf("%+v", all)
	}
	for _, broken := range []string{
		strings.Replace(fundFlow, "`9.94", "`9.945", 1), strings.Replace(fundFlow, "`9.94", "`NaN", 1),
		strings.Replace(fundFlow, "`9.07", "`9.08", 1), strings.Replace(fundFlow, "`2.0,", "`3.0,", 1), strings.Replace(fundFlow, "`收入,", "`进,", 1),
	} {
		if _, err := readAll(c, strings.NewReader(broken), f); domain.KindOf(err) != domain.KindCorrupt || err == nil {
			t.Errorf("%v", err)
		}
	}
}

// A partner's fund flow is not his merchants'.
func TestBillsOfAPartner(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	if got := newChannel(t, cfg).Bills(); len(got) != 2 {
		t.Errorf("%v", got)
	}
	cfg.SubMchID = "1900000200"
	if got := newChannel(t, cfg).Bills(); len(got) != 1 || got[0] != providers.BillTrade {
		t.Errorf("%v", got)
	}
}

func TestFetchBill(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	text := vector(t, "tradebill.csv")
	g.prepare(askBill, g.offer(text))
	g.prepare(billTarget, reply{body: string(packedText(t, text)), unsigned: true})
	var kept bytes.Buffer
	f, err := c.FetchBill(t.Context(), tradeQuestion(), &kept)
	if err != nil || f.Claimed != "sha1:d9c5cb515d6c17023b886c595f3016e2538196c7" || f.MediaType != "application/gzip" || !f.Final || f.Empty {
		t.Fatalf("%+v, %v", f, err)
	}
	if !bytes.Equal(kept.Bytes(), packedText(t, text)) {
		t.Error("the bytes are not those that came")
	}
	if r, _ := g.last(t); !strings.HasPrefix(r.Header.Get("Authorization"), AuthScheme) {
		t.Error("the download was not signed")
	}
	if all, err := readAll(c, &kept, f); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	g.prepare(billTarget, reply{body: string(text), unsigned: true})
	if f, err := c.FetchBill(t.Context(), tradeQuestion(), io.Discard); err != nil || f.MediaType != "text/csv" {
		t.Errorf("a bill that is not packed: %+v, %v", f, err)
	}
}

func TestFetchBillThatIsNotThere(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	fetch := func() (providers.BillFile, error) { return c.FetchBill(t.Context(), tradeQuestion(), io.Discard) }
	g.prepare(askBill, reply{status: 400, body: `{"code":"STATEMENT_CREATING"}`})
	_, err := fetch()
	wantKind(t, err, domain.KindNotFound)
	g.prepare(askBill, reply{status: 400, body: `{"code":"NO_STATEMENT_EXIST"}`})
	f, err := fetch()
	if err != nil || !f.Empty {
		t.Errorf("%+v, %v", f, err)
	}
	if all, err := readAll(c, strings.NewReader(""), f); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	text := vector(t, "tradebill.csv")
	elsewhere := newGateway(t)
	elsewhere.prepare(billTarget, reply{body: string(packedText(t, text)), unsigned: true})
	for name, a := range map[string]reply{
		"an empty day, unsigned": {status: 400, body: `{"code":"NO_STATEMENT_EXIST"}`, unsigned: true},
		"unsigned":               {body: g.offer(text).body, unsigned: true},
		"another hash":           {body: strings.Replace(g.offer(text).body, "SHA1", "MD5", 1)},
		"no hash":                {body: strings.Replace(g.offer(text).body, "hash_value", "x", 1)},
		"another host":           {body: strings.Replace(g.offer(text).body, g.URL, elsewhere.URL, 1)},
		"user name":              {body: strings.Replace(g.offer(text).body, "https://", "https://a@", 1)},
		"plain http":             {body: strings.Replace(g.offer(text).body, "https:", "http:", 1)},
		"trouble":                {status: 500, body: `{"code":"SYSTEM_ERROR"}`},
		"429":                    {status: 429, body: `{"code":"FREQUENCY_LIMITED"}`},
	} {
		g.prepare(askBill, a)
		if _, err := fetch(); domain.KindOf(err) != domain.KindUnavailable || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if elsewhere.questions() != 0 {
		t.Error("another host was asked, with our signature")
	}
	_, err = c.FetchBill(t.Context(), providers.BillQuestion{Kind: "x", Day: billDay}, io.Discard)
	wantKind(t, err, domain.KindInvalid)
	_, err = c.FetchBill(t.Context(), providers.BillQuestion{Kind: providers.BillTrade, Day: "2026-02-30"}, io.Discard)
	wantKind(t, err, domain.KindInvalid)
}

// TestFetchBadDownload: a wrong hash, a broken stream and a bomb are all as if
// no bill had come, and a bomb ends long before it is unpacked.
func TestFetchBadDownload(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, configV3())
	text := vector(t, "tradebill.csv")
	zeros := make([]byte, 64<<20)
	for name, body := range map[string][]byte{
		"another text":    packedText(t, append([]byte{' '}, text...)),
		"cut off":         packedText(t, text)[:400],
		"a byte more":     append(packedText(t, text), 0),
		"nothing":         nil,
		"a web page":      []byte("<html>"),
		"packed web page": packedText(t, []byte("<html>")),
		"a bomb":          packedText(t, zeros),
	} {
		g.prepare(askBill, g.offer(text))
		g.prepare(billTarget, reply{body: string(body), unsigned: true})
		_, err := c.FetchBill(t.Context(), tradeQuestion(), io.Discard)
		if domain.KindOf(err) != domain.KindUnavailable || err == nil || (name == "a bomb") != strings.Contains(err.Error(), "unpacks") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readAll(c, bytes.NewReader(packedText(t, zeros)), providers.BillFile{Question: tradeQuestion()}); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("a bomb: %v", err)
	}
	g.prepare(billTarget, reply{status: 404, unsigned: true})
	_, err := c.FetchBill(t.Context(), tradeQuestion(), io.Discard)
	wantKind(t, err, domain.KindUnavailable)
	g.prepare(billTarget, reply{body: string(packedText(t, text)), unsigned: true})
	if _, err := c.FetchBill(t.Context(), tradeQuestion(), fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("our full disk is called %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.FetchBill(ctx, tradeQuestion(), io.Discard)
	wantKind(t, err, domain.KindUnavailable)
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestBillReady(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV3())
	if got, want := c.BillReady(billDay), time.Date(2026, 2, 15, 2, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("ready at %s, want %s", got, want)
	}
	if len(c.Bills()) != 2 || len(newChannel(t, configV2()).Bills()) != 1 {
		t.Error("v3 has two bills, v2 one")
	}
}

// A bill of many rows is read in the memory of one.
func TestBillInConstantMemory(t *testing.T) {
	c := newChannel(t, configV3())
	const rows = 20_000
	lines := strings.SplitAfter(string(vector(t, "tradebill.csv")), "\r\n")
	r := io.MultiReader(
		strings.NewReader(lines[0]), strings.NewReader(strings.Repeat(lines[1], rows)), strings.NewReader(lines[3]),
		strings.NewReader("`20000,`200000.00,`0.00,`0.00,`1200.00000,`200000.00,`0.00\r\n"),
	)
	n, early := 0, uint64(0)
	for _, err := range c.ReadBill(r, providers.BillFile{Question: tradeQuestion()}) {
		if err != nil {
			t.Fatal(err)
		}
		switch n++; n {
		case 1_000:
			early = heap()
		case rows - 1:
			if late := heap(); late > early+1<<20 {
				t.Errorf("%d bytes more after %d rows", late-early, rows)
			}
		}
	}
	if n != rows {
		t.Errorf("%d rows", n)
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
