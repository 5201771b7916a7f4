package sandbox

import (
	"context"
	"crypto/rsa"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
)

// Sandbox is the gateway: an http.Handler for merchants, payers and whoever
// controls it, and a scheduler that calls merchants back. Make it with New,
// then Start it; without Start it answers but calls nobody. All methods may be
// called at the same time.
type Sandbox struct {
	cfg     Config
	clock   *clock
	jobs    *scheduler
	sender  *sender
	log     *attemptLog
	handler http.Handler

	strangerKey func() (*rsa.PrivateKey, error) // signs forgeries; made when first needed

	life sync.Mutex // Start and Stop
	stop context.CancelFunc
	done chan struct{}

	mu        sync.Mutex
	merchants map[string]*merchant
	pids      []string          // in the order they were added
	orders    map[string]*order // every order ever, by trade number
	truth     []*order          // the same, in the order they were opened
	rates     []Rate
	opened    int

	origin atomic.Pointer[string] // root as the last request named it, where Config.BaseURL is empty
}

// New checks the configuration and makes the merchants' missing keys, which
// takes a moment for V2. KindInvalid names the first wrong field.
func New(c Config) (*Sandbox, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	rates, err := completeRates(c.Rates)
	if err != nil {
		return nil, err
	}
	clk := newClock(c.Now, c.Speed)
	s := &Sandbox{
		cfg: c, clock: clk, jobs: newScheduler(clk, c.Workers), sender: newSender(c.Transport),
		log: newAttemptLog(c.KeepAttempts), merchants: map[string]*merchant{}, orders: map[string]*order{}, rates: rates,
		strangerKey: sync.OnceValues(newStranger),
	}
	for _, m := range c.Merchants {
		if _, err := s.AddMerchant(m); err != nil {
			return nil, err
		}
	}
	s.handler = s.routes()
	return s, nil
}

// Start lets callbacks go out. It returns at once; a second call does nothing.
func (s *Sandbox) Start() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		s.jobs.loop(ctx)
	}()
}

// Stop breaks off callbacks under way and waits for them. Callbacks not due
// yet stay due and follow when Start is called again. A second call does
// nothing.
func (s *Sandbox) Stop() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.done
	s.stop = nil
	s.sender.closeIdle()
}

// ServeHTTP answers merchants, payers and the control interface.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Settled waits until no callback is due, under way or waiting for a retry.
func (s *Sandbox) Settled(ctx context.Context) error { return s.jobs.settled(ctx) }

// Pending is how many callbacks and other acts are due, under way or waiting.
func (s *Sandbox) Pending() int { return s.jobs.pending() }

// Clock is how the times stand.
func (s *Sandbox) Clock() ClockState { return s.clock.state() }

// SetSpeed changes how fast waiting times pass, from now on.
func (s *Sandbox) SetSpeed(speed float64) error {
	if err := checkSpeed(speed); err != nil {
		return err
	}
	s.clock.setSpeed(speed)
	s.jobs.poke()
	return nil
}

// maxAdvance keeps book dates within four digits of year.
const maxAdvance = 100 * 365 * 24 * time.Hour

// Advance moves the book dates and all waiting times forward. What falls due
// goes out at once, in order. Unpaid orders older than a day are deleted, as
// the operator's daily job does.
func (s *Sandbox) Advance(d time.Duration) error {
	if d < 0 || d > maxAdvance {
		return domain.EField(domain.KindInvalid, "advance", "advance %s is not 0 to a hundred years", d)
	}
	s.clock.advance(d)
	s.PurgeUnpaid("", s.clock.books().Add(-24*time.Hour))
	s.jobs.poke()
	return nil
}

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
	m := newMerchant(c, keys)
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
