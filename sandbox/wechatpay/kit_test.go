package wechatpay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
	provider "counterfoil/providers/wechatpay"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/wechatpay"
)

const (
	v3Merchant = "1900000109"
	v2Merchant = "1900000110"

	partner     = "1900000300" // of v3, who collects for the next two
	ofPartner   = "1900000301"
	ofPartnerB  = "1900000302"
	partnerV2   = "1900000400"
	ofPartnerV2 = "1900000401"
	subApp      = "wx00000000000000aa"
)

// world is a sandbox's face behind HTTP, and a shop that takes its callbacks by
// Counterfoil's own channel.
type world struct {
	t     *testing.T
	stage *stage.Stage
	face  *wechatpay.Face
	shop  *shop
}

// shop verifies every callback and remembers what it said.
type shop struct {
	*httptest.Server
	mu       sync.Mutex
	channels map[string]*provider.Channel // by merchant
	notices  []domain.Notice
	refusals []domain.Reason
}

// keys are made once: they take a while.
var keys = sync.OnceValue(func() map[string]string {
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		panic(err)
	}
	f, err := wechatpay.New(s, wechatpay.Config{BaseURL: "http://x", Merchants: []wechatpay.Merchant{{MchID: v3Merchant}, {MchID: "1"}}})
	if err != nil {
		panic(err)
	}
	found := map[string]string{}
	for _, c := range f.Channels() {
		for _, s := range c.Settings {
			if s.Name == "merchant_key" {
				found[c.Merchant] = s.Value.(string)
			}
		}
	}
	return found
})

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := stage.New(stage.Config{Now: time.Now, Seed: 7, Speed: 2000})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, stage: s}
	server, routes := serverOf(t)
	w.openShop(server.URL)
	*routes = http.StripPrefix("/wechatpay", w.face.Routes())
	s.Start()
	t.Cleanup(s.Stop)
	return w
}

// serverOf serves what is put into routes before the first request.
func serverOf(t *testing.T) (*httptest.Server, *http.Handler) {
	t.Helper()
	routes := new(http.Handler)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*routes).ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	return server, routes
}

// openShop makes the face on the world's stage, below an address, and the shop
// that it calls back.
func (w *world) openShop(base string) {
	t := w.t
	t.Helper()
	var err error
	w.shop = &shop{channels: map[string]*provider.Channel{}}
	w.shop.Server = httptest.NewServer(http.HandlerFunc(w.shop.serve))
	t.Cleanup(w.shop.Close)
	w.face, err = wechatpay.New(w.stage, wechatpay.Config{BaseURL: base + "/wechatpay", Merchants: []wechatpay.Merchant{
		{MchID: v3Merchant, MerchantKey: keys()[v3Merchant], PlatformKey: keys()["1"], NotifyURL: w.shop.URL + "/" + v3Merchant},
		{MchID: v2Merchant, Protocol: provider.V2, NotifyURL: w.shop.URL + "/" + v2Merchant},
		{MchID: partner, SubMchID: ofPartner, MerchantKey: keys()[v3Merchant], PlatformKey: keys()["1"], NotifyURL: w.shop.URL + "/" + ofPartner},
		{MchID: partner, SubMchID: ofPartnerB, SubAppID: subApp, NotifyURL: w.shop.URL + "/" + ofPartnerB},
		{MchID: partnerV2, SubMchID: ofPartnerV2, Protocol: provider.V2, NotifyURL: w.shop.URL + "/" + ofPartnerV2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.face.Channels() {
		w.shop.channels[c.Merchant] = w.channel(c)
	}
}

// channel is Counterfoil's side, made of nothing but the settings.
func (w *world) channel(c stage.Channel) *provider.Channel {
	w.t.Helper()
	cfg := provider.Config{Channel: domain.ChannelID(c.ID), Ledger: domain.NewV5(domain.ID{}, "sandbox tests")}
	for _, s := range c.Settings {
		switch v := s.Value.(type) {
		case string:
			setText(&cfg, s.Name, v)
		case []string:
			if s.Name == "sub_appids" {
				cfg.SubAppIDs = v
			} else {
				cfg.AppIDs = v
			}
		case map[string]string:
			for id, pem := range v {
				cfg.PlatformKeys = append(cfg.PlatformKeys, provider.PlatformKey{ID: id, PEM: pem})
			}
		case bool:
			cfg.Test, cfg.AllowPlainHTTP = true, true
		}
	}
	ch, err := provider.New(cfg, nil, w.stage.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

func setText(cfg *provider.Config, name, v string) {
	switch name {
	case "protocol":
		cfg.Protocol = v
	case "gateway":
		cfg.Gateway = v
	case "mchid":
		cfg.MchID = v
	case "sub_mchid":
		cfg.SubMchID = v
	case "api_key":
		cfg.APIKey = providers.NewSecret(v)
	case "api_v3_key":
		cfg.APIv3Key = providers.NewSecret(v)
	case "merchant_key":
		cfg.MerchantKey = providers.NewSecret(v)
	case "merchant_serial":
		cfg.MerchantSerial = v
	case "sign_type":
		cfg.SignType = v
	}
}

func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	ch := s.channels[strings.TrimPrefix(r.URL.Path, "/")]
	read, refusal, err := ch.Read(providers.Request{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now(),
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := ch.Reply(domain.OutcomeNoted)
	if err != nil {
		s.refusals = append(s.refusals, refusal.Reason)
		reply = ch.Reply(domain.OutcomeRefused)
	}
	s.notices = append(s.notices, read.Notices...)
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	io.WriteString(w, reply.Body)
}

func (s *shop) seen() ([]domain.Notice, []domain.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]domain.Notice{}, s.notices...), append([]domain.Reason{}, s.refusals...)
}

func (w *world) open(merchant, no string, fen int64) stage.Order {
	w.t.Helper()
	o, err := w.face.Open(stage.OpenOrder{
		Merchant: merchant, OrderNo: no, Amount: domain.NewMoney(fen, domain.CNY), Subject: "充值,100", Attach: "user:7",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) pay(id string, faults ...stage.Fault) stage.Order {
	w.t.Helper()
	o, err := w.face.Pay(id, faults...)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// settle waits until everything that was to be told was told.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if err := w.stage.Settled(ctx); err != nil {
		w.t.Fatal(err)
	}
}
