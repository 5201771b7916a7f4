// Package httpapi is the face of the ledger on the network: callbacks in the
// providers' own dialects, and the API under /v1 for the merchant's own
// programs. It decides nothing about money.
//
// No endpoint but callbacks and health is open: everything under /v1 needs an
// API key with the endpoint's scope. Health, metrics and version stand on a
// second listener that is meant for loopback.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// Deps is what a Server works with.
type Deps struct {
	Ledger   *ledger.Ledger
	Log      eventstore.Reader
	Rows     projections.Reader
	Ops      operations.Store
	Channels map[domain.ChannelID]providers.Channel
	Logger   *slog.Logger
	Metrics  *prometheus.Registry
	Clock    func() time.Time
	// Sweep runs one reconciliation; nil where there is no reconciler.
	Sweep func(ctx context.Context) (operations.Run, error)
	// Ready says what keeps the process from its work, nil for nothing.
	Ready func(ctx context.Context) error
}

// Config shapes a Server.
type Config struct {
	PublicURL      string        // base of callback addresses; without it payments get no derived address
	Software       string        // name and version
	ExpireAfter    time.Duration // default time to pay
	TrustedProxies []string      // CIDRs whose X-Forwarded-For is believed
}

// Server serves the API.
type Server struct {
	Deps
	cfg     Config
	proxies proxies
	metrics *metrics
	keys    *keyring
}

// New makes a server; it listens nowhere yet.
func New(d Deps, cfg Config) (*Server, error) {
	p, err := parseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(d.Metrics)
	if err != nil {
		return nil, err
	}
	return &Server{Deps: d, cfg: cfg, proxies: p, metrics: m, keys: newKeyring(d.Ops, d.Clock)}, nil
}

// Handler is the public face: callbacks and /v1.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/callbacks/{channel...}", s.callback) // also of misspelt addresses: the callback log must show them
	mux.HandleFunc("/callbacks", s.callback)
	s.registerAPI(mux)
	mux.HandleFunc("/", notHere)
	return asWritten(mux)
}

// asWritten keeps the mux from redirecting paths that it would write another
// way: its redirect page repeats the query, a callback's query holds the word
// TRADE_SUCCESS, and gateways take any page with that word for an accepted
// callback.
func asWritten(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.EscapedPath(); r.Method == http.MethodConnect || p == "" || path.Clean(p) != p {
			notHere(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// notHere answers every other address. It is plain on purpose: a gateway that
// was given a wrong address must not read success out of an error page.
func notHere(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("not found\n"))
}
