package sqlite

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// pair is rows that one process folds and another reads, in a bubble's time.
type pair struct {
	log              *testLog
	folding, reading *DB
}

func newPair(t *testing.T) pair {
	t.Helper()
	at := path(t)
	p := pair{log: newLog()}
	for _, d := range []**DB{&p.folding, &p.reading} {
		var err error
		if *d, err = Open(at, Config{Poll: 5 * time.Millisecond, Rest: 30 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*d).Close() })
	}
	return p
}

// commit folds one more payment and returns its position.
func (p pair) commit(t *testing.T) eventstore.Position {
	t.Helper()
	at := p.log.add(t, domain.PaymentStream("a", "1"), p.log.credited("a", "t", "alice", cny(1)))
	fold(t, p.log, p.folding, 10)
	return at
}

// late is how long the longest of some commits, each after a silence, was not
// seen. seen waits until a position is.
func (p pair) late(t *testing.T, silence time.Duration, seen func(eventstore.Position)) (most time.Duration) {
	t.Helper()
	for i := range 30 {
		time.Sleep(silence + time.Duration(i)*time.Millisecond) // at another moment between two looks each time
		at := p.commit(t)
		told := time.Now()
		seen(at)
		most = max(most, time.Since(told))
	}
	return most
}

// TestLoneCommit: after a silence another process's commit is seen within Rest,
// and not sooner than one looks; in a run of commits, or where somebody waits,
// within Poll.
func TestLoneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		look := func(at eventstore.Position) {
			for p.reading.view.position() < at {
				time.Sleep(time.Millisecond)
			}
		}
		wait := func(at eventstore.Position) {
			if err := p.reading.Wait(t.Context(), at); err != nil {
				t.Error(err)
			}
		}
		if d := p.late(t, 5*time.Second, look); d < 20*time.Millisecond || d > 31*time.Millisecond {
			t.Errorf("lone commits were seen up to %s late, want about 30 ms", d)
		}
		if d := p.late(t, 50*time.Millisecond, look); d > 6*time.Millisecond {
			t.Errorf("commits in a run were seen up to %s late, want 5 ms", d)
		}
		expect := func(at eventstore.Position) {
			p.reading.Expect()
			look(at)
		}
		if d := p.late(t, 5*time.Second, expect); d > 6*time.Millisecond {
			t.Errorf("commits that were expected were seen up to %s late, want 5 ms", d)
		}
		if d := p.late(t, 5*time.Second, wait); d > 6*time.Millisecond {
			t.Errorf("commits that somebody waited for were seen up to %s late, want 5 ms", d)
		}
	})
}

// TestLongWait: who has waited for long is served as soon as who just began.
func TestLongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.commit(t)
		for i := range 30 {
			time.Sleep(time.Second)
			served := make(chan time.Time)
			go func() {
				if err := p.reading.Wait(t.Context(), p.reading.view.position()+1); err != nil {
					t.Error(err)
				}
				served <- time.Now()
			}()
			time.Sleep(1900*time.Millisecond + time.Duration(i)*time.Millisecond)
			p.commit(t)
			told := time.Now()
			if d := (<-served).Sub(told); d > 6*time.Millisecond {
				t.Fatalf("served %s late, want 5 ms", d)
			}
		}
	})
}

// TestWhoFoldsLooksLess: who folds itself is not woken by looking for others,
// and is as quick as they are when it has stopped folding.
func TestWhoFoldsLooksLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		release, err := p.reading.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		look := func(at eventstore.Position) {
			for p.reading.view.position() < at {
				time.Sleep(time.Millisecond)
			}
		}
		if d := p.late(t, 20*time.Second, look); d < 100*time.Millisecond || d > 241*time.Millisecond {
			t.Errorf("it looked after %s at most, want about 240 ms", d)
		}
		time.Sleep(20 * time.Second)
		release()
		if d := p.late(t, 0, look); d > 31*time.Millisecond {
			t.Errorf("it looked after %s when it had stopped folding, want 30 ms at most", d)
		}
	})
}

// TestFolderReadsTheNewFile: who commits to the file of another process's rebuild
// reads it, too, with the commit: the position would say more than the answer.
func TestFolderReadsTheNewFile(t *testing.T) {
	t.Parallel()
	l, at := newLog(), path(t)
	d, err := Open(at, Config{Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	add := func() eventstore.Position {
		return l.add(t, domain.PaymentStream("a", "1"), l.credited("a", "t", "alice", cny(1)))
	}
	add()
	running(t, l, d)
	waitFor(t, d, add())
	if _, err := Rebuild(context.Background(), l, at, RebuildConfig{}); err != nil {
		t.Fatal(err)
	}
	p := add()
	waitFor(t, d, p)
	bs, pos, err := d.Balances(context.Background(), "alice", projections.AsOf{Min: p})
	if err != nil || pos < p || len(bs) != 1 || bs[0].Amount != cny(3) {
		t.Errorf("min %s: answered at %s: %v, %v", p, pos, words(bs), err)
	}
}
