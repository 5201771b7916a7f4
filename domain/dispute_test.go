package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// disputes is a callback that says of dispute D1 of trade T1: m moved so.
func disputes(n byte, s domain.Status, m domain.Money) domain.Notice {
	d := callback(n, "T1", m)
	d.About, d.DisputeID, d.Status, d.ProviderStatus = domain.AboutDispute, "D1", s, "dispute"
	d.ReceivedAt = noon.Add(time.Hour)
	return d
}

func withFee(n domain.Notice, fee domain.Money) domain.Notice {
	n.Fee = fee
	return n
}

func withdrawn(n domain.Notice) domain.DisputeWithdrawn {
	f := domain.DisputeWithdrawn{
		TradeNo: "T1", DisputeID: "D1", Amount: n.Amount, Fee: n.Fee, Basis: basis(n), Dates: marchDay(n), Rules: 1,
		Postings: legs("assets:disputes:epay-main", "assets:psp:epay-main", "", n.Amount),
	}
	if !n.Fee.IsZero() {
		f.Postings = append(f.Postings, legs("expenses:dispute-fee:epay-main", "assets:psp:epay-main", "", n.Fee)...)
	}
	return f
}

func reinstated(n domain.Notice) domain.DisputeReinstated {
	f := domain.DisputeReinstated{
		TradeNo: "T1", DisputeID: "D1", Amount: n.Amount, Fee: n.Fee, Basis: basis(n), Dates: marchDay(n), Rules: 1,
		Postings: legs("assets:psp:epay-main", "assets:disputes:epay-main", "", n.Amount),
	}
	if !n.Fee.IsZero() {
		f.Postings = append(f.Postings, legs("expenses:dispute-fee:epay-main", "assets:psp:epay-main", "", n.Fee)...)
	}
	return f
}

// lost is what n books: m is borne by a wallet, or by us where none is named.
func lost(n domain.Notice, bearer domain.AccountID, m domain.Money) domain.DisputeLost {
	debit := domain.Posting{Book: "liabilities:wallet", Wallet: bearer, Amount: m}
	if bearer == "" {
		debit = domain.Posting{Book: "expenses:chargeback", Amount: m}
	}
	return domain.DisputeLost{
		TradeNo: "T1", DisputeID: "D1", Account: bearer, Amount: m, Basis: basis(n), Dates: marchDay(n), Rules: 1,
		Postings: []domain.Posting{debit, {Book: "assets:disputes:epay-main", Amount: m.Neg()}},
	}
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	w := withFee(disputes(2, domain.StatusWithdrawn, ten), two)
	back := withFee(disputes(3, domain.StatusReinstated, ten), two.Neg())
	gone := disputes(4, domain.StatusLost, ten)
	opened := disputes(5, domain.StatusOpened, ten)
	taken := after(paid(), kept(w, domain.OutcomeNoted, ""), withdrawn(w))
	won := after(taken, kept(back, domain.OutcomeNoted, ""), reinstated(back))
	over := after(taken, kept(gone, domain.OutcomeNoted, ""), lost(gone, alice, ten))
	cb := callback(1, "T1", ten)
	parkedMoney := facts(kept(cb, domain.OutcomeParked, domain.ReasonUnknownOrder), parked(cb, domain.ReasonUnknownOrder),
		kept(w, domain.OutcomeNoted, ""), withdrawn(w))
	part := disputes(6, domain.StatusReinstated, some)
	dollars := disputes(7, domain.StatusWithdrawn, domain.NewMoney(1000, domain.USD))
	nobody := with(disputes(8, domain.StatusWithdrawn, ten), func(n *domain.Notice) { n.DisputeID = "" })
	runSteps(t, []step{
		{"opened", paid(), opened, domain.OutcomeNoted, domain.ReasonNotPaid, nil, false},
		{"another word", paid(), says(opened, domain.StatusOther), domain.OutcomeNoted, domain.ReasonNotPaid, nil, false},
		{"withdrawn, with its fee", paid(), w, domain.OutcomeNoted, "", facts(withdrawn(w)), false},
		{"withdrawn twice", taken, w, domain.OutcomeRepeated, "", nil, false},
		{"reinstated, with its fee", taken, back, domain.OutcomeNoted, "", facts(reinstated(back)), false},
		{"reinstated twice", won, back, domain.OutcomeRepeated, "", nil, false},
		{"lost", taken, gone, domain.OutcomeNoted, "", facts(lost(gone, alice, ten)), false},
		{"lost twice", over, gone, domain.OutcomeRepeated, "", nil, false},
		{"lost, parked money", parkedMoney, gone, domain.OutcomeNoted, "", facts(lost(gone, "", ten)), false},
		{
			"a part came back, the rest is lost", after(taken, kept(part, domain.OutcomeNoted, ""), reinstated(part)), gone,
			domain.OutcomeNoted, "", facts(lost(gone, alice, seven)), false,
		},
		{
			"lost after it was won", won, gone, domain.OutcomeNoted, "",
			facts(differs(gone, domain.StatusMismatch, "reinstated")), false,
		},
		{
			"won after it was lost", over, back, domain.OutcomeNoted, "",
			facts(reinstated(back), differs(back, domain.StatusMismatch, "lost")), false,
		},
		{
			"in another currency", paid(), dollars, domain.OutcomeNoted, "",
			facts(differs(dollars, domain.CurrencyMismatch, "credited")), false,
		},
		{"nameless", paid(), nobody, domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"doubted", paid(), doubted(w, domain.DoubtUnsigned), domain.OutcomeHeld, domain.ReasonDoubtful, nil, false},
		{"before the payment", facts(placed()), w, domain.OutcomeNoted, domain.ReasonBeforePayment, nil, false},
		{"lost before it was withdrawn", paid(), gone, domain.OutcomeNoted, domain.ReasonBeforePayment, nil, false},
		{
			"withdrawn after it was lost", after(paid(), kept(gone, domain.OutcomeNoted, domain.ReasonBeforePayment)), w,
			domain.OutcomeNoted, "", facts(withdrawn(w), lost(gone, alice, ten)), false,
		},
	})
	t.Run("we bear it by policy", func(t *testing.T) {
		t.Parallel()
		c := at(noon, domain.ConfirmNever)
		c.Channel.DisputeLost = domain.LostByExpense
		step{"", taken, gone, domain.OutcomeNoted, "", facts(lost(gone, "", ten)), false}.run(t, c)
	})
}

// TestDisputeBeforeItsPayment: all of it stands in the append of the credit, in
// the order in which it must be booked.
func TestDisputeBeforeItsPayment(t *testing.T) {
	t.Parallel()
	w, gone := disputes(2, domain.StatusWithdrawn, ten), disputes(3, domain.StatusLost, ten)
	r := refund(4, "R1", some)
	wait := func(n domain.Notice) domain.Fact { return kept(n, domain.OutcomeNoted, domain.ReasonBeforePayment) }
	cb := received(callback(5, "T1", ten), noon.Add(2*time.Minute))
	runSteps(t, []step{{
		"lost, refunded and withdrawn", facts(placed(), wait(gone), wait(r), wait(w)), cb, domain.OutcomeCredited, "",
		facts(credited(cb), refunded(r, "R1", some), withdrawn(w), lost(gone, alice, ten)), false,
	}})
}

func TestStatesOfDisputes(t *testing.T) {
	t.Parallel()
	w, back, gone := disputes(2, domain.StatusWithdrawn, ten), disputes(3, domain.StatusReinstated, ten), disputes(4, domain.StatusLost, ten)
	hint := doubted(w, domain.DoubtUnsigned)
	taken := after(paid(), kept(w, domain.OutcomeNoted, ""), withdrawn(w))
	for name, c := range map[string]struct {
		given []domain.Fact
		want  domain.State
		waits int
	}{
		"opened":     {after(paid(), kept(disputes(5, domain.StatusOpened, ten), domain.OutcomeNoted, "")), domain.StateCredited, 0},
		"withdrawn":  {taken, domain.StateDisputed, 0},
		"reinstated": {after(taken, reinstated(back)), domain.StateCredited, 0},
		"lost":       {after(taken, lost(gone, alice, ten)), domain.StateCredited, 0},
		"held":       {after(paid(), kept(hint, domain.OutcomeHeld, domain.ReasonDoubtful)), domain.StateCredited, 1},
		"confirmed": {
			after(paid(), kept(hint, domain.OutcomeHeld, domain.ReasonDoubtful), kept(w, domain.OutcomeNoted, ""), withdrawn(w)),
			domain.StateDisputed, 0,
		},
		"a part is missing": {after(paid(), kept(gone, domain.OutcomeNoted, domain.ReasonBeforePayment)), domain.StateCredited, 1},
	} {
		p := domain.Fold(c.given)
		if p.State() != c.want || len(p.WaitingDisputes()) != c.waits {
			t.Errorf("%s: %s, %d wait, want %s, %d", name, p.State(), len(p.WaitingDisputes()), c.want, c.waits)
		}
	}
}
