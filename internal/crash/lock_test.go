package crash

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"counterfoil/internal/assembly"
)

// replyWithin is limits.reply_within, and a little for this test's own way.
const replyWithin = 4*time.Second + 500*time.Millisecond

// TestLockedStore: another process locks the store and keeps it. Callbacks are
// answered with failure in time, readiness turns red and says why, and when the
// lock goes everything recovers by itself.
func TestLockedStore(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	api, _ := s.startAPI(t)
	some := orders(plain, "L", 8)
	s.place(t, some)
	w := witness{orders: some, counts: map[string]*count{}}
	s.deliver(t, &w, some[0], "before", success)
	must(t, s.ready(t))

	release := s.lock(t)
	if n, slowest := s.deliverAll(t, &w, some[1:4], "locked"); n != 3 || slowest > replyWithin {
		t.Errorf("%d of 3 callbacks were answered, the slowest after %s", n, slowest)
	}
	eventually(t, 10*time.Second, "readiness is red", func() bool { return s.ready(t) != nil })
	if err := s.ready(t); !strings.Contains(fmt.Sprint(err), "locked") {
		t.Errorf("readiness does not say what is wrong: %v", err)
	}
	release()
	eventually(t, 10*time.Second, "readiness is green again", func() bool { return s.ready(t) == nil })
	for i, o := range some {
		s.deliver(t, &w, o, fmt.Sprint("after-", i), success)
	}
	j := newJournal()
	j.read(t, s)
	w.check(t, j)
	s.checkBalances(t, j)
	api.stop(t)
	s.checkStore(t, j)
}

// lock takes the event store's write lock, as a stuck backup tool would, until
// the function it returns is called.
func (s *site) lock(t *testing.T) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", s.path(assembly.EventsFile)+"?_pragma=busy_timeout(5000)")
	must(t, err)
	conn, err := db.Conn(t.Context())
	must(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	must(t, err)
	return func() {
		_, err := conn.ExecContext(t.Context(), "ROLLBACK")
		must(t, err)
		conn.Close()
		db.Close()
	}
}
