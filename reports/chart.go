package reports

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"

	"counterfoil/domain"
)

// The size of a chart, in its own units. It is drawn as wide as a phone shows
// it, so that its words stay readable there.
const (
	chartWidth  = 400
	chartHeight = 190
	chartLeft   = 52 // room for the figures of the axis
	chartBottom = 24
	chartTop    = 14
	chartBar    = 44.0 // the widest bar
)

// bar is one bar of a chart: up what is good, down or on top what is not.
type bar struct {
	label    string // under it
	up, down float64
	words    string // what it says when it is pointed at
}

// chart draws bars. stacked puts the second figure on top of the first, in the
// colour of warnings and never thinner than can be seen; otherwise it hangs
// below the line.
func chart(title string, bars []bar, stacked bool) template.HTML {
	top, bottom := 0.0, 0.0
	for _, b := range bars {
		if stacked {
			top = max(top, b.up+b.down)
		} else {
			top, bottom = max(top, b.up), max(bottom, b.down)
		}
	}
	step := niceStep(top + bottom)
	top = math.Ceil(top/step) * step
	if top+bottom == 0 {
		top = step
	}
	s := scale{top: top, bottom: bottom}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, chartHeight, html.EscapeString(title))
	s.grid(&out, step)
	room := float64(chartWidth - chartLeft - 6)
	width := min(chartBar, room/float64(max(1, len(bars))))
	left := chartLeft + (room-width*float64(len(bars)))/2 // few bars stand in the middle
	every := max(1, (len(bars)+7)/8)                      // labels that do not touch each other
	for i, b := range bars {
		x := left + float64(i)*width
		s.bar(&out, b, x, width, stacked)
		if i%every == 0 {
			fmt.Fprintf(&out, `<text x="%.1f" y="%d" class="t m">%s</text>`, x+width/2, chartHeight-8, html.EscapeString(b.label))
		}
	}
	out.WriteString(`</svg>`)
	return template.HTML(out.String()) //nolint:gosec // every word in it was escaped
}

// scale turns figures into heights.
type scale struct{ top, bottom float64 }

func (s scale) y(v float64) float64 {
	room := float64(chartHeight - chartTop - chartBottom)
	return chartTop + (s.top-v)/(s.top+s.bottom)*room
}

// grid draws the lines and their figures.
func (s scale) grid(out *strings.Builder, step float64) {
	lowest := -int(s.bottom / step)
	for i := lowest; float64(i)*step <= s.top+step/2; i++ {
		v, class := float64(i)*step, "g"
		if i == 0 {
			class = "z"
		}
		fmt.Fprintf(out, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="%s"/>`, chartLeft, chartWidth-6, s.y(v), s.y(v), class)
		fmt.Fprintf(out, `<text x="%d" y="%.1f" class="t e">%s</text>`, chartLeft-5, s.y(v)+3.5, short(v))
	}
}

func (s scale) bar(out *strings.Builder, b bar, x, width float64, stacked bool) {
	gap := width * 0.18
	rect := func(from, to float64, class string) {
		if from == to {
			return
		}
		y, h := s.y(to), math.Max(s.y(from)-s.y(to), 1.5)
		fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`, x+gap, y, width-2*gap, h, class)
	}
	out.WriteString("<g>")
	fmt.Fprintf(out, "<title>%s</title>", html.EscapeString(b.words))
	rect(0, b.up, "u")
	switch {
	case stacked:
		rect(b.up, b.up+b.down, "d")
	case b.down > 0:
		rect(-b.down, 0, "d")
	}
	out.WriteString("</g>")
}

// niceStep is a round distance of grid lines for a span: four or so of them.
func niceStep(span float64) float64 {
	if span <= 0 {
		return 1
	}
	raw := span / 4
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// short is a figure for an axis.
func short(v float64) string {
	for _, u := range []struct {
		from float64
		sign string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.from {
			return trimmed(v/u.from) + u.sign
		}
	}
	return trimmed(v)
}

func trimmed(v float64) string {
	s := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	return strings.Replace(s, "-", "−", 1)
}

// moneyBars are what came in and went back on each day of a range, one chart a
// currency.
func (r *Report) moneyBars(c domain.Currency) []bar {
	days := map[domain.Day]DaySum{}
	for _, d := range r.Days {
		if d.Paid.Currency() == c {
			days[d.Day] = d
		}
	}
	var out []bar
	for _, day := range r.daysOf() {
		d := days[day]
		out = append(out, bar{
			label: label(day), up: d.Paid.Decimal().InexactFloat64(), down: d.Back.Decimal().InexactFloat64(),
			words: fmt.Sprintf("%s: + %s, − %s %s", day, grouped(d.Paid), grouped(d.Back), c),
		})
	}
	return out
}

// countBars are what was compared on each day.
func (r *Report) countBars() []bar {
	sums := map[domain.Day]*bar{}
	for _, run := range r.Runs {
		if !run.Newest {
			continue
		}
		if sums[run.Day] == nil {
			sums[run.Day] = &bar{}
		}
		sums[run.Day].up += float64(run.Matched)
		sums[run.Day].down += float64(run.Differing)
	}
	var out []bar
	for _, day := range r.daysOf() {
		b := bar{label: label(day)}
		if s := sums[day]; s != nil {
			b.up, b.down = s.up, s.down
		}
		b.words = fmt.Sprintf("%s: %.0f = , %.0f ≠", day, b.up, b.down)
		out = append(out, b)
	}
	return out
}

// label is a day of the month.
func label(d domain.Day) string { return strings.TrimPrefix(string(d[len(d)-2:]), "0") }

// maxDays bounds a chart.
const maxDays = 62

// daysOf are the days of the report, at most maxDays.
func (r *Report) daysOf() []domain.Day {
	var out []domain.Day
	for d := r.Scope.From; d != "" && d <= r.Scope.To && len(out) < maxDays; d = d.Add(1) {
		out = append(out, d)
	}
	return out
}

// currencies are those of the days, the one with the most bookings first.
func (r *Report) currencies() []domain.Currency {
	count := map[domain.Currency]int{}
	for _, f := range r.Flows {
		count[f.Amount.Currency()] += f.Count
	}
	var out []domain.Currency
	for _, d := range r.Days {
		if c := d.Paid.Currency(); !slices.Contains(out, c) && (!d.Paid.IsZero() || !d.Back.IsZero()) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b domain.Currency) int { return count[b] - count[a] })
	return out
}

// grouped is an amount with its thousands apart, as people read it.
func grouped(m domain.Money) string {
	if m.Currency() == "" {
		return ""
	}
	text := m.Amount()
	sign := ""
	if text[0] == '-' {
		sign, text = "−", text[1:]
	}
	whole, places, dotted := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dotted {
		whole += "." + places
	}
	return sign + whole
}
