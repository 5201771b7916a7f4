package sqlite

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/projections"
)

// TestMinIsNeverFooled: an answer that was kept from before must not be given
// to a caller who asks for a later position, whoever folds: this process or
// another one.
func TestMinIsNeverFooled(t *testing.T) {
	t.Parallel()
	at := path(t)
	own, foreign := openDB(t, at), openDB(t, at)
	l := newLog()
	running(t, l, own)
	var want int64
	for i := range 50 {
		want += int64(i + 1)
		p := l.add(t, domain.PaymentStream("a", "1"), l.credited("a", "t", "alice", cny(int64(i+1))))
		for _, d := range []*DB{own, foreign} {
			waitFor(t, d, p)
			bs, pos, err := d.Balances(context.Background(), "alice", projections.AsOf{Min: p})
			if err != nil || pos < p {
				t.Fatalf("min %d: answered at %d, %v", p, pos, err)
			}
			if len(bs) != 1 || bs[0].Amount != cny(want) {
				t.Fatalf("min %d: %v, want %s", p, words(bs), cny(want))
			}
		}
	}
}

// TestAnswersAreOfTheirPosition: under commits, every answer equals the as-of
// answer at the position it claims.
func TestAnswersAreOfTheirPosition(t *testing.T) {
	t.Parallel()
	at := path(t)
	own, foreign := openDB(t, at), openDB(t, at)
	l := newLog()
	running(t, l, own)
	var wg sync.WaitGroup
	for _, d := range []*DB{own, foreign} {
		wg.Go(func() {
			for range 400 {
				now, p, err := d.Balances(context.Background(), "alice", projections.AsOf{})
				if err != nil {
					t.Error(err)
					return
				}
				if p == 0 {
					continue
				}
				then, _, err := d.Balances(context.Background(), "alice", projections.AsOf{Position: p})
				if err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(words(then), words(now)); diff != "" {
					t.Errorf("answer at %d (-as of +now):\n%s", p, diff)
					return
				}
			}
		})
	}
	for range 200 {
		l.add(t, domain.PaymentStream("a", "1"), l.credited("a", "t", "alice", cny(1)))
	}
	wg.Wait()
}

// TestWaitHurriesTheRunner: who waits for a position is not kept waiting by the
// Runner's pace.
func TestWaitHurriesTheRunner(t *testing.T) {
	t.Parallel()
	l, d := newLog(), openDB(t, path(t))
	l.payments(t, 1, 1)
	r := projections.NewRunner(l, d, projections.Config{Pace: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for range 3 {
		l.payments(t, 1, 1)
		head, _ := l.Head(ctx)
		waitFor(t, d, head)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestWaitGivesUp: a position the log does not have is unavailable, in time.
func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	d := openDB(t, path(t))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	for name, at := range map[string]projections.AsOf{"min": {Min: 9}, "position": {Position: 9}} {
		if _, _, err := d.Balances(ctx, "a", at); domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Entries(ctx, projections.EntryFilter{Wallet: "a", AsOf: 9}); domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("entries: %v", err)
	}
}

// TestKeptAccountsAreBounded: a walk over unknown accounts costs no memory.
func TestKeptAccountsAreBounded(t *testing.T) {
	t.Parallel()
	v := newView(128)
	for i := range 10_000 {
		a := domain.AccountID(rune(i))
		_, _, epoch, _ := v.get(a)
		v.keep(a, kept{}, epoch)
	}
	n := 0
	for i := range v.shards {
		n += len(v.shards[i].kept)
	}
	if n > 128 {
		t.Fatalf("%d accounts kept, 128 allowed", n)
	}
}

// TestDuplicates: one trade number that decided money on two orders of a
// channel, at once or pages apart; not the same one on two channels, nor one
// that was only suspected.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1, 100} {
		l := newLog()
		l.add(t, domain.PaymentStream("a", "1"), l.credited("a", "t1", "alice", cny(5)))
		l.add(t, domain.PaymentStream("b", "1"), l.credited("b", "t1", "alice", cny(5)))
		l.add(t, domain.PaymentStream("a", "2"), l.parked("a", "t2", cny(5), true), allocated("t2", "bob", cny(5)))
		l.add(t, domain.PaymentStream("a", "3"), l.parked("a", "t2", cny(5), false))
		l.add(t, domain.PaymentStream("a", "4"), l.parked("a", "t1", cny(5), true))
		l.add(t, domain.PaymentStream("a", "5"), l.credited("a", "t1", "bob", cny(5)))
		d := openDB(t, path(t))
		fold(t, l, d, page)
		got, err := d.Duplicates(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := []projections.Duplicate{{Channel: "a", TradeNo: "t1", Orders: []string{"1", "4", "5"}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("page %d (-want +got):\n%s", page, diff)
		}
		for trade, orders := range map[string][]string{"t1": {"1", "4", "5"}, "t2": {"2"}, "t3": nil} {
			got, err := d.OrdersOf(context.Background(), "a", trade)
			if diff := cmp.Diff(orders, got); diff != "" || err != nil {
				t.Errorf("page %d, orders of %s: %v (-want +got):\n%s", page, trade, err, diff)
			}
		}
	}
}

// TestDuplicatesAreOver: money that two persons took back from an order stands
// there no more, whichever of them had it first and whatever came between. What
// was only allocated stays, parked.
func TestDuplicatesAreOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps string // an order and what happens to its money, in turn
		want  []string
		known []string // has money of the number, or had it last
	}{
		"the first is taken back":        {"1c 2c 1r", nil, []string{"2"}},
		"the second is taken back":       {"1c 2c 2r", nil, []string{"1"}},
		"taken back before":              {"1c 1r 2c", nil, []string{"2"}},
		"taken back, and nobody has it":  {"1c 1r", nil, []string{"1"}},
		"given back to where it was":     {"1c 1r 1c 2c", []string{"1", "2"}, []string{"1", "2"}},
		"one of three":                   {"1c 2c 3c 1r", []string{"2", "3"}, []string{"2", "3"}},
		"a third one after":              {"1c 2c 1r 3c", []string{"2", "3"}, []string{"2", "3"}},
		"both":                           {"1c 2c 1r 2r", nil, []string{"2"}},
		"the wrong one once more":        {"1c 2c 1r 1c", []string{"1", "2"}, []string{"1", "2"}},
		"credited by hand, given anew":   {"1c 1r 2c 1g", []string{"1", "2"}, []string{"1", "2"}},
		"allocated money is parked then": {"1c 2a 2R", []string{"1", "2"}, []string{"1", "2"}},
	} {
		for _, page := range []int{1, 2, 100} {
			l := newLog()
			for _, step := range strings.Fields(c.steps) {
				s := domain.PaymentStream("a", domain.OrderNo(step[:1]))
				switch step[1] {
				case 'c':
					l.add(t, s, l.credited("a", "t1", "alice", cny(5)))
				case 'a':
					l.add(t, s, l.parked("a", "t1", cny(5), true), allocated("t1", "alice", cny(5)))
				case 'r':
					l.add(t, s, l.corrected("a", "t1", "alice", cny(5), domain.ActionReverse))
				case 'g':
					f := l.corrected("a", "t1", "alice", cny(5), domain.ActionCredit)
					f.Enters = domain.LinePayment
					l.add(t, s, f)
				case 'R':
					f := l.corrected("a", "t1", "alice", cny(5), domain.ActionReverse)
					f.Postings = transfer(domain.Posting{Book: domain.BookWallet, Wallet: "alice"}, domain.Posting{Book: domain.BookParked}, cny(5))
					l.add(t, s, f)
				}
			}
			d := openDB(t, path(t))
			fold(t, l, d, page)
			got, err := d.Duplicates(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var orders []string
			for _, dup := range got {
				orders = append(orders, dup.Orders...)
			}
			known, err := d.OrdersOf(t.Context(), "a", "t1")
			if !slices.Equal(orders, c.want) || !slices.Equal(known, c.known) || err != nil {
				t.Errorf("%s, page %d: on %q, want %q; known on %q, want %q, %v", name, page, orders, c.want, known, c.known, err)
			}
		}
	}
}

// TestPaymentRow: what the row says of one order.
func TestPaymentRow(t *testing.T) {
	t.Parallel()
	l := newLog()
	d := openDB(t, path(t))
	s := domain.PaymentStream("epay-a", "o1")
	note := l.notified("epay-a", "o1", "t1", cny(730), domain.OutcomeHeld)
	first := l.at
	l.add(t, s, placed("epay-a", "o1", "alice", cny(730)))
	l.at = l.at.Add(time.Minute)
	l.add(t, s, note, domain.PaymentHeld{TradeNo: "t1", Amount: cny(730), Reason: domain.ReasonConfirmByQuery, Basis: l.id()})
	// Another number that decides nothing does not take the place of the held one.
	p := l.add(t, s, l.notified("epay-a", "o1", "t2", cny(730), domain.OutcomeNoted))
	fold(t, l, d, 1)
	got, err := d.Payment(context.Background(), "epay-a", "o1")
	if err != nil {
		t.Fatal(err)
	}
	po := placed("epay-a", "o1", "alice", cny(730))
	want := projections.Payment{
		Channel: "epay-a", OrderNo: "o1", Account: "alice", Amount: cny(730), State: domain.StateHeld, TradeNo: "t1",
		Notices: 2, PlacedAt: po.PlacedAt, ExpiresAt: po.ExpiresAt, FirstAt: first, UpdatedAt: l.at, Position: p,
		Stages: projections.Stages{NotifiedAt: first},
	}
	if diff := cmp.Diff(want, got, moneyByValue); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if _, err := d.Payment(context.Background(), "epay-a", "o2"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown order: %v", err)
	}
	if _, err := d.Payment(context.Background(), "none", "o1"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown channel: %v", err)
	}
}

// TestOrderOf: a trade number finds the order whose money it moved, and nothing
// that was only noticed.
func TestOrderOf(t *testing.T) {
	t.Parallel()
	l, d := newLog(), openDB(t, path(t))
	l.add(t, domain.LedgerStream, domain.LedgerOpened{Ledger: l.id(), Mode: domain.ModeTest})
	l.add(t, domain.PaymentStream("c", "o1"), l.notified("c", "o1", "t1", cny(100), domain.OutcomeCredited), l.credited("c", "t1", "alice", cny(100)))
	l.add(t, domain.PaymentStreamRaw("c", "odd one"), l.notified("c", "odd one", "t2", cny(100), domain.OutcomeParked), l.parked("c", "t2", cny(100), true))
	l.add(t, domain.TradeStream("c", "t3"), l.notified("c", "", "t3", cny(100), domain.OutcomeParked), l.parked("c", "t3", cny(100), true))
	l.add(t, domain.PaymentStream("c", "o4"), l.notified("c", "o4", "t4", cny(100), domain.OutcomeNoted))
	fold(t, l, d, 10)
	for trade, want := range map[string]string{"t1": "o1", "t2": "odd one", "t3": ""} {
		if got, err := d.OrderOf(t.Context(), "c", trade); err != nil || got != want {
			t.Errorf("%s moved money of %q (%v), want %q", trade, got, err, want)
		}
	}
	for _, trade := range []string{"t4", "t5"} {
		if got, err := d.OrderOf(t.Context(), "c", trade); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("%s: %q, %v", trade, got, err)
		}
	}
	if got, err := d.OrderOf(t.Context(), "unknown", "t1"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("a channel nobody knows: %q, %v", got, err)
	}
}
