package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
)

// Lang says in which language a page speaks.
type Lang string

// The languages of a page.
const (
	LangBoth Lang = "both"
	LangEn   Lang = "en"
	LangZh   Lang = "zh"
)

// maxShown is how many rows of a table a page shows; the workbook has all.
const maxShown = 300

//go:embed report.html
var pageText string

// pageTemplate is parsed once; its words are ours.
var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"grouped": grouped, "short": shortHash, "slash": func(a, b any) []any { return []any{a, b} },
}).Parse(pageText))

// HTML writes the report as a page of its own: no script, nothing fetched,
// charts drawn in it, made for a screen, a phone and paper (A4).
func (r *Report) HTML(w io.Writer, l Lang) error {
	switch l {
	case "":
		l = LangBoth
	case LangBoth, LangEn, LangZh:
	default:
		return domain.EField(domain.KindInvalid, "lang", "%.20q: must be en, zh or both", l)
	}
	return pageTemplate.Execute(w, &page{Report: r, Lang: l})
}

// page is what the template is filled from.
type page struct {
	*Report
	Lang Lang
}

// T is a word in the page's language, or in both.
func (p *page) T(en, zh string) template.HTML {
	en, zh = template.HTMLEscapeString(en), template.HTMLEscapeString(zh)
	switch p.Lang {
	case LangEn:
		return template.HTML(en) //nolint:gosec // escaped above
	case LangZh:
		return template.HTML(zh) //nolint:gosec // escaped above
	default:
		return template.HTML(zh + ` <span class="en">` + en + `</span>`) //nolint:gosec // escaped above
	}
}

// HTMLLang is the page's lang attribute.
func (p *page) HTMLLang() string {
	if p.Lang == LangEn {
		return "en"
	}
	return "zh-CN"
}

// Wall is an instant in the report's zone.
func (p *page) Wall(t time.Time) string { return wall(t, p.zone) }

// Good reports whether nothing is open and every comparison is complete.
func (p *page) Good() bool { return p.OpenCount() == 0 && len(p.Unfinished) == 0 && p.Balanced() }

// Balanced reports whether all books together come to zero in every currency.
func (p *page) Balanced() bool {
	return !slices.ContainsFunc(p.trial(), func(m domain.Money) bool { return !m.IsZero() })
}

// Rate is the share of our lines that agree, in percent; empty without lines.
func (p *page) Rate() string {
	c := p.Counted()
	if c.Matched+c.Differing == 0 {
		return ""
	}
	rate := 100 * float64(c.Matched) / float64(c.Matched+c.Differing)
	if rate > 99.99 && c.Differing > 0 {
		rate = 99.99 // never rounded up to all
	}
	return strconv.FormatFloat(rate, 'f', 2, 64) + "\u202f%"
}

// Stated reports whether any comparison tells of a balance at a provider.
func (p *page) Stated() bool {
	return slices.ContainsFunc(p.Runs, func(r Run) bool { return len(r.Balances) > 0 })
}

// MoneyChart is a chart of one currency.
type MoneyChart struct {
	Currency domain.Currency
	SVG      template.HTML
	Paid     domain.Money
	Back     domain.Money
}

// MoneyCharts are charts of the three currencies most used.
func (p *page) MoneyCharts() []MoneyChart {
	var out []MoneyChart
	for _, c := range p.currencies() {
		if len(out) == 3 {
			break
		}
		m := MoneyChart{Currency: c, Paid: domain.NewMoney(0, c), Back: domain.NewMoney(0, c)}
		for _, d := range p.Days {
			if d.Paid.Currency() != c {
				continue
			}
			var err error
			if m.Paid, err = m.Paid.Add(d.Paid); err == nil {
				m.Back, err = m.Back.Add(d.Back)
			}
			if err != nil {
				break // beyond the range of money: the chart still shows the days
			}
		}
		m.SVG = chart(fmt.Sprintf("%s: + %s, − %s", c, grouped(m.Paid), grouped(m.Back)), p.moneyBars(c), false)
		out = append(out, m)
	}
	return out
}

// CountChart shows what agreed and what did not, day by day; empty without
// comparisons.
func (p *page) CountChart() template.HTML {
	if len(p.Runs) == 0 {
		return ""
	}
	c := p.Counted()
	return chart(fmt.Sprintf("= %d, ≠ %d", c.Matched, c.Differing), p.countBars(), true)
}

// KindAges is a row of open differences: counts by age.
type KindAges struct {
	Kind   domain.DiscrepancyKind
	Counts []int
	Sum    int
	Stake  []domain.Money
}

// OpenByKind are the open differences by kind and age.
func (p *page) OpenByKind() []KindAges {
	var out []KindAges
	for _, o := range p.Open {
		if len(out) == 0 || out[len(out)-1].Kind != o.Kind {
			out = append(out, KindAges{Kind: o.Kind, Counts: make([]int, len(Ages()))})
		}
		k := &out[len(out)-1]
		k.Counts[slices.Index(Ages(), o.Age)] += o.Count
		k.Sum += o.Count
		k.stake(o.Amount)
	}
	return out
}

func (k *KindAges) stake(m domain.Money) {
	if m.Currency() == "" {
		return
	}
	for i := range k.Stake {
		if sum, err := k.Stake[i].Add(m); err == nil {
			k.Stake[i] = sum
			return
		}
	}
	k.Stake = append(k.Stake, m)
}

// AgeNames are the heads of OpenByKind's counts.
func (p *page) AgeNames() []Age { return Ages() }

// ChargeSum adds up the charges of a channel.
type ChargeSum struct {
	Kind    string
	Channel domain.ChannelID
	Count   int
	Amount  domain.Money
}

// ChargeSums are the charges by kind, channel and currency.
func (p *page) ChargeSums() []ChargeSum {
	var out []ChargeSum
	for _, c := range p.Charges {
		i := slices.IndexFunc(out, func(s ChargeSum) bool {
			return s.Kind == c.Kind && s.Channel == c.Channel && s.Amount.Currency() == c.Amount.Currency()
		})
		if i < 0 {
			out = append(out, ChargeSum{Kind: c.Kind, Channel: c.Channel, Amount: domain.NewMoney(0, c.Amount.Currency())})
			i = len(out) - 1
		}
		out[i].Count++
		if sum, err := out[i].Amount.Add(c.Amount); err == nil {
			out[i].Amount = sum
		}
	}
	return out
}

// Shown bounds long tables.
func (p *page) Shown() int { return maxShown }

// hashesShown is how many bills' hashes a page spells out; the workbook has all.
const hashesShown = 12

// Evidence are the lines that tie the report to the log, and to the bills where
// they are few.
func (p *page) Evidence() []tie {
	out := p.evidence()
	if len(p.Runs) > hashesShown {
		return out
	}
	for _, r := range p.Runs {
		out = append(out, tie{En: fmt.Sprintf("%s %s %s", r.Channel, r.Day, r.Bill), Value: r.ID + " sha256 " + r.SHA256})
	}
	return out
}

// Heading says what the report is about.
func (p *page) Heading() string { return p.Report.Title() }

// shortHash is the beginning of a hash, enough to tell it from others.
func shortHash(s string) string { return s[:min(len(s), 12)] }
