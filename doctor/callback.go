package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

const (
	// probeWithin bounds one probe; Rainbow Epay itself waits 5 s for an answer.
	probeWithin = 8 * time.Second
	slowAnswer  = 4 * time.Second
	// maxPage is how much of a foreign page is looked at, in bytes.
	maxPage = 64 << 10
	// certificateSoon is how long before its end a certificate is worth a word.
	certificateSoon = 14 * 24 * time.Hour
	// logWait is how long a probe's row in the callback log may take.
	logWait = 3 * time.Second
)

// ProbePrefix begins the order number of every probe, in logs and in questions
// to gateways. No shop's order begins so.
const ProbePrefix = "CFDOCTOR"

// callbackAddress calls a channel's derived address as a gateway would, once by
// GET and once by POST, with a message that no key signed. Good is only our own
// refusal, by this installation.
func (e *examiner) callbackAddress(ctx context.Context, c Channel) []Finding {
	f := about("callback address", string(c.ID))
	if c.Port == nil {
		return one(f.skip("the channel's settings are wrong"))
	}
	if e.PublicURL == "" {
		return one(f.skip("public_url is not set"))
	}
	number := ProbePrefix + e.nonce + "." + string(c.ID)
	if len(number) > 40 {
		number = number[:40]
	}
	began := e.Clock()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		a, err := e.probe(ctx, method, c.CallbackURL, number)
		if err != nil {
			return one(unreachable(f, c.CallbackURL, err))
		}
		if bad := judge(f, c, method, a); bad.Result != "" {
			return one(bad)
		}
		if a.took > slowAnswer {
			return one(f.warn(fmt.Sprintf("%s answers, but after %s", c.CallbackURL, a.took.Round(time.Millisecond)),
				"gateways give up after 5 s: look at the proxy and the machine", "回调响应过慢，平台会判定通知失败"))
		}
		if soon := a.expires(e.Clock()); soon != "" {
			return one(f.warn(soon, "renew the certificate", "TLS 证书即将到期"))
		}
	}
	return one(e.traced(ctx, f, c, number, began))
}

// answer is what came back from a probe.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
	leaf   *x509.Certificate
}

// probe makes one request with a nonsense callback.
func (e *examiner) probe(ctx context.Context, method, address, number string) (answer, error) {
	form := "pid=0&trade_no=" + url.QueryEscape(number) + "&out_trade_no=" + url.QueryEscape(number) +
		"&type=alipay&name=" + url.QueryEscape("测试 test") + "&money=0.01&trade_status=TRADE_SUCCESS&sign=" +
		strings.Repeat("0", 32) + "&sign_type=MD5"
	var body io.Reader = http.NoBody
	if method == http.MethodGet {
		address += "?" + form
	} else {
		body = strings.NewReader(form)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return e.ask(req)
}

// ask makes a request and reads the beginning of its answer.
func (e *examiner) ask(req *http.Request) (answer, error) {
	req.Header.Set("User-Agent", "counterfoil-doctor")
	began := e.Clock()
	res, err := e.client.Do(req)
	if err != nil {
		return answer{}, withoutAddress(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(raw), took: e.Clock().Sub(began)}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		a.leaf = res.TLS.PeerCertificates[0]
	}
	return a, nil
}

// withoutAddress takes the address out of an error: it is told beside it.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (a answer) expires(now time.Time) string {
	if a.leaf == nil {
		return ""
	}
	if left := a.leaf.NotAfter.Sub(now); left < certificateSoon {
		return fmt.Sprintf("the TLS certificate ends in %s, on %s", ago(left), a.leaf.NotAfter.Format(time.DateOnly))
	}
	return ""
}

// unreachable says why no answer came.
func unreachable(f Finding, address string, err error) Finding {
	reason := address + ": " + err.Error()
	if tls := certificateTrouble(err); tls != "" {
		return f.fail(address+": TLS: "+tls, "install a certificate for this name with its whole chain; some gateways do not check, others refuse to call", "TLS 证书有问题：请安装完整证书链")
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return f.fail(reason, "make the name resolve, or correct public_url", "域名无法解析：请检查 DNS 与 public_url")
	}
	if errors.Is(err, context.DeadlineExceeded) || timeout(err) {
		return f.fail(reason+" (no answer in time)", "open the way in: firewall, security group, port forwarding; if only the way from inside is closed, try from outside: curl -i "+address,
			"连接超时：检查防火墙/安全组/端口映射")
	}
	return f.fail(reason, "start the api and the proxy before it; check host and port of public_url", "连接被拒绝：请启动 api 与反向代理")
}

func timeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// certificateTrouble is what is wrong with a certificate, or "".
func certificateTrouble(err error) string {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "nobody known signed the certificate (self-signed, or the chain is incomplete): " + e.Error()
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another name: " + e.Error()
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return e.Error()
	}
	if strings.HasPrefix(err.Error(), "tls:") || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return err.Error()
	}
	return ""
}

// traced looks for the probe in this installation's callback log: the right
// answer may still be another installation's.
func (e *examiner) traced(ctx context.Context, f Finding, c Channel, number string, since time.Time) Finding {
	seen := c.CallbackURL + " answers as it must"
	if e.Operations == nil {
		return f.ok(seen + "; whether it is this installation cannot be told")
	}
	row, err := e.row(ctx, c.ID, number, since)
	if err != nil {
		return f.fail(fmt.Sprintf("%s, but the probe is not in this installation's callback log (%v)", seen, err),
			"another Counterfoil answers there, or an api that works on another folder: public_url and --dir must belong together",
			"应答的是另一套 Counterfoil：检查 public_url、反代目标与 --dir")
	}
	if behind := e.hidden(row.Remote); behind != "" {
		return f.warn(fmt.Sprintf("%s, but every caller looks like %s to the api", seen, row.Remote), behind,
			"反代地址未加入 limits.trusted_proxies")
	}
	return f.ok(seen + ", and it is this installation")
}

// row waits for the callback log to show a probe.
func (e *examiner) row(ctx context.Context, id domain.ChannelID, number string, since time.Time) (operations.Callback, error) {
	ctx, cancel := context.WithTimeout(ctx, e.logWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		rows, err := e.Operations.Callbacks(ctx, operations.CallbackFilter{
			Channel: string(id), OrderNo: number, Since: since.Add(-time.Minute), Limit: 1,
		})
		if err == nil && len(rows) > 0 {
			return rows[0], nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = fmt.Errorf("looked for %s", e.logWait)
			}
			return operations.Callback{}, err
		case <-tick.C:
		}
	}
}

// hidden says what to do when the api takes its proxy for the caller: then all
// gateways share one limit and the log cannot say who called.
func (e *examiner) hidden(remote string) string {
	a, err := netip.ParseAddr(remote)
	u, uerr := url.Parse(e.PublicURL)
	if err != nil || uerr != nil || !a.IsLoopback() {
		return ""
	}
	if at, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && private(at) {
		return ""
	}
	return "a proxy stands before the api: add its address to limits.trusted_proxies, e.g. [127.0.0.1/32], and let it set X-Forwarded-For; else all callers share one connection limit"
}
