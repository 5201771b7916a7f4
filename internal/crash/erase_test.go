package crash

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/ledger"
)

// The size of a round: what is erased in it, and until when the kill comes.
const (
	eraseOrders = 40
	eraseKill   = 150 * time.Millisecond
)

// TestKillErase kills `counterfoil erase`, or the API that does it, with -9 at
// random moments. Before the API is started again each payment's key is there
// or its erasure is on record; afterwards each erasure on record is complete and
// every other payment's evidence opens. Nothing else is lost: balances stay,
// callbacks that come again are kept, and verify finds nothing.
func TestKillErase(t *testing.T) {
	t.Parallel()
	rng := seeded(t)
	s := newSite(t, setup{extra: "retention: 1ms"})
	w := witness{counts: map[string]*count{}}
	j := newJournal()
	j.erases = true
	var between int
	api, _ := s.startAPI(t)
	for round := range max(3, rounds(t)/4) {
		some := orders(plain, fmt.Sprintf("E%03d", round), eraseOrders)
		s.place(t, some)
		for _, o := range some {
			s.deliver(t, &w, o, "first-"+o.orderNo, success)
		}
		w.orders = append(w.orders, some...)
		j.read(t, s)
		s.killedErasure(t, rng, api, round)
		if left := s.sealsOf(t, w.orders); api.ended() { // else its key may go while we look
			between += left.check(t, false)
			api, _ = s.startAPI(t)
		}
		eventually(t, 10*time.Second, "every erasure on record is complete", func() bool { return s.sealsOf(t, w.orders).half == 0 })
		again := some[rng.IntN(len(some))]
		s.deliver(t, &w, again, "again-"+again.orderNo, success)
		j.read(t, s)
		w.check(t, j)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	s.erase(t, "--before", "2999-01-01") // what the kills left
	all := s.sealsOf(t, w.orders)
	all.check(t, true)
	s.checkBalances(t, j)
	api.stop(t)
	s.checkStore(t, j)
	s.verifyErased(t)
	t.Logf("%d payments, %d erasures on record, %d of them were killed before the key was destroyed", len(w.orders), all.erased, between)
	if all.erased < len(w.orders) {
		t.Errorf("%d of %d payments are erased", all.erased, len(w.orders))
	}
}

// erasing is the command that erases old payments.
func (s *site) erasing(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(program(t, "counterfoil"), append([]string{
		"erase", "--channel", plain, "--reason", "request 12", "--dir", s.dir, "--key", s.key,
	}, args...)...)
}

func (s *site) erase(t testing.TB, args ...string) {
	t.Helper()
	cmd := s.erasing(t, args...)
	cmd.Env = foreign(os.Environ())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("erase: %v\n%s", err, out)
	}
}

// killedErasure starts to erase everything and kills the API, or each third time
// the command: at any time, or when the log has just grown by a number of
// events, since then a key is about to be destroyed.
func (s *site) killedErasure(t *testing.T, rng *rand.Rand, api *daemon, round int) {
	t.Helper()
	log := s.raw(t)
	defer log.Close()
	till := lengthOf(t, log) + 1 + rng.Int64N(eraseOrders)
	d := s.run(t, s.erasing(t, "--before", "2999-01-01"), "erase")
	victim := api
	if round%3 == 2 {
		victim = d
	}
	after := time.Duration(rng.Int64N(int64(eraseKill)))
	for began := time.Now(); !d.ended(); {
		if round%2 == 0 && time.Since(began) > after || round%2 == 1 && lengthOf(t, log) >= till {
			break
		}
	}
	victim.kill()
	<-d.done // without its API it ends, too
}

// raw is the log's file as SQLite has it: the store tells later what others
// have appended.
func (s *site) raw(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", s.path(assembly.EventsFile))
	must(t, err)
	return db
}

func lengthOf(t testing.TB, log *sql.DB) (n int64) {
	t.Helper()
	must(t, log.QueryRowContext(t.Context(), "SELECT max(position) FROM events").Scan(&n))
	return n
}

// seals is what has become of the evidence of payments.
type seals struct {
	erased int      // erasures on record
	half   int      // of them, those whose key is there
	lost   []string // neither a key nor an erasure
}

// sealsOf reads what the files hold, whoever has them open.
func (s *site) sealsOf(t testing.TB, all []order) (out seals) {
	t.Helper()
	s.open(t, func(events eventstore.Store, book *ledger.Ledger) {
		for _, o := range all {
			of, err := events.ReadStream(t.Context(), o.stream(), eventstore.ReadOptions{Sealed: true})
			must(t, err)
			out.add(t, book, of)
		}
	})
	return out
}

func (x *seals) add(t testing.TB, book *ledger.Ledger, of []eventstore.Recorded) {
	t.Helper()
	var through []uint64
	for _, r := range of {
		e, err := ledger.Decode(r)
		must(t, err)
		if f, ok := e.Fact.(domain.EvidenceErased); ok {
			through = append(through, f.Through)
		}
	}
	x.erased += len(through)
	half := map[int]bool{}
	for _, r := range of {
		if len(r.Sealed) == 0 {
			continue
		}
		_, err := book.Unseal(context.WithoutCancel(t.Context()), r)
		generation := 0
		for generation < len(through) && r.Revision > through[generation] {
			generation++
		}
		onRecord := generation < len(through)
		switch gone := domain.KindOf(err) == domain.KindNotFound && err != nil; {
		case err != nil && !gone:
			must(t, errors.Join(err))
		case gone && !onRecord:
			x.lost = append(x.lost, fmt.Sprintf("event %d of %s", r.Revision, r.Stream))
		case !gone && onRecord:
			half[generation] = true
		}
	}
	x.half += len(half)
}

// check wants nothing lost, and with complete no key against an erasure. It is
// how many erasures are half done.
func (x seals) check(t testing.TB, complete bool) int {
	t.Helper()
	for _, what := range x.lost {
		t.Errorf("%s opens no more, and no erasure is on record", what)
	}
	if complete && x.half > 0 {
		t.Errorf("%d erasures are not complete", x.half)
	}
	return x.half
}

// verifyErased runs the command that an auditor runs. Erased evidence is a class
// of its own: status 4 is all that it may come to.
func (s *site) verifyErased(t testing.TB) {
	t.Helper()
	cmd := exec.Command(program(t, "counterfoil"), "verify", "--from-scratch", "--dir", s.dir)
	cmd.Env = foreign(os.Environ())
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("verify: %v, want status 4\n%s", err, out)
	}
}
