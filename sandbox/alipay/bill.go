package alipay

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	addressLife = 30 * time.Second // of a download address, in real time
	readyHour   = 9                // of the day after, when bills are made
	feePerMille = 6                // of a payment
)

// noFault lets a message travel plainly.
var noFault = stage.Fault{}

// file is a bill that can be downloaded for a while.
type file struct {
	m     *merchant
	kind  string
	day   domain.Day
	until time.Time
}

// billAddress is alipay.data.dataservice.bill.downloadurl.query. The caller
// holds f.mu.
func (f *Face) billAddress(q request) answer {
	kind := q.text("bill_type")
	day, err := domain.ParseDay(q.text("bill_date"))
	now := f.stage.Books()
	if err != nil || (kind != "trade" && kind != "signcustomer") || day >= domain.DayOf(now, stage.China) {
		return no("40004", "isv.invalid-arguments", "入参不合法")
	}
	fault := f.troubles.Bill(q.m.AppID, f.stage.Now())
	late := now.Before(day.Add(1).Start(stage.China).Add(readyHour * time.Hour))
	if late || fault.Class == stage.BillLate || len(q.m.moves(day)) == 0 {
		return no("40004", "isp.bill_not_exist", "账单不存在")
	}
	f.serial++
	token := digitsOf(20, q.m.AppID, strconv.Itoa(f.serial))
	until := f.stage.Now().Add(addressLife)
	if fault.Class == BillExpired {
		until = time.Time{}
	}
	f.files[token] = file{q.m, kind, day, until}
	compact := strings.ReplaceAll(string(day), "-", "")
	address := url.Values{
		"bizType": {kind}, "userId": {q.m.SellerID + "0156"}, "fileType": {"csv.zip"}, "bizDates": {compact},
		"downloadFileName": {q.m.SellerID + "0156_" + compact + ".csv.zip"}, "token": {token},
	}
	return ok(member{"bill_download_url", f.base + "/downloadBillFile.resource?" + address.Encode()})
}

// download hands a bill over, as long as its address lives.
func (f *Face) download(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	got, there := f.files[r.URL.Query().Get("token")]
	if !there || !f.stage.Now().Before(got.until) {
		http.Error(w, "<html>链接已失效</html>", http.StatusForbidden)
		return
	}
	fault := f.troubles.Bill(got.m.AppID, f.stage.Now())
	packed, err := got.pack(fault)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	if fault.Class == stage.BillCut {
		packed = packed[:len(packed)*2/3]
	}
	w.Write(packed)
}

// move is one row of a bill: money in, or back out.
type move struct {
	o      *order
	refund *refund
	fen    int64 // its size
	at     time.Time
}

// moves are what moved on a day, in its order.
func (m *merchant) moves(day domain.Day) []move {
	var all []move
	add := func(v move) {
		if domain.DayOf(v.at, stage.China) == day {
			all = append(all, v)
		}
	}
	for _, o := range m.list {
		if !o.wasPaid() {
			continue
		}
		add(move{o, nil, o.paid, o.paidAt})
		for _, r := range o.refunds {
			add(move{o, r, r.fen, r.at})
		}
	}
	slices.SortStableFunc(all, func(a, b move) int { return a.at.Compare(b.at) })
	return all
}

// fee is what Alipay keeps of a payment, or gives back with a refund.
func (v move) fee() int64 { return (v.fen*feePerMille + 500) / 1000 }

// pack writes the bill's files: names and texts in GBK, and no flag that says
// so.
func (b file) pack(fault stage.Fault) ([]byte, error) {
	moves := b.m.moves(b.day)
	if fault.Class == stage.BillChanged && len(moves) > 1 {
		moves = moves[:len(moves)-1] // until it is corrected
	}
	what, text := "业务明细", b.tradeText(moves)
	if b.kind == "signcustomer" {
		what, text = "账务明细", b.fundText(moves)
	}
	name := b.m.SellerID + "0156_" + strings.ReplaceAll(string(b.day), "-", "") + "_" + what
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, part := range [...][2]string{{name + ".csv", text}, {name + "(汇总).csv", b.head(what) + foot(what)}} {
		if err := addFile(w, part[0], part[1]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func addFile(w *zip.Writer, name, text string) error {
	encoder := simplifiedchinese.GB18030.NewEncoder()
	gbkName, err := encoder.String(name)
	if err != nil {
		return err
	}
	gbkText, err := encoder.String(text)
	if err != nil {
		return err
	}
	part, err := w.CreateHeader(&zip.FileHeader{Name: gbkName, Method: zip.Deflate, NonUTF8: true})
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, gbkText)
	return err
}

func (b file) head(what string) string {
	long := func(d domain.Day) string { return d.Start(stage.China).Format("2006年01月02日 15:04:05") }
	return "#支付宝" + what + "查询\r\n#账号：[" + b.m.SellerID + "0156]\r\n" +
		"#起始日期：[" + long(b.day) + "]   终止日期：[" + long(b.day.Add(1)) + "]\r\n" +
		"#-----------------------------------------" + what + "列表----------------------------------------\r\n"
}

func foot(what string, sums ...string) string {
	text := "#-----------------------------------------" + what + "列表结束------------------------------------\r\n"
	for _, s := range sums {
		text += "#" + s + "\r\n"
	}
	return text
}

// row joins cells, each with the tab that keeps spreadsheets from making
// numbers of them.
func row(cells ...string) string { return strings.Join(cells, "\t,") + "\t\r\n" }

const tradeHeading = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）," +
	"商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）," +
	"退款批次号/请求号,服务费（元）,分润（元）,备注\r\n"

func (b file) tradeText(moves []move) string {
	var rows strings.Builder
	var count, sum [2]int64
	for _, v := range moves {
		kind, number, way, at := "交易", "", int64(1), 0
		if v.refund != nil {
			kind, number, way, at = "退款", v.refund.no, -1, 1
		}
		count[at]++
		sum[at] += way * v.fen
		amount := fen(way * v.fen).Amount()
		rows.WriteString(row(v.o.id, v.o.no, kind, v.o.subject, clock(v.o.openedAt), clock(v.at), "", "", "", "", "*某(159****5620)",
			amount, amount, "0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00", number, fen(-way*v.fee()).Amount(), "0.00", ""))
	}
	return b.head("业务明细") + tradeHeading + rows.String() + foot("业务明细",
		fmt.Sprintf("交易合计：%d笔，商家实收共%s元，商家优惠共0.00元", count[0], fen(sum[0]).Amount()),
		fmt.Sprintf("退款合计：%d笔，商家实收退款共%s元，商家优惠退款共0.00元", count[1], fen(sum[1]).Amount()))
}

const fundHeading = "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注\r\n"

// fundText lists each payment and its fee, each refund and the fee that comes
// back with it.
func (b file) fundText(moves []move) string {
	var rows strings.Builder
	var count, sum [2]int64
	var balance int64
	book := func(v move, kind string, amount int64) {
		if amount == 0 {
			return
		}
		at, in, out := 0, fen(amount).Amount(), "0.00"
		if amount < 0 {
			at, in, out = 1, "0.00", fen(amount).Amount()
		}
		count[at]++
		sum[at] += amount
		balance += amount
		id := digitsOf(16, v.o.id, kind, strconv.FormatInt(v.at.UnixNano(), 10), strconv.FormatInt(amount, 10))
		rows.WriteString(row(id, v.o.id, v.o.no, v.o.subject, clock(v.at), "159****5620", in, out, fen(balance).Amount(), "支付宝", kind, ""))
	}
	for _, v := range moves {
		if v.refund == nil {
			book(v, "在线支付", v.fen)
			book(v, "收费", -v.fee())
			continue
		}
		book(v, "交易退款", -v.fen)
		book(v, "退费", v.fee())
	}
	return b.head("账务明细") + fundHeading + rows.String() + foot("账务明细",
		fmt.Sprintf("支出合计：%d笔，共%s元", count[1], fen(sum[1]).Amount()),
		fmt.Sprintf("收入合计：%d笔，共%s元", count[0], fen(sum[0]).Amount()))
}
