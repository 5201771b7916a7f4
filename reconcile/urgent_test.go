package reconcile

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"counterfoil/operations"
)

// backlog is thirty orders that nobody pays, all due to be asked about, and one
// more that is going to be paid. It returns the number to pay at the gateway.
func backlog(w *world) (trade string) {
	w.t.Helper()
	w.cfg.Queries = 1
	for i := range 30 {
		w.place(careful, fmt.Sprintf("OPEN%02d", i), "1.00")
	}
	trade = w.place(careful, "PAID", "7.30")
	w.clock.step(time.Hour)
	return trade
}

// A buyer who has paid does not wait behind orders that nobody has paid.
func TestHeldIsAskedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trade := backlog(w)
	w.pay(trade)
	var asked []string
	w.gateway.hook(func(_ *http.Request, number string) { asked = append(asked, number) })
	w.sweep(w.sweeper(), operations.RunComplete)
	if asked[0] != trade {
		t.Errorf("asked in the order %v", asked)
	}
	w.wantState(careful, "PAID", "credited")
}

// The same when the money is held while a long run is under way.
func TestHeldDuringARunIsAskedSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trade := backlog(w)
	var asked []string
	w.gateway.hook(func(_ *http.Request, number string) {
		if asked = append(asked, number); len(asked) == 3 {
			w.pay(trade)
			w.fold()
		}
		w.clock.step(time.Second)
	})
	w.sweep(w.sweeper(), operations.RunComplete)
	if at := slices.Index(asked, trade); at < 0 || at > 6 {
		t.Errorf("asked as number %d of %v", at, asked)
	}
	w.wantState(careful, "PAID", "credited")
}
