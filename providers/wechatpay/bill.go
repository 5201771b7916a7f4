package wechatpay

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // the hash that WeChat names; its signature covers the hash
	"crypto/subtle"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// billTimeout bounds the download of one bill.
const billTimeout = 15 * time.Minute

// billHour is when WeChat's bills of a day can be asked for on the next one
// (questions about bills: from 09:00 they are made, ask after 10:00).
const billHour = 10 * time.Hour

// Bills are the trade bill and, with v3, the fund flow: v2 gives that one only
// to a client certificate. A partner's fund flow is of the partner's own
// balance, not of the merchants he collects for.
func (c *Channel) Bills() []providers.BillKind {
	if c.v3 == nil || c.cfg.SubMchID != "" {
		return []providers.BillKind{providers.BillTrade}
	}
	return []providers.BillKind{providers.BillTrade, providers.BillFunds}
}

// BillReady is 10:00 Beijing time on the day after.
func (c *Channel) BillReady(day domain.Day) time.Time {
	return day.Add(1).Start(c.zone).Add(billHour)
}

// FetchBill asks for a bill packed and writes it as it came. v3 names the SHA-1
// of the text inside; the download itself is not signed.
func (c *Channel) FetchBill(ctx context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	ctx, cancel := context.WithTimeout(ctx, billTimeout)
	defer cancel()
	if _, err := domain.ParseDay(string(q.Day)); err != nil {
		return providers.BillFile{}, err
	}
	f := providers.BillFile{Question: q, Final: true}
	if c.v3 == nil {
		return c.fetchBillV2(ctx, f, w)
	}
	place, hash, empty, err := c.findBill(ctx, q)
	if f.Empty = empty; err != nil || empty {
		return f, err
	}
	f.Claimed = "sha1:" + hash
	r, err := c.requestV3(ctx, http.MethodGet, place, "")
	if err != nil {
		return f, err
	}
	return c.download(r, f, w)
}

// findBill asks where a bill is. A day without any trade is told positively, and
// signed like every answer.
func (c *Channel) findBill(ctx context.Context, q providers.BillQuestion) (place, hash string, empty bool, err error) {
	target, err := c.billTarget(q)
	if err != nil {
		return "", "", false, err
	}
	r, err := c.askV3(ctx, http.MethodGet, target, "")
	if err != nil {
		return "", "", false, err
	}
	switch code, _ := codeOf(r); {
	case code == "STATEMENT_CREATING":
		return "", "", false, domain.E(domain.KindNotFound, "WeChat Pay has not made the bill of %s yet", q.Day)
	case code != "NO_STATEMENT_EXIST" && r.status != http.StatusOK:
		return "", "", false, c.failure(r)
	}
	m, _, err := c.provenBody(r, c.clock())
	if err != nil {
		return "", "", false, err
	}
	if r.status != http.StatusOK {
		return "", "", true, nil
	}
	kind, _ := m.String("hash_type")
	hash, _ = m.String("hash_value")
	place, _ = m.String("download_url")
	if raw, err := hex.DecodeString(hash); err != nil || kind != "SHA1" || len(raw) != sha1.Size {
		return "", "", false, c.unusable("answered with a hash that is no SHA1: %s", quoted(kind+" "+hash))
	}
	return place, strings.ToLower(hash), false, c.checkPlace(place)
}

func (c *Channel) billTarget(q providers.BillQuestion) (string, error) {
	switch q.Kind {
	case providers.BillTrade:
		target := "/v3/bill/tradebill?bill_date=" + string(q.Day) + "&bill_type=ALL&tar_type=GZIP"
		if c.cfg.SubMchID != "" {
			target += "&sub_mchid=" + c.cfg.SubMchID
		}
		return target, nil
	case providers.BillFunds:
		return "/v3/bill/fundflowbill?bill_date=" + string(q.Day) + "&account_type=BASIC&tar_type=GZIP", nil
	}
	return "", domain.EField(domain.KindInvalid, "kind", "WeChat Pay makes no bill of the kind %.40q", q.Kind)
}

// checkPlace lets a download address name no other host than WeChat's: what we
// send there is signed with our key.
func (c *Channel) checkPlace(place string) error {
	u, err := url.Parse(place)
	base, baseErr := url.Parse(c.cfg.Gateway)
	switch {
	case err != nil || baseErr != nil || u.User != nil || u.Host == "":
		return c.unusable("answered with a download address that is none")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.cfg.AllowPlainHTTP):
		return c.unusable("answered with a download address that is not https")
	case !strings.EqualFold(u.Host, base.Host) && !(base.Host == "api.mch.weixin.qq.com" && u.Host == "api2.mch.weixin.qq.com"):
		return c.unusable("answered with a download address on another host: %s", quoted(u.Host))
	}
	return nil
}

// fetchBillV2 gets the bill itself as the answer, or XML that says why not. v2
// has one word for a day without trade and for a bill that is not there yet.
func (c *Channel) fetchBillV2(ctx context.Context, f providers.BillFile, w io.Writer) (providers.BillFile, error) {
	if f.Question.Kind != providers.BillTrade {
		return f, domain.EField(domain.KindInvalid, "kind", "v2 has no bill of the kind %.40q", f.Question.Kind)
	}
	r, err := c.requestV2(ctx, "/pay/downloadbill", Fields{
		{"bill_date", strings.ReplaceAll(string(f.Question.Day), "-", "")}, {"bill_type", "ALL"}, {"tar_type", "GZIP"},
	})
	if err != nil {
		return f, err
	}
	return c.download(r, f, w)
}

// download copies a bill to w and checks the hash of the text inside.
func (c *Channel) download(r *http.Request, f providers.BillFile, w io.Writer) (providers.BillFile, error) {
	reply, err := c.client.Do(r)
	if err != nil {
		return f, c.unanswered(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK || len(reply.Header.Values("Content-Encoding")) > 0 {
		return f, c.unusable("answered with status %d instead of a bill", reply.StatusCode)
	}
	kept := &keep{w: w}
	u, err := unpack(io.TeeReader(reply.Body, kept))
	if err != nil {
		return f, c.unusable("answered with a broken bill: %w", err)
	}
	sum, trouble, err := c.drain(u)
	if kept.err != nil {
		return f, kept.err // our own disk, not WeChat
	}
	if err != nil {
		return f, c.unusable("answered with a broken bill: %w", err)
	}
	if trouble != nil {
		return c.noBillV2(trouble, f)
	}
	want, _ := hex.DecodeString(strings.TrimPrefix(f.Claimed, "sha1:"))
	if f.Claimed != "" && subtle.ConstantTimeCompare(sum, want) != 1 {
		return f, c.unusable("answered with a bill of the hash %x, not %x", sum, want)
	}
	f.MediaType = u.mediaType()
	return f, nil
}

// keep remembers that it was the writer who failed.
type keep struct {
	w   io.Writer
	err error
}

func (k *keep) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	if err != nil {
		k.err = err
	}
	return n, err
}

// drain reads a bill to its end and hashes its text. A text that begins with '<'
// is v2's way to say that there is none; it is short.
func (c *Channel) drain(u *unpacked) (sum, trouble []byte, err error) {
	h := sha1.New() //nolint:gosec // see the import
	first := make([]byte, 1)
	n, err := io.ReadFull(u, first)
	if n == 0 {
		return nil, nil, domain.E(domain.KindCorrupt, "it is empty: %w", err)
	}
	if first[0] == '<' {
		rest, err := io.ReadAll(io.LimitReader(u, maxAnswer))
		return nil, append(first, rest...), err
	}
	h.Write(first)
	if _, err := io.Copy(h, u); err != nil {
		return nil, nil, err
	}
	return h.Sum(nil), nil, nil
}

// noBillV2 reads v2's reasons (bill download page of v2).
func (c *Channel) noBillV2(body []byte, f providers.BillFile) (providers.BillFile, error) {
	fields, err := ScanXML(body, "xml")
	if err != nil || c.v3 != nil {
		return f, c.unusable("answered with a web page instead of a bill")
	}
	code, msg := fields.Value("error_code"), fields.Value(fieldReturnMsg)
	creating := domain.E(domain.KindNotFound, "WeChat Pay has not made the bill of %s yet", f.Question.Day)
	switch {
	case code == "20003" || strings.EqualFold(msg, "Bill Creating"):
		return f, creating
	case code == "20002" || strings.EqualFold(msg, "No Bill Exist"):
		if cmp.Or(f.Question.At, c.clock()).Before(c.BillReady(f.Question.Day)) {
			return f, creating
		}
		f.Empty = true
		return f, nil
	}
	return f, c.failureV2(fields)
}
