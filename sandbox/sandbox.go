package sandbox

import (
	"context"
	"crypto/rsa"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// Sandbox is the Epay gateway and the place where the faces of other providers
// are mounted: an http.Handler for merchants, payers and whoever controls it,
// on a stage that calls merchants back. Make it with New, then Start it;
// without Start it answers but calls nobody. All methods may be called at the
// same time.
type Sandbox struct {
	cfg     Config
	stage   *stage.Stage
	handler http.Handler

	strangerKey func() (*rsa.PrivateKey, error) // signs forgeries; made when first needed
	troubles    stage.Troubles                  // of answers about orders

	mu        sync.Mutex
	merchants map[string]*merchant
	pids      []string          // in the order they were added
	orders    map[string]*order // every order ever, by trade number
	truth     []*order          // the same, in the order they were opened
	opened    int

	mounts sync.RWMutex
	faces  []mount // the gateway first
	rates  []Rate  // as they were given, of all faces

	origin atomic.Pointer[string] // root as the last request named it, where Config.BaseURL is empty
}

// New checks the configuration and makes the merchants' missing keys, which
// takes a moment for V2. KindInvalid names the first wrong field.
func New(c Config) (*Sandbox, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	on, err := stage.New(stage.Config{
		Now: c.Now, Log: c.Log, Seed: c.Seed, Speed: c.Speed, Workers: c.Workers, KeepAttempts: c.KeepAttempts,
		Transport: c.Transport,
	})
	if err != nil {
		return nil, err
	}
	s := &Sandbox{
		cfg: c, stage: on, merchants: map[string]*merchant{}, orders: map[string]*order{},
		strangerKey: sync.OnceValues(newStranger),
	}
	// Unpaid orders older than a day are deleted, as the operator's daily job does.
	on.OnAdvance(func(books time.Time) { s.PurgeUnpaid("", books.Add(-24*time.Hour)) })
	for _, m := range c.Merchants {
		if _, err := s.AddMerchant(m); err != nil {
			return nil, err
		}
	}
	s.handler = s.routes()
	s.faces = []mount{{face: gateway{s}}}
	return s, s.SetRates(c.Rates)
}

// Stage is what the sandbox stands on, for faces to be mounted and for whoever
// drives the clock.
func (s *Sandbox) Stage() *stage.Stage { return s.stage }

// Start lets callbacks go out. It returns at once; a second call does nothing.
func (s *Sandbox) Start() { s.stage.Start() }

// Stop breaks off callbacks under way and waits for them. Callbacks not due
// yet stay due and follow when Start is called again. A second call does
// nothing.
func (s *Sandbox) Stop() { s.stage.Stop() }

// ServeHTTP answers merchants, payers and the control interface.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Settled waits until no callback is due, under way or waiting for a retry.
func (s *Sandbox) Settled(ctx context.Context) error { return s.stage.Settled(ctx) }

// Pending is how many callbacks and other acts are due, under way or waiting.
func (s *Sandbox) Pending() int { return s.stage.Pending() }

// Clock is how the times stand.
func (s *Sandbox) Clock() stage.ClockState { return s.stage.Clock() }

// SetSpeed changes how fast waiting times pass, from now on.
func (s *Sandbox) SetSpeed(speed float64) error { return s.stage.SetSpeed(speed) }

// Advance moves the book dates and all waiting times forward. What falls due
// goes out at once, in order. Unpaid orders older than a day are deleted, as
// the operator's daily job does.
func (s *Sandbox) Advance(d time.Duration) error { return s.stage.Advance(d) }

// Attempts lists what was sent, the newest first.
func (s *Sandbox) Attempts(f stage.AttemptFilter) []stage.Attempt { return s.stage.Attempts(f) }

// AttemptCount is how many attempts were made, also those no longer
// remembered.
func (s *Sandbox) AttemptCount() uint64 { return s.stage.AttemptCount() }

// AddMerchant opens an account and tells its credentials. KindConflict for a
// pid that is taken.
func (s *Sandbox) AddMerchant(c MerchantConfig) (Credentials, error) {
	c, err := c.complete(s.cfg.Seed)
	if err != nil {
		return Credentials{}, err
	}
	keys, err := c.keys()
	if err != nil {
		return Credentials{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.merchants[c.PID]; taken {
		return Credentials{}, domain.EField(domain.KindConflict, "pid", "merchant %s is there already", c.PID)
	}
	m := newMerchant(c, keys, s.stage.Lane())
	s.merchants[c.PID] = m
	s.pids = append(s.pids, c.PID)
	return s.credentials(m), nil
}

// Credentials lists what each merchant's side has to know, in the order the
// merchants were added.
func (s *Sandbox) Credentials() []Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Credentials, 0, len(s.pids))
	for _, pid := range s.pids {
		all = append(all, s.credentials(s.merchants[pid]))
	}
	return all
}

func (s *Sandbox) credentials(m *merchant) Credentials {
	c := Credentials{
		PID: m.PID, Version: m.Version, Style: m.Style, BaseURL: s.baseURL(), Key: m.Key, MerchantKey: m.MerchantKey,
	}
	if m.keys.platform != nil {
		c.PlatformPublicKey = bareKey(&m.keys.platform.PublicKey)
	}
	return c
}

// baseURL is the gateway's root as others reach it.
func (s *Sandbox) baseURL() string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	if seen := s.origin.Load(); seen != nil {
		return *seen
	}
	return ""
}

// order finds an order by trade number, purged ones too.
func (s *Sandbox) order(tradeNo string) (*order, *merchant, error) {
	o := s.orders[tradeNo]
	if o == nil {
		return nil, nil, domain.EField(domain.KindNotFound, "trade_no", "there is no order %.40q", tradeNo)
	}
	return o, s.merchants[o.pid], nil
}
