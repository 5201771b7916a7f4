package ledger

import (
	"context"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"
)

var system = By{Actor: "system", Cause: "config"}

// TestConfigureRecordsChanges: settings are appended when they differ from the
// recorded ones, and decisions name the revision in force.
func TestConfigureRecordsChanges(t *testing.T) {
	w := parallel(t)
	l := w.process(t)
	ctx := context.Background()
	cfg := settings(main, domain.ConfirmNever)
	events := func() int { return len(checkLog(t, w).streams[domain.ChannelStream(main)]) }
	steps := []struct {
		name   string
		change func()
		want   int
	}{
		{"nothing", func() {}, 1},
		{"empty lists instead of none", func() { cfg.PublicKeys = []domain.PublicKey{} }, 1},
		{"another gateway", func() { cfg.Gateway = "https://other.example" }, 2},
		{"the revision given is not believed", func() { cfg.Revision = 77 }, 2},
		{"back again", func() { cfg.Gateway = "https://pay.example.com" }, 3},
		{"another merchant id", func() { cfg.Merchant = map[string]string{"pid": "1002"} }, 4},
		{"a threshold", func() { cfg.Confirm, cfg.ConfirmAbove = domain.ConfirmAbove, five }, 5},
	}
	for _, s := range steps {
		s.change()
		for range 2 { // the second time it is on record
			if err := l.Configure(ctx, cfg, system); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		if got := events(); got != s.want {
			t.Errorf("%s: %d events, want %d", s.name, got, s.want)
		}
	}
	last, err := l.Settings(ctx, main)
	if err != nil || last.Revision != 4 || last.ConfirmAbove != five {
		t.Errorf("settings %+v, %v", last, err)
	}
	w.place(t, l, order("A1"))
	r := must(t, l, w.callback(1, main, "A1", "T1", ten), domain.OutcomeHeld) // above five
	if n, _ := r.Verdict.Facts[0].(domain.PaymentNotified); n.Decision.Config != 4 {
		t.Errorf("the decision names revision %d", n.Decision.Config)
	}
	checkLog(t, w)
}

// TestConfigureTogether: daemons that start at once record one change once.
func TestConfigureTogether(t *testing.T) {
	w := parallel(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { w.process(t) })
	}
	wg.Wait()
	h := checkLog(t, w)
	if got := len(h.streams[domain.ChannelStream(main)]); got != 1 {
		t.Errorf("%d events", got)
	}
}

// TestConfigureRefusesPlayMoney: test channels and live stores never meet.
func TestConfigureRefusesPlayMoney(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, c := range []struct {
		mode domain.Mode
		test bool
		ok   bool
	}{
		{domain.ModeLive, false, true},
		{domain.ModeLive, true, false},
		{domain.ModeTest, true, true},
		{domain.ModeTest, false, false},
	} {
		store := memory.New()
		cfg := Config{Software: "counterfoil/test", Clock: (&clock{at: noon}).now}
		if err := Init(ctx, store, testID, c.mode, cfg); err != nil {
			t.Fatal(err)
		}
		l, err := Open(ctx, store, &keyring{}, cfg)
		if err != nil || l.Mode() != c.mode || l.ID() != testID {
			t.Fatalf("mode %s, id %s, %v", l.Mode(), l.ID(), err)
		}
		set := settings(main, domain.ConfirmNever)
		set.Test = c.test
		err = l.Configure(ctx, set, system)
		if c.ok && err != nil {
			t.Errorf("%s store, test %t: %v", c.mode, c.test, err)
		}
		if !c.ok {
			wantKind(t, err, domain.KindDenied)
			if _, err := l.Settings(ctx, main); domain.KindOf(err) != domain.KindNotFound {
				t.Errorf("refused settings are on record: %v", err)
			}
		}
	}
}

// TestConfigureRefusesUnknownZone: days could not be cut.
func TestConfigureRefusesUnknownZone(t *testing.T) {
	w := parallel(t)
	set := settings(main, domain.ConfirmNever)
	set.Zone = "Mars/Olympus"
	wantKind(t, w.process(t).Configure(context.Background(), set, system), domain.KindInvalid)
}

// TestInit: a log is opened once, and in one mode for ever.
func TestInit(t *testing.T) {
	w := parallel(t)
	ctx := context.Background()
	wantKind(t, Init(ctx, w.store, delivery(1), domain.ModeTest, w.config()), domain.KindConflict)
	wantKind(t, Init(ctx, memory.New(), testID, "play", w.config()), domain.KindInvalid)
	_, err := Open(ctx, memory.New(), w.keys, w.config())
	wantKind(t, err, domain.KindNotFound)
	opened, err := Opened(ctx, w.store)
	if err != nil || opened.Ledger != testID || opened.Mode != domain.ModeLive {
		t.Errorf("%+v, %v", opened, err)
	}
}
