package ledger

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

func login(key string) domain.Act {
	return domain.Act{What: domain.ActLogin, Person: "li", Key: key, From: "api", Remote: "203.0.113.9"}
}

func actsOf(t *testing.T, w *world, at time.Time) []Entry {
	t.Helper()
	events, err := w.store.ReadStream(context.Background(), domain.ActsStream(at), eventstore.ReadOptions{Sealed: true})
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		t.Fatal(err)
	}
	out := make([]Entry, len(events))
	for i, r := range events {
		if out[i], err = Decode(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestOneLoginADay: two processes that let one key in at the same moment record
// one login, and the next day another one.
func TestOneLoginADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	processes := []*Ledger{w.process(t), w.process(t), w.process(t)}
	for day := range 2 {
		var all sync.WaitGroup
		for _, l := range processes {
			for _, key := range []string{"k1", "k2"} {
				all.Go(func() {
					if err := l.Act(context.Background(), login(key), desk); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		if got := len(actsOf(t, w, noon)); got != 2*(day+1) {
			t.Errorf("day %d leaves %d logins of two keys", day, got)
		}
		w.clock.add(24 * time.Hour)
	}
}

// TestActsKeepNoAddress: where an act came from stands in its sealed part only.
func TestActsKeepNoAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.process(t)
	if err := l.Act(context.Background(), login("k1"), desk); err != nil {
		t.Fatal(err)
	}
	e := actsOf(t, w, noon)[0]
	if text := string(e.Data) + string(e.Recorded.Meta); strings.Contains(text, "203.0.113.9") {
		t.Errorf("the event tells the address: %s", text)
	}
	plain, err := l.Unseal(context.Background(), e.Recorded)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := domain.DecodeOrigin(plain); err != nil || o.Remote != "203.0.113.9" {
		t.Errorf("sealed is %s (%v)", plain, err)
	}
}

// TestActsSayWho: an act without a person or a kind, or with text that does not
// read as it is written, is refused and leaves nothing.
func TestActsSayWho(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.process(t)
	for name, change := range map[string]func(*domain.Act){
		"nobody":     func(a *domain.Act) { a.Person = "" },
		"blanks":     func(a *domain.Act) { a.Person = " li" },
		"what":       func(a *domain.Act) { a.What = "" },
		"from where": func(a *domain.Act) { a.From = "" },
		"two lines":  func(a *domain.Act) { a.Why = "a\nb" },
		"backwards":  func(a *domain.Act) { a.Person = "li\u202e" },
		"too long":   func(a *domain.Act) { a.Why = strings.Repeat("x", 2001) },
	} {
		a := login("k1")
		change(&a)
		if err := l.Act(context.Background(), a, desk); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := actsOf(t, w, noon); len(got) != 0 {
		t.Errorf("%d acts are kept", len(got))
	}
}

// TestActsAreAllKept: acts of one kind are told apart, also those of two
// processes and over the end of a month.
func TestActsAreAllKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.process(t), w.process(t)
	export := domain.Act{What: domain.ActExport, Person: "li", From: "api", Subject: "journal 2026-03"}
	for range 5 {
		for _, l := range []*Ledger{one, two} {
			if err := l.Act(context.Background(), export, desk); err != nil {
				t.Fatal(err)
			}
		}
	}
	april := noon.AddDate(0, 1, 0)
	w.clock.add(april.Sub(noon))
	if err := one.Act(context.Background(), export, desk); err != nil {
		t.Fatal(err)
	}
	if march, after := len(actsOf(t, w, noon)), len(actsOf(t, w, april)); march != 10 || after != 1 {
		t.Errorf("%d acts in March, %d in April", march, after)
	}
}
