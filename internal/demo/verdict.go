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
	title     string
	refused   int
	placed    int
	forgotten int // due, but deleted at the gateway before anyone could ask
	lost      int // paid, and no callback was ever taken
	shown     int // refunded over an amount that the provider does not tell
	due       map[string]purse
	lines     []*line
	planted   map[sandbox.Class]int
	killed    time.Duration
	took      time.Duration
	faults    []string
}

// line is what one channel came to.
type line struct {
	till                                   till
	placed, due, count                     int
	expected, credited, refunded, disputed purse
}

func newVerdict(log *journal, placed int) *verdict {
	return &verdict{log: log, placed: placed, due: map[string]purse{}, planted: map[sandbox.Class]int{}}
}

// line is the one of a channel.
func (v *verdict) line(t till) *line {
	for _, l := range v.lines {
		if l.till == t {
			return l
		}
	}
	l := &line{till: t, expected: purse{}, credited: purse{}, refunded: purse{}, disputed: purse{}}
	v.lines = append(v.lines, l)
	return l
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

func (v *verdict) print(w io.Writer) {
	v.printCounts(w)
	v.printLines(w)
	fmt.Fprintf(w, "\nFaults planted: %s\n", v.plantedText())
	fmt.Fprintf(w, "The API was killed (-9) in the middle and away for %s; two reconcilers worked at once. %s in all.\n",
		v.killed.Round(10*time.Millisecond), v.took.Round(100*time.Millisecond))
	if v.good() {
		fmt.Fprintln(w, "\nVERDICT: every paid order credited exactly once; every balance equals the providers' books.")
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

func (v *verdict) printCounts(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(n any, text string) { fmt.Fprintf(t, "%v\t  %s\n", n, text) }
	row(v.placed, "payments placed, over "+v.title)
	row(v.log.notified, "callbacks kept as events")
	row(v.log.repeats, "of them repeats, credited nothing")
	row(v.refused, "callbacks refused: forged, downgraded, foreign, broken")
	row(v.log.held, "held until the provider confirmed them")
	row(v.log.parked, "parked: "+v.log.parkedMoney.String()+" of other amounts, second payments, unknown orders")
	row(v.lost, "paid, but no callback was ever delivered")
	row(v.log.healed, "healed by asking the provider")
	row(v.forgotten, "deleted at the gateway before anyone could ask (people decide)")
	row(v.log.refunds, fmt.Sprintf("refunds booked, %d of them taken back because they failed", v.log.bounced))
	row(v.shown, "refunds of which the gateway tells no amount, shown to people")
	row(v.log.disputes, "disputes that took money away")
	_ = t.Flush()
}

// printLines prints a row for each channel: what is due by the provider's
// books, and what ours say.
func (v *verdict) printLines(w io.Writer) {
	slices.SortFunc(v.lines, func(a, b *line) int { return strings.Compare(a.till.channel, b.till.channel) })
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "channel\tplaced\tdue\tcredited\texpected\tcredited\trefunded\tdisputed\t")
	for _, l := range v.lines {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t\n", l.till.channel, l.placed, l.due, l.count,
			l.expected, l.credited, l.refunded, l.disputed)
	}
	_ = t.Flush()
}

func (v *verdict) plantedText() string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(v.planted)) {
		parts = append(parts, fmt.Sprintf("%s %d", class, v.planted[class]))
	}
	return strings.Join(parts, ", ")
}
