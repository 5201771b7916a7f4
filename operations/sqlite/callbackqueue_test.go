package sqlite

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/operations"
)

// TestCallbacksAreWrittenSoon: a row is in the log 100 ms after it came, whether
// it came after a silence, beside others, or behind a full batch.
func TestCallbacksAreWrittenSoon(t *testing.T) {
	path := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		s := openFile(t, path)
		defer s.Close()
		for turn, come := range []int{0: 1, 1: 1, 2: 3, 3: callbackBatch + 1, 4: 1} {
			time.Sleep(time.Duration(turn) * 777 * time.Millisecond)
			no := fmt.Sprint("of turn ", turn)
			for range come {
				s.LogCallback(operations.Callback{ReceivedAt: fixedClock(), OrderNo: no})
			}
			time.Sleep(callbackEvery)
			synctest.Wait()
			rows, err := s.Callbacks(t.Context(), operations.CallbackFilter{OrderNo: no, Limit: callbackBatch})
			if err != nil || len(rows) != min(come, callbackBatch) || !s.log.empty() {
				t.Errorf("turn %d: %d rows of %d are written, %v", turn, len(rows), come, err)
			}
		}
	})
}

// TestCallbacksAreTriedAgain: rows that could not be written are when they can
// be, without another one that calls the writer.
func TestCallbacksAreTriedAgain(t *testing.T) {
	path := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		s := openBounded(t, path, func(l *limits) { l.lockWait = time.Millisecond })
		defer s.Close()
		unlock := lock(t, path)
		s.LogCallback(operations.Callback{ReceivedAt: fixedClock(), OrderNo: "waits"})
		time.Sleep(10 * callbackEvery)
		unlock()
		time.Sleep(2 * callbackEvery)
		synctest.Wait()
		rows, err := s.Callbacks(t.Context(), operations.CallbackFilter{OrderNo: "waits", Limit: 1})
		if err != nil || len(rows) != 1 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}
