package domain_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// equalTo reports whether two notices say the same.
func equalTo(a, b domain.Notice) bool {
	same := a.Amount == b.Amount || (a.Amount.IsZero() && b.Amount.IsZero())
	return same && a.Source == b.Source && a.TradeNo == b.TradeNo && a.Status == b.Status &&
		a.About == b.About && a.RefundID == b.RefundID && a.RefundNo == b.RefundNo && a.DisputeID == b.DisputeID &&
		a.Total == b.Total && (len(a.Doubts) > 0) == (len(b.Doubts) > 0)
}

// TestR1EveryNoticeIsKept: each delivery is an event of its own, up to the
// limit; beyond it, unless an equal one was kept.
func TestR1EveryNoticeIsKept(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, x := range w.fresh() {
			if x.notice.Source != domain.SourceCallback {
				continue
			}
			if len(x.verdict.Facts) > 0 {
				f, ok := x.verdict.Facts[0].(domain.PaymentNotified)
				if !ok || f.Delivery != x.notice.Delivery || f.Decision.Outcome != x.verdict.Outcome {
					t.Fatalf("the first fact does not keep the notice: %+v", x.verdict.Facts[0])
				}
			} else if n := len(of[domain.PaymentNotified](w.log[:x.from])); n < domain.MaxEqualNotices {
				t.Fatalf("notice %+v was dropped after %d", x.notice, n)
			}
		}
	})
}

// TestR8SuccessOnlyForWhatIsKept: what is answered with success was kept, or
// an equal notice before it was.
func TestR8SuccessOnlyForWhatIsKept(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for i, x := range w.fresh() {
			if x.notice.Source != domain.SourceCallback || len(x.verdict.Facts) > 0 || !x.verdict.Outcome.Success() {
				continue
			}
			kept := slices.ContainsFunc(w.tries[:w.checked+i], func(before try) bool {
				return len(before.verdict.Facts) > 0 && equalTo(before.notice, x.notice)
			})
			if !kept {
				t.Fatalf("%s is told to a notice of which nothing is kept: %+v", x.verdict.Outcome, x.notice)
			}
		}
	})
}

// TestR2AnOrderIsCreditedOnce, by a notice or by rule.
func TestR2AnOrderIsCreditedOnce(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		credits := len(of[domain.PaymentCredited](w.log))
		for _, f := range of[domain.PaymentAllocated](w.log) {
			if f.ByRule {
				credits++
			}
		}
		if credits > 1 {
			t.Fatalf("%d credits of its own", credits)
		}
		if credits == 1 && !w.fold().IsSettled() {
			t.Fatal("credited and not settled")
		}
	})
}

// TestR2MoneyOfATradeMovesOnce: what a trade brought is credited or parked
// once, and no more of it reaches wallets than came.
func TestR2MoneyOfATradeMovesOnce(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		came, given := sums{}, sums{}
		times := map[string]int{}
		receive := func(trade string, m domain.Money) {
			came.add(t, trade, m)
			if times[trade]++; trade == "" || times[trade] > 1 {
				t.Fatalf("money of trade %q came %d times", trade, times[trade])
			}
		}
		for _, f := range w.log {
			switch f := f.(type) {
			case domain.PaymentCredited:
				receive(f.TradeNo, f.Amount)
				given.add(t, f.TradeNo, f.Amount)
			case domain.PaymentParked:
				if f.Confirmed {
					receive(f.TradeNo, f.Amount)
				}
			case domain.PaymentAllocated:
				given.add(t, f.TradeNo, f.Amount)
			case domain.CorrectionIssued:
				for _, p := range f.Postings { // what people enter or take back is as if it had come or not
					if p.Book == "assets:psp:epay-main" {
						came.add(t, f.TradeNo, p.Amount)
					}
				}
				if f.Action == domain.ActionReverse {
					given.add(t, f.TradeNo, f.Amount.Neg())
				} else if f.Action != domain.ActionMove && f.Action != domain.ActionWriteOff && len(f.Postings) > 0 {
					given.add(t, f.TradeNo, f.Amount)
				}
			default: // moves nothing
			}
		}
		for _, trade := range names(came, given) {
			for _, c := range []domain.Currency{domain.CNY, domain.USD} {
				in, out := came.of(trade, c), given.of(trade, c)
				if out.IsNegative() || out.Minor() > in.Minor() {
					t.Fatalf("trade %s: %s came, %s was given", trade, in, out)
				}
			}
		}
	})
}

// TestR3OnlyThePlacedMoney: the credit has the placed account, amount and
// currency, and the notice it rests on names that amount. What people took back
// or moved before the order was placed had been somebody else's.
func TestR3OnlyThePlacedMoney(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		orders := of[domain.PaymentPlaced](w.log)
		if len(orders) > 1 {
			t.Fatalf("placed %d times", len(orders))
		}
		for _, f := range of[domain.PaymentCredited](w.log) {
			if f.Source == domain.SourcePerson {
				continue
			}
			n := w.basis(t, f.Basis)
			early := !w.placedBefore(f)
			if len(orders) > 0 && (f.Account != orders[0].Account || f.Amount != orders[0].Amount) && !(early && w.undoneBefore(f.TradeNo)) {
				t.Fatalf("credited %s to %s, placed was %+v", f.Amount, f.Account, orders)
			}
			if early && (f.Account == "" || f.Account != n.Account || n.Source != domain.SourceQuery) {
				t.Fatalf("credited to %s, which only %+v says", f.Account, n)
			}
			if n.Amount != f.Amount || n.TradeNo != f.TradeNo || n.Status != domain.StatusPaid || len(n.Doubts) > 0 {
				t.Fatalf("credit %+v rests on %+v", f, n)
			}
		}
		for _, f := range of[domain.PaymentAllocated](w.log) {
			if !f.ByRule {
				continue // two persons may, also where nobody placed an order
			}
			if len(orders) == 0 || f.Account != orders[0].Account || f.Amount.Minor() != orders[0].Amount.Minor()-w.refundedOf(f.TradeNo, f) {
				t.Fatalf("allocated by rule: %+v, placed was %+v", f, orders)
			}
		}
	})
}

// placedBefore reports whether the order had been placed when f was decided.
func (w *world) placedBefore(f domain.Fact) bool {
	for _, g := range w.log {
		if _, ok := g.(domain.PaymentPlaced); ok || reflect.DeepEqual(g, f) {
			return ok
		}
	}
	return false
}

// undoneBefore reports whether people had taken back or moved the money of a
// trade when the order was placed.
func (w *world) undoneBefore(trade string) bool {
	for _, g := range w.log {
		switch g := g.(type) {
		case domain.PaymentPlaced:
			return false
		case domain.CorrectionIssued:
			if g.TradeNo == trade && (g.Action == domain.ActionReverse || g.Action == domain.ActionMove) {
				return true
			}
		default: // changes no credit
		}
	}
	return false
}

// refundedOf is what had gone back of a trade when f was decided.
func (w *world) refundedOf(trade string, f domain.PaymentAllocated) (minor int64) {
	for _, g := range w.log {
		switch g := g.(type) {
		case domain.PaymentRefunded:
			if g.TradeNo == trade {
				minor += g.Amount.Minor()
			}
		case domain.RefundFailed:
			if g.TradeNo == trade {
				minor -= g.Amount.Minor()
			}
		case domain.PaymentAllocated:
			if g.TradeNo == f.TradeNo {
				return minor
			}
		default: // no refund
		}
	}
	return minor
}

// basis is the kept notice with an id.
func (w *world) basis(t *rapid.T, id domain.ID) domain.PaymentNotified {
	for _, n := range of[domain.PaymentNotified](w.log) {
		if domain.FactID(ledgerID, stream, n) == id {
			return n
		}
	}
	t.Fatalf("no kept notice has the id %s", id)
	return domain.PaymentNotified{}
}

// TestR4CorrectionsNameWhatTheyCorrect, and events keep their ids: no two of a
// stream have the same.
func TestR4CorrectionsNameWhatTheyCorrect(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		ids := map[domain.ID]domain.Fact{}
		for _, f := range w.log {
			id := domain.FactID(ledgerID, stream, f)
			if other, twice := ids[id]; twice {
				t.Fatalf("id %s is that of %+v and of %+v", id, other, f)
			}
			ids[id] = f
			correction, ok := f.(domain.CorrectionIssued)
			if !ok {
				continue
			}
			if correction.Action != "" {
				ask, found := ids[correction.Corrects].(domain.CorrectionProposed)
				if !found || ask.Proposal != correction.Proposal || ask.Reason == "" || ask.Reason != correction.Reason {
					t.Fatalf("correction %+v rests on %+v", correction, ask)
				}
				continue
			}
			d, found := ids[correction.Corrects].(domain.DiscrepancyFound)
			by, posted := ids[correction.By].(domain.PaymentCredited)
			if !found || !posted || d.Kind != domain.MissingCredit || by.TradeNo != correction.TradeNo {
				t.Fatalf("correction %+v corrects %+v by %+v", correction, d, by)
			}
		}
	})
}

// TestR5PostingsSumToZero in every fact, and facts without money have none.
func TestR5PostingsSumToZero(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, f := range w.log[w.before():] {
			ps := domain.PostingsOf(f)
			total := domain.Totals{}
			for _, p := range ps {
				if err := total.Add(p.Amount); err != nil {
					t.Fatal(err)
				}
			}
			if !total.IsZero() {
				t.Fatalf("%s sums to %s: %v", f.FactType(), total.String(), ps)
			}
			if _, posts := domain.DatesOf(f); posts != (len(ps) > 1) {
				t.Fatalf("%s has %d postings", f.FactType(), len(ps))
			}
		}
	})
}

// TestR6WalletsHoldWhatWasGiven: the sum of a wallet's postings is what was
// credited and allocated to it, less refunds, lost disputes and corrections;
// more is never parked than came.
func TestR6WalletsHoldWhatWasGiven(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		books, given := sums{}, sums{}
		for _, f := range w.log {
			for _, p := range domain.PostingsOf(f) {
				books.add(t, p.Book+" "+string(p.Wallet), p.Amount)
			}
			switch f := f.(type) {
			case domain.PaymentCredited:
				given.add(t, "liabilities:wallet "+string(f.Account), f.Amount.Neg())
			case domain.PaymentAllocated:
				given.add(t, "liabilities:wallet "+string(f.Account), f.Amount.Neg())
			case domain.PaymentRefunded:
				refundTakes(t, given, f.Postings)
			case domain.RefundFailed:
				refundTakes(t, given, f.Postings)
			case domain.DisputeLost:
				if f.Account != "" {
					given.add(t, "liabilities:wallet "+string(f.Account), f.Amount)
				}
			case domain.CorrectionIssued:
				correctionGives(t, given, f)
			default: // gives nothing
			}
		}
		for _, c := range []domain.Currency{domain.CNY, domain.USD} {
			for _, name := range names(books, given) {
				got := books.of(name, c)
				if !strings.HasPrefix(name, "liabilities:wallet ") {
					if got.IsPositive() && (name == "liabilities:parked " || name == "income:unclaimed ") {
						t.Fatalf("%s stands at %s", name, got)
					}
				} else if want := given.of(name, c); got != want {
					t.Fatalf("%s stands at %s, given was %s", name, got, want)
				}
			}
		}
	})
}

// refundTakes adds what a refund takes from a wallet, or its failure gives back.
func refundTakes(t *rapid.T, given sums, ps []domain.Posting) {
	for _, p := range ps {
		if p.Wallet != "" {
			given.add(t, "liabilities:wallet "+string(p.Wallet), p.Amount)
		}
	}
}

// correctionGives adds what a correction by people gives to wallets and takes
// from them.
func correctionGives(t *rapid.T, given sums, f domain.CorrectionIssued) {
	wallet := func(a domain.AccountID, m domain.Money) { given.add(t, "liabilities:wallet "+string(a), m) }
	switch f.Action {
	case domain.ActionReverse:
		wallet(f.Account, f.Amount)
	case domain.ActionMove:
		wallet(f.From, f.Amount)
		wallet(f.Account, f.Amount.Neg())
	case domain.ActionCredit, domain.ActionAllocate:
		if len(f.Postings) > 0 {
			wallet(f.Account, f.Amount.Neg())
		}
	case domain.ActionWriteOff:
	}
}

// TestR6FoldOfAllIsFoldOfParts: every fold ever taken is still what it was,
// and what is read back from the store folds to the same.
func TestR6FoldOfAllIsFoldOfParts(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		if len(w.folds) != len(w.log)+1 {
			t.Fatalf("%d folds of %d facts", len(w.folds), len(w.log))
		}
		p := domain.Payment{}
		for i := range w.folds {
			if i > 0 {
				f, err := domain.DecodeFact(w.stored[i-1].typ, w.stored[i-1].data)
				if err != nil {
					t.Fatal(err)
				}
				p = p.Apply(f)
			}
			if !reflect.DeepEqual(p, w.folds[i]) {
				t.Fatalf("fold of %d facts was\n%+v\nis now\n%+v", i, w.folds[i], p)
			}
		}
		if all := domain.Fold(w.log); !reflect.DeepEqual(p, all) {
			t.Fatalf("fold of parts\n%+v\nfold of all\n%+v", p, all)
		}
	})
}

// TestR9StoredFormKeepsEveryFact: read back, a fact is the same and writes the
// same bytes.
func TestR9StoredFormKeepsEveryFact(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) { storable(t, w.log[w.before():]) })
}

// TestR7QueriesGiveOnlyOnEvidence: an answer that does not say "paid" moves
// nothing, and people's allocations name two of them.
func TestR7OnlyPositiveEvidenceMovesMoney(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, x := range w.fresh() {
			for _, f := range x.verdict.Facts {
				if len(domain.PostingsOf(f)) > 0 {
					w.mayMove(t, x, f)
				}
			}
		}
	})
}

// mayMove fails the test where f moves money that x gives no right to move.
func (w *world) mayMove(t *rapid.T, x try, f domain.Fact) {
	if a, ok := f.(domain.PaymentAllocated); ok && a.ByRule {
		return
	}
	if yes, ok := x.verdict.Facts[0].(domain.CorrectionApproved); ok {
		if !slices.ContainsFunc(of[domain.CorrectionProposed](w.log[:x.from]), func(q domain.CorrectionProposed) bool {
			return q.Proposal == yes.Proposal && q.By != "" && yes.By != "" && q.By != yes.By
		}) {
			t.Fatalf("%+v moves money without a second person: %+v", yes, f)
		}
		return
	}
	if n := x.notice; !moves(n) || leavesOut(n) || !sure(n, x.confirm) {
		t.Fatalf("%+v moves money, confirmation being %s: %+v", n, x.confirm, f)
	}
}

// TestOutcomesFollowTheTable: every verdict is the one that the table of
// outcomes gives for the log before it.
func TestOutcomesFollowTheTable(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, x := range w.fresh() {
			if x.notice.Delivery.IsZero() {
				continue
			}
			want := expected(w.log[:x.from], x.notice, x.confirm)
			if !slices.Contains(want, x.verdict.Outcome) {
				t.Fatalf("%+v is %s (%s), the table says %v, after\n%s",
					x.notice, x.verdict.Outcome, x.verdict.Reason, want, list(w.log[:x.from]))
			}
		}
	})
}

func list(fs []domain.Fact) (out string) {
	for _, f := range fs {
		out += fmt.Sprintf("%T %+v\n", f, f)
	}
	return out
}
