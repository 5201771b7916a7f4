package assembly

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// learner is a channel that only counts how often it fetches its keys.
type learner struct {
	providers.Learner
	asked atomic.Int32
	err   error
}

func (l *learner) Refresh(context.Context) error {
	l.asked.Add(1)
	return l.err
}

// TestKeysAreFetched: at the start, twice a day, and sooner where it failed; a
// failure is told and stops nothing.
func TestKeysAreFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, bad := &learner{}, &learner{err: domain.E(domain.KindUnavailable, "no answer")}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		channels := map[domain.ChannelID]providers.Channel{"good": good}
		done := make(chan struct{})
		go func() {
			defer close(done)
			keepKeys(ctx, channels, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		for i, wait := range []time.Duration{0, keysEvery, keysEvery} {
			time.Sleep(wait)
			synctest.Wait()
			if got := good.asked.Load(); got != int32(i+1) {
				t.Errorf("asked %d times after %d waits", got, i)
			}
		}
		cancel()
		<-done
		if log.Len() != 0 {
			t.Errorf("log %s", log.String())
		}

		ctx, cancel = context.WithCancel(t.Context())
		channels["bad"] = bad
		done = make(chan struct{})
		go func() {
			defer close(done)
			keepKeys(ctx, channels, slog.New(slog.NewTextHandler(&log, nil)))
		}()
		time.Sleep(2*keysAgain + time.Second)
		synctest.Wait()
		cancel()
		<-done
		if bad.asked.Load() != 3 || good.asked.Load() != 6 {
			t.Errorf("asked %d and %d times", bad.asked.Load(), good.asked.Load())
		}
		if got := log.String(); strings.Count(got, "channel=bad") != 3 || strings.Contains(got, "channel=good") {
			t.Errorf("log %s", got)
		}
	})
}
