package domain_test

import (
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// proposedByRun is what a run asks for when the provider says that T1 was never
// paid.
func proposedByRun() domain.Correction {
	q := wants(domain.ActionReverse, "T1", "")
	q.By, q.ByRun, q.Discrepancy, q.Reason = "bill-7", true, delivery(7), "the provider says closed"
	return q
}

// byRun is a paid order with a run's proposal.
func byRun(t *testing.T) (domain.Payment, domain.ID) {
	t.Helper()
	p := domain.Fold(paid())
	proposal, fs, err := p.Propose(desk(), proposedByRun(), domain.Spent{})
	if err != nil || len(fs) != 1 {
		t.Fatalf("propose: %d facts, %v", len(fs), err)
	}
	return p.Apply(fs[0]), proposal.ID()
}

// TestR7RunsProposalTakesTwoPersons: a run's proposal is nobody's word. The
// first yes seconds it and moves nothing, the same person's second yes is
// nothing new, another person's issues it.
func TestR7RunsProposalTakesTwoPersons(t *testing.T) {
	t.Parallel()
	p, id := byRun(t)
	first, err := p.Approve(desk(), id, "li", "seen", domain.Spent{})
	if err != nil || len(first) != 1 || first[0].FactType() != domain.TypeCorrectionSeconded || len(domain.PostingsOf(first[0])) > 0 {
		t.Fatalf("the first yes: %v, %v", first, err)
	}
	p = p.Apply(first[0])
	if q, _ := p.Proposal(id); q.State != domain.ProposalOpen || q.SecondedBy != "li" || q.Proposer() != "li" {
		t.Errorf("after the first yes: %+v", q)
	}
	if again, err := p.Approve(desk(), id, "li", "seen", domain.Spent{}); err != nil || len(again) > 0 {
		t.Errorf("the same person again: %v, %v", again, err)
	}
	second, err := p.Approve(desk(), id, "wang", "", domain.Spent{})
	if err != nil || len(second) != 2 || len(domain.PostingsOf(second[1])) != 2 {
		t.Fatalf("the second yes: %v, %v", second, err)
	}
	for _, f := range second {
		p = p.Apply(f)
	}
	if p.State() != domain.StateReversed {
		t.Errorf("the payment is %s", p.State())
	}
	if _, err := p.Approve(desk(), id, "li", "", domain.Spent{}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("the first person after it was issued: %v", err)
	}
}

// A run proposes a thing once: not again while it is open, nor ever after people
// rejected it. A person may.
func TestRunsDoNotNag(t *testing.T) {
	t.Parallel()
	p, id := byRun(t)
	next := proposedByRun()
	next.By = "bill-8"
	if q, fs, err := p.Propose(desk(), next, domain.Spent{}); err != nil || len(fs) > 0 || q.ID() != id {
		t.Errorf("by the next run: %v, %d facts, %v", q.ID(), len(fs), err)
	}
	if _, _, err := p.Propose(desk(), wants(domain.ActionReverse, "T1", ""), domain.Spent{}); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("by a person while it is open: %v", err)
	}
	no, err := p.Reject(id, "li", "the buyer showed the receipt")
	if err != nil {
		t.Fatal(err)
	}
	p = p.Apply(no[0])
	if q, fs, err := p.Propose(desk(), next, domain.Spent{}); err != nil || len(fs) > 0 || q.State != domain.ProposalRejected {
		t.Errorf("by a run after the rejection: %+v, %d facts, %v", q, len(fs), err)
	}
	if _, fs, err := p.Propose(desk(), wants(domain.ActionReverse, "T1", ""), domain.Spent{}); err != nil || len(fs) != 1 {
		t.Errorf("by a person after the rejection: %d facts, %v", len(fs), err)
	}
}

// Whoever seconds a run's proposal has it count against his own limit.
func TestSecondedCountsForTheSeconder(t *testing.T) {
	t.Parallel()
	p, id := byRun(t)
	c := desk()
	c.Channel.Corrections = &domain.CorrectionPolicy{PersonDay: domain.NewMoney(1200, domain.CNY)}
	var s domain.Spent
	if err := s.Person.Add(five); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(c, id, "li", "", s); domain.KindOf(err) != domain.KindDenied || err == nil || !strings.Contains(err.Error(), "what li proposes in a day") {
		t.Errorf("li, who proposed 5.00 today: %v", err)
	}
	first, err := p.Approve(c, id, "zhao", "", domain.Spent{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(first[0]).Approve(c, id, "li", "", s); domain.KindOf(err) != domain.KindDenied || err == nil || !strings.Contains(err.Error(), "what zhao proposes") {
		t.Errorf("zhao, who by then proposed 5.00 today: %v", err)
	}
}

// A correction repairs a difference that is there, once.
func TestCorrectionOfAVanishedDifference(t *testing.T) {
	t.Parallel()
	p, id := byRun(t)
	gone := domain.Spent{Resolved: "the bill does not show it any more"}
	if fs, err := p.Approve(desk(), id, "li", "", gone); domain.KindOf(err) != domain.KindConflict || err == nil || !strings.Contains(err.Error(), "is resolved already: the bill") || len(fs) > 0 {
		t.Errorf("approved: %d facts, %v", len(fs), err)
	}
	if _, _, err := domain.Fold(paid()).Propose(desk(), proposedByRun(), gone); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("proposed: %v", err)
	}
	ask := wants(domain.ActionReverse, "T1", "")
	ask.Discrepancy = delivery(7)
	done := domain.Fold(foldedFacts(t, paid(), ask))
	back := wants(domain.ActionCredit, "T1", "")
	back.Discrepancy = delivery(7)
	if _, _, err := done.Propose(desk(), back, domain.Spent{}); domain.KindOf(err) != domain.KindConflict || err == nil || !strings.Contains(err.Error(), "was corrected already") {
		t.Errorf("a second correction of one difference: %v", err)
	}
	back.Discrepancy = domain.ID{}
	if _, fs, err := done.Propose(desk(), back, domain.Spent{}); err != nil || len(fs) != 1 {
		t.Errorf("a correction of the correction: %d facts, %v", len(fs), err)
	}
}

// A correction is booked on a day that has come, in a period that is open; of a
// payment in a closed period it is booked in the open one.
func TestCorrectionsAndPeriods(t *testing.T) {
	t.Parallel()
	c := desk()
	day := domain.DayOf(c.Now, c.Zone)
	ask := func(on domain.Day) domain.Correction {
		q := wants(domain.ActionReverse, "T1", "")
		q.ValueDate = on
		return q
	}
	closed := c
	closed.OldestOpen = day.Start(c.Zone).AddDate(0, 1, 0).Format("2006-01")
	for name, q := range map[string]struct {
		c    domain.Context
		on   domain.Day
		kind domain.Kind
		says string
	}{
		"no day":         {c, "2026-02-30", domain.KindInvalid, "not a day"},
		"short":          {c, "x", domain.KindInvalid, "not a day"},
		"tomorrow":       {c, day.Add(1), domain.KindInvalid, "has not come"},
		"a closed month": {closed, day.Add(-1), domain.KindConflict, "is closed: book it in " + closed.OldestOpen},
	} {
		if _, fs, err := domain.Fold(paid()).Propose(q.c, ask(q.on), domain.Spent{}); domain.KindOf(err) != q.kind || err == nil || !strings.Contains(err.Error(), q.says) || len(fs) > 0 {
			t.Errorf("%s: %d facts, %v", name, len(fs), err)
		}
	}
	p := domain.Fold(paid())
	proposal, fs, err := p.Propose(c, ask(day.Add(-1)), domain.Spent{})
	if err != nil {
		t.Fatal(err)
	}
	p = p.Apply(fs[0])
	if _, err := p.Approve(closed, proposal.ID(), "wang", "", domain.Spent{}); domain.KindOf(err) != domain.KindConflict || err == nil || !strings.Contains(err.Error(), "is closed") {
		t.Errorf("approved after the period was closed: %v", err)
	}
	issued := func(c domain.Context, q domain.Correction) domain.CorrectionIssued {
		p := domain.Fold(paid())
		proposal, fs, err := p.Propose(c, q, domain.Spent{})
		if err != nil {
			t.Fatal(err)
		}
		facts, err := p.Apply(fs[0]).Approve(c, proposal.ID(), "wang", "", domain.Spent{})
		if err != nil {
			t.Fatal(err)
		}
		return facts[1].(domain.CorrectionIssued)
	}
	if d := issued(c, ask(day.Add(-1))).Dates; d.ValueDate != string(day.Add(-1)) || !d.Estimated || !d.OccurredAt.Before(c.Now) {
		t.Errorf("booked on the day it names: %+v", d)
	}
	if d := issued(closed, ask("")).Dates; d.ValueDate != string(day) || d.Period != closed.OldestOpen {
		t.Errorf("of a payment in a closed period: %+v", d)
	}
	if d := issued(c, ask(day)).Dates; d.OccurredAt.Sub(c.Now).Abs() > time.Second {
		t.Errorf("booked today: %+v", d)
	}
}
