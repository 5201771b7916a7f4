package alerts

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// TestOwed: accounts below zero are told of in one alert, and all accounts are
// gone through once an hour at most.
func TestOwed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch := w.watch()
	check := func() []string {
		t.Helper()
		if err := watch.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
		return w.inbox.kinds()
	}
	if got := check(); len(got) != 0 || w.rows.scans != 1 {
		t.Errorf("nothing is owed: %v, %d scans", got, w.rows.scans)
	}
	w.rows.owed = projections.Receivables{Count: 3, Totals: []domain.Money{domain.NewMoney(270, domain.CNY), domain.NewMoney(5, domain.USD)}}
	w.now = w.now.Add(owedEvery - time.Second)
	if got := check(); len(got) != 0 || w.rows.scans != 1 {
		t.Errorf("before the hour is over: %v, %d scans", got, w.rows.scans)
	}
	w.now = w.now.Add(time.Second)
	if got := check(); !slices.Equal(got, []string{"receivable"}) {
		t.Errorf("told %v", got)
	}
	if said := w.log.String(); !strings.Contains(said, "3 accounts are below zero and owe 2.70 CNY, 0.05 USD") {
		t.Errorf("it does not say what is owed: %s", said)
	}
	w.now = w.now.Add(owedEvery)
	if got := check(); len(got) != 0 || w.rows.scans != 3 {
		t.Errorf("told again at once: %v, %d scans", got, w.rows.scans)
	}
	w.now = w.now.Add(repeatAfter)
	if got := check(); len(got) != 1 {
		t.Errorf("it still stands: %v", got)
	}
	w.rows.owed = projections.Receivables{}
	for _, later := range []time.Duration{repeatAfter, time.Minute} {
		w.now = w.now.Add(later)
		if got := check(); len(got) != 0 {
			t.Errorf("nothing is owed any more: %v", got)
		}
	}
}

// TestOwedIsToldAfterAFailure: what the receiver missed is told as soon as other
// alerts are, and costs no second look.
func TestOwedIsToldAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watch := w.watch()
	w.rows.owed = projections.Receivables{Count: 1, Totals: []domain.Money{domain.NewMoney(270, domain.CNY)}}
	w.inbox.status = http.StatusInternalServerError
	for range 2 {
		if err := watch.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.inbox.kinds()
		w.inbox.status, w.now = 0, w.now.Add(retryAfter)
	}
	if said := strings.Count(w.log.String(), `"kind":"receivable"`); said != 2 || w.rows.scans != 1 {
		t.Errorf("told %d times, %d scans: %s", said, w.rows.scans, w.log.String())
	}
}
