package crash

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/sandbox"
)

// serveEnv makes this test program a cluster of three for the daemons.
const serveEnv = "COUNTERFOIL_TEST_SERVE"

func serve() {
	if err := esdbtest.Serve(esdbtest.Options{Nodes: 3}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// cluster is three nodes in a process of their own.
type cluster struct {
	*esdbtest.Process
	leader int
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(foreign(os.Environ()), serveEnv+"=1")
	cmd.Stderr = os.Stderr
	p, err := esdbtest.Launch(cmd)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return &cluster{Process: p}
}

// each gives every node a command.
func (c *cluster) each(t testing.TB, command string) {
	t.Helper()
	for node := range 3 {
		must(t, c.Do(fmt.Sprintf("%s %d", command, node)))
	}
}

// failover lets the leader fall out in this way and another lead.
func (c *cluster) failover(t testing.TB, out, back string) {
	t.Helper()
	old := c.leader
	must(t, c.Do(fmt.Sprintf("%s %d", out, old)))
	time.Sleep(500 * time.Millisecond)
	c.leader = (old + 1) % 3
	must(t, c.Do(fmt.Sprintf("lead %d", c.leader)))
	time.Sleep(time.Second)
	must(t, c.Do(fmt.Sprintf("%s %d", back, old)))
}

// beside is the same site as seen by a second API, on ports of its own.
func (s *site) beside(t testing.TB) (*site, []string) {
	t.Helper()
	other := *s
	other.api, other.ops = freePort(t), freePort(t)
	return &other, []string{"COUNTERFOIL_LISTEN=" + other.api, "COUNTERFOIL_OPS_LISTEN=" + other.ops}
}

// TestKillServer runs two APIs and two reconcilers on one log that a cluster
// keeps, and kills, hangs and fails over the cluster's nodes and kills an API
// while orders are paid. Callbacks that cannot be kept are answered with
// failure; in the end every paid order is credited exactly once, balances are
// those of a replay now and as of then, and verify finds nothing.
func TestKillServer(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	c := newCluster(t)
	box, at := gateway(t, rng.Uint64())
	s := newSite(t, setup{gateway: at, extra: quickReconciler, store: c.Connection})
	api, _ := s.startAPI(t)
	second, env := s.beside(t)
	other, _ := second.startAPI(t, env...)
	healers := []*daemon{s.startReconciler(t), s.startReconciler(t)}

	j := newJournal()
	var all []order
	var then moment
	troubles := []func(){
		func() { c.failover(t, "kill", "restart") },
		func() { s.outage(t, c, second, len(all)) },
		func() { c.failover(t, "hang", "resume") },
		func() { must(t, c.Do("next aborted-after cut-after unavailable cut silent-after")); other.kill() },
	}
	for round := range max(len(troubles), rounds(t)/8) {
		some := s.sell(t, box, round)
		all = append(all, some...)
		payThrough(t, box, some, troubles[round%len(troubles)])
		if other.ended() {
			other, _ = second.startAPI(t, env...)
		}
		j.read(t, s)
		checkOnce(t, all, j)
		if round == 1 {
			then = momentOf(t, j)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, box.Settled(ctx))
	due := dueOrders(box, all)
	eventually(t, 2*time.Minute, "every paid order is credited", func() bool {
		j.read(t, s)
		for _, o := range all {
			if due[o] && len(j.of(o.stream()).credited) == 0 {
				return false
			}
		}
		return true
	})
	reportHealed(t, all, due, j)
	for _, site := range []*site{s, second} {
		site.checkBalances(t, j)
		then.check(t, site)
	}
	for _, d := range append(healers, api, other) {
		d.stop(t)
	}
	s.checkStore(t, j)
	s.verify(t)

	api, _ = s.startAPI(t) // and once more, from what the server kept
	s.checkBalances(t, j)
	api.stop(t)
}

// payThrough pays the orders, all but each tenth, while something goes wrong.
func payThrough(t *testing.T, box *sandbox.Sandbox, some []order, trouble func()) {
	t.Helper()
	var g errgroup.Group
	g.Go(func() error {
		for i, o := range some {
			if i%10 == 9 {
				continue
			}
			if _, err := box.PayByNumber(pids[o.channel], o.orderNo); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // spread over the trouble
		}
		return nil
	})
	time.Sleep(100 * time.Millisecond)
	trouble()
	must(t, g.Wait())
}

// outage takes the whole cluster away: both APIs say so in time, to the gateway
// and to whoever watches them, and recover by themselves.
func (s *site) outage(t *testing.T, c *cluster, second *site, n int) {
	t.Helper()
	o := orders(plain, fmt.Sprintf("away%d", n), 1)
	s.place(t, o)
	c.each(t, "kill")
	w := witness{counts: map[string]*count{}}
	for i, site := range []*site{s, second} {
		began := time.Now()
		site.deliver(t, &w, o[0], fmt.Sprintf("away-%d-%d", n, i), failure)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a gateway waited %s for its failure reply", took)
		}
		if status, text, err := site.ask("readyz"); err != nil || status != http.StatusServiceUnavailable {
			t.Errorf("readiness without a server: %d %s, %v", status, text, err)
		}
	}
	c.each(t, "restart")
	for i, site := range []*site{s, second} {
		eventually(t, 5*time.Second, "the API is ready again", func() bool { return site.ready(t) == nil })
		site.deliver(t, &w, o[0], fmt.Sprintf("back-%d-%d", n, i), success)
	}
	j := newJournal()
	j.read(t, s)
	w.orders = o
	w.check(t, j)
}

// moment is a position and the balances there.
type moment struct {
	position eventstore.Position
	balances map[domain.AccountID]domain.Money
}

func momentOf(t testing.TB, j *journal) moment {
	t.Helper()
	return moment{j.position, maps.Clone(j.balances(t))}
}

// check asks an API for the balances as of then.
func (m moment) check(t testing.TB, s *site) {
	t.Helper()
	if len(m.balances) == 0 {
		t.Error("nothing was credited by then")
	}
	for account, want := range m.balances {
		var got struct {
			Balances []struct{ Amount string } `json:"balances"`
		}
		path := fmt.Sprintf("/v1/accounts/%s/balances?as_of_position=%s", account, m.position)
		if _, err := s.call(t.Context(), http.MethodGet, path, nil, &got); err != nil {
			t.Errorf("balance of %s as of %s: %v", account, m.position, err)
			continue
		}
		if len(got.Balances) != 1 || got.Balances[0].Amount != want.Amount() {
			t.Errorf("as of %s account %s has %v, a replay gives %s", m.position, account, got.Balances, want)
		}
	}
}

// verify runs the command that an auditor runs.
func (s *site) verify(t testing.TB) {
	t.Helper()
	cmd := exec.Command(program(t, "counterfoil"), "verify", "--from-scratch", "--dir", s.dir)
	cmd.Env = foreign(os.Environ())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// TestDemoOnServer plays the demo on a server, as `counterfoil demo --store`
// does on a true one.
func TestDemoOnServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cmd := exec.Command(program(t, "counterfoil"), "demo", "--payments", "100", "--store", c.Connection)
	cmd.Env = foreign(os.Environ())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("demo: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
