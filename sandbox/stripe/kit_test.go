package stripe

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
)

const (
	base   = "http://sandbox.example/stripe"
	shopAt = "http://shop.example/callbacks/stripe"
	acct   = "acct_1Shop"
)

// came is one event as the merchant saw it: read by the adapter, or refused.
type came struct {
	at      time.Time
	request providers.Request
	notices []domain.Notice
	reason  domain.Reason
}

// shop is a merchant that reads what comes by his channel, answers as the
// channel replies and remembers.
type shop struct {
	mu      sync.Mutex
	channel *stripe.Channel
	seen    []came
	down    func(n int) bool // n counts from 1; nil is never
	keep    func(providers.Read) (domain.Outcome, error)
}

// RoundTrip is the network between Stripe and the shop.
func (s *shop) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in := providers.Request{
		Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body, Remote: "stripe", ReceivedAt: time.Now(),
	}
	c := came{at: time.Now(), request: in}
	outcome := domain.OutcomeNoted
	read, refusal, err := s.channel.Read(in)
	if c.notices = read.Notices; err != nil {
		c.reason, outcome = refusal.Reason, domain.OutcomeRefused
	} else if s.keep != nil {
		if outcome, err = s.keep(read); err != nil {
			outcome = domain.OutcomeFailed
		}
	}
	s.seen = append(s.seen, c)
	if s.down != nil && s.down(len(s.seen)) {
		outcome = domain.OutcomeFailed
	}
	w := httptest.NewRecorder()
	w.WriteHeader(s.channel.Reply(outcome).Status)
	return w.Result(), nil
}

// all is what came, and forgets it.
func (s *shop) all() []came {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.seen
	s.seen = nil
	return all
}

// direct is the network between the shop and Stripe's API.
type direct struct{ routes http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	in := r.Clone(r.Context())
	in.URL.Path = strings.TrimPrefix(in.URL.Path, "/stripe")
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	d.routes.ServeHTTP(w, in)
	return w.Result(), nil
}

// play runs f in a bubble with a fake clock, an account and a shop.
func play(t *testing.T, change func(*Account), f func(t *testing.T, face *Face, h *shop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &shop{}
		s, err := stage.New(stage.Config{Now: time.Now, Seed: 7, Transport: h})
		if err != nil {
			t.Fatal(err)
		}
		a := Account{ID: acct, NotifyURL: shopAt}
		if change != nil {
			change(&a)
		}
		face, err := New(s, Config{BaseURL: base, Accounts: []Account{a, {ID: "acct_2Other"}}})
		if err != nil {
			t.Fatal(err)
		}
		h.channel = channelOf(t, face, face.list[0])
		s.Start()
		defer s.Stop()
		f(t, face, h)
	})
}

// channelOf is the adapter's channel for an account, as its settings say.
func channelOf(t *testing.T, face *Face, a *account) *stripe.Channel {
	t.Helper()
	cfg := stripe.Config{Channel: "stripe", Gateway: base, AllowPlainHTTP: true, Ledger: domain.NewV5(domain.ID{}, "sandbox"), Currency: a.Currency}
	for _, s := range settingsOf(t, face, a) {
		switch s.Name {
		case "api_key":
			cfg.APIKey = providers.NewSecret(s.Value.(string))
		case "webhook_secrets":
			for _, secret := range s.Value.([]string) {
				cfg.Secrets = append(cfg.Secrets, providers.NewSecret(secret))
			}
		case "account":
			cfg.Account = s.Value.(string)
		case "account_from":
			cfg.AccountFrom = s.Value.(string)
		}
	}
	c, err := stripe.New(cfg, &http.Client{Transport: direct{face.Routes()}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func settingsOf(t *testing.T, face *Face, a *account) []stage.Setting {
	t.Helper()
	for _, c := range face.Channels() {
		if c.Merchant == a.ID {
			return c.Settings
		}
	}
	t.Fatal("the account has no channel")
	return nil
}

func settle(t *testing.T, face *Face) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 365*24*time.Hour)
	defer cancel()
	if err := face.stage.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}

func yuan(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }

func open(t *testing.T, face *Face, no string) stage.Order {
	t.Helper()
	o, err := face.Open(stage.OpenOrder{OrderNo: no, Amount: yuan(1000), Subject: "VIP", Attach: "user:7"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func pay(t *testing.T, face *Face, no string, faults ...stage.Fault) stage.Order {
	t.Helper()
	o, err := face.Pay(open(t, face, no).ID, faults...)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, face)
	return o
}

// post asks the API as a merchant's server does.
func post(t *testing.T, face *Face, path string, form url.Values, header http.Header) (int, string) {
	t.Helper()
	return ask(t, face, http.MethodPost, path, form, header)
}

func ask(t *testing.T, face *Face, method, path string, form url.Values, header http.Header) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewBufferString(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+face.list[0].APIKey)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	face.Routes().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
