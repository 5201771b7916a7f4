package simulation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/sandbox/stage"
)

// flows compares every bill of the day that is over at each till, as the daemon
// does.
func (m *mall) flows() {
	m.t.Helper()
	over := m.stage.Books()
	ok(m.t, m.stage.Advance(domain.DayOf(over, stage.China).Add(1).Start(stage.China).Add(11*time.Hour).Sub(over)))
	m.rest()
	m.sync()
	for _, t := range m.tills {
		for _, bill := range m.comparer.BillsOf(t.id) {
			run, err := m.comparer.Run(m.t.Context(), t.id, domain.DayOf(over, t.zone), bill)
			ok(m.t, err)
			if run.State != operations.RunComplete {
				m.t.Errorf("%s, %s: %+v", t.id, bill, run)
			}
		}
	}
}

// quiet waits until nothing is under way but what a bank takes days for.
func (m *mall) quiet() {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); m.stage.Pending() > atBanks; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("%d acts are still under way", m.stage.Pending())
		}
	}
}

// atBanks is how many acts of banks may be outstanding.
const atBanks = 4

// lastSales is the last day on which anything is sold: what a card payer's bank
// takes days for begins when it is over.
const lastSales = 3

// bank pays money out at a till and lets the provider move some for a reason of
// its own; it notes what the bills must find.
func (m *mall) bank(t *till, day int) {
	m.t.Helper()
	b, can := t.face.(stage.Banker)
	if !can {
		m.t.Fatalf("%s has no bank", t.id)
	}
	if t.holds && day < lastSales {
		return
	}
	for _, fails := range []bool{false, true} {
		if _, err := b.Payout(stage.PayoutOrder{Amount: domain.NewMoney(150, t.cur), Fails: fails}); err != nil && domain.KindOf(err) != domain.KindConflict {
			m.t.Fatal(err)
		}
	}
	if day == lastSales {
		_, err := b.Move(stage.MoveOrder{Amount: domain.NewMoney(-37, t.cur)})
		ok(m.t, err)
		t.want = append(t.want, "unclassified_movement open ")
	}
}

// Days at three providers with all their bills: payouts, failed payouts and
// movements without a name are booked, nothing is invented, and our book of each
// provider's balance is the balance there, to the cent.
func TestFlowsOfThreeProviders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	for _, seed := range []uint64{3, 4} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newMall(t, seed)
			m.day(false) // to eleven o'clock
			for day := range lastSales + 1 {
				for range 15 {
					for _, till := range m.tills {
						m.sell(till)
					}
				}
				m.rest()
				m.banks = day == lastSales
				for _, till := range m.tills {
					m.bank(till, day)
				}
				m.flows()
			}
			for range 6 { // what stood on the neighbour's bill, and what banks sent back
				m.flows()
			}
			m.audited()
		})
	}
}

// audited holds what was found against what was planted, and the books against
// the balances.
func (m *mall) audited() {
	m.t.Helper()
	m.fold()
	books, err := m.rows.TrialBalance(m.t.Context())
	ok(m.t, err)
	for _, t := range m.tills {
		rows, err := m.ops.Discrepancies(m.t.Context(), operations.DiscrepancyFilter{Channel: t.id, Limit: 1000})
		ok(m.t, err)
		var got, told []string
		for _, d := range rows {
			got = append(got, fmt.Sprintf("%s %s %s", d.Kind, d.State, d.OrderNo))
			told = append(told, fmt.Sprintf("%s %s %s %s %s: ours %s, theirs %s, %s", d.Bill, d.Day, d.Kind, d.Item.TradeNo, d.Item.Ref, d.Ours, d.Theirs, d.Note))
		}
		slices.Sort(got)
		slices.Sort(t.want)
		if !slices.Equal(got, t.want) {
			m.t.Errorf("%s: found\n  %s\nwant\n  %s", t.id, strings.Join(told, "\n  "), strings.Join(t.want, "\n  "))
		}
		var there []domain.Money
		for _, b := range t.face.Books() {
			there = append(there, b.Balance...)
		}
		held := books["assets:psp:"+string(t.id)]
		if len(there) == 0 || !slices.Equal(held, there) {
			m.t.Errorf("%s: our books have %v at the provider, there is %v", t.id, held, there)
		}
	}
}
