package operationstest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/operations"
)

var askTests = map[string]func(*testing.T, Open){
	"RoundTrip": func(t *testing.T, open Open) {
		s := one(t, open)
		full := ask(1)
		full.TradeNo, full.Attempts, full.LastAt, full.LastSaid, full.Done = "T1", 3, noon, "waiting", true
		bare := operations.Ask{Channel: "epay-main", OrderNo: full.OrderNo, Why: "held"}
		noError(t, s.PutAsks(t.Context(), []operations.Ask{full, bare, ask(2)}), "put asks")
		got, err := s.Asks(t.Context(), "epay-main", full.OrderNo)
		noError(t, err, "read asks")
		if diff := cmp.Diff([]operations.Ask{bare, full}, got); diff != "" {
			t.Errorf("asks of the order:\n%s", diff)
		}
		none, err := s.Asks(t.Context(), "other", full.OrderNo)
		noError(t, err, "read asks of another channel")
		if len(none) != 0 {
			t.Errorf("another channel has %+v", none)
		}
	},
	"PutReplacesAddDoesNot": func(t *testing.T, open Open) {
		s := one(t, open)
		first, second := ask(1), ask(1)
		second.Attempts, second.NextAt = 5, noon.Add(time.Hour)
		noError(t, s.AddAsks(t.Context(), []operations.Ask{first}), "add")
		noError(t, s.AddAsks(t.Context(), []operations.Ask{second}), "add what is there")
		wantAsks(t, s, first)
		noError(t, s.PutAsks(t.Context(), []operations.Ask{second}), "replace")
		wantAsks(t, s, second)
		noError(t, s.PutAsks(t.Context(), nil), "put nothing")
	},
	"OpenCountsUndone": func(t *testing.T, open Open) {
		s := one(t, open)
		var asks []operations.Ask
		for i := range 1200 {
			a := ask(i)
			a.Done = i%3 == 0
			asks = append(asks, a)
		}
		noError(t, s.PutAsks(t.Context(), asks), "put asks")
		n, err := s.OpenAsks(t.Context())
		noError(t, err, "count")
		if n != 800 {
			t.Errorf("%d open asks, want 800", n)
		}
	},
	"ClaimIsDueOldestFirst":    claimOrder,
	"ClaimHeldBeforeOthers":    claimHeld,
	"ClaimNeverTwice":          claimRace,
	"ClaimAgainAfterItsTime":   claimAgain,
	"ClaimRefusesBadArguments": claimBadInput,
}

// ask is due i seconds after noon.
func ask(i int) operations.Ask {
	return operations.Ask{
		Channel: "epay-main", OrderNo: fmt.Sprintf("ORDER-%06d", i), Why: "unsettled", Since: noon,
		NextAt: noon.Add(time.Duration(i) * time.Second),
	}
}

func wantAsks(t *testing.T, s operations.Store, want ...operations.Ask) {
	t.Helper()
	got, err := s.Asks(t.Context(), want[0].Channel, want[0].OrderNo)
	noError(t, err, "read asks")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asks:\n%s", diff)
	}
}

func claim(t *testing.T, s operations.Store, now, until time.Time, limit int) []operations.Ask {
	t.Helper()
	got, err := s.ClaimAsks(t.Context(), now, until, limit)
	noError(t, err, "claim asks")
	return got
}

func claimOrder(t *testing.T, open Open) {
	s := one(t, open)
	done := ask(0)
	done.Done = true
	asks := []operations.Ask{ask(9), ask(3), ask(5), done, ask(4)}
	noError(t, s.PutAsks(t.Context(), asks), "put asks")
	now, until := noon.Add(5*time.Second), noon.Add(time.Minute)
	if diff := cmp.Diff([]operations.Ask{ask(3), ask(4)}, claim(t, s, now, until, 2)); diff != "" {
		t.Errorf("the two that are due longest:\n%s", diff)
	}
	if diff := cmp.Diff([]operations.Ask{ask(5)}, claim(t, s, now, until, 100)); diff != "" {
		t.Errorf("the other one that is due:\n%s", diff)
	}
	if got := claim(t, s, now, until, 100); len(got) != 0 {
		t.Errorf("nothing is due any more, got %+v", got)
	}
}

// claimHeld: orders that nobody pays may wait in any number; who has paid comes
// before them, and yet they get on.
func claimHeld(t *testing.T, open Open) {
	s := one(t, open)
	var asks []operations.Ask
	for i := range 20 {
		held := ask(30 + i)
		held.Why, held.TradeNo = "held", "T1"
		asks = append(asks, ask(i), held)
	}
	noError(t, s.PutAsks(t.Context(), asks), "put asks")
	now, until := noon.Add(time.Hour), noon.Add(2*time.Hour)
	words := func(asks []operations.Ask) (out []string) {
		for _, a := range asks {
			out = append(out, a.Why+" "+a.OrderNo)
		}
		return out
	}
	if diff := cmp.Diff([]string{"held ORDER-000030"}, words(claim(t, s, now, until, 1))); diff != "" {
		t.Errorf("one of them:\n%s", diff)
	}
	want := []string{"held ORDER-000031", "held ORDER-000032", "held ORDER-000033", "unsettled ORDER-000000"}
	if diff := cmp.Diff(want, words(claim(t, s, now, until, 4))); diff != "" {
		t.Errorf("four of them:\n%s", diff)
	}
	if got := claim(t, s, now, until, 100); len(got) != 35 {
		t.Errorf("%d are left, want 35", len(got))
	}
	if got := claim(t, s, now, until, 100); len(got) != 0 {
		t.Errorf("claimed twice: %v", words(got))
	}
}

func claimAgain(t *testing.T, open Open) {
	s := one(t, open)
	noError(t, s.PutAsks(t.Context(), []operations.Ask{ask(0)}), "put ask")
	until := noon.Add(time.Minute)
	if got := claim(t, s, noon, until, 10); len(got) != 1 {
		t.Fatalf("claimed %d, want 1", len(got))
	}
	if got := claim(t, s, until.Add(-time.Microsecond), until, 10); len(got) != 0 {
		t.Errorf("claimed before its time: %+v", got)
	}
	moved := ask(0)
	moved.NextAt = until
	if diff := cmp.Diff([]operations.Ask{moved}, claim(t, s, until, until.Add(time.Minute), 10)); diff != "" {
		t.Errorf("claimed again at its time:\n%s", diff)
	}
}

// claimRace has two stores claim from 300 due asks at once.
func claimRace(t *testing.T, open Open) {
	stores := []operations.Store{one(t, open), one(t, open)}
	var asks []operations.Ask
	for i := range 300 {
		asks = append(asks, ask(i))
	}
	noError(t, stores[0].PutAsks(t.Context(), asks), "put asks")
	now, until := noon.Add(time.Hour), noon.Add(2*time.Hour)
	var mu sync.Mutex
	var got []string
	err := together(8, func(i int) error {
		for {
			part, err := stores[i%2].ClaimAsks(t.Context(), now, until, 7)
			if err != nil || len(part) == 0 {
				return err
			}
			mu.Lock()
			for _, a := range part {
				got = append(got, a.OrderNo)
			}
			mu.Unlock()
		}
	})
	noError(t, err, "claim together")
	slices.Sort(got)
	if once := slices.Compact(slices.Clone(got)); len(got) != 300 || len(once) != 300 {
		t.Errorf("%d asks handed out, %d different ones, want 300 once each", len(got), len(once))
	}
}

func claimBadInput(t *testing.T, open Open) {
	s := one(t, open)
	_, err := s.ClaimAsks(t.Context(), noon, noon.Add(time.Minute), 0)
	wantKind(t, err, domain.KindInvalid, "limit 0")
	_, err = s.ClaimAsks(t.Context(), noon, noon, 1)
	wantKind(t, err, domain.KindInvalid, "until now")
}

var runTests = map[string]func(*testing.T, Open){
	"RoundTrip": func(t *testing.T, open Open) {
		s := one(t, open)
		full := operations.Run{
			ID: "sweep-1", Kind: "sweep", Holder: "a", State: operations.RunIncomplete, StartedAt: noon, EndedAt: noon.Add(time.Second),
			Asked: 1, Paid: 2, Healed: 3, Confirmed: 4, Closed: 5, Unknown: 6, Unanswered: 7, Differing: 8, Note: "n", Cursor: "42",
		}
		bare := operations.Run{ID: "sweep-1", Kind: "sweep", State: operations.RunRunning, StartedAt: noon}
		for _, r := range []operations.Run{bare, full} {
			noError(t, s.PutRun(t.Context(), r), "put run")
			got, err := s.Run(t.Context(), r.ID)
			noError(t, err, "read run")
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("run:\n%s", diff)
			}
		}
	},
	"NewestFirst": func(t *testing.T, open Open) {
		s := one(t, open)
		for i := range 5 {
			r := operations.Run{ID: fmt.Sprint("r", i), Kind: []string{"sweep", "bill"}[i%2], StartedAt: noon.Add(time.Duration(i) * time.Hour)}
			noError(t, s.PutRun(t.Context(), r), "put run")
		}
		for kind, want := range map[string][]string{"": {"r4", "r3", "r2"}, "bill": {"r3", "r1"}, "none": nil} {
			runs, err := s.Runs(t.Context(), kind, 3)
			noError(t, err, "list runs")
			var got []string
			for _, r := range runs {
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("runs of kind %q:\n%s", kind, diff)
			}
		}
	},
	"UnknownAndBad": func(t *testing.T, open Open) {
		s := one(t, open)
		_, err := s.Run(t.Context(), "nobody")
		wantKind(t, err, domain.KindNotFound, "unknown run")
		_, err = s.Runs(t.Context(), "", 0)
		wantKind(t, err, domain.KindInvalid, "limit 0")
		wantKind(t, s.PutRun(t.Context(), operations.Run{Kind: "sweep"}), domain.KindInvalid, "run without id")
	},
}

var cursorTests = map[string]func(*testing.T, Open){
	"SetAndRead": func(t *testing.T, open Open) {
		s := one(t, open)
		for _, want := range []uint64{0, 17, 1<<64 - 1, 3} {
			if want != 0 {
				noError(t, s.PutCursor(t.Context(), "alerts", want), "put cursor")
			}
			got, err := s.Cursor(t.Context(), "alerts")
			noError(t, err, "read cursor")
			if got != want {
				t.Errorf("cursor %d, want %d", got, want)
			}
		}
		other, err := s.Cursor(t.Context(), "other")
		noError(t, err, "read another cursor")
		if other != 0 {
			t.Errorf("another cursor is %d", other)
		}
		wantKind(t, s.PutCursor(t.Context(), "", 1), domain.KindInvalid, "cursor without name")
	},
}
