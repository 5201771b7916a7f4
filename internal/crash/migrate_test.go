package crash

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"counterfoil/internal/config"
)

// TestKillMigrate kills `counterfoil migrate` with -9 at random moments until it
// comes through, beside an API that goes on taking callbacks: nothing stands
// twice on the server, nothing that was acknowledged is missing, the API on the
// old file ends by itself, and one on the new store goes on.
func TestKillMigrate(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	c := newCluster(t)
	must(t, c.Do("latency 20ms")) // the first kills come long before its end
	s := newSite(t, setup{})
	api, _ := s.startAPI(t)
	w := witness{counts: map[string]*count{}}
	w.orders = orders(plain, "M", 150)
	s.place(t, w.orders)
	for i, o := range w.orders {
		if i%3 == 0 {
			s.deliver(t, &w, o, "before-"+o.orderNo, success)
		}
	}
	kills := 0
	for s.killedMigration(t, rng, c, kills) {
		s.tryDeliver(t, &w, w.orders[3*kills+1])
		if kills++; kills == 3 {
			must(t, c.Do("latency 1ms"))
		}
	}
	t.Logf("killed %d times", kills)
	if kills < 3 {
		t.Error("it came through too soon: nothing was tried")
	}
	if code := api.exit(t, 15*time.Second); code == 0 || !strings.Contains(api.output(), "the log has moved to") {
		t.Errorf("the API on the old file ended with status %d:\n%s", code, api.tail(1000))
	}
	old, moved := newJournal(), newJournal()
	old.read(t, s)
	s.verify(t)
	s.moveTo(t, c)
	moved.read(t, s)
	if old.events != moved.events || old.chain != moved.chain {
		t.Errorf("the file has %d events, the server %d, or they differ", old.events, moved.events)
	}
	w.check(t, moved)
	api, _ = s.startAPI(t)
	s.deliver(t, &w, w.orders[2], "after", success)
	moved.read(t, s)
	w.check(t, moved)
	s.checkBalances(t, moved)
	api.stop(t)
	s.checkStore(t, moved)
	s.verify(t)
}

// tryDeliver sends a callback that is kept unless the log has moved already:
// then it is answered with failure, or the API has ended.
func (s *site) tryDeliver(t *testing.T, w *witness, o order) {
	t.Helper()
	conn, err := dial(t.Context(), s.api, "")
	if err != nil {
		return
	}
	defer conn.close()
	call := s.paid(t, o, "between-"+o.orderNo, false)
	w.sent(call)
	switch got, err := conn.send(call.wire); {
	case err == nil && got == success:
		w.answered(call, got)
	case err == nil && got != failure:
		t.Errorf("between two migrations a callback was answered %d %q", got.status, got.body)
	}
}

// killedMigration starts a migration and kills it, a little later each time. It
// is false when it was through before that.
func (s *site) killedMigration(t *testing.T, rng *rand.Rand, c *cluster, kills int) bool {
	t.Helper()
	d := s.run(t, exec.Command(program(t, "counterfoil"), "migrate", "--write-config", "--to", c.Connection, "--dir", s.dir), "migrate")
	after := time.NewTimer(time.Duration(50+60*kills+rng.IntN(100)) * time.Millisecond)
	defer after.Stop()
	select {
	case <-d.done:
	case <-after.C:
	}
	if !d.ended() {
		d.kill()
		return kills < 40
	}
	if code := d.exit(t, time.Second); code != 0 {
		t.Fatalf("migrate ended with status %d after %d kills:\n%s", code, kills, d.tail(2000))
	}
	return false
}

// moveTo has the site look at the store that its configuration names now.
func (s *site) moveTo(t *testing.T, c *cluster) {
	t.Helper()
	cfg, err := config.Load(s.path(config.FileName), nil)
	must(t, err)
	if cfg.Store != c.Connection {
		t.Fatalf("the configuration names %s", cfg.Store)
	}
	s.config = cfg
}
