package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// proposals are the open proposals of an order, as "action trade by-run".
func (b *books) proposals(order string) (out []domain.Proposal) {
	b.t.Helper()
	v, err := b.ledger.Payment(b.t.Context(), atBank, order)
	must(b.t, err)
	for _, q := range v.Payment.Proposals {
		if q.State == domain.ProposalOpen {
			out = append(out, q)
		}
	}
	return out
}

func unspent(context.Context) (domain.Spent, error) { return domain.Spent{}, nil }

// approve is one person's yes.
func (b *books) approve(order string, id domain.ID, person string) {
	b.t.Helper()
	_, err := b.ledger.Approve(b.t.Context(), atBank, order, id, person, "seen", unspent, ledger.By{Actor: "person:" + person})
	must(b.t, err)
}

// denied is a payment that was called paid, stands in our books, and of which the
// bank says that it was closed.
func (b *books) denied(order, trade string) {
	m := b.paid(order, trade, "7.30")
	m.status = domain.StatusClosed
	b.bank.has(m)
}

// What the provider positively says was never paid is proposed to people, with
// the difference that it repairs; two of them take it back, and then the books
// and the bill agree.
func TestRunProposesReversal(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.denied("O1", "T1")
	b.paid("O2", "T2", "9.00")
	had := b.payments()
	run := b.compared(today, operations.RunComplete, "")
	b.wantFound("status_mismatch open T1/")
	open := b.proposals("O1")
	if len(open) != 1 || run.Proposed != 1 || !open[0].Ask.ByRun || open[0].Ask.By != run.ID || open[0].Ask.Action != domain.ActionReverse {
		t.Fatalf("proposed %+v, %+v", open, run)
	}
	rows, err := b.ops.Discrepancies(t.Context(), operations.DiscrepancyFilter{Limit: 1})
	must(t, err)
	if open[0].Ask.Discrepancy != rows[0].ID || !strings.Contains(open[0].Ask.Reason, "closed") {
		t.Errorf("%+v repairs %s", open[0].Ask, rows[0].ID)
	}
	b.wantState(atBank, "O1", domain.StateCredited)
	if again := b.compared(today, operations.RunComplete, ""); again.Proposed != 0 || len(b.proposals("O1")) != 1 {
		t.Errorf("proposed again: %+v", again)
	}
	if got := b.payments() - had; got > 3 {
		t.Errorf("%d events for what the provider said once and a proposal", got)
	}
	b.approve("O1", open[0].ID(), "li")
	b.wantState(atBank, "O1", domain.StateCredited)
	b.approve("O1", open[0].ID(), "wang")
	b.wantState(atBank, "O1", domain.StateReversed)
	if run := b.compared(today, operations.RunComplete, ""); run.Differing != 0 || run.Proposed != 0 {
		t.Errorf("after it was taken back: %+v", run)
	}
	b.wantFound("status_mismatch resolved T1/")
	if run := b.compared(today.Add(1), operations.RunComplete, ""); run.Differing != 0 {
		t.Errorf("the next day: %+v", run)
	}
}

// What two persons took back wrongly is told by the bill that has it, and no more
// once they gave it again.
func TestReversedMoneyOnTheBill(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.paid("O1", "T1", "7.30")
	both := func(a domain.Action) {
		t.Helper()
		q := domain.Correction{Action: a, TradeNo: "T1", Reason: "ticket 12", By: "li"}
		p, _, err := b.ledger.Propose(t.Context(), atBank, "O1", q, unspent, ledger.By{Actor: "person:li"})
		must(t, err)
		b.approve("O1", p.ID(), "wang")
	}
	both(domain.ActionReverse)
	if run := b.compared(today, operations.RunComplete, ""); run.Matched != 0 || run.Differing != 1 || run.Proposed != 0 {
		t.Errorf("%+v", run)
	}
	b.wantFound("status_mismatch open T1/")
	both(domain.ActionCredit)
	if run := b.compared(today, operations.RunComplete, ""); run.Matched != 1 || run.Differing != 0 {
		t.Errorf("given again: %+v", run)
	}
	b.wantFound("status_mismatch resolved T1/")
}

// Absence proposes nothing: what the provider no longer knows is asked of people.
func TestAbsenceProposesNothing(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.configure(waitless)
	b.paid("O1", "T1", "7.30")
	b.bank.set(func() { delete(b.bank.moves, "T1/") })
	run := b.compared(today, operations.RunComplete, "")
	b.wantFound("only_ours open T1/")
	if run.Proposed != 0 || len(b.proposals("O1")) > 0 {
		t.Errorf("%+v proposes %+v", run, b.proposals("O1"))
	}
}

// Parked money whose order was placed too late for the rule is proposed for the
// order's account, once the provider confirms it.
func TestRunProposesAllocation(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	m := move{order: "O1", trade: "T1", amount: yuan(t, "7.30"), day: today}
	b.bank.has(m)
	b.called(m)
	b.clock.step(time.Hour)
	b.placeOnly(atBank, "O1", "7.30")
	other := move{order: "O2", trade: "T2", amount: yuan(t, "7.30"), day: today}
	b.bank.has(other)
	b.called(other)
	b.clock.step(time.Hour)
	b.placeOnly(atBank, "O2", "7.31")
	b.wantState(atBank, "O1", domain.StateParked)
	b.bank.set(func() { b.bank.mute = true })
	b.compared(today, operations.RunIncomplete, operations.CauseUnanswered)
	if len(b.proposals("O1")) > 0 {
		t.Fatal("proposed without the provider's word")
	}
	b.bank.set(func() { b.bank.mute = false })
	run := b.compared(today, operations.RunComplete, "")
	open := b.proposals("O1")
	if len(open) != 1 || open[0].Ask.Action != domain.ActionAllocate || open[0].Ask.Amount != m.amount || run.Proposed != 1 {
		t.Fatalf("proposed %+v, %+v", open, run)
	}
	if got := b.proposals("O2"); len(got) > 0 {
		t.Errorf("of another amount: %+v", got)
	}
	b.approve("O1", open[0].ID(), "li")
	b.approve("O1", open[0].ID(), "wang")
	b.wantState(atBank, "O1", domain.StateCredited)
}

// A provider that says that the number of parked money is none of its own does
// not confirm it, and will never say anything else: the day is compared all the
// same.
func TestRunGoesOnBesideARefusedNumber(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]error{"another order's": providers.ErrOther, "no number": domain.E(domain.KindInvalid, "trade_no")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			m := move{order: "O1", trade: "T1", amount: yuan(t, "7.30"), day: today}
			b.bank.has(m)
			b.called(m)
			b.clock.step(time.Hour)
			b.placeOnly(atBank, "O1", "7.30")
			b.bank.set(func() { b.bank.says = says })
			if run := b.compared(today, operations.RunComplete, ""); run.Proposed != 0 || len(b.proposals("O1")) > 0 {
				t.Errorf("%+v proposes %+v", run, b.proposals("O1"))
			}
		})
	}
}

// A run that would propose too much proposes nothing, by number and by share.
func TestTooManyProposals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		denied, paid, items, percent int
		state                        operations.RunState
	}{
		"at the bounds":    {8, 0, 8, 50, operations.RunComplete},
		"one too many":     {8, 0, 7, 100, operations.RunIncomplete},
		"too many percent": {8, 0, 8, 49, operations.RunIncomplete},
		"few":              {fewProposals, 0, 20, 1, operations.RunComplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			b.configure(func(p *domain.Tolerance) {
				p.MaxPercent, p.MaxProposals, p.MaxProposalPercent = 100, c.items, c.percent
			})
			for i := range c.denied {
				b.denied(fmt.Sprint("O", i), fmt.Sprint("T", i))
			}
			cause := map[operations.RunState]operations.BillCause{operations.RunIncomplete: operations.CauseTooMany}[c.state]
			run := b.compared(today, c.state, cause)
			want := int64(0)
			if c.state == operations.RunComplete {
				want = int64(c.denied)
			}
			open := int64(0)
			for i := range c.denied {
				open += int64(len(b.proposals(fmt.Sprint("O", i))))
			}
			if open != want || run.Proposed != want || c.state == operations.RunIncomplete && len(b.found()) > 0 {
				t.Errorf("%d proposed, %d noted; %+v", open, run.Proposed, run)
			}
		})
	}
}

// What the channel's limits do not allow is left to people.
func TestRunsKeepTheLimits(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	set := b.bank.Config()
	set.Corrections = &domain.CorrectionPolicy{Item: yuan(t, "7.29")}
	must(t, b.ledger.Configure(t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
	b.denied("O1", "T1")
	run := b.compared(today, operations.RunComplete, "")
	b.wantFound("status_mismatch open T1/")
	if run.Proposed != 0 || len(b.proposals("O1")) > 0 {
		t.Errorf("%+v", run)
	}
}

// A looser bound in the file is nothing yet: a run goes by the one in force, until
// two persons agreed; then the next run of the same process goes by theirs.
func TestRunsGoByThePolicyInForce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		denied int
		bound  func(*domain.Tolerance) *int
		tight  int
	}{
		"bills.max_items":            {8, func(p *domain.Tolerance) *int { return &p.MaxItems }, 7},
		"bills.max_percent":          {few + 1, func(p *domain.Tolerance) *int { return &p.MaxPercent }, 49},
		"bills.max_proposals":        {8, func(p *domain.Tolerance) *int { return &p.MaxProposals }, 7},
		"bills.max_proposal_percent": {8, func(p *domain.Tolerance) *int { return &p.MaxProposalPercent }, 49},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			loose := func(p *domain.Tolerance) {
				p.MaxItems, p.MaxPercent, p.MaxProposals, p.MaxProposalPercent = 100, 100, 100, 100
			}
			b.configure(func(p *domain.Tolerance) { loose(p); *c.bound(p) = c.tight })
			for i := range c.denied {
				b.denied(fmt.Sprint("O", i), fmt.Sprint("T", i))
			}
			b.configure(loose)
			waits := b.ledger.Waiting()
			if want := fmt.Sprintf("%s: 100, was %d", name, c.tight); len(waits) != 1 || !slices.Equal(waits[0].Ask.Loosens, []string{want}) {
				t.Fatalf("waiting: %+v, want %s", waits, want)
			}
			for _, person := range []string{"li", "wang"} {
				b.compared(today, operations.RunIncomplete, operations.CauseTooMany)
				b.agree(person)
			}
			if run := b.compared(today, operations.RunComplete, ""); run.Proposed != int64(c.denied) {
				t.Errorf("agreed by two: %+v", run)
			}
		})
	}
}
