// Package operationstest is the one suite that every operations.Store passes.
// It checks what the port promises and nothing about how an adapter does it.
package operationstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Open opens one more Store on the same data, as another process would. It
// reports its own errors to t, and the Store is closed by the suite.
type Open func(t *testing.T) operations.Store

// Run runs the suite. fresh makes empty data for one test; it is called once
// by each, from parallel tests. The clock of the stores may be any.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	t.Helper()
	groups := map[string]map[string]func(*testing.T, Open){
		"DataKeys": dataKeyTests, "APIKeys": apiKeyTests, "Callbacks": callbackTests,
		"Idempotency": idempotencyTests, "Leases": leaseTests, "Asks": askTests,
		"Runs": runTests, "Cursors": cursorTests, "Store": storeTests,
	}
	for group, tests := range groups {
		for name, test := range tests {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, fresh(t))
			})
		}
	}
}

// noon is when the suite's stories happen.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

// one opens a store that is closed at the end of the test.
func one(t *testing.T, open Open) operations.Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() { noError(t, s.Close(), "close") })
	return s
}

func noError(t *testing.T, err error, doing string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// wantKind fails unless err has that kind.
func wantKind(t *testing.T, err error, kind domain.Kind, doing string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: no error, want %s", doing, kind)
	}
	if got := domain.KindOf(err); got != kind {
		t.Fatalf("%s: kind %s, want %s: %v", doing, got, kind, err)
	}
}

// eventually waits until ok, for what a store does in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		}
	}
}

// together runs n goroutines and returns their first error.
func together(n int, run func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- run(i) }()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func stream(i int) domain.Stream {
	return domain.PaymentStream("epay-main", domain.OrderNo(fmt.Sprintf("ORDER-%06d", i)))
}

var storeTests = map[string]func(*testing.T, Open){
	"Ready": func(t *testing.T, open Open) {
		noError(t, one(t, open).Ready(t.Context()), "ready")
	},
	"CloseTwice": func(t *testing.T, open Open) {
		s := open(t)
		noError(t, s.Close(), "close")
		noError(t, s.Close(), "close again")
	},
	"NothingAfterClose": func(t *testing.T, open Open) {
		s := open(t)
		noError(t, s.Close(), "close")
		if err := s.PutCursor(t.Context(), "c", 1); err == nil {
			t.Error("a closed store took a cursor")
		}
		if _, err := s.EnsureDataKey(t.Context(), stream(1)); err == nil {
			t.Error("a closed store made a data key")
		}
		s.LogCallback(callback(1)) // neither panics nor blocks
	},
	"CancelledContext": func(t *testing.T, open Open) {
		s := one(t, open)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.EnsureDataKey(ctx, stream(1))
		wantKind(t, err, domain.KindUnavailable, "ensure a key with a cancelled context")
		wantKind(t, s.PutCursor(ctx, "c", 1), domain.KindUnavailable, "put a cursor with a cancelled context")
		v, err := s.Cursor(t.Context(), "c")
		noError(t, err, "read cursor")
		if v != 0 {
			t.Errorf("a refused write is there: %d", v)
		}
	},
}
