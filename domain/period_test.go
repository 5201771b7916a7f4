package domain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

// december is when November is over in all of the world.
var december = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)

// office is where people decide about periods, at a time.
func office(now time.Time) domain.Context {
	return domain.Context{Ledger: ledgerID, Stream: domain.PeriodsStream, Now: now}
}

// november is a basis on which it can be closed.
func november() domain.CloseBasis {
	return domain.CloseBasis{
		PeriodBasis: domain.PeriodBasis{
			Totals: []domain.PeriodTotal{
				{Book: "assets:psp:epay-main", Opening: domain.NewMoney(0, domain.CNY), Closing: ten},
				{Book: "liabilities:wallet", Opening: domain.NewMoney(0, domain.CNY), Closing: ten.Neg()},
			},
			Events: 12, Zones: []string{"America/New_York", "Asia/Shanghai"},
		},
		First: "2026-11",
	}
}

func askNovember() domain.CloseAsk {
	return domain.CloseAsk{Period: "2026-11", Reason: "all is compared", By: "li", Basis: november()}
}

// follow folds what a decision leads to.
func follow(t testing.TB, p *domain.Periods, facts []domain.Fact, err error) {
	t.Helper()
	if err != nil || len(facts) != 1 {
		t.Fatalf("facts %+v, %v", facts, err)
	}
	encoded(t, facts[0])
	next, err := p.Apply(facts[0])
	if err != nil {
		t.Fatal(err)
	}
	*p = next
}

func proposeNovember(t testing.TB, p *domain.Periods, now time.Time) domain.PeriodProposal {
	t.Helper()
	q, facts, err := p.Propose(office(now), askNovember())
	follow(t, p, facts, err)
	return q
}

// TestClosing: a proposal takes effect for everybody at once, is approved by
// another person, and the period stays closed.
func TestClosing(t *testing.T) {
	t.Parallel()
	var p domain.Periods
	q := proposeNovember(t, &p, december)
	effect := december.Add(domain.PeriodGrace)
	if q.Ask.EffectiveAt != effect || p.OldestOpen(effect.Add(-1)) != "" || p.OldestOpen(effect) != "2026-12" {
		t.Errorf("%+v: open are %q and %q", q.Ask, p.OldestOpen(effect.Add(-1)), p.OldestOpen(effect))
	}
	if _, facts, err := p.Propose(office(december.Add(time.Hour)), askNovember()); len(facts) != 0 || err != nil {
		t.Errorf("proposed again: %+v, %v", facts, err)
	}
	facts, err := p.Approve(office(effect.Add(domain.PeriodSettle)), "2026-11", "wang", "checked", november())
	follow(t, &p, facts, err)
	if !p.IsClosed("2026-11") || p.IsClosed("2026-12") || p.OldestOpen(december.AddDate(1, 0, 0)) != "2026-12" {
		t.Errorf("after the close: %+v", p)
	}
	if facts, err := p.Approve(office(december.AddDate(0, 0, 1)), "2026-11", "wang", "", november()); len(facts) != 0 || err != nil {
		t.Errorf("approved again: %+v, %v", facts, err)
	}
	if _, _, err := p.Propose(office(december.AddDate(0, 0, 1)), askNovember()); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("proposed when closed: %v", err)
	}
	if _, err := p.Reject(office(december.AddDate(0, 0, 1)), "2026-11", "li", "oh"); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("rejected when closed: %v", err)
	}
}

// TestNextClose: the next period goes on where the closed one ended, or is
// refused.
func TestNextClose(t *testing.T) {
	t.Parallel()
	var p domain.Periods
	proposeNovember(t, &p, december)
	facts, err := p.Approve(office(december.Add(time.Hour)), "2026-11", "wang", "", november())
	follow(t, &p, facts, err)
	ask := askNovember()
	ask.Period, ask.Basis.Totals = "2026-12", []domain.PeriodTotal{{Book: "assets:psp:epay-main", Opening: five, Closing: five}, {Book: "liabilities:wallet", Opening: five.Neg(), Closing: five.Neg()}}
	january := december.AddDate(0, 1, 0)
	if _, _, err := p.Propose(office(january), ask); domain.KindOf(err) != domain.KindConflict || !strings.Contains(err.Error(), "opens with 5.00 CNY") {
		t.Errorf("a period that begins elsewhere: %v", err)
	}
	ask.Basis.Totals = []domain.PeriodTotal{{Book: "assets:psp:epay-main", Opening: ten, Closing: ten}, {Book: "liabilities:wallet", Opening: ten.Neg(), Closing: ten.Neg()}}
	if _, facts, err := p.Propose(office(january), ask); len(facts) != 1 || err != nil {
		t.Errorf("%+v, %v", facts, err)
	}
	ask.Period = "2027-01"
	if _, _, err := p.Propose(office(january.AddDate(0, 1, 0)), ask); domain.KindOf(err) != domain.KindConflict || !strings.Contains(err.Error(), "2026-12 is open") {
		t.Errorf("a period skipped: %v", err)
	}
}

// TestCloseRefused names the rule for each thing that stands in the way.
func TestCloseRefused(t *testing.T) {
	t.Parallel()
	late := domain.PeriodException{Name: "run:epay-main:2026-11-30:trade", What: "bill_missing"}
	for name, c := range map[string]struct {
		change func(*domain.CloseAsk)
		now    time.Time
		says   string
	}{
		"no person":            {func(q *domain.CloseAsk) { q.By = "" }, december, "person"},
		"no reason":            {func(q *domain.CloseAsk) { q.Reason = "" }, december, "reason"},
		"no month":             {func(q *domain.CloseAsk) { q.Period = "2026-13" }, december, "not a month"},
		"not over in New York": {nil, time.Date(2026, 12, 1, 4, 59, 59, 0, time.UTC), "America/New_York"},
		"nothing booked":       {func(q *domain.CloseAsk) { q.Basis.First = "" }, december, "nothing is booked"},
		"an earlier one open":  {func(q *domain.CloseAsk) { q.Basis.First = "2026-10" }, december, "2026-10 is open"},
		"before the books":     {func(q *domain.CloseAsk) { q.Basis.First = "2026-12" }, december, "begin with 2026-12"},
		"no zones":             {func(q *domain.CloseAsk) { q.Basis.Zones = nil }, december, "no zone"},
		"runs incomplete":      {func(q *domain.CloseAsk) { q.Basis.Incomplete = []domain.PeriodException{late} }, december, "2026-11-30:trade (bill_missing)"},
		"another run accepted": {func(q *domain.CloseAsk) {
			q.Basis.Incomplete, q.Accept = []domain.PeriodException{late}, []string{"run:epay"}
		}, december, "accept"},
		"books not balanced":    {func(q *domain.CloseAsk) { q.Basis.Totals[0].Closing = five }, december, "trial balance is not zero"},
		"opening not balanced":  {func(q *domain.CloseAsk) { q.Basis.Totals[0].Opening = five }, december, "trial balance is not zero"},
		"too many to be listed": {func(q *domain.CloseAsk) { q.Basis.Incomplete = make([]domain.PeriodException, 101) }, december, "101 runs"},
	} {
		q := askNovember()
		if c.change != nil {
			c.change(&q)
		}
		if _, facts, err := (domain.Periods{}).Propose(office(c.now), q); len(facts) != 0 || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, facts, err)
		}
	}
	q := askNovember()
	q.Basis.Incomplete = []domain.PeriodException{late}
	for _, accept := range []string{late.Name, "run:epay-main"} {
		q.Accept = []string{accept}
		if _, facts, err := (domain.Periods{}).Propose(office(december), q); len(facts) != 1 || err != nil {
			t.Errorf("accepted by %s: %v", accept, err)
		}
	}
}

// TestApprovalRefused: who may not approve, and what.
func TestApprovalRefused(t *testing.T) {
	t.Parallel()
	settled := december.Add(domain.PeriodGrace + domain.PeriodSettle)
	other := november()
	other.Totals = []domain.PeriodTotal{
		{Book: "assets:psp:epay-main", Opening: domain.NewMoney(0, domain.CNY), Closing: five},
		{Book: "liabilities:wallet", Opening: domain.NewMoney(0, domain.CNY), Closing: five.Neg()},
	}
	fewer := november()
	fewer.Totals = nil
	worse := november()
	worse.Incomplete = []domain.PeriodException{{Name: "run:epay-main:2026-11-30:trade", What: "bill_broken"}}
	for name, c := range map[string]struct {
		by    string
		now   time.Time
		basis domain.CloseBasis
		says  string
	}{
		"the proposer":       {"li", settled, november(), "another person"},
		"nobody":             {"", settled, november(), "person"},
		"too early":          {"wang", settled.Add(-1), november(), "too fresh"},
		"other totals":       {"wang", settled, other, "from 10.00 CNY to 5.00 CNY: propose it again"},
		"fewer totals":       {"wang", settled, fewer, "propose it again"},
		"another incomplete": {"wang", settled, worse, "bill_broken"},
	} {
		var p domain.Periods
		proposeNovember(t, &p, december)
		if facts, err := p.Approve(office(c.now), "2026-11", c.by, "", c.basis); len(facts) != 0 || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v", name, facts, err)
		}
	}
	if _, err := (domain.Periods{}).Approve(office(settled), "2026-11", "wang", "", november()); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("nobody proposed: %v", err)
	}
}

// TestProposedAnew: newer totals supersede the proposer's own proposal, which
// keeps its effect; a second person's is refused while one is open, and a
// rejection opens the period again.
func TestProposedAnew(t *testing.T) {
	t.Parallel()
	var p domain.Periods
	first := proposeNovember(t, &p, december)
	newer := askNovember()
	newer.Basis.Totals[0].Closing, newer.Basis.Totals[1].Closing = five, five.Neg()
	q, facts, err := p.Propose(office(december.Add(time.Minute)), newer)
	follow(t, &p, facts, err)
	if q.Ask.EffectiveAt != first.Ask.EffectiveAt || q.Ask.Proposal == first.Ask.Proposal || p.Proposals[0].State != domain.PeriodSuperseded {
		t.Errorf("the newer one %+v after %+v", q.Ask, p.Proposals)
	}
	newer.By = "wang"
	if _, _, err := p.Propose(office(december.Add(time.Minute)), newer); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("a second proposer: %v", err)
	}
	if _, err := p.Reject(office(december), "2026-11", "wang", ""); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("rejected without a reason: %v", err)
	}
	no := december.Add(2 * time.Minute)
	facts, err = p.Reject(office(no), "2026-11", "wang", "a bill is missing")
	follow(t, &p, facts, err)
	if facts, err := p.Reject(office(no), "2026-11", "wang", "a bill is missing"); len(facts) != 0 || err != nil {
		t.Errorf("rejected again: %+v, %v", facts, err)
	}
	if p.OldestOpen(no) != "2026-12" || p.OldestOpen(no.Add(domain.PeriodGrace)) != "" {
		t.Errorf("open are %q, then %q", p.OldestOpen(no), p.OldestOpen(no.Add(domain.PeriodGrace)))
	}
	if _, facts, err := p.Propose(office(no.Add(time.Hour)), newer); len(facts) != 1 || err != nil {
		t.Errorf("after the rejection: %+v, %v", facts, err)
	}
}

// TestPeriods: whatever two people do with months at whatever times, a
// period that is closed stays so, each decision derives again from the facts
// before it, and nothing is dated into a closed period from its effect on.
func TestPeriods(t *testing.T) {
	t.Parallel()
	people := []string{"li", "wang"}
	rapid.Check(t, func(t *rapid.T) {
		var p domain.Periods
		now := december
		months := []string{"2026-11", "2026-12", "2027-01"}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "later")) / time.Duration(rapid.SampledFrom([]int{1, 100_000}).Draw(t, "scale")))
			ask := askNovember()
			ask.Period, ask.By = rapid.SampledFrom(months).Draw(t, "month"), rapid.SampledFrom(people).Draw(t, "who")
			ask.Basis.Totals = nil
			if rapid.Bool().Draw(t, "moved") {
				m := domain.NewMoney(rapid.Int64Range(0, 2).Draw(t, "minor"), domain.CNY)
				ask.Basis.Totals = []domain.PeriodTotal{{Book: "a", Opening: m.Neg(), Closing: m.Neg()}, {Book: "b", Opening: m, Closing: m}}
			}
			var facts []domain.Fact
			var err error
			switch rapid.SampledFrom([]string{"propose", "approve", "approve", "reject"}).Draw(t, "what") {
			case "propose":
				_, facts, err = p.Propose(office(now), ask)
			case "approve":
				facts, err = p.Approve(office(now), ask.Period, ask.By, "", ask.Basis)
			default:
				facts, err = p.Reject(office(now), ask.Period, ask.By, "no")
			}
			if err != nil && len(facts) > 0 {
				t.Fatalf("facts with an error: %+v, %v", facts, err)
			}
			for _, f := range facts {
				if again, err := p.Again(office(now), f); err != nil || fmt.Sprint(again) != fmt.Sprint(f) {
					t.Fatalf("%+v derives as %+v, %v", f, again, err)
				}
				if c, ok := f.(domain.PeriodClosed); ok && (c.By == c.ProposedBy || p.OldestOpen(now) <= c.Period) {
					t.Fatalf("closed by %s and %s while %q is the oldest open", c.ProposedBy, c.By, p.OldestOpen(now))
				}
				last := p.Last
				if p, err = p.Apply(f); err != nil {
					t.Fatal(err)
				}
				if last != nil && p.Last.Period < last.Period {
					t.Fatalf("%s is open again", last.Period)
				}
			}
			if p.Last != nil && p.OldestOpen(now) <= p.Last.Period {
				t.Fatalf("%s is closed, and %q the oldest open", p.Last.Period, p.OldestOpen(now))
			}
		}
	})
}
