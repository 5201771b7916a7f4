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
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
	"counterfoil/tamperlog"
)

// Deps is what a Server works with.
type Deps struct {
	Ledger   *ledger.Ledger
	Log      eventstore.Reader
	Rows     projections.Reader
	Ops      operations.Store
	Bills    operations.Bills
	Channels map[domain.ChannelID]providers.Channel
	Logger   *slog.Logger
	Metrics  *prometheus.Registry
	Clock    func() time.Time
	// Sweep runs one reconciliation; nil where there is no reconciler.
	Sweep func(ctx context.Context) (operations.Run, error)
	// CompareBills compares a channel's bills of one day; nil where there is no
	// comparer.
	CompareBills func(ctx context.Context, ch domain.ChannelID, day domain.Day) ([]operations.BillRun, error)
	// BillsOf are the kinds of bill that each day of a channel is to be compared
	// with, before its period closes; nil where there is no comparer.
	BillsOf func(ch domain.ChannelID) []string
	// Acts records what people do; nil where nobody asks who used a key.
	Acts func(ctx context.Context, a domain.Act, by ledger.By) error
	// Tree is the tamper-evident log; nil where there is none.
	Tree *tamperlog.Folder
	// Ready says what keeps the process from its work, nil for nothing.
	Ready func(ctx context.Context) error
}

// Config shapes a Server.
type Config struct {
	PublicURL      string        // base of callback addresses; without it payments get no derived address
	Software       string        // name and version
	ExpireAfter    time.Duration // default time to pay
	TrustedProxies []string      // CIDRs whose X-Forwarded-For is believed
	Retention      time.Duration // how long evidence is kept at least; 0 means DefaultRetention
	TreePublic     bool          // /checkpoint and /tile/ need no key
	SendWithin     time.Duration // how long a client may leave an answer unread; 0 means DefaultSendWithin
}

// Server serves the API.
type Server struct {
	Deps
	cfg     Config
	proxies proxies
	metrics *metrics
	keys    *keyring
	logins  logins
	sealed  logins        // who took sealed parts
	stop    chan struct{} // closed by Drain
	drain   func()

	providers map[domain.ChannelID]string
	reporting sync.Mutex // one report is made at a time
}

// New makes a server; it listens nowhere yet.
func New(d Deps, cfg Config) (*Server, error) {
	p, err := parseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, err
	}
	if cfg.Retention == 0 {
		cfg.Retention = DefaultRetention
	}
	if cfg.SendWithin == 0 {
		cfg.SendWithin = DefaultSendWithin
	}
	m, err := newMetrics(d.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Deps: d, cfg: cfg, proxies: p, metrics: m, keys: newKeyring(d.Ops, d.Clock), stop: make(chan struct{}),
		providers: make(map[domain.ChannelID]string, len(d.Channels)),
	}
	s.drain = sync.OnceFunc(func() { close(s.stop) })
	for id, ch := range d.Channels {
		s.providers[id] = ch.Config().Provider
	}
	return s, nil
}

// Drain ends streams that would go on for ever, so that the process can stop.
// Everything else is still answered.
func (s *Server) Drain() { s.drain() }

// Handler is the public face: callbacks, /v1 and its description. It routes by
// hand, because http.ServeMux redirects what it would write another way: its
// redirect page repeats the query, a callback's query holds the word
// TRADE_SUCCESS, and gateways take any page with that word for an accepted
// callback.
func (s *Server) Handler() http.Handler {
	api, tree := s.guard(s.api()), s.treeHandler()
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, callbackPath):
			s.callback(w, r, p[len(callbackPath):])
		case (strings.HasPrefix(p, "/v1/") || p == "/openapi.json") && asWritten(r):
			api.ServeHTTP(w, r)
		case (p == checkpointPath || strings.HasPrefix(p, tilePath)) && asWritten(r):
			tree.ServeHTTP(w, r)
		case strings.HasPrefix(path.Clean(p)+"/", callbackPath):
			s.callback(w, r, p) // misspelt: the callback log must show it
		default:
			notHere(w, r)
		}
	})
	return sending(all, s.cfg.SendWithin)
}

// callbackPath is in front of a channel's id in its callback address.
const callbackPath = "/callbacks/"

// asWritten reports whether http.ServeMux would take the path as it is.
func asWritten(r *http.Request) bool {
	p := r.URL.EscapedPath()
	return r.Method != http.MethodConnect && path.Clean(p) == p
}

// notHere answers every other address. It is plain on purpose: a gateway that
// was given a wrong address must not read success out of an error page.
func notHere(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("not found\n"))
}
