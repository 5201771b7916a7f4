package alipay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

const (
	readyHour       = 10               // bills of a day can be asked for on the next one from this hour on
	finalAfter      = 12 * time.Hour   // after BillReady: what is handed over before could still be late or changed
	downloadTimeout = 30 * time.Minute // for one bill
)

// billTypes are the gateway's words for the bills.
var billTypes = map[providers.BillKind]string{providers.BillTrade: "trade", providers.BillFunds: "signcustomer"}

// Bills are the trades of a day and its movements on the balance.
func (c *Channel) Bills() []providers.BillKind {
	return []providers.BillKind{providers.BillTrade, providers.BillFunds}
}

// BillReady is 10:00 in Beijing on the day after.
func (c *Channel) BillReady(day domain.Day) time.Time {
	return day.Add(1).Start(beijing).Add(readyHour * time.Hour)
}

// errNoFile is a download address under which there is no bill. Addresses die
// after 30 seconds, and there is no other sign of it.
var errNoFile = errors.New("the download address has no bill")

// FetchBill asks for the bill's address (alipay.data.dataservice.bill.
// downloadurl.query) and writes what is there, a ZIP file. The address is signed
// and lives 30 seconds; a dead one is asked for once more. Alipay answers "bill
// does not exist" before a bill is made and of a day without any movement:
// before BillReady that is KindNotFound, afterwards an empty bill. A bill that
// is late has the same words, and one can be put right in its first hours, so
// neither is final until half a day later.
func (c *Channel) FetchBill(ctx context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	final := !q.At.Before(c.BillReady(q.Day).Add(finalAfter))
	f := providers.BillFile{Question: q, MediaType: "application/zip", Final: final}
	kind, ok := billTypes[q.Kind]
	if !ok {
		return f, domain.EField(domain.KindInvalid, "kind", "%q is no bill of Alipay's", q.Kind)
	}
	if _, err := domain.ParseDay(string(q.Day)); err != nil {
		return f, err
	}
	for try := 0; ; try++ {
		address, err := c.billAddress(ctx, kind, q)
		if err != nil {
			return f, err
		}
		if address == "" {
			return providers.BillFile{Question: q, Empty: true, Final: final}, nil
		}
		f.Name = fileName(address)
		err = c.download(ctx, address, w)
		if err == nil || try > 0 || !errors.Is(err, errNoFile) {
			return f, err
		}
	}
}

// billContent is the biz_content of the question.
type billContent struct {
	Type string `json:"bill_type"`
	Date string `json:"bill_date"`
}

// billAddress is where a bill lies now, "" for a day that has none.
func (c *Channel) billAddress(ctx context.Context, kind string, q providers.BillQuestion) (string, error) {
	content, err := json.Marshal(billContent{kind, string(q.Day)})
	if err != nil {
		return "", domain.E(domain.KindInternal, "write a question: %w", err)
	}
	r, err := c.call(ctx, methodBill, string(content))
	if err != nil {
		return "", err
	}
	e, err := c.open(r, methodBill)
	if err != nil {
		return "", err
	}
	if e.code == codeBusiness && strings.EqualFold(e.subCode, subNoBill) {
		if q.At.Before(c.BillReady(q.Day)) {
			return "", domain.E(domain.KindNotFound, "the %s bill of %s is not made yet", q.Kind, q.Day)
		}
		return "", nil
	}
	if e.code != codeOK {
		return "", c.failure(e)
	}
	address, _ := e.members.String("bill_download_url")
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return "", c.unusable("answered with an address that is none")
	}
	return address, nil
}

// fileName is the name that an address gives the file, for people: never a
// path.
func fileName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := path.Base(strings.ReplaceAll(u.Query().Get("downloadFileName"), `\`, "/"))
	if name == "." || name == ".." || name == "/" || !providers.Readable(name) || len(name) > 200 {
		return ""
	}
	return name
}

// download writes what lies at address to w. The answer is unsigned: a ZIP file
// is taken for the bill, anything else for a dead address.
func (c *Channel) download(ctx context.Context, address string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return c.unusable("answered with an address that is none")
	}
	request.Header.Set("User-Agent", "counterfoil")
	reply, err := c.client.Do(request)
	if err != nil {
		return c.unanswered(err)
	}
	defer reply.Body.Close()
	var first [4]byte
	n, err := io.ReadFull(reply.Body, first[:])
	if err != nil || reply.StatusCode != http.StatusOK || !bytes.HasPrefix(first[:n], []byte("PK")) {
		return c.unusable("has no bill at its address, status %d: %w", reply.StatusCode, errNoFile)
	}
	return c.copyBill(w, io.MultiReader(bytes.NewReader(first[:]), reply.Body))
}

func (c *Channel) copyBill(w io.Writer, r io.Reader) error {
	out := &watched{w: w}
	n, err := io.Copy(out, io.LimitReader(r, c.cfg.MaxBill+1))
	switch {
	case out.err != nil:
		return out.err // not Alipay's
	case err != nil:
		return c.unusable("broke its bill off after %d bytes: %w", n, err)
	case n > c.cfg.MaxBill:
		return c.unusable("has a bill of more than %d bytes", c.cfg.MaxBill)
	}
	return nil
}

// watched remembers that writing failed: the one error that is our own.
type watched struct {
	w   io.Writer
	err error
}

// Write is that of the writer behind it.
func (o *watched) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.err = err
	}
	return n, err
}
