package alipay

import (
	"archive/zip"
	"bytes"
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

// The bills, in the words of bill_type.
const (
	tradeBill   = "trade"
	accountBill = "signcustomer"
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
	if err != nil || (kind != tradeBill && kind != accountBill) || day >= domain.DayOf(now, stage.China) {
		return no("40004", "isv.invalid-arguments", "入参不合法")
	}
	fault := f.troubles.Bill(q.m.AppID, f.stage.Now())
	late := now.Before(day.Add(1).Start(stage.China).Add(readyHour * time.Hour))
	if late || fault.Class == stage.BillLate || q.m.quiet(kind, day) {
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

// move is one row of the trade bill: money in, or back out.
type move struct {
	o      *order
	refund *refund
	fen    int64 // its size
	given  int64 // of it, what the merchant gave away
	at     time.Time
}

// moves are the payments and refunds of a day, in its order.
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
		add(move{o, nil, o.paid, o.coupon, o.paidAt})
		for _, r := range o.refunds {
			add(move{o, r, r.fen, r.given, r.at})
		}
	}
	slices.SortStableFunc(all, func(a, b move) int { return a.at.Compare(b.at) })
	return all
}

// entriesOf are the movements of a day, in its order.
func (m *merchant) entriesOf(day domain.Day) []*entry {
	var all []*entry
	for _, e := range m.entries {
		if domain.DayOf(e.at, stage.China) == day {
			all = append(all, e)
		}
	}
	return all
}

// quiet reports a day that has no bill.
func (m *merchant) quiet(kind string, day domain.Day) bool {
	if kind == accountBill {
		return len(m.entriesOf(day)) == 0
	}
	return len(m.moves(day)) == 0
}

// pack writes the bill's files: names and texts in GBK, and no flag that says
// so.
func (b file) pack(fault stage.Fault) ([]byte, error) {
	what, text := "业务明细", ""
	if b.kind == accountBill {
		what, text = "账务明细", b.fundText(corrected(b.m.entriesOf(b.day), fault))
	} else {
		text = b.tradeText(corrected(b.m.moves(b.day), fault))
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

// corrected are the rows of a bill that may lack its last one until then.
func corrected[T any](rows []T, fault stage.Fault) []T {
	if fault.Class == stage.BillChanged && len(rows) > 1 {
		return rows[:len(rows)-1]
	}
	return rows
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
