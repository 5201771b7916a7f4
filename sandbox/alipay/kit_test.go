package alipay

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	wire "counterfoil/providers/alipay"
	"counterfoil/sandbox/stage"
)

// world is Alipay, one shop with Counterfoil's own adapter, and the wire
// between them, in one process under a clock of their own.
type world struct {
	t       *testing.T
	face    *Face
	on      *stage.Stage
	channel *wire.Channel
	hosts   map[string]http.Handler
	came    []arrival
	answer  func(n int) string // what the shop says to the n-th message, from 1; nil: what is right

	shopping sync.Mutex // messages of one moment come side by side
}

// arrival is a message as the shop took it.
type arrival struct {
	at      time.Time
	fields  map[string]string
	notices []domain.Notice
	reason  domain.Reason
}

// RoundTrip is the wire.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	host := w.hosts[r.URL.Host]
	if host == nil {
		return nil, io.ErrUnexpectedEOF
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	host.ServeHTTP(out, in)
	return out.Result(), nil
}

const appID = "2021000000000000"

// inWorld runs a test in a bubble, from a Monday morning in China on.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, hosts: map[string]http.Handler{}}
		s, err := stage.New(stage.Config{Now: time.Now, Seed: 7, Transport: w})
		if err != nil {
			t.Fatal(err)
		}
		face, err := New(s, Config{BaseURL: "http://box.example/alipay", Merchants: []Merchant{{AppID: appID, NotifyURL: "http://shop.example/notify"}}})
		if err != nil {
			t.Fatal(err)
		}
		w.face, w.on = face, s
		w.channel = w.channelNow()
		w.hosts["box.example"] = http.StripPrefix("/alipay", face.Routes())
		w.hosts["shop.example"] = http.HandlerFunc(w.shop)
		s.Start()
		defer s.Stop()
		test(t, w)
	})
}

// channelNow is Counterfoil's channel, from what the face says to configure.
func (w *world) channelNow() *wire.Channel {
	w.t.Helper()
	cfg := wire.Config{AccountFrom: wire.AccountFromPassback}
	channel := w.face.Channels()[0]
	cfg.Channel = domain.ChannelID(channel.ID)
	for _, set := range channel.Settings {
		switch v := set.Value.(type) {
		case string:
			switch set.Name {
			case "gateway":
				cfg.Gateway = v
			case "app_id":
				cfg.AppID = v
			case "seller_id":
				cfg.SellerID = v
			case "app_key":
				cfg.AppKey = providers.NewSecret(v)
			}
		case []string:
			cfg.AlipayKeys = v
		case bool:
			cfg.AllowPlainHTTP = cfg.AllowPlainHTTP || set.Name == "allow_plain_http"
		}
	}
	c, err := wire.New(cfg, &http.Client{Transport: w}, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// shop takes a notice with the adapter and answers as the adapter says.
func (w *world) shop(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if err := r.ParseForm(); err != nil {
		w.t.Error(err)
	}
	a := arrival{at: time.Now(), fields: map[string]string{}}
	for name := range r.PostForm {
		a.fields[name] = r.PostForm.Get(name)
	}
	read, refusal, err := w.channel.Read(providers.Request{
		Method: r.Method, Target: r.URL.RequestURI(), RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now(),
	})
	outcome := domain.OutcomeNoted
	if err != nil {
		outcome, a.reason = domain.OutcomeRefused, refusal.Reason
	}
	a.notices = read.Notices
	w.shopping.Lock()
	defer w.shopping.Unlock()
	w.came = append(w.came, a)
	reply := w.channel.Reply(outcome)
	if w.answer != nil {
		if said := w.answer(len(w.came)); said != "" {
			reply = domain.Reply{Status: 200, Body: said}
		}
	}
	out.WriteHeader(reply.Status)
	io.WriteString(out, reply.Body)
}

// settle waits until nothing is due any more.
func (w *world) settle() {
	w.t.Helper()
	if err := w.on.Settled(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(orderNo string, amount int64) stage.Order {
	w.t.Helper()
	o, err := w.face.Open(stage.OpenOrder{OrderNo: orderNo, Amount: fen(amount), Subject: "会员", Attach: "u:7"})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// pay opens and pays an order of 10.00.
func (w *world) pay(orderNo string, faults ...stage.Fault) stage.Order {
	w.t.Helper()
	o, err := w.face.Pay(w.open(orderNo, 1000).ID, faults...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	return o
}

// ask queries an order, or a refund of it.
func (w *world) ask(orderNo, refundNo string) (providers.Answer, error) {
	return w.channel.Query(context.Background(), providers.Question{OrderNo: orderNo, RefundNo: refundNo})
}

// call asks the gateway anything, signed by the application, and answers the
// body.
func (w *world) call(method, content string) string {
	w.t.Helper()
	p := wire.Params{
		{Name: "app_id", Value: appID},
		{Name: "method", Value: method},
		{Name: "charset", Value: "utf-8"},
		{Name: "sign_type", Value: "RSA2"},
		{Name: "timestamp", Value: clock(time.Now())},
		{Name: "version", Value: "1.0"},
		{Name: "biz_content", Value: content},
	}
	sign, err := wire.Sign(wire.RequestText(p), w.face.list[0].app)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.post(p.With("sign", sign))
}

func (w *world) post(p wire.Params) string {
	r := httptest.NewRequest(http.MethodPost, "http://box.example/alipay/gateway.do", strings.NewReader(wire.Encode(p)))
	out := httptest.NewRecorder()
	w.hosts["box.example"].ServeHTTP(out, r)
	return out.Body.String()
}

// genuine are the arrivals that the adapter took.
func (w *world) genuine() []arrival {
	var all []arrival
	for _, a := range w.came {
		if a.reason == "" {
			all = append(all, a)
		}
	}
	return all
}

func names(a arrival) []string { return slices.Sorted(maps.Keys(a.fields)) }
