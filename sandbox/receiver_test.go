package sandbox

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/epay"
)

// receiver is the other side of the protocol as this module implements it,
// joined to the sandbox by real HTTP both ways.
type receiver struct {
	t       *testing.T
	box     *Sandbox
	channel *epay.Channel
	notify  string

	mu      sync.Mutex
	notices []domain.Notice
	refused []domain.Reason
}

func newReceiver(t *testing.T, m MerchantConfig) *receiver {
	t.Helper()
	r := &receiver{t: t}
	shop := httptest.NewServer(r)
	t.Cleanup(shop.Close)
	r.notify = shop.URL + "/callbacks/main"
	r.box = newBox(t, Config{Speed: 6000, Merchants: []MerchantConfig{m, {PID: "3003"}}})
	gateway := httptest.NewServer(r.box)
	t.Cleanup(gateway.Close)
	cfg := epay.Config{
		Channel: "main", Version: string(m.Version), Gateway: gateway.URL, PID: m.PID, AllowPlainHTTP: true,
		Ledger: domain.NewV5(domain.ID{1}, "ledger"),
	}
	if m.Version == V1 {
		cfg.Key = providers.NewSecret(m.Key)
	} else {
		cfg.MerchantKey, cfg.PlatformKey = providers.NewSecret(m.MerchantKey), platformPair().Public
	}
	var err error
	if r.channel, err = epay.New(cfg, nil, time.Now); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, r.channel.Limit()))
	if err != nil {
		return
	}
	read, refusal, err := r.channel.Read(providers.Request{
		Method: req.Method, Target: req.URL.RequestURI(), RawQuery: req.URL.RawQuery, Header: req.Header, Body: body,
		ReceivedAt: time.Now(),
	})
	outcome := domain.OutcomeNoted
	r.mu.Lock()
	if err != nil {
		outcome = domain.OutcomeRefused
		r.refused = append(r.refused, refusal.Reason)
	}
	r.notices = append(r.notices, read.Notices...)
	r.mu.Unlock()
	reply := r.channel.Reply(outcome)
	w.WriteHeader(reply.Status)
	io.WriteString(w, reply.Body)
}

// place sends the receiver's own signed form to the gateway.
func (r *receiver) place(orderNo, amount string) Order {
	r.t.Helper()
	money, err := domain.ParseMoney(amount, domain.CNY)
	if err != nil {
		r.t.Fatal(err)
	}
	form, err := r.channel.Form(providers.Order{
		OrderNo: domain.OrderNo(orderNo), Amount: money, Subject: "VIP会员", NotifyURL: r.notify,
		ReturnURL: "https://shop.example/back", At: time.Now(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	values := url.Values{}
	for name, value := range form.Fields {
		values.Set(name, value)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), form.Method, form.Action, strings.NewReader(values.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	o, err := r.box.Order(resp.Header.Get("Sandbox-Trade-No"))
	if err != nil {
		r.t.Fatalf("the form was refused: %v", err)
	}
	return o
}

// ask is the receiver's query for an order.
func (r *receiver) ask(o Order) (providers.Answer, error) {
	return r.channel.Query(context.Background(), providers.Question{OrderNo: o.OutTradeNo, TradeNo: o.TradeNo, At: time.Now()})
}

// take hands out and forgets what came since the last call.
func (r *receiver) take() ([]domain.Notice, []domain.Reason) {
	settle(r.t, r.box)
	r.mu.Lock()
	defer r.mu.Unlock()
	notices, refused := r.notices, r.refused
	r.notices, r.refused = nil, nil
	return notices, refused
}

func allMerchants() []MerchantConfig {
	all := []MerchantConfig{v2Merchant()}
	for _, style := range Styles() {
		m := v1Merchant(style)
		m.TextNumbers = style == Rainbow2020
		m.PostCallbacks = style == Epusdt
		all = append(all, m)
	}
	return all
}

// Both sides of this module understand each other in every style, whole way:
// form, page, payment, callback, query.
func TestReceiverAndGatewayAgree(t *testing.T) {
	t.Parallel()
	for _, m := range allMerchants() {
		t.Run(fmt.Sprintf("%s %s", m.Version, m.Style), func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, m)
			o := r.place("A1", "7.30")
			if a, err := r.ask(o); err != nil || !a.Found || a.Notice.Status != domain.StatusWaiting {
				t.Errorf("before: %+v, %v", a.Notice, err)
			}
			pay(t, r.box, o.TradeNo)
			notices, refused := r.take()
			if len(notices) != 1 || len(refused) != 0 {
				t.Fatalf("came %+v, refused %v", notices, refused)
			}
			a, err := r.ask(o)
			if err != nil {
				t.Fatal(err)
			}
			for from, n := range map[string]domain.Notice{"callback": notices[0], "query": a.Notice} {
				if n.OrderNo != "A1" || n.TradeNo != o.TradeNo || n.Amount != domain.NewMoney(730, domain.CNY) ||
					n.Status != domain.StatusPaid || len(n.Doubts) != 0 {
					t.Errorf("%s says %+v", from, n)
				}
			}
			if got, err := r.box.Order(o.TradeNo); err != nil || !got.Accepted || got.Attempts != 1 {
				t.Errorf("the gateway has %+v, %v", got, err)
			}
			if err := r.box.Refund(o.TradeNo, noMoney); err != nil {
				t.Fatal(err)
			}
			r.checkRefunded(t, o)
			if a, err := r.ask(Order{OutTradeNo: "A2"}); err != nil || a.Found {
				t.Errorf("an unknown order: %+v, %v", a, err)
			}
		})
	}
}

// checkRefunded asks about an order that was refunded whole: V2 names the sum,
// V1 only says that something went back.
func (r *receiver) checkRefunded(t *testing.T, o Order) {
	t.Helper()
	a, err := r.ask(o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Version == V1 {
		if a.Notice.Status != domain.StatusRefunded || len(a.Also) != 0 {
			t.Errorf("refunded: %+v", a)
		}
		return
	}
	if a.Notice.Status != domain.StatusPaid || len(a.Also) != 1 || a.Also[0].Status != domain.StatusSucceeded ||
		a.Also[0].Amount != domain.NewMoney(730, domain.CNY) || !a.Also[0].Total {
		t.Errorf("refunded: %+v", a)
	}
}

// Each trick is seen through, by what it is.
func TestReceiverSeesThroughEachTrick(t *testing.T) {
	t.Parallel()
	for _, m := range []MerchantConfig{v1Merchant(Rainbow), v2Merchant()} {
		t.Run(string(m.Version), func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, m)
			for i, c := range []struct {
				fault   Fault
				refused []domain.Reason
				notices int // of a payment that may be credited
				doubts  int // rightly signed, but doubtful
				others  int // rightly signed, and no payment
			}{
				{Fault{Class: Forged}, slices.Repeat([]domain.Reason{domain.ReasonWrongSignature}, 4), 1, 0, 0},
				{Fault{Class: OtherPID}, []domain.Reason{domain.ReasonForeignMerchant}, 1, 0, 0},
				{Fault{Class: WrongStatus}, nil, 1, 0, 1},
				{Fault{Class: Ambiguous}, nil, 1, 2, 0},
				{Fault{Class: ExtraField}, nil, 0, 1, 0},
				{Fault{Class: Concurrent, Copies: 3}, nil, 3, 0, 0},
				{Fault{Class: ReplyLost}, nil, 2, 0, 0},
				{Fault{Class: Closed}, nil, 1, 0, 0},
				{Fault{Class: Slow, Delay: Duration(50 * time.Millisecond)}, nil, 1, 0, 0},
			} {
				pay(t, r.box, r.place(fmt.Sprintf("A%d", i), "7.30").TradeNo, c.fault)
				notices, refused := r.take()
				var paid, doubts, others int
				for _, n := range notices {
					switch {
					case len(n.Doubts) > 0:
						doubts++
					case n.Status == domain.StatusPaid:
						paid++
					default:
						others++
					}
				}
				if !slices.Equal(refused, c.refused) || paid != c.notices || doubts != c.doubts || others != c.others {
					t.Errorf("%s: refused %v, %d paid, %d doubtful, %d others", c.fault.Class, refused, paid, doubts, others)
				}
			}
		})
	}
}

// No spoiled answer is taken for an answer.
func TestReceiverKnowsSpoiledAnswers(t *testing.T) {
	t.Parallel()
	for _, m := range []MerchantConfig{v1Merchant(Rainbow), v2Merchant()} {
		r := newReceiver(t, m)
		for _, class := range []Class{Query5xx, QueryClosed, QueryHTML, QueryUnsigned, QueryForged} {
			if versionOf(class) == V2 && m.Version != V2 {
				continue
			}
			o := r.place("A-"+string(class), "7.30")
			pay(t, r.box, o.TradeNo, Fault{Class: class, Copies: 1})
			if a, err := r.ask(o); domain.KindOf(err) != domain.KindUnavailable {
				t.Errorf("%s %s: %+v, %v", m.Version, class, a, err)
			}
			if a, err := r.ask(o); err != nil || a.Notice.Status != domain.StatusPaid {
				t.Errorf("%s after %s: %+v, %v", m.Version, class, a, err)
			}
		}
		o := r.place("A-missing", "7.30")
		pay(t, r.box, o.TradeNo, Fault{Class: QueryMissing, Copies: 1})
		if a, err := r.ask(o); err != nil || a.Found {
			t.Errorf("%s missing: %+v, %v", m.Version, a, err)
		}
	}
}
