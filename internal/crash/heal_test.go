package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/sandbox"
)

// quickly makes a minute of the gateway's and the reconciler's schedules
// 100 ms.
const quickly = 600

const quickReconciler = `reconciler:
  sweep_every: 200ms
  pace: 600
  queries: 16
  ask_per_second: 400
payments:
  expire_after: 2h`

// TestKillHealers kills the API and a reconciler at random moments while
// callbacks get lost or come often, and queries fail. In the end every order
// that the gateway's books call paid is credited exactly once, and no other
// one.
//
// A short run leaves the reconcilers alone: what a killed one was about to ask
// is asked by another one only when its claim has lapsed, 40 seconds later.
func TestKillHealers(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	box, at := gateway(t, rng.Uint64())
	s := newSite(t, setup{gateway: at, extra: quickReconciler})
	api, _ := s.startAPI(t)
	healers := [2]*daemon{s.startReconciler(t), s.startReconciler(t)}
	j := newJournal()
	var all []order
	for round := range max(2, rounds(t)/4) {
		some := s.sell(t, box, round)
		all = append(all, some...)
		s.pay(t, box, rng, some, &api, &healers)
		j.read(t, s)
		checkOnce(t, all, j)
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
	s.checkBalances(t, j)
	for _, d := range append(healers[:], api) {
		d.stop(t)
	}
	s.checkStore(t, j)
	checkOnce(t, all, j)
	reportHealed(t, all, due, j)
}

// gateway is a sandbox that loses a third of its callbacks and answers every
// tenth query wrongly, and its address.
func gateway(t *testing.T, seed uint64) (*sandbox.Sandbox, string) {
	t.Helper()
	pairs, err := rsaKeys()
	must(t, err)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	at := "http://" + l.Addr().String()
	box, err := sandbox.New(sandbox.Config{
		Now: time.Now, Seed: seed, Speed: quickly, BaseURL: at,
		Merchants: []sandbox.MerchantConfig{
			{PID: pids[asked], Key: md5Key},
			{PID: pids[plain], Key: md5Key, PostCallbacks: true},
			{PID: pids[rsa], Version: sandbox.V2, PlatformKey: pairs[1].Private, MerchantKey: pairs[0].Private},
		},
		Rates: []sandbox.Rate{
			share(sandbox.Lost, 0.35), share(sandbox.Repeated, 0.15), share(sandbox.Concurrent, 0.15),
			share(sandbox.ReplyLost, 0.1), share(sandbox.Query5xx, 0.05), share(sandbox.QueryMissing, 0.05),
			share(sandbox.QueryClosed, 0.05),
		},
	})
	must(t, err)
	box.Start()
	srv := &http.Server{Handler: box, ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(l)
	t.Cleanup(func() {
		box.Stop()
		srv.Close()
	})
	return box, at
}

func share(class sandbox.Class, of float64) sandbox.Rate {
	return sandbox.Rate{Fault: sandbox.Fault{Class: class}, Share: of}
}

func (s *site) startReconciler(t *testing.T) *daemon {
	t.Helper()
	return s.start(t, "reconciler", "reconciler", "COUNTERFOIL_RECONCILER__OPS_LISTEN=127.0.0.1:0")
}

// sell places a round's orders and opens them at the gateway.
func (s *site) sell(t *testing.T, box *sandbox.Sandbox, round int) []order {
	t.Helper()
	var some []order
	for _, channel := range []string{asked, plain, rsa} {
		some = append(some, orders(channel, fmt.Sprintf("H%03d%s", round, channel), 15)...)
	}
	s.place(t, some)
	for _, o := range some {
		_, err := box.Open(sandbox.OpenOrder{
			PID: pids[o.channel], OutTradeNo: o.orderNo, Money: o.money().Amount(), Method: "alipay",
			NotifyURL: "http://" + s.api + "/callbacks/" + o.channel, ReturnURL: "https://shop.example/done",
		})
		must(t, err)
	}
	return some
}

// pay pays the orders, all but each tenth, while the API and, in a longer run,
// one reconciler are killed and started again.
func (s *site) pay(t *testing.T, box *sandbox.Sandbox, rng *rand.Rand, some []order, api **daemon, healers *[2]*daemon) {
	t.Helper()
	which := rng.IntN(2)
	kills := [2]time.Duration{time.Duration(rng.Int64N(int64(killWithin))), time.Duration(rng.Int64N(int64(3 * killWithin)))}
	var g errgroup.Group
	g.Go(func() error {
		for i, o := range some {
			if i%10 == 9 {
				continue
			}
			if _, err := box.PayByNumber(pids[o.channel], o.orderNo); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		time.Sleep(kills[0])
		(*api).kill()
		return nil
	})
	g.Go(func() error {
		if rounds(t) >= 40 {
			time.Sleep(kills[1])
			healers[which].kill()
		}
		return nil
	})
	must(t, g.Wait())
	*api, _ = s.startAPI(t)
	if healers[which].ended() {
		healers[which] = s.startReconciler(t)
	}
}

// dueOrders are the orders that the gateway's books call paid.
func dueOrders(box *sandbox.Sandbox, all []order) map[order]bool {
	paid := map[string]bool{}
	for _, m := range box.Books().Merchants {
		for _, p := range m.Paid {
			if p.Credit {
				paid[m.PID+"/"+p.OutTradeNo] = true
			}
		}
	}
	due := map[order]bool{}
	for _, o := range all {
		due[o] = paid[pids[o.channel]+"/"+o.orderNo]
	}
	return due
}

// checkOnce: whatever happened so far, nothing is credited twice, nor with
// another amount or to another account.
func checkOnce(t *testing.T, all []order, j *journal) {
	t.Helper()
	for _, o := range all {
		credited := j.of(o.stream()).credited
		if len(credited) > 1 {
			t.Errorf("%s was credited %d times", o.orderNo, len(credited))
		}
		for _, c := range credited {
			if c.Amount != o.money() || string(c.Account) != o.account {
				t.Errorf("%s was credited with %s to %s", o.orderNo, c.Amount, c.Account)
			}
		}
	}
}

// reportHealed counts, and holds what is credited against what is due.
func reportHealed(t *testing.T, all []order, due map[order]bool, j *journal) {
	t.Helper()
	paid, byQuery := 0, 0
	for _, o := range all {
		credited := j.of(o.stream()).credited
		if due[o] {
			paid++
		}
		if len(credited) == 1 && credited[0].Source == domain.SourceQuery {
			byQuery++
		}
		if want := due[o]; want != (len(credited) == 1) {
			t.Errorf("%s: paid %t, credited %d times", o.orderNo, want, len(credited))
		}
	}
	t.Logf("%d orders, %d paid and credited, %d of them by query", len(all), paid, byQuery)
	if byQuery == 0 {
		t.Error("no callback was lost: the reconcilers had nothing to heal")
	}
}
