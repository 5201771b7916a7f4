package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
	"counterfoil/sandbox"
)

// An order nobody pays is closed after a last question, and late money still
// finds it along the tail.
func TestExpiryAndLateMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(careful, "LATE1", "7.30")
	end := w.payment(careful, "LATE1").Placed.ExpiresAt
	for w.clock.now().Before(end) {
		w.sweep(s, operations.RunComplete)
		w.wantState(careful, "LATE1", domain.StatePlaced)
		w.clock.step(time.Minute)
	}
	before := w.gateway.all()
	w.clock.step(time.Second)
	if run := w.sweep(s, operations.RunComplete); run.Closed != 1 {
		t.Fatalf("run %+v, want one closed", run)
	}
	if w.gateway.all() != before+1 {
		t.Error("closed without a last question")
	}
	w.wantState(careful, "LATE1", domain.StateExpired)
	w.wantTypes(careful, "LATE1", "placed closed")
	w.clock.step(8 * day)
	w.pay(trade, sandbox.Lost)
	if run := w.sweep(s, operations.RunComplete); run.Healed != 1 {
		t.Fatalf("run %+v, want the late money healed", run)
	}
	v, err := w.ledger.Payment(t.Context(), careful, "LATE1")
	must(t, err)
	f, ok := v.Events[3].Fact.(domain.PaymentCredited)
	if !ok || !f.Late {
		t.Errorf("credit %+v is not late", f)
	}
}

// Nothing is closed on silence, and not before the provider was asked after
// the end.
func TestNoExpiryWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.place(trusting, "QUIET", "7.30")
	w.clock.step(3 * time.Hour)
	w.gateway.set(true)
	w.sweep(s, operations.RunIncomplete)
	w.wantState(trusting, "QUIET", domain.StatePlaced)
	w.gateway.set(false)
	w.clock.step(time.Hour)
	w.sweep(s, operations.RunComplete)
	w.wantState(trusting, "QUIET", domain.StateExpired)

	w.place(trusting, "BETWEEN", "7.30")
	w.clock.step(2*time.Hour - time.Second)
	w.gateway.hook(func(*http.Request, string) { w.clock.step(2 * time.Second) }) // the end passes while the provider thinks
	w.sweep(s, operations.RunComplete)
	w.gateway.hook(nil)
	w.wantState(trusting, "BETWEEN", domain.StatePlaced)
}

func TestTailEndsAfterTenDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.place(trusting, "TAIL1", "7.30")
	w.fold()
	questions := 0
	for range 100 {
		run, err := s.Sweep(t.Context())
		must(t, err)
		questions += run.Asked
		a := w.ask(trusting, "TAIL1", whyUnsettled)
		if a.Done {
			if late := w.clock.now().Sub(w.payment(trusting, "TAIL1").Placed.ExpiresAt); late < tailEnds || late > tailEnds+day {
				t.Errorf("the last question came %s after the end", late)
			}
			if questions < 15 || questions > 25 {
				t.Errorf("%d questions", questions)
			}
			return
		}
		w.clock.step(a.NextAt.Sub(w.clock.now()))
	}
	t.Error("the tail has no end")
}

// A refused callback that names an open order is worth one question, at most
// one a minute however many come.
func TestRefusedCallbackAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(careful, "REF1", "7.30")
	settled := w.place(trusting, "REF2", "7.30")
	w.pay(settled)
	w.sweep(s, operations.RunComplete)
	refused := 0
	forge := func(trade string) {
		_, err := w.box.Fire(trade, sandbox.Fault{Class: sandbox.Forged, Variant: sandbox.WrongSignature, Unpaid: true})
		must(t, err)
		must(t, w.box.Settled(t.Context()))
		refused++
	}
	for range 5 {
		forge(trade)
	}
	w.refusedLogged(refused)
	before := w.head()
	if run := w.sweep(s, operations.RunComplete); run.Asked != 1 || w.gateway.questions("REF1") != 1 {
		t.Fatalf("run %+v: five refused callbacks asked %d times, want once", run, w.gateway.questions("REF1"))
	}
	forge(trade)
	forge(settled)
	w.refusedLogged(refused)
	w.clock.step(59 * time.Second)
	if run := w.sweep(s, operations.RunComplete); run.Asked != 0 {
		t.Errorf("asked %d times within the minute, or about a settled order", run.Asked)
	}
	if w.head() != before {
		t.Error("refused callbacks made the log grow")
	}
	w.pay(trade, sandbox.Lost)
	w.clock.step(time.Second)
	forge(trade)
	w.refusedLogged(refused)
	if run := w.sweep(s, operations.RunComplete); run.Healed != 1 {
		t.Errorf("run %+v: the refused callback led to no credit", run)
	}
}

// A question that is out is not put anew by a refused callback: its claim
// would be lost, and two processes would ask.
func TestRefusedLeavesAClaimedQuestionAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.place(careful, "REF3", "7.30")
	w.fold()
	until := w.clock.now().Add(time.Minute)
	claimed := operations.Ask{Channel: careful, OrderNo: "REF3", Why: whyRefused, Since: w.clock.now(), NextAt: until}
	must(t, w.ops.PutAsks(t.Context(), []operations.Ask{claimed}))
	must(t, s.askRefused(t.Context(), careful, "REF3"))
	if a := w.ask(careful, "REF3", whyRefused); !a.NextAt.Equal(until) {
		t.Errorf("it is due at %s", a.NextAt)
	}
}

// Two processes at once ask each question once and credit each order once.
func TestTwoSweepersAtOnce(t *testing.T) {
	t.Parallel()
	const orders = 60
	w := newWorld(t)
	two := []*Sweeper{w.sweeper(), w.sweeper(w.process)}
	for i := range orders {
		ch := []domain.ChannelID{careful, trusting, signed}[i%3]
		w.pay(w.place(ch, fmt.Sprintf("TWO%03d", i), "1.00"), sandbox.Lost)
	}
	w.clock.step(2 * time.Minute)
	w.fold()
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error { _, err := two[i%2].Sweep(t.Context()); return err })
	}
	must(t, g.Wait())
	for i := range orders {
		order := fmt.Sprintf("TWO%03d", i)
		if n := w.gateway.questions(order); n != 1 {
			t.Errorf("%s was asked about %d times", order, n)
		}
		w.wantTypes([]domain.ChannelID{careful, trusting, signed}[i%3], order,
			"placed notified credited discrepancy.found correction.issued")
	}
}

// A sweeper that dies after claiming gives its questions back when the claim
// lapses.
func TestDeadSweeperGivesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.pay(w.place(trusting, "DEAD1", "7.30"), sandbox.Lost)
	w.sweep(s, operations.RunComplete)
	w.clock.step(2 * time.Minute)
	now := w.clock.now()
	claimed, err := w.ops.ClaimAsks(t.Context(), now, now.Add(claimFor), 10) // and dies
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v: %v", claimed, err)
	}
	_, err = w.ops.Acquire(t.Context(), feedLease, "sweep-of-the-dead", now, time.Minute)
	must(t, err)
	w.clock.step(claimFor - time.Second)
	if run := w.sweep(s, operations.RunComplete); run.Asked != 0 {
		t.Fatal("asked while it was another's")
	}
	w.clock.step(time.Second)
	if run := w.sweep(s, operations.RunComplete); run.Healed != 1 {
		t.Errorf("run %+v, want it healed", run)
	}
}

// A sweep that is told to stop ends incomplete; the next goes on where it was.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	const orders = 10
	w := newWorld(t)
	s := w.sweeper(func(_ *Deps, c *Config) { c.Queries = 1 })
	for i := range orders {
		w.pay(w.place(careful, fmt.Sprintf("STOP%d", i), "1.00"), sandbox.Lost)
	}
	w.clock.step(2 * time.Minute)
	w.fold()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	w.gateway.hook(func(*http.Request, string) {
		if asked++; asked == 4 {
			cancel()
		}
	})
	run, err := s.Sweep(ctx)
	if err == nil || run.State != operations.RunIncomplete || run.Unanswered != 0 {
		t.Errorf("run %+v, error %v, want it stopped and no silence blamed on the provider", run, err)
	}
	if kept, err := w.ops.Run(t.Context(), run.ID); err != nil || kept.State != operations.RunIncomplete || kept.Note == "" {
		t.Errorf("kept run %+v (%v)", kept, err)
	}
	w.gateway.hook(nil)
	w.clock.step(claimFor)
	again := w.sweep(s, operations.RunComplete)
	if run.Healed+again.Healed != orders {
		t.Errorf("healed %d and %d, want %d in all", run.Healed, again.Healed, orders)
	}
	for i := range orders {
		w.wantTypes(careful, fmt.Sprintf("STOP%d", i), "placed notified credited discrepancy.found correction.issued")
	}
}

// The limit holds per channel, counted where the questions arrive.
func TestRateLimitPerChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.AskPerSecond = 20
	w.cfg.Queries = 16
	s := w.sweeper()
	for i := range 30 {
		w.place(careful, fmt.Sprintf("RATE-A%02d", i), "1.00")
	}
	for i := range 10 {
		w.place(trusting, fmt.Sprintf("RATE-B%02d", i), "1.00")
	}
	w.clock.step(2 * time.Minute)
	began := time.Now()
	run := w.sweep(s, operations.RunComplete)
	// 20 go at once, the other 10 of the channel at 20 a second.
	if took := time.Since(began); run.Asked != 40 || took < 450*time.Millisecond {
		t.Errorf("%d questions in %s", run.Asked, took)
	}
}

// A channel that was taken out of the configuration leaves its questions as
// they are, and they go on when it is back.
func TestRemovedChannelLeavesItsQuestionsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pay(w.place(trusting, "GONE1", "7.30"), sandbox.Lost)
	without := w.sweeper(func(d *Deps, _ *Config) {
		d.Channels = map[domain.ChannelID]providers.Channel{careful: w.channels[careful]}
	})
	w.sweep(without, operations.RunComplete)
	w.clock.step(2 * time.Minute)
	if run := w.sweep(without, operations.RunComplete); run.Asked != 0 {
		t.Errorf("run %+v", run)
	}
	if a := w.ask(trusting, "GONE1", whyUnsettled); a.Done || a.Attempts != 0 {
		t.Errorf("the question is %+v", a)
	}
	w.clock.step(leftAlone)
	if run := w.sweep(w.sweeper(), operations.RunComplete); run.Healed != 1 {
		t.Errorf("run %+v, want it healed once the channel is back", run)
	}
}

// A gateway that is down must not hold up the others.
func TestSilentChannelIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Queries = 1
	s := w.sweeper()
	for i := range 30 {
		w.place(careful, fmt.Sprintf("MUTE%02d", i), "1.00")
	}
	must(t, w.box.Outage(pids[careful], sandbox.Fault{Class: sandbox.Query5xx}, time.Hour))
	w.clock.step(2 * time.Minute)
	run := w.sweep(s, operations.RunIncomplete)
	if run.Asked != maxSilence || run.Unanswered != maxSilence {
		t.Errorf("run %+v, want it to give up after %d", run, maxSilence)
	}
	must(t, w.box.Outage(pids[careful], sandbox.Fault{Class: sandbox.Query5xx}, 0))
	w.clock.step(2 * time.Minute)
	if run := w.sweep(s, operations.RunComplete); run.Asked != 30 {
		t.Errorf("run %+v, want all asked", run)
	}
}

// What is wrong with one payment's books does not keep the others from theirs.
func TestOneBadPaymentDoesNotStopTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Queries = 1
	s := w.sweeper()
	now := w.clock.now()
	bad := operations.Ask{Channel: trusting, OrderNo: "NEVER-PLACED", Why: whyUnsettled, Since: now, NextAt: now.Add(-time.Hour)}
	must(t, w.ops.PutAsks(t.Context(), []operations.Ask{bad}))
	w.pay(w.place(trusting, "GOOD1", "7.30"), sandbox.Lost)
	w.clock.step(2 * time.Minute)
	w.fold()
	run, err := s.Sweep(t.Context())
	if err == nil || run.State != operations.RunIncomplete || run.Healed != 1 {
		t.Errorf("run %+v (%v), want it incomplete and the good order healed", run, err)
	}
	if !strings.Contains(w.lines.String(), "NEVER-PLACED") {
		t.Error("the bad payment is not named in the log")
	}
}

// A suspect: money that would be parked is confirmed first.
func TestSuspectIsConfirmedThenParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	w.pay(w.open(careful, "NOBODYS", "5.00")) // never placed
	w.wantTypes(careful, "NOBODYS", "notified parked")
	w.sweep(s, operations.RunComplete)
	w.wantTypes(careful, "NOBODYS", "notified parked notified parked")
	v := w.payment(careful, "NOBODYS")
	if len(v.Trades) != 1 || v.Trades[0].State != domain.TradeParked {
		t.Errorf("trades %+v", v.Trades)
	}
	w.quiet(s)

	trade := w.place(careful, "PAIDTWICE", "5.00")
	_, err := w.box.PayWith(trade, sandbox.Fault{Class: sandbox.SecondTrade, Delay: sandbox.Duration(time.Nanosecond)})
	must(t, err)
	w.clock.step(time.Second)
	must(t, w.box.Advance(0))
	must(t, w.box.Settled(t.Context()))
	w.sweep(s, operations.RunComplete)
	w.clock.step(time.Minute)
	w.sweep(s, operations.RunComplete)
	p := w.payment(careful, "PAIDTWICE")
	if !p.IsSettled() || len(p.Trades) != 2 || len(p.Waiting()) != 0 {
		t.Errorf("trades %+v after %s", p.Trades, w.types(careful, "PAIDTWICE"))
	}
	w.quiet(s)
}

// A closed order needs its tail, too, when it closed before the first feed, and
// a cancelled one must learn of money that came.
func TestClosedBeforeTheFirstFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(trusting, "CANCEL1", "7.30")
	_, err := w.ledger.Cancel(t.Context(), trusting, "CANCEL1", "out of stock", w.by())
	must(t, err)
	w.pay(trade, sandbox.Lost)
	w.clock.step(2 * time.Minute)
	w.sweep(s, operations.RunComplete)
	w.wantTypes(trusting, "CANCEL1", "placed closed notified parked")
	w.quiet(s)
}

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	good := Config{Holder: "h", FirstAsk: time.Minute, Pace: 1, Queries: 1, AskPerSecond: 1}
	for field, change := range map[string]func(*Config){
		"holder":         func(c *Config) { c.Holder = "" },
		"pace":           func(c *Config) { c.Pace = 0.5 },
		"queries":        func(c *Config) { c.Queries = 0 },
		"ask_per_second": func(c *Config) { c.AskPerSecond = 0 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(Deps{}, cfg); domain.FieldOf(err) != field || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %v", field, err)
		}
	}
}
