package crash

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// failure is the answer after which a gateway comes again.
var failure = answer{503, "fail"}

// deliver sends a genuine callback and wants this answer.
func (s *site) deliver(t *testing.T, w *witness, o order, token string, want answer) {
	t.Helper()
	c := s.paid(t, o, token, false)
	w.sent(c)
	got := s.sendOne(t, c)
	if got != want {
		t.Errorf("callback %s was answered %d %q, want %d %q", token, got.status, got.body, want.status, want.body)
	}
	if got == success {
		w.answered(c, got)
	}
}

// deliverAll sends genuine callbacks at once that cannot be kept: each is
// answered with failure, or not at all because the process has gone. It is how
// many were answered, and how long the slowest of them took.
func (s *site) deliverAll(t *testing.T, w *witness, some []order, token string) (answered int, slowest time.Duration) {
	t.Helper()
	conns := make([]*wire, len(some)) // before the first is sent: it may end the process
	for i := range conns {
		var err error
		conns[i], err = dial(t.Context(), s.api, "")
		must(t, err)
	}
	var senders sync.WaitGroup
	var mu sync.Mutex
	for i, o := range some {
		c := s.paid(t, o, fmt.Sprint(token, "-", i), true)
		w.sent(c)
		conn, began := conns[i], time.Now()
		senders.Go(func() {
			defer conn.close()
			got, err := conn.send(c.wire)
			if err != nil {
				return
			}
			if got != failure {
				t.Errorf("callback %s was answered %d %q, want %d %q", c.token, got.status, got.body, failure.status, failure.body)
			}
			mu.Lock()
			defer mu.Unlock()
			answered++
			slowest = max(slowest, time.Since(began))
		})
	}
	senders.Wait()
	return answered, slowest
}
