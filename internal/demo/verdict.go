package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox"
)

// verdict is the demo's end: what was played, what came of it, what is wrong.
type verdict struct {
	log       *journal
	refused   int
	placed    int
	paid      int // orders that are due their credit
	credited  int
	forgotten int // due, but deleted at the gateway before anyone could ask
	lost      int // paid, and no callback was ever taken
	expected  domain.Money
	got       domain.Money
	due       map[string]domain.Money // by account
	planted   map[sandbox.Class]int
	killed    time.Duration
	took      time.Duration
	faults    []string
}

func (v *verdict) wrong(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func (v *verdict) good() bool { return len(v.faults) == 0 }

func (v *verdict) err() error {
	if v.good() {
		return nil
	}
	return domain.E(domain.KindMismatch, "%d differences", len(v.faults))
}

// compare puts the shop's orders, the gateway's books and our log side by
// side: every due order credited exactly once with its own amount to its own
// account, and nothing else credited.
func compare(orders map[string]order, truth map[string][]sandbox.PaidOrder, log *journal) *verdict {
	zero := domain.NewMoney(0, domain.CNY)
	v := &verdict{
		log: log, placed: len(orders), expected: zero, got: zero, due: map[string]domain.Money{},
		planted: map[sandbox.Class]int{},
	}
	for _, name := range slices.Sorted(maps.Keys(orders)) {
		v.compareOrder(name, orders[name], truth[name], log.credits[name])
	}
	for name, credits := range log.credits {
		if _, ours := orders[name]; !ours {
			v.wrong("%s was credited %d times, and nobody placed it", name, len(credits))
		}
	}
	return v
}

func (v *verdict) compareOrder(name string, o order, paid []sandbox.PaidOrder, credits []credit) {
	if _, known := v.due[o.account]; !known {
		v.due[o.account] = domain.NewMoney(0, domain.CNY)
	}
	due, purged := false, false
	for _, p := range paid {
		due = due || p.Credit
		purged = purged || p.Purged
		if p.Credit && !p.Accepted {
			v.lost++
		}
	}
	amount, err := domain.ParseMoney(o.amount, domain.CNY)
	if err != nil {
		v.wrong("%s: %v", name, err)
		return
	}
	switch {
	case len(credits) > 1:
		v.wrong("%s was credited %d times", name, len(credits))
	case due && len(credits) == 0 && purged:
		v.paid++
		v.forgotten++
		return
	case due && len(credits) == 0:
		v.wrong("%s was paid and is not credited", name)
	case !due && len(credits) > 0:
		v.wrong("%s was credited and is not paid", name)
	}
	if due {
		v.paid++
		v.expected = sum(v.expected, amount)
	}
	for _, c := range credits {
		v.credited++
		v.got = sum(v.got, c.amount)
		if c.amount != amount || c.account != o.account {
			v.wrong("%s was credited with %s to %s, placed %s for %s", name, c.amount, c.account, amount, o.account)
		}
	}
	if len(credits) > 0 || due {
		v.due[o.account] = sum(v.due[o.account], amount)
	}
}

// sum adds amounts of a demo, which cannot overflow.
func sum(a, b domain.Money) domain.Money {
	return domain.NewMoney(a.Minor()+b.Minor(), a.Currency())
}

func (v *verdict) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(n any, text string) { fmt.Fprintf(t, "%v\t  %s\n", n, text) }
	row(v.placed, "payments placed, over three channels (V1 asked, V1 plain, V2)")
	row(v.log.notified, "callbacks kept as events")
	row(v.log.repeats, "of them repeats, credited nothing")
	row(v.refused, "callbacks refused: forged, downgraded, foreign, broken")
	row(v.log.held, "held until the gateway confirmed them")
	row(v.log.parked, "parked: "+v.log.parkedMoney.String()+" of other amounts, second payments, unknown orders")
	row(v.lost, "paid, but no callback was ever delivered")
	row(v.log.healed, "healed by asking the gateway")
	row(v.forgotten, "deleted at the gateway before anyone could ask (people decide)")
	row(v.credited, fmt.Sprintf("credited, of %d due", v.paid))
	row(v.expected.Amount(), "CNY expected")
	row(v.got.Amount(), "CNY credited")
	_ = t.Flush()
	fmt.Fprintf(w, "\nFaults planted: %s\n", v.plantedText())
	fmt.Fprintf(w, "The API was killed (-9) in the middle and away for %s; two reconcilers worked at once. %s in all.\n",
		v.killed.Round(10*time.Millisecond), v.took.Round(100*time.Millisecond))
	if v.good() {
		fmt.Fprintln(w, "\nVERDICT: every paid order credited exactly once; every balance equals the gateway's books.")
		return
	}
	fmt.Fprintf(w, "\nVERDICT: %d DIFFERENCES\n", len(v.faults))
	for i, f := range v.faults {
		if i == 20 {
			fmt.Fprintf(w, "  … and %d more\n", len(v.faults)-i)
			break
		}
		fmt.Fprintln(w, "  "+f)
	}
}

func (v *verdict) plantedText() string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(v.planted)) {
		parts = append(parts, fmt.Sprintf("%s %d", class, v.planted[class]))
	}
	return strings.Join(parts, ", ")
}
