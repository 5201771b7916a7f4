package eventstoredb_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/storetest"
)

// TestMain holds that nothing this package starts outlives it: clients,
// connections, calls and subscriptions, whatever befell them.
//
// With serveEnv the test binary is a server for another one.
func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		if err := esdbtest.Serve(esdbtest.Options{}, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serveEnv makes the test binary a server in another process, so that a
// benchmark measures the client's processor time alone.
const serveEnv = "COUNTERFOIL_ESDBTEST_SERVE"

// launch starts this binary again as a server.
func launch(t testing.TB) *esdbtest.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.Stderr = os.Stderr
	p, err := esdbtest.Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestServerProcess: a server in another process obeys, and answers what it
// does not know.
func TestServerProcess(t *testing.T) {
	t.Parallel()
	server := launch(t)
	s := open(t, quick(server.Connection))
	for i, command := range []string{"next aborted-after cut", "kill 0", "next pass"} {
		if err := server.Do(command); err != nil {
			t.Fatal(err)
		}
		if command == "kill 0" {
			if err := server.Do("restart 0"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Append(t.Context(), "s", eventstore.Expected(i-1), names("s", i, 1)); err != nil {
			t.Errorf("after %s: %v", command, err)
		}
	}
	for _, command := range []string{"", "dance 0", "kill 7", "kill x", "next nothing", "write s"} {
		if err := server.Do(command); err == nil {
			t.Errorf("%q was obeyed", command)
		}
	}
	storetest.CheckLog(t, s)
}

// leaderMoves is called by tests in which a server is not the leader any more.
// The store then frees callers of the client by closing it under them: they
// panic and are caught, which Go defines, and which the race detector reports.
func leaderMoves(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("the race detector does not know that sending on a channel that is closed meanwhile is caught here")
	}
}

// real is the connection string of a true server, when one is to be tested:
// then the suite and whatever needs no faults run against it.
func real() string { return os.Getenv("COUNTERFOIL_TEST_ESDB") }

// play starts a server for one test.
func play(t testing.TB, o esdbtest.Options) *esdbtest.Server {
	t.Helper()
	s, err := esdbtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// quick are options with times fit for tests. Under the race detector calls may
// take much longer: one that overstays, on a machine that is busy, is freed by
// closing its client under it, which the detector reports; see leaderMoves.
func quick(connection string) eventstoredb.Options {
	o := eventstoredb.Options{
		Connection: connection, Namespace: "t-" + strings.ToLower(rand.Text()[:20]),
		Wait: 5 * time.Second, CallTimeout: 500 * time.Millisecond, Heartbeat: 200 * time.Millisecond, Connect: 5 * time.Second,
	}
	if underRace {
		o.Wait, o.CallTimeout, o.Connect = 60*time.Second, 30*time.Second, 60*time.Second
	}
	return o
}

func open(t testing.TB, o eventstoredb.Options) *eventstoredb.Store {
	t.Helper()
	s, err := eventstoredb.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s eventstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestStore is the suite of all event stores. Every store has a server of its
// own, or a namespace of its own on the true one, among foreign events.
func TestStore(t *testing.T) {
	t.Parallel()
	var options sync.Map
	opened := func(t *testing.T, o eventstoredb.Options) eventstore.Store {
		s, err := eventstoredb.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		options.Store(s, o)
		return s
	}
	storetest.Run(t, storetest.Adapter{
		New: func(t *testing.T) eventstore.Store {
			if real() != "" {
				o := quick(real())
				o.CallTimeout = 0 // a true disk takes its time
				return opened(t, o)
			}
			server := play(t, esdbtest.Options{})
			server.Write("other.stream", "some.event", []byte(`{}`), nil)
			return opened(t, quick(server.ConnectionString()))
		},
		Reopen: func(t *testing.T, s eventstore.Store) eventstore.Store {
			closeStore(t, s)
			o, ok := options.Load(s)
			if !ok {
				t.Fatal("not a store of this test")
			}
			return opened(t, o.(eventstoredb.Options))
		},
	})
}

// TestStoreUnderFaults is the same suite while every fifth append goes wrong:
// whoever uses the port must see no difference.
//
// Under the race detector, on a machine so busy that a call needs more than the
// second it is given to leave a client that was replaced, it can report the
// closing of that client; see leaderMoves.
func TestStoreUnderFaults(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Adapter{New: func(t *testing.T) eventstore.Store {
		server := play(t, esdbtest.Options{})
		server.Every(5, esdbtest.AbortedAfter, esdbtest.CutAfter, esdbtest.Unavailable, esdbtest.Cut, esdbtest.Aborted)
		server.Duplicate(3)
		s, err := eventstoredb.Open(t.Context(), quick(server.ConnectionString()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}})
}

// names are n events of one stream, told apart by their names.
func names(stream string, from, n int) []eventstore.Event {
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, fmt.Sprintf("%s-%d", stream, from+i))
	}
	return storetest.NewEvents(out...)
}
