package domain

import (
	"slices"
	"strconv"
)

// Correction is what a person, or a run, asks for.
type Correction struct {
	Action      Action
	TradeNo     string    // the money it is about
	Account     AccountID // who gets it: allocate, move, and the credit of an order nobody placed
	Amount      Money     // only for the credit of an order nobody placed; else the money says it
	Discrepancy ID        // the difference it repairs; zero where there is none
	Reason      string
	By          string // a person, never a key; with ByRun the run
	ByRun       bool
	ValueDate   Day // the day to book it on; empty for that of the approval
}

// Spent is what a decision rests on beside the payment: what was approved today
// on the channel, of one proposer's and by account that it touched, what became
// of the difference that the correction repairs, and whose the money is.
type Spent struct {
	Person    Totals
	Accounts  map[AccountID]Totals
	Resolved  string // how the difference was resolved; empty while it is open or where none is named
	Elsewhere string // another order in whose books the money under the trade number stands; empty for none
}

// maxReason bounds what a person writes, in bytes.
const maxReason = 2000

// Propose asks for a correction. It is held against the books and the channel's
// policy at once, so that nobody approves what cannot be. The same correction
// asked for again while it is open yields no facts and the same proposal;
// somebody else's is KindConflict: it wants an approval, not a second proposal.
// What people rejected no run proposes again.
func (p Payment) Propose(c Context, q Correction, s Spent) (Proposal, []Fact, error) {
	if err := checkPerson("reason", q.By, q.Reason); err != nil {
		return Proposal{}, nil, err
	}
	f, err := p.proposal(c, q)
	if err != nil {
		return Proposal{}, nil, err
	}
	if q, known, err := p.proposedBefore(f); known || err != nil {
		return q, nil, err
	}
	if err := p.stands(f, s); err != nil {
		return Proposal{}, nil, err
	}
	if _, err := p.effect(c, f, ""); err != nil {
		return Proposal{}, nil, err
	}
	if err := c.Channel.Corrections.allows(f, f.By, s); err != nil {
		return Proposal{}, nil, err
	}
	return Proposal{Ask: f, State: ProposalOpen}, []Fact{f}, nil
}

// proposedBefore finds the proposal that f repeats.
func (p Payment) proposedBefore(f CorrectionProposed) (q Proposal, known bool, err error) {
	for _, q := range p.Proposals {
		asked := q.Ask.same(f) && q.Ask.ByRun == f.ByRun
		switch {
		case asked && f.ByRun && q.State == ProposalRejected:
			return q, true, nil
		case q.State != ProposalOpen || q.Ask.TradeNo != f.TradeNo:
		case asked && q.Ask.ValueDate == f.ValueDate && (f.ByRun || q.Ask.By == f.By):
			return q, true, nil
		default:
			return q, false, E(KindConflict, "%s proposed to %s trade %s: approve or reject that first", q.Ask.By, q.Ask.Action, quote(q.Ask.TradeNo))
		}
	}
	return Proposal{}, false, nil
}

// stands sees that the money which f gives is no other order's, and that the
// difference which it repairs is there and was not corrected before.
func (p Payment) stands(f CorrectionProposed, s Spent) error {
	switch {
	case s.Elsewhere != "" && (f.Action == ActionCredit || f.Action == ActionAllocate):
		return EField(KindConflict, "trade_no", "the money under trade %s stands in the books of order %s: it is given once (R2)",
			quote(f.TradeNo), quote(s.Elsewhere))
	case f.Discrepancy.IsZero():
		return nil
	case s.Resolved != "":
		return EField(KindConflict, "discrepancy", "the difference %s is resolved already: %s", f.Discrepancy, s.Resolved)
	}
	for _, q := range p.Proposals {
		if q.State == ProposalIssued && q.Ask.Discrepancy == f.Discrepancy && q.Ask.TradeNo == f.TradeNo {
			return EField(KindConflict, "discrepancy", "the difference %s was corrected already, by %s", f.Discrepancy, q.ID())
		}
	}
	return nil
}

// checkPerson sees that a person with a reason acts.
func checkPerson(field, by, reason string) error {
	switch {
	case by == "":
		return EField(KindDenied, "by", "a correction needs a person")
	case reason == "":
		return EField(KindInvalid, field, "a correction needs a reason")
	case len(reason) > maxReason:
		return EField(KindInvalid, field, "%d bytes are more than %d", len(reason), maxReason)
	}
	return nil
}

// proposal is q as a fact, with what the books say of its money.
func (p Payment) proposal(c Context, q Correction) (CorrectionProposed, error) {
	f := CorrectionProposed{
		Action: q.Action, TradeNo: q.TradeNo, Account: q.Account, Discrepancy: q.Discrepancy, Reason: q.Reason, By: q.By,
		ByRun: q.ByRun, ValueDate: q.ValueDate, Config: c.Revision,
	}
	t, known := p.Trade(q.TradeNo)
	if q.TradeNo == "" || (!known && q.Action != ActionCredit) {
		return f, EField(KindNotFound, "trade_no", "the order has no money under %s", quote(q.TradeNo))
	}
	f.Amount = t.left()
	switch q.Action {
	case ActionCredit:
		f.Account, f.Amount = p.creditOf(q, t)
	case ActionReverse:
		f.Account = t.Account
	case ActionMove:
		f.From = t.Account
	case ActionWriteOff:
		f.Account = ""
	case ActionAllocate:
	default:
		return f, EField(KindInvalid, "action", "%s is none of %v", quote(string(q.Action)), Actions())
	}
	if q.Action != ActionWriteOff {
		if _, err := ParseAccountID(string(f.Account)); err != nil {
			return f, err
		}
	}
	f.Proposal = NewV5(c.Ledger, string(c.Stream), "proposal", string(f.Action), f.TradeNo, string(f.Account), strconv.Itoa(p.attempts(f)))
	return f, nil
}

// attempts counts the decided proposals that f would share its name with: the
// amount is no part of the name.
func (p Payment) attempts(f CorrectionProposed) (n int) {
	for _, q := range p.Proposals {
		if q.State != ProposalOpen && q.Ask.Action == f.Action && q.Ask.TradeNo == f.TradeNo && q.Ask.Account == f.Account {
			n++
		}
	}
	return n
}

// same reports whether two proposals want the same.
func (f CorrectionProposed) same(o CorrectionProposed) bool {
	return f.Action == o.Action && f.TradeNo == o.TradeNo && f.Account == o.Account && f.Amount == o.Amount
}

// allows holds a correction that who stands behind against the limits.
func (l *CorrectionPolicy) allows(f CorrectionProposed, who string, s Spent) error {
	if l == nil {
		return nil
	}
	if err := within(l.Item, f.Amount, Totals{}, "one correction"); err != nil {
		return err
	}
	if err := within(l.PersonDay, f.Amount, s.Person, "what "+who+" proposes in a day"); err != nil {
		return err
	}
	for _, account := range []AccountID{f.Account, f.From} {
		if account == "" {
			continue
		}
		if err := within(l.AccountDay, f.Amount, s.Accounts[account], "account "+string(account)+" in a day"); err != nil {
			return err
		}
	}
	return nil
}

// within holds m and what was before it against a limit; the zero Money is
// none.
func within(limit, m Money, before Totals, of string) error {
	if limit.currency == "" {
		return nil
	}
	if limit.currency != m.currency {
		return EField(KindDenied, "amount", "the channel's limits are in %s: no correction in %s", limit.currency, m.currency)
	}
	if sum, err := before.Of(m.currency).Add(m); err != nil || sum.minor > limit.minor {
		return EField(KindDenied, "amount", "%s would pass the limit of %s for %s", m, limit, of)
	}
	return nil
}

// Proposal is what is known of a proposal.
func (p Payment) Proposal(id ID) (Proposal, bool) {
	i := slices.IndexFunc(p.Proposals, func(q Proposal) bool { return q.ID() == id })
	if i < 0 {
		return Proposal{}, false
	}
	return p.Proposals[i], true
}

// Approve lets an open proposal happen. It takes another person than the
// proposer, and books that still allow what was proposed: else KindDenied or
// KindConflict, and nothing has changed. A run's proposal takes two persons: the
// first yes seconds it and moves nothing. Approving again what the same person
// approved or seconded yields no facts.
func (p Payment) Approve(c Context, id ID, by, reason string, s Spent) ([]Fact, error) {
	q, err := p.decided(id, by, ProposalIssued)
	if err != nil || q.State == ProposalIssued || by != "" && by == q.SecondedBy {
		return nil, err
	}
	switch {
	case by == "":
		return nil, EField(KindDenied, "by", "an approval needs a person")
	case by == q.Ask.By:
		return nil, EField(KindDenied, "by", "%s proposed it: another person must approve", by)
	case len(reason) > maxReason:
		return nil, EField(KindInvalid, "reason", "%d bytes are more than %d", len(reason), maxReason)
	}
	if err := p.stands(q.Ask, s); err != nil {
		return nil, err
	}
	who := q.Proposer()
	if who == "" {
		who = by
	}
	if err := c.Channel.Corrections.allows(q.Ask, who, s); err != nil {
		return nil, err
	}
	effect, err := p.effect(c, q.Ask, by)
	switch {
	case err != nil:
		return nil, err
	case q.Proposer() == "":
		return []Fact{CorrectionSeconded{Proposal: id, By: by, Reason: reason, Config: c.Revision}}, nil
	}
	facts := append([]Fact{CorrectionApproved{Proposal: id, By: by, Reason: reason, Config: c.Revision}}, effect...)
	return append(facts, p.dueAfter(c, facts)...), nil
}

// Reject ends an open proposal: another person's no, or the proposer's own
// withdrawal. It needs a reason. Rejecting again yields no facts.
func (p Payment) Reject(id ID, by, reason string) ([]Fact, error) {
	q, err := p.decided(id, by, ProposalRejected)
	if err != nil || q.State == ProposalRejected {
		return nil, err
	}
	if err := checkPerson("reason", by, reason); err != nil {
		return nil, err
	}
	return []Fact{CorrectionRejected{Proposal: id, By: by, Reason: reason}}, nil
}

// decided finds a proposal that is open, or that this person has brought to
// the state wanted before.
func (p Payment) decided(id ID, by string, want ProposalState) (Proposal, error) {
	q, ok := p.Proposal(id)
	switch {
	case !ok:
		return q, EField(KindNotFound, "correction", "no correction %s was proposed on this order", id)
	case q.State != ProposalOpen && (q.State != want || q.DecidedBy != by):
		return q, EField(KindConflict, "correction", "%s is %s already", id, q.State)
	}
	return q, nil
}

// effect is what follows from a proposal when approver says yes, as the books
// stand now; an error says why they do not allow it.
func (p Payment) effect(c Context, f CorrectionProposed, approver string) ([]Fact, error) {
	if err := c.bookable(f.ValueDate); err != nil {
		return nil, err
	}
	t, _ := p.Trade(f.TradeNo)
	issued := CorrectionIssued{
		TradeNo: f.TradeNo, Corrects: f.Discrepancy, Reason: f.Reason, Proposal: f.Proposal, Action: f.Action,
		Account: f.Account, From: f.From, Amount: f.Amount,
	}
	if issued.Corrects.IsZero() {
		issued.Corrects = c.ID(f)
	}
	switch f.Action {
	case ActionAllocate:
		return p.allocateByHand(c, f, t, issued, approver)
	case ActionCredit:
		return p.creditByHand(c, f, t, issued)
	case ActionReverse:
		return p.reverse(c, f, t, issued)
	case ActionMove:
		return p.move(c, f, t, issued)
	case ActionWriteOff:
		return p.writeOff(c, f, t, issued)
	}
	return nil, EField(KindInvalid, "action", "%s is none of %v", quote(string(f.Action)), Actions())
}

// bookable sees that a correction may be booked on a day: one that has come, in
// a period that is open.
func (c Context) bookable(day Day) error {
	if day == "" {
		return nil
	}
	if _, err := ParseDay(string(day)); err != nil {
		return EField(KindInvalid, "value_date", "%.40q is not a day as YYYY-MM-DD", string(day))
	}
	today := DayOf(c.Now, c.Zone)
	switch period := string(day[:len("2006-01")]); {
	case day > today:
		return EField(KindInvalid, "value_date", "%s has not come: it is %s", day, today)
	case period < c.OldestOpen:
		return EField(KindConflict, "value_date", "the period %s is closed: book it in %s or later", period, c.OldestOpen)
	}
	return nil
}

// decidedDates are those of a correction: the day that it names, else now.
func (c Context) decidedDates(day Day) Dates {
	if day == "" || day == DayOf(c.Now, c.Zone) {
		return c.dates(Notice{ReceivedAt: c.Now})
	}
	return c.billDates(day)
}

// posted is issued with postings of its own, booked on a day.
func (f CorrectionIssued) posted(c Context, day Day, ps []Posting) []Fact {
	f.Dates, f.Postings, f.Rules = c.decidedDates(day), ps, RulesVersion
	return []Fact{f}
}

// beside is issued naming the fact that carries the postings.
func (f CorrectionIssued) beside(c Context, by Fact) []Fact {
	f.By = c.ID(by)
	return []Fact{by, f}
}

func notNow(f CorrectionProposed, format string, args ...any) error {
	args = append([]any{string(f.Action), quote(f.TradeNo)}, args...)
	return EField(KindConflict, "action", "cannot %s trade %s: "+format, args...)
}

// reverse takes back what was credited or allocated from where it sits now, and
// names the fact that gave it: each is taken back once. Allocated money is parked
// again.
func (p Payment) reverse(c Context, f CorrectionProposed, t Trade, issued CorrectionIssued) ([]Fact, error) {
	if err := p.sits(t, f); err != nil {
		return nil, err
	}
	var given Fact = PaymentCredited{}
	ps := creditPostings(c.Channel.Channel, t.Account, f.Amount)
	if t.State == TradeAllocated {
		given, ps = PaymentAllocated{TradeNo: t.TradeNo}, allocatePostings(t.Account, f.Amount)
	}
	if !t.given.IsZero() {
		given = CorrectionIssued{TradeNo: t.TradeNo, Corrects: t.given}
	}
	issued.Reverses = c.ID(given)
	return issued.posted(c, f.ValueDate, negated(ps)), nil
}

func (p Payment) move(c Context, f CorrectionProposed, t Trade, issued CorrectionIssued) ([]Fact, error) {
	switch err := p.sits(t, f); {
	case err != nil:
		return nil, err
	case f.From != t.Account:
		return nil, notNow(f, "its money is in account %s now", t.Account)
	case f.Account == t.Account:
		return nil, notNow(f, "its money is in that account already")
	}
	return issued.posted(c, f.ValueDate, transfer(
		Posting{Book: BookWallet, Wallet: f.From}, Posting{Book: BookWallet, Wallet: f.Account}, f.Amount)), nil
}

// sits sees that all the money of t is in a wallet.
func (p Payment) sits(t Trade, f CorrectionProposed) error {
	switch {
	case t.State != TradeCredited && t.State != TradeAllocated:
		return notNow(f, "its money is %s", t.State)
	case t.Refunded.IsPositive():
		return notNow(f, "%s of it was refunded", t.Refunded)
	case p.contested(t.TradeNo):
		return notNow(f, "it is disputed")
	case f.Amount != t.left():
		return notNow(f, "its money is %s now, not %s", t.left(), f.Amount)
	}
	return nil
}

func (p Payment) writeOff(c Context, f CorrectionProposed, t Trade, issued CorrectionIssued) ([]Fact, error) {
	switch {
	case t.State != TradeParked && t.State != TradeWrittenOff:
		return nil, notNow(f, "its money is not parked and confirmed")
	case t.left() != f.Amount || !f.Amount.IsPositive():
		return nil, notNow(f, "%s of it is left", t.left())
	}
	return issued.posted(c, f.ValueDate, transfer(Posting{Book: BookParked}, Posting{Book: BookUnclaimed}, f.Amount)), nil
}

func withProposal(qs []Proposal, id ID, change func(*Proposal)) []Proposal {
	out := slices.Clone(qs)
	if i := slices.IndexFunc(out, func(q Proposal) bool { return q.ID() == id }); i >= 0 {
		change(&out[i])
	}
	return out
}
