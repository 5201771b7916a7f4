package crash

import (
	"os"
	"slices"
	"testing"
	"time"
)

// launcher becomes another program if this one was started for that.
var launcher = func() {}

func TestMain(m *testing.M) {
	launcher()
	if os.Getenv(serveEnv) != "" {
		serve()
		return
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// quantile of durations: 0.5 is the median, 1 the longest.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))].Round(10 * time.Microsecond)
}
