package reconcile

import (
	"testing"
	"time"

	"counterfoil/operations"
	"counterfoil/sandbox"
)

// The log was restored from an older copy and the operations store was not: the
// sweep's place lies beyond the log's end. What is placed now is asked about
// all the same, and the place is one of this log again.
func TestFeedAfterTheLogWasRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	must(t, w.ops.PutCursor(t.Context(), feedCursor, 1_000_000))
	w.pay(w.place(careful, "RST1", "7.30"), sandbox.Lost)
	w.clock.step(3 * time.Minute)
	if run := w.sweep(s, operations.RunComplete); run.Healed != 1 {
		t.Errorf("run %+v, want the lost payment healed", run)
	}
	w.fold()
	w.sweep(s, operations.RunComplete)
	if at, err := w.ops.Cursor(t.Context(), feedCursor); err != nil || at > uint64(w.head()) {
		t.Errorf("the place is %d, error %v; the log ends at %d", at, err, w.head())
	}
}
