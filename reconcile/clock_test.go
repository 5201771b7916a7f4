package reconcile

import (
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/sandbox"
)

// TestClockThatRanAhead: a clock that stood a year ahead during a sweep and was
// set back costs no payment: what it had given up is asked again.
func TestClockThatRanAhead(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	w := newWorld(t)
	s := w.sweeper()
	trade := w.place(careful, "AHEAD1", "7.30")
	settled := w.place(trusting, "AHEAD2", "7.30")
	w.pay(settled)
	w.sweep(s, operations.RunComplete)
	w.clock.step(year)
	w.sweep(s, operations.RunComplete)
	w.clock.step(-year)
	w.pay(trade, sandbox.Lost)
	for range 60 {
		w.clock.step(time.Minute)
		w.sweep(s, operations.RunComplete)
	}
	w.wantState(careful, "AHEAD1", domain.StateCredited)
	if a := w.ask(trusting, "AHEAD2", whyCredited); a.Done || a.NextAt.After(w.clock.now().Add(24*time.Hour)) {
		t.Errorf("the credited payment is asked about again at %s, done %t", a.NextAt, a.Done)
	}
}

// TestClockThatWandersALittle: steps below the slack are no reason to look at
// everything again.
func TestClockThatWandersALittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := &counted{Reader: w.rows}
	s := w.sweeper(func(d *Deps, _ *Config) { d.Rows = rows })
	w.place(careful, "WAND1", "7.30")
	w.sweep(s, operations.RunComplete)
	before := rows.rows
	for range 5 {
		w.clock.step(-10 * time.Second)
		w.sweep(s, operations.RunComplete)
	}
	if rows.rows != before {
		t.Errorf("%d rows were read again", rows.rows-before)
	}
}
