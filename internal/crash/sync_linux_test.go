package crash

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFailedSync lets syncs of the write-ahead log fail under the real API, as
// a dying disk does. Nobody can say then what the disk holds: the callbacks on
// the way are answered with failure, the process ends by itself with a clear
// line and a status other than 0, and after a new start everything that was
// ever acknowledged is there.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	api, v := s.supervise(t, "api", "api")
	s.await(t, api)
	some := orders(plain, "S", 20)
	s.place(t, some)
	w := witness{orders: some, counts: map[string]*count{}}
	for i, o := range some[:10] {
		synced := v.synced.Load()
		s.deliver(t, &w, o, fmt.Sprint("before-", i), success)
		if v.synced.Load() == synced {
			t.Errorf("the callback of %s was acknowledged without a sync", o.orderNo)
		}
	}

	v.fail.Store(true)
	if n, _ := s.deliverAll(t, &w, some[10:], "during"); n == 0 {
		t.Error("no callback was answered: the process must not end before it has said that it failed")
	}
	if code := api.exit(t, 20*time.Second); code != 1 {
		t.Errorf("the API ended with status %d, want 1", code)
	}
	if n := v.failed.Load(); n == 0 {
		t.Fatal("no sync failed")
	}
	lines := strings.Split(strings.TrimSpace(api.output()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "event store's state is unknown, this process must end") {
		t.Errorf("its last line is %q", last)
	}

	api, _ = s.startAPI(t)
	j := newJournal()
	j.read(t, s)
	w.check(t, j)
	for i, o := range some {
		s.deliver(t, &w, o, fmt.Sprint("after-", i), success) // the repeats that follow a failure
	}
	j.read(t, s)
	w.check(t, j)
	s.checkBalances(t, j)
	api.stop(t)
	s.checkStore(t, j)
}
