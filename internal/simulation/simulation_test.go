package simulation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"counterfoil/audit"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/sandbox"
)

// Run plays steps from a seed in a folder of its own. It returns the hash of
// all that happened; the error tells which rule was broken, and what happened
// before.
func Run(dir string, seed uint64, steps int) (trace string, err error) {
	trace, _, err = run(dir, seed, steps)
	return trace, err
}

// run is Run, and what happened in it.
func run(dir string, seed uint64, steps int) (trace string, seen map[string]int, err error) {
	var w *world
	defer func() {
		if p := recover(); p != nil {
			b, ok := p.(broken)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("seed %d: %w", seed, b.error)
			if w != nil {
				err = fmt.Errorf("%w\n  %s", err, w.story(err))
			}
		}
	}()
	w = newWorld(dir, seed)
	defer w.close()
	for i := range steps {
		w.note("step %d at %s", i, w.clock().Sub(dawn))
		w.act()
		w.checkLog()
		if i%20 == 19 {
			w.checkRows()
		}
	}
	w.heal()
	w.checkAtTheEnd()
	w.verify()
	w.seen["conflict"] = w.store.met
	return w.hash(), w.seen, nil
}

// heal ends all faults and lets a fortnight pass, as a good gateway and good
// daemons would have it.
func (w *world) heal() {
	w.note("heal")
	w.healing = true
	for _, pid := range pids {
		w.do(w.box.Outage(pid, sandbox.Fault{Class: sandbox.Query5xx}, 0))
	}
	for _, o := range w.ordersWhere(func(o *order) bool { return o.tried && !o.placed }) {
		w.place(o) // the shop wants to know
	}
	for _, wait := range []struct {
		d time.Duration
		n int
	}{{time.Minute, 15}, {20 * time.Minute, 12}, {3 * time.Hour, 10}, {24 * time.Hour, 14}} {
		for range wait.n {
			w.gate.settle()
			w.fold()
			for _, p := range w.sweepers {
				w.sweep(p)
			}
			w.step(wait.d)
			w.checkLog()
		}
	}
	w.gate.settle()
}

// verify is what the command of that name does, with every row folded anew.
func (w *world) verify() {
	w.fold()
	scratch, err := psqlite.Open(filepath.Join(w.dir, "scratch.db"), psqlite.Config{Poll: time.Hour})
	w.do(err)
	defer func() { _ = scratch.Close() }()
	rep, err := audit.Verify(context.Background(), audit.Deps{
		Log: w.store, Ledger: w.apis[0].ledger, Channels: w.apis[0].channels, Rows: w.rows, Scratch: scratch,
	}, nil)
	w.do(err)
	e := rep.Evidence // no tree here: the report as a whole is not complete
	if !rep.OK() || e.Erased+e.Personal.Erased > 0 || len(e.Unverifiable) > 0 || !rep.Rows.Full {
		w.fail("verify finds %d: %+v; evidence %+v; rows %+v", rep.Broken, rep.Findings, rep.Evidence, rep.Rows)
	}
}

// steps is how long a run is.
const steps = 150

// seeds is how many runs there are: 20, or what COUNTERFOIL_TEST_SEEDS says.
func seeds(t *testing.T) uint64 {
	text := os.Getenv("COUNTERFOIL_TEST_SEEDS")
	if text == "" {
		return 20
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("COUNTERFOIL_TEST_SEEDS: %v", err)
	}
	return n
}

// TestBadSeeds plays again what once went wrong.
func TestBadSeeds(t *testing.T) {
	t.Parallel()
	for name, seed := range map[string]uint64{
		"one order placed over two amounts at once": 0,
		"a notice rightly signed with a leaked key": 1,
		"held money hides the true payment":         60,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Run(t.TempDir(), seed, steps); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	all := map[string]int{}
	t.Run("seed", func(t *testing.T) {
		for seed := range seeds(t) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				trace, seen, err := run(t.TempDir(), seed, steps)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("seed %d, %d steps: trace %s", seed, steps, trace)
				mu.Lock()
				defer mu.Unlock()
				for what, n := range seen {
					all[what] += n
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("seen: %v", all)
	for _, what := range []string{
		"conflict", "died", "intruded", "healed", "confirmed", "sweep incomplete", "sweep complete",
		"fault 1", "fault 2", "fault 3", "fault 4", "operations fault",
		"notified credited", "notified repeated", "notified held", "notified parked", "notified noted",
		"credited by callback, late false", "credited by query, late false", "credited by query, late true",
		"parked unknown_order, confirmed true", "parked second_payment, confirmed true", "parked cancelled, confirmed true",
		"parked other_amount, confirmed true", "parked unknown_order, confirmed false",
		"domain.PaymentAllocated", "closed expired", "closed merchant", "closed provider",
		"found missing_credit", "found refund_missing", "found frozen",
	} {
		if all[what] == 0 {
			t.Errorf("it never happened: %s", what)
		}
	}
}

// The same seed gives the same trace, and another one another.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	seen := map[string]uint64{}
	for _, seed := range []uint64{1001, 1002} {
		first, err := Run(t.TempDir(), seed, steps)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Run(t.TempDir(), seed, steps)
		if err != nil {
			t.Fatal(err)
		}
		if first != second {
			t.Errorf("seed %d gives %s and %s", seed, first, second)
		}
		if other, dup := seen[first]; dup {
			t.Errorf("seeds %d and %d give the same trace", other, seed)
		}
		seen[first] = seed
	}
}
