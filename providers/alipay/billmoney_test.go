package alipay

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"

	"github.com/shopspring/decimal"
)

// discounted is a row of a payment whose merchant gave something away.
func discounted(kind, amount, received, coupon, packet string) string {
	row := tradeRow("T1", "A1", kind, "商品", amount, received, "R1", "0.00")
	// …, received, 支付宝红包, 集分宝, 支付宝优惠, 商家优惠, 券核销, 券名称, 商家红包, …
	return strings.Replace(row, received+"\t,0.00\t,0.00\t,0.00\t,0.00\t,0.00\t,\t,0.00",
		received+"\t,1.00\t,0.10\t,0.20\t,"+coupon+"\t,7.00\t,满减\t,"+packet, 1)
}

const discountSums = "交易合计：1笔，商家实收共9.30元，商家优惠共0.50元|退款合计：1笔，商家实收退款共-4.65元，商家优惠退款共-0.25元"

func discountBill() string {
	return tradeBill(discounted("交易", "10.00", "9.30", "0.50", "0.20")+discounted("退款", "-5.00", "-4.65", "-0.25", "-0.10"), discountSums)
}

// TestTradeBillDiscounts: what the merchant gave away is part of the amount that
// never came, or need not go back; what Alipay gave away is not.
func TestTradeBillDiscounts(t *testing.T) {
	t.Parallel()
	read := func(text string) ([]domain.BillLine, error) {
		return readAll(t, bytes.NewReader(zipped(t, entry{name: tradeName, text: text})), billOf(providers.BillTrade))
	}
	for name, text := range map[string]string{
		"coupons alone": discountBill(),
		"with packets":  strings.NewReplacer("优惠共0.50元", "优惠共0.70元", "退款共-0.25元", "退款共-0.35元").Replace(discountBill()),
		"nothing said":  strings.NewReplacer("，商家优惠共0.50元", "", "，商家优惠退款共-0.25元", "").Replace(discountBill()),
	} {
		got, err := read(text)
		if err != nil || len(got) != 2 || got[0].Discount != yuan(70) || got[0].Net != yuan(930) || got[0].Amount != yuan(1000) ||
			got[1].Discount != yuan(35) || got[1].Net != yuan(-465) || got[1].Amount != yuan(500) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, tt := range map[string]struct{ from, to, says string }{
		"sum off":    {"优惠共0.50元", "优惠共0.51元", "交易合计"},
		"refund off": {"退款共-0.25元", "退款共-0.26元", "退款合计"},
		"too much":   {",0.50\t,7.00", ",9.90\t,7.00", "more than the amount"},
		"no amount":  {",0.50\t,7.00", ",1e1\t,7.00", "商家优惠"},
		"no packet":  {"满减\t,0.20", "满减\t,NaN", "商家红包消费金额"},
		"no sum":     {"优惠共0.50元", "优惠共五元", "sum that cannot be read"},
	} {
		text := strings.Replace(discountBill(), tt.from, tt.to, 1)
		if got, err := read(text); text == discountBill() || domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := read(tradeBill(threeRows(), twoSums)); err != nil || got[0].Discount != (domain.Money{}) {
		t.Errorf("no discount: %+v, %v", got, err)
	}
}

func fundBill(rows string) string {
	return head("账务明细") + fundHeading + "\r\n" + rows + foot("账务明细", "支出合计：1笔，共-5.00元", "收入合计：1笔，共10.00元")
}

// TestFundBillBalance: the balance after each movement, below zero as well, and
// the number of each.
func TestFundBillBalance(t *testing.T) {
	t.Parallel()
	read := func(text string) ([]domain.BillLine, error) {
		return readAll(t, bytes.NewReader(zipped(t, entry{name: fundName, text: text})), billOf(providers.BillFunds))
	}
	rows := strings.Replace(fundRow("901", "P1", "", "", "-5.00", "提现"), "11875.06", "-2.50", 1) +
		strings.Replace(fundRow("902", "T1", "A1", "10.00", "", "在线支付"), "11875.06", "", 1)
	got, err := read(fundBill(rows))
	if err != nil || len(got) != 2 || got[0].Balance != yuan(-250) || got[0].PayoutID != "P1" || got[0].ID != "901" || got[1].Balance != (domain.Money{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := read(fundBill(strings.ReplaceAll(rows, "-2.50", "7.50"))); err != nil || got[0].Balance != yuan(750) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, tt := range map[string]struct{ from, to, says string }{
		"balance":     {"-2.50", "-2,50", ""}, // a cell too many, in the goods
		"no amount":   {"-2.50", "NaN", "账户余额"},
		"only a sign": {"-2.50", "-", "账户余额"},
		"no number":   {"901", "", "账务流水号"},
		"odd number":  {"901", "90 1", "账务流水号"},
		"in":          {"10.00", "１０.00", "收入金额"},
		"out":         {"-5.00", "-0x5", "支出金额"},
		"sum":         {"-5.00", "-5.01", "支出合计"},
	} {
		text := fundBill(strings.Replace(rows, tt.from, tt.to, 1))
		if got, err := read(text); domain.KindOf(err) != domain.KindCorrupt || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestBillMoreColumns: newer files have columns that nobody asked for, at the end
// and between the others; the goods name may have commas all the same.
func TestBillMoreColumns(t *testing.T) {
	t.Parallel()
	heading := strings.Replace(fundHeading, "发生时间", "业务来源,发生时间", 1) + ",业务描述,业务账单来源,业务基础订单号,业务订单号"
	row := func(text string) string {
		text = strings.Replace(text, "2026-02-14 20:24:45", "来源\t,2026-02-14 20:24:45", 1)
		return strings.TrimSuffix(text, "\r\n") + ",描述,APP,B1,B2\r\n"
	}
	rows := row(fundRow("901", "P1", "", "", "-5.00", "提现")) + strings.Replace(row(fundRow("902", "T1", "A1", "10.00", "", "在线支付")), "商品", "一,二", 1)
	text := strings.Replace(fundBill(rows), fundHeading, heading, 1)
	got, err := readAll(t, bytes.NewReader(zipped(t, entry{name: fundName, text: text})), billOf(providers.BillFunds))
	if err != nil || len(got) != 2 || got[0].Net != yuan(-500) || got[1].OrderNo != "A1" || got[1].Net != yuan(1000) || got[1].Balance != yuan(1187506) {
		t.Errorf("%+v, %v", got, err)
	}
	// A row twice makes the sums at the foot wrong.
	twice := strings.Replace(text, rows, rows+rows, 1)
	if got, err := readAll(t, bytes.NewReader(zipped(t, entry{name: fundName, text: twice})), billOf(providers.BillFunds)); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("rows twice: %+v, %v", got, err)
	}
}

// TestBillAmounts: nothing that is not an amount of yuan is one in a bill, in
// any column.
func TestBillAmounts(t *testing.T) {
	t.Parallel()
	neither := []string{
		"1e9", "1E+2", "0x10", "NaN", "Inf", "--1", "-+1", "-", "1_0", "1 0", "1,000", "١٢", "１２", "9223372036854775808", strings.Repeat("9", 4000),
	}
	// A fee is evidence only, so that it may have parts of a fen and any sign.
	noAmount := append([]string{"-1", "-10.00", ".5", "5.", "00012", "1.005"}, neither...)
	good := tradeBill(threeRows(), twoSums)
	for column, amounts := range map[string][]string{"\t,10.00\t,10.00": noAmount, "10.00\t,0.00": noAmount, "-0.06": neither} {
		for _, amount := range amounts {
			with := strings.Replace(strings.Replace(column, "10.00", amount, 1), "-0.06", amount, 1)
			text := strings.Replace(good, column, with, 1)
			lines, err := readAll(t, bytes.NewReader(zipped(t, entry{name: tradeName, text: text})), billOf(providers.BillTrade))
			if text == good || domain.KindOf(err) != domain.KindCorrupt || len(lines) > 0 {
				t.Errorf("%.20q for %q: %+v, %v", amount, column, lines, err)
			}
		}
	}
}

// TestBillFee: fees have up to eight places.
func TestBillFee(t *testing.T) {
	t.Parallel()
	text := strings.Replace(tradeBill(threeRows(), twoSums), "-0.06", "-0.06000001", 1)
	lines, err := readAll(t, bytes.NewReader(zipped(t, entry{name: tradeName, text: text})), billOf(providers.BillTrade))
	if err != nil || !lines[0].Fee.Equal(decimal.New(6000001, -8)) || lines[0].Net != (domain.Money{}) {
		t.Errorf("%+v, %v", lines, err)
	}
}

// bomb is a bill whose one file is a megabyte of filler, so many times over, and
// says that it has size bytes.
func bomb(t *testing.T, filler string, times int, size uint64) []byte {
	t.Helper()
	var part bytes.Buffer
	w, err := flate.NewWriter(&part, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Repeat(filler, 1<<20/len(filler))
	for _, step := range []error{second(w.Write([]byte(whole))), w.Flush()} {
		if step != nil {
			t.Fatal(step)
		}
	}
	// What the first block wrote stands alone, because nothing was in front of it.
	packed := bytes.Repeat(part.Bytes(), times)
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	f, err := archive.CreateRaw(&zip.FileHeader{
		Name: gbk(t, tradeName), Method: zip.Deflate, CompressedSize64: uint64(len(packed)), UncompressedSize64: size, NonUTF8: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{second(f.Write(packed)), archive.Close()} {
		if step != nil {
			t.Fatal(step)
		}
	}
	return b.Bytes()
}

func second(_ int, err error) error { return err }

// TestBillBombs: ten gigabytes of zeros, a hundred megabytes of empty lines and
// of remarks, and each as a bill that says it has a hundred bytes: refused early.
func TestBillBombs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		filler string
		times  int
		says   string
	}{
		{"\x00", 10 << 10, "is longer than"}, {"\n", 100, "more than a bill"}, {"#\n", 100, "more than a bill"}, {"#\xb2\xe2\n", 100, "more than a bill"},
	} {
		for _, size := range []uint64{uint64(tt.times) << 20, 100} {
			says := tt.says
			if size == 100 {
				says = "row "
			}
			lines, err := readAll(t, bytes.NewReader(bomb(t, tt.filler, tt.times, size)), billOf(providers.BillTrade))
			if domain.KindOf(err) != domain.KindCorrupt || err == nil || len(lines) > 0 || !strings.Contains(err.Error(), says) {
				t.Errorf("%q as %d bytes: %d lines, %v", tt.filler, size, len(lines), err)
			}
		}
	}
}
