package reconcile

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/sandbox"
)

// Every channel heals a payment whose callback was lost: the difference and
// its correction stand beside the one credit.
func TestLostCallbackIsHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	for i, ch := range []domain.ChannelID{careful, trusting, signed} {
		order := fmt.Sprintf("LOST%d", i)
		w.pay(w.place(ch, order, "7.30"), sandbox.Lost)
	}
	if run := w.sweep(s, operations.RunComplete); run.Asked != 0 {
		t.Fatalf("asked %d before the first wait was over", run.Asked)
	}
	w.clock.step(2 * time.Minute)
	run := w.sweep(s, operations.RunComplete)
	if run.Asked != 3 || run.Paid != 3 || run.Healed != 3 || run.Confirmed != 0 || run.Differing != 0 {
		t.Errorf("run %+v, want 3 asked, paid and healed", run)
	}
	for i, ch := range []domain.ChannelID{careful, trusting, signed} {
		w.wantTypes(ch, fmt.Sprintf("LOST%d", i), "placed notified credited discrepancy.found correction.issued")
	}
	w.wantHeal(careful, "LOST0", run.ID)
	w.quiet(s)
}

// wantHeal checks what the heal's facts say and name.
func (w *world) wantHeal(ch domain.ChannelID, order, run string) {
	w.t.Helper()
	v, err := w.ledger.Payment(w.t.Context(), ch, order)
	must(w.t, err)
	var credit, found domain.ID
	for _, e := range v.Events {
		switch f := e.Fact.(type) {
		case domain.PaymentCredited:
			credit = e.ID
			if f.Source != domain.SourceQuery || e.Meta.Actor != "reconciler" || e.Meta.Cause != run {
				w.t.Errorf("credited by %s, actor %s, cause %s", f.Source, e.Meta.Actor, e.Meta.Cause)
			}
		case domain.DiscrepancyFound:
			found = e.ID
			if f.Kind != domain.MissingCredit || f.Run != run || f.Ours != "placed" || f.Theirs != "paid" {
				w.t.Errorf("difference %+v", f)
			}
		case domain.CorrectionIssued:
			if f.Corrects != found || f.By != credit || !f.Auto || f.Run != run {
				w.t.Errorf("correction %+v names neither %s nor %s", f, found, credit)
			}
		default:
		}
	}
}

// quiet checks that a further sweep leaves the log as it is.
func (w *world) quiet(s *Sweeper) {
	w.t.Helper()
	before := w.head()
	run := w.sweep(s, operations.RunComplete)
	if run.Healed+run.Closed+run.Confirmed+run.Differing != 0 || w.head() != before {
		w.t.Errorf("a sweep without news changed something: %+v", run)
	}
}

func TestHeldIsConfirmedWithoutDiscrepancy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.pay(w.place(careful, "HELD1", "9.99"))
	w.wantState(careful, "HELD1", domain.StateHeld)
	run := w.sweep(s, operations.RunComplete)
	if run.Confirmed != 1 || run.Healed != 0 || run.Paid != 1 {
		t.Errorf("run %+v, want one confirmed", run)
	}
	w.wantTypes(careful, "HELD1", "placed notified held notified credited")
	w.quiet(s)
}

// A leaked key lets anybody sign: without money behind it the notice stays
// held for ever, and the provider is asked at growing intervals.
func TestMintedStaysHeldAndIsAskedAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(careful, "MINT1", "50.00")
	w.mint(trade)
	var last time.Time
	var gap time.Duration
	for range 40 {
		before := w.gateway.questions(trade)
		w.sweep(s, operations.RunComplete)
		if asked := w.gateway.questions(trade) - before; asked != 1 {
			t.Fatalf("asked %d times at %s", asked, w.clock.now())
		}
		a := w.ask(careful, "MINT1", whyHeld)
		if a.Done {
			t.Fatal("asking about held money ended")
		}
		if !last.IsZero() && a.NextAt.Sub(w.clock.now()) < gap {
			t.Fatalf("the wait shrank from %s to %s", gap, a.NextAt.Sub(w.clock.now()))
		}
		last, gap = w.clock.now(), a.NextAt.Sub(w.clock.now())
		w.clock.step(gap)
	}
	if gap != day {
		t.Errorf("the last wait is %s, want a day", gap)
	}
	w.wantState(careful, "MINT1", domain.StateHeld)
	w.wantTypes(careful, "MINT1", "placed notified held")
}

// Held money under a false number must not keep the sweep from finding the
// order's true money.
func TestMintedDoesNotHideTheTruePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	cheap := w.place(careful, "CHEAP", "0.01")
	_ = cheap
	trade := w.place(careful, "MINT2", "50.00")
	w.notifyForged(careful, "MINT2", "T-FALSE", "50.00") // before the first sweep
	w.wantState(careful, "MINT2", domain.StateHeld)
	w.pay(trade, sandbox.Lost)
	w.sweep(s, operations.RunComplete)
	w.clock.step(2 * time.Minute)
	w.sweep(s, operations.RunComplete)
	if p := w.payment(careful, "MINT2"); p.Settled != trade {
		t.Fatalf("settled by %q, want %s: %s", p.Settled, trade, w.types(careful, "MINT2"))
	}
}

// notifyForged is a callback that somebody with the leaked key signed.
func (w *world) notifyForged(ch domain.ChannelID, order, trade, money string) {
	w.t.Helper()
	id := domain.NewV5(domain.ID{9}, trade)
	n := domain.Notice{
		Delivery: id, Source: domain.SourceCallback, Channel: ch, OrderNo: order, TradeNo: trade,
		Amount: yuan(w.t, money), Status: domain.StatusPaid, ReceivedAt: w.clock.now(),
	}
	e := domain.Evidence{Kind: "callback", Method: "GET", At: w.clock.now(), Scheme: "epay.md5.v1", Grade: domain.GradeB}
	_, err := w.ledger.Notify(w.t.Context(), n, e, w.channels[ch].Reply)
	must(w.t, err)
}

func TestUnansweredIsIncompleteAndNeverDifferent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.pay(w.place(signed, "DOWN1", "7.30"), sandbox.Lost)
	w.clock.step(2 * time.Minute)
	w.gateway.set(true)
	before := w.head()
	run := w.sweep(s, operations.RunIncomplete)
	if run.Unanswered != 1 || run.Differing != 0 || run.Unknown != 0 || w.head() != before {
		t.Errorf("run %+v appended or found something", run)
	}
	if a := w.ask(signed, "DOWN1", whyUnsettled); a.LastSaid != saidNothing || a.Done {
		t.Errorf("the question is %+v", a)
	}
	w.gateway.set(false)
	w.clock.step(2 * time.Minute)
	if run := w.sweep(s, operations.RunComplete); run.Healed != 1 {
		t.Errorf("the next run healed %d", run.Healed)
	}
	kept, err := w.ops.Runs(t.Context(), "sweep", 10)
	must(t, err)
	if len(kept) != 2 || kept[0].State != operations.RunComplete || kept[1].State != operations.RunIncomplete {
		t.Errorf("kept runs %+v", kept)
	}
}

func TestUnknownThereIsNeverDifferent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.placeOnly(trusting, "NOBODY", "1.00") // the payer never got to the gateway
	w.clock.step(2 * time.Minute)
	before := w.head()
	run := w.sweep(s, operations.RunComplete)
	if run.Unknown != 1 || run.Differing != 0 || w.head() != before {
		t.Errorf("run %+v", run)
	}
	if a := w.ask(trusting, "NOBODY", whyUnsettled); a.LastSaid != saidUnknown {
		t.Errorf("last said %q", a.LastSaid)
	}
}

// What the provider takes back is written down once, and nothing is taken.
func TestTakenBackIsFoundOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		kind domain.DiscrepancyKind
		act  func(w *world, trade string) error
	}{
		{"refunded", domain.RefundMissing, func(w *world, trade string) error { return w.box.Refund(trade, yuan(w.t, "7.30")) }},
		{"frozen", domain.Frozen, func(w *world, trade string) error { return w.box.Freeze(trade) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.sweeper()
			trade := w.place(trusting, "BACK1", "7.30")
			w.pay(trade)
			w.wantState(trusting, "BACK1", domain.StateCredited)
			w.sweep(s, operations.RunComplete)
			must(t, test.act(w, trade))
			w.clock.step(time.Hour)
			if run := w.sweep(s, operations.RunComplete); run.Differing != 1 {
				t.Fatalf("run %+v, want one difference", run)
			}
			w.wantTypes(trusting, "BACK1", "placed notified credited notified discrepancy.found")
			v, err := w.ledger.Payment(t.Context(), trusting, "BACK1")
			must(t, err)
			if f, _ := v.Events[4].Fact.(domain.DiscrepancyFound); f.Kind != test.kind {
				t.Errorf("found %+v, want %s", f, test.kind)
			}
			w.clock.step(day)
			before := w.gateway.questions(trade)
			w.quiet(s)
			if w.gateway.questions(trade) != before+1 {
				t.Error("it was not asked about again")
			}
			w.wantState(trusting, "BACK1", domain.StateCredited)
		})
	}
}

func TestCreditedIsAskedAgainOnItsSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(trusting, "AGAIN", "7.30")
	w.pay(trade)
	began := w.clock.now()
	w.sweep(s, operations.RunComplete)
	var at []time.Duration
	for w.clock.now().Before(began.Add(100 * day)) {
		w.clock.step(30 * time.Minute)
		before := w.gateway.questions(trade)
		run, err := s.Sweep(t.Context())
		must(t, err)
		if w.gateway.questions(trade) > before {
			at = append(at, w.clock.now().Sub(began))
		}
		if a := w.ask(trusting, "AGAIN", whyCredited); a.Done {
			break
		} else if run.Asked == 0 {
			w.clock.step(max(0, a.NextAt.Sub(w.clock.now())-time.Hour))
		}
	}
	want := []time.Duration{time.Hour, day, 7 * day, 30 * day, 90 * day}
	if fmt.Sprint(at) != fmt.Sprint(want) {
		t.Errorf("asked at %v, want %v", at, want)
	}
	w.wantTypes(trusting, "AGAIN", "placed notified credited")
}

// The gateway denies what it had said, or says another amount: a difference
// for people, once.
func TestCreditedIsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	denied := w.place(trusting, "DENY1", "7.30")
	w.mint(denied) // a rightly signed callback credits a trusting channel, but nobody paid
	w.notifyForged(trusting, "DENY2", "T-DENY2", "3.00")
	w.wantState(trusting, "DENY1", domain.StateCredited)
	w.sweep(s, operations.RunComplete)
	w.clock.step(time.Hour)
	if run := w.sweep(s, operations.RunComplete); run.Differing != 1 {
		t.Fatalf("run %+v, want one status_mismatch", run)
	}
	w.wantDifference(trusting, "DENY1", domain.StatusMismatch)
	w.clock.step(day)
	w.quiet(s)

	other := w.open(trusting, "DENY3", "9.00")
	w.placeOnly(trusting, "DENY3", "7.00")
	w.notifyForged(trusting, "DENY3", other, "7.00")
	w.pay(other, sandbox.Lost)
	w.sweep(s, operations.RunComplete)
	w.clock.step(time.Hour)
	if run := w.sweep(s, operations.RunComplete); run.Differing != 1 {
		t.Fatalf("run %+v, want one amount_mismatch", run)
	}
	w.wantDifference(trusting, "DENY3", domain.AmountMismatch)
	w.clock.step(day)
	w.quiet(s)
}

func (w *world) wantDifference(ch domain.ChannelID, order string, want domain.DiscrepancyKind) {
	w.t.Helper()
	v, err := w.ledger.Payment(w.t.Context(), ch, order)
	must(w.t, err)
	for _, e := range v.Events {
		if f, ok := e.Fact.(domain.DiscrepancyFound); ok {
			if f.Kind != want {
				w.t.Errorf("%s: difference %s, want %s", order, f.Kind, want)
			}
			return
		}
	}
	w.t.Errorf("%s: no difference among %s", order, w.types(ch, order))
}

// feedCost: what a sweep reads follows from what changed, not from the log.
func TestFeedReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := &counted{Reader: w.rows}
	s := w.sweeper(func(d *Deps, _ *Config) { d.Rows = rows })
	for i := range 300 {
		w.placeOnly(trusting, fmt.Sprintf("FEED%03d", i), "1.00")
	}
	w.sweep(s, operations.RunComplete)
	if rows.rows != 300 {
		t.Fatalf("%s, want 300", rows)
	}
	w.placeOnly(trusting, "FEED-LAST", "1.00")
	w.sweep(s, operations.RunComplete)
	w.sweep(s, operations.RunComplete)
	if rows.rows != 301 {
		t.Errorf("%s, want 301", rows)
	}
	if at, err := w.ops.Cursor(t.Context(), feedCursor); err != nil || eventstore.Position(at) != w.head() {
		t.Errorf("the feed stands at %d (%v), the log at %s", at, err, w.head())
	}
	if n, err := w.ops.OpenAsks(t.Context()); err != nil || n != 301 {
		t.Errorf("%d open questions (%v), want 301", n, err)
	}
}

// TestSweepShowsItself: a run that takes long shows what it has asked so far.
func TestSweepShowsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper(func(_ *Deps, c *Config) { c.Queries = 1 })
	for i := range 3 {
		w.pay(w.place(careful, fmt.Sprintf("LOST%d", i), "7.30"), sandbox.Lost)
	}
	w.sweep(s, operations.RunComplete)
	w.clock.step(2 * time.Minute)
	var seen []int
	w.gateway.hook(func(*http.Request, string) {
		runs, err := w.ops.Runs(t.Context(), "", 1)
		if err != nil || len(runs) != 1 || runs[0].State != operations.RunRunning {
			t.Errorf("%+v, %v", runs, err)
			return
		}
		seen = append(seen, runs[0].Asked)
	})
	if run := w.sweep(s, operations.RunComplete); run.Healed != 3 || !slices.Equal(seen, []int{0, 1, 2}) {
		t.Errorf("it showed %v while it asked, in the end %+v", seen, run)
	}
}
