package crash

import (
	"bufio"
	"context"
	crsa "crypto/rsa"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/providers/epay"
)

// order is a placed payment.
type order struct {
	channel, orderNo, tradeNo, account string
	cents                              int64
}

func (o order) stream() domain.Stream {
	return domain.PaymentStreamRaw(domain.ChannelID(o.channel), o.orderNo)
}

func (o order) money() domain.Money { return domain.NewMoney(o.cents, domain.CNY) }

// place places payments through the API; each must be taken.
func (s *site) place(t testing.TB, orders []order) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(16)
	for _, o := range orders {
		g.Go(func() error {
			_, err := s.call(ctx, http.MethodPost, "/v1/payments", httpapi.Order{
				Channel: o.channel, OrderNo: o.orderNo, Account: o.account, Amount: o.money().Amount(), Currency: "CNY",
				Method: "alipay", Subject: "Top-up", ReturnURL: "https://shop.example/done",
			}, nil)
			return err
		})
	}
	must(t, g.Wait())
}

// orders makes up n orders of a channel.
func orders(channel, prefix string, n int) []order {
	out := make([]order, n)
	for i := range out {
		out[i] = order{
			channel: channel, orderNo: fmt.Sprintf("%s-%05d", prefix, i), tradeNo: fmt.Sprintf("T-%s-%05d", prefix, i),
			account: fmt.Sprintf("user:%d", i%17), cents: 100 + int64(i)*7%5000,
		}
	}
	return out
}

// signer signs as the gateway does.
type signer struct{ platform *crsa.PrivateKey }

func newSigner(t testing.TB, platform string) signer {
	t.Helper()
	key, err := epay.ParsePrivateKey(platform)
	must(t, err)
	return signer{key}
}

// callback is one delivery, ready for the wire. token tells it from others of
// its order; it is signed with the rest and stands in the kept evidence.
type callback struct {
	order order
	token string
	wire  []byte
}

// paid is a genuine callback for an order.
func (s *site) paid(t testing.TB, o order, token string, post bool) callback {
	t.Helper()
	fields := epay.Params{
		{Name: "pid", Value: pids[o.channel]},
		{Name: "trade_no", Value: o.tradeNo},
		{Name: "out_trade_no", Value: o.orderNo},
		{Name: "type", Value: "alipay"},
		{Name: "name", Value: "Top-up"},
		{Name: "money", Value: o.money().Amount()},
		{Name: "trade_status", Value: "TRADE_SUCCESS"},
		{Name: "param", Value: token},
	}
	if o.channel == rsa {
		fields = append(fields, epay.Param{Name: "timestamp", Value: fmt.Sprint(time.Now().Unix())})
		sign, err := epay.SignRSA(epay.Text(fields), s.signer.platform)
		must(t, err)
		fields = append(fields, epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: "RSA"})
	} else {
		sign := epay.SignMD5(epay.Text(fields), md5Key)
		fields = append(fields, epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: "MD5"})
	}
	return callback{order: o, token: token, wire: s.request(o.channel, fields, post)}
}

// forged is a callback whose signature does not hold.
func (s *site) forged(o order, token string) callback {
	fields := epay.Params{
		{Name: "pid", Value: pids[o.channel]},
		{Name: "trade_no", Value: o.tradeNo},
		{Name: "out_trade_no", Value: o.orderNo},
		{Name: "type", Value: "alipay"},
		{Name: "name", Value: "Top-up"},
		{Name: "money", Value: o.money().Amount()},
		{Name: "trade_status", Value: "TRADE_SUCCESS"},
		{Name: "param", Value: token},
	}
	sign := epay.SignMD5(epay.Text(fields), "some other key")
	fields = append(fields, epay.Param{Name: "sign", Value: sign}, epay.Param{Name: "sign_type", Value: "MD5"})
	return callback{order: o, token: token, wire: s.request(o.channel, fields, false)}
}

// request is fields as the bytes of an HTTP request, by GET or POST.
func (s *site) request(channel string, fields epay.Params, post bool) []byte {
	var form strings.Builder
	for i, p := range fields {
		if i > 0 {
			form.WriteByte('&')
		}
		form.WriteString(url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value))
	}
	if !post {
		return fmt.Appendf(nil, "GET /callbacks/%s?%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n",
			channel, form.String(), s.api)
	}
	return fmt.Appendf(nil, "POST /callbacks/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", channel, s.api, form.Len(), form.String())
}

// wire is one connection to the API, without anything that would repeat a
// request by itself.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// dial connects, from a given local address if from is not empty.
func dial(ctx context.Context, addr, from string) (*wire, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn, bufio.NewReader(conn)}, nil
}

func (w *wire) close() { w.conn.Close() }

// answer is what came back: the status line's number and the whole body.
type answer struct {
	status int
	body   string
}

var success = answer{http.StatusOK, "success"}

// send sends the bytes of a request and reads its whole answer.
func (w *wire) send(raw []byte) (answer, error) {
	if err := w.conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return answer{}, err
	}
	if _, err := w.conn.Write(raw); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, string(body)}, err
}

// sendOne sends one request over its own connection.
func (s *site) sendOne(t testing.TB, c callback) answer {
	t.Helper()
	w, err := dial(t.Context(), s.api, "")
	must(t, err)
	defer w.close()
	a, err := w.send(c.wire)
	must(t, err)
	return a
}
