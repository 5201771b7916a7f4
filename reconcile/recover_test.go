package reconcile

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
	"counterfoil/providers/stripe"
	"counterfoil/sandbox/stage"
	facestripe "counterfoil/sandbox/stripe"
)

// TestMissedCallbacks: an outage through which Stripe could deliver nothing is
// healed from its list of undelivered events, also where the order's number
// stands in the session alone, which no question by order number finds.
func TestMissedCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(down.Close)
	s, err := stage.New(stage.Config{Now: time.Now, Seed: 1, Speed: 1})
	must(t, err)
	var routes http.Handler
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { routes.ServeHTTP(rw, r) }))
	t.Cleanup(gateway.Close)
	face, err := facestripe.New(s, facestripe.Config{
		BaseURL: gateway.URL, Accounts: []facestripe.Account{{ID: "acct_1", NotifyURL: down.URL}},
	})
	must(t, err)
	routes = face.Routes()
	s.Start()
	t.Cleanup(s.Stop)

	const card domain.ChannelID = "card"
	cfg := stripe.Config{Channel: card, Gateway: gateway.URL, AllowPlainHTTP: true, Ledger: w.ledger.ID()}
	for _, setting := range face.Channels()[0].Settings {
		switch setting.Name {
		case "api_key":
			key, _ := setting.Value.(string)
			cfg.APIKey = providers.NewSecret(key)
		case "webhook_secrets":
			secrets, _ := setting.Value.([]string)
			for _, secret := range secrets {
				cfg.Secrets = append(cfg.Secrets, providers.NewSecret(secret))
			}
		}
	}
	channel, err := stripe.New(cfg, nil, time.Now)
	must(t, err)
	set := channel.Config()
	set.Test = true
	must(t, w.ledger.Configure(t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
	sweeper := w.sweeper(func(d *Deps, c *Config) {
		d.Channels, d.Logger, d.Metrics = map[domain.ChannelID]providers.Channel{card: channel}, slog.New(slog.DiscardHandler), prometheus.NewRegistry()
		c.AskPerSecond = 1000
	})

	w.clock.step(time.Since(w.clock.now()) + time.Minute) // Stripe's clock is the true one

	orders := []string{"S1", "S2", "S3"}
	for i, no := range orders {
		w.placeOnly(card, no, "10.00")
		o, err := face.Open(stage.OpenOrder{OrderNo: no, Amount: domain.NewMoney(1000, domain.CNY), NotifyURL: down.URL})
		must(t, err)
		var faults []stage.Fault
		if i > 0 {
			faults = append(faults, stage.Fault{Class: facestripe.NoMetadata})
		}
		_, err = face.Pay(o.ID, faults...)
		must(t, err)
	}
	run := w.sweep(sweeper, operations.RunComplete)
	if run.Healed != len(orders) {
		t.Errorf("%d healed, want %d: %+v", run.Healed, len(orders), run)
	}
	for _, no := range orders {
		w.wantState(card, no, domain.StateCredited)
	}
	before := w.head()
	w.clock.step(recoverEvery)
	w.sweep(sweeper, operations.RunComplete)
	if w.head() != before {
		t.Error("what was taken in before was appended again")
	}
}
