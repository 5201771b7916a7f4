package stage

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// came is one message as the merchant saw it.
type came struct {
	at   time.Duration // after the first act of the test
	path string
}

// shop is a merchant that answers by status and remembers.
type shop struct {
	mu     sync.Mutex
	start  time.Time
	seen   []came
	status func(n int) int // n counts from 1; nil answers 200
}

// RoundTrip is the network between stage and shop.
func (s *shop) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, came{time.Since(s.start).Round(time.Millisecond), r.URL.Path})
	rec := httptest.NewRecorder()
	status := 200
	if s.status != nil {
		status = s.status(len(s.seen))
	}
	rec.WriteHeader(status)
	return rec.Result(), nil
}

func (s *shop) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, c := range s.seen {
		all = append(all, c.at)
	}
	return all
}

// bubble runs f with a fake clock, a started stage and a shop.
func bubble(t *testing.T, f func(t *testing.T, s *Stage, h *shop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &shop{start: time.Now()}
		s, err := New(Config{Now: time.Now, Seed: 7, Transport: h})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		defer s.Stop()
		f(t, s, h)
	})
}

func settle(t *testing.T, s *Stage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 365*24*time.Hour)
	defer cancel()
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}

// schedule is three attempts: at once, after a minute, after three.
var schedule = Deliveries(time.Minute, 2*time.Minute)

// message is a series that sends a plain request to the path /<of>.
func message(s *Stage, of string) *Series {
	return &Series{
		Of: of, Retries: schedule,
		Send: func(ctx context.Context, shot Shot) bool {
			return s.Send(ctx, Delivery{
				Face: "test", Merchant: "m", TradeNo: of, Shot: shot, Method: http.MethodPost, URL: "http://shop.example/" + of,
				Accepts: func(a Answer) bool { return a.Status == 200 },
			}).Accepted
		},
	}
}

func equal(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("came at %v, want %v", got, want)
	}
}
