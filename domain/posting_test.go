package domain_test

import (
	"math"
	"strings"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

func TestCheckPostingsR5(t *testing.T) {
	t.Parallel()
	cny := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }
	usd := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.USD) }
	leg := func(m domain.Money) domain.Posting { return domain.Posting{Book: "assets:psp:a", Amount: m} }
	wallet := func(m domain.Money) domain.Posting {
		return domain.Posting{Book: domain.BookWallet, Wallet: alice, Amount: m}
	}
	for _, c := range []struct {
		name     string
		postings []domain.Posting
		kind     domain.Kind // KindInternal: they are right
	}{
		{"none", nil, domain.KindInternal},
		{"a transfer", []domain.Posting{leg(cny(1)), wallet(cny(-1))}, domain.KindInternal},
		{"three legs", []domain.Posting{leg(cny(5)), leg(cny(-2)), wallet(cny(-3))}, domain.KindInternal},
		{"two currencies", []domain.Posting{leg(cny(5)), leg(usd(-2)), leg(cny(-5)), leg(usd(2))}, domain.KindInternal},
		{"one leg", []domain.Posting{leg(cny(1))}, domain.KindCorrupt},
		{"a cent too few", []domain.Posting{leg(cny(100)), wallet(cny(-99))}, domain.KindCorrupt},
		{"zero only across currencies", []domain.Posting{leg(cny(5)), leg(usd(-5))}, domain.KindCorrupt},
		{"the second currency off", []domain.Posting{leg(cny(5)), leg(cny(-5)), leg(usd(1))}, domain.KindCorrupt},
		{"an amount of 0", []domain.Posting{leg(cny(0)), wallet(cny(0))}, domain.KindCorrupt},
		{"no money", []domain.Posting{leg(domain.Money{}), wallet(domain.Money{})}, domain.KindCorrupt},
		{"no book", []domain.Posting{{Amount: cny(1)}, wallet(cny(-1))}, domain.KindCorrupt},
		{"a wallet without a name", []domain.Posting{leg(cny(1)), {Book: domain.BookWallet, Amount: cny(-1)}}, domain.KindCorrupt},
		{"a name without a wallet", []domain.Posting{{Book: "assets:psp:a", Wallet: alice, Amount: cny(1)}, wallet(cny(-1))}, domain.KindCorrupt},
		{"more than money can hold", []domain.Posting{leg(cny(math.MaxInt64)), leg(cny(1)), leg(cny(-math.MaxInt64)), leg(cny(-1))}, domain.KindTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := domain.CheckPostings(c.postings)
			switch {
			case c.kind == domain.KindInternal && err != nil:
				t.Error(err)
			case c.kind != domain.KindInternal && (err == nil || domain.KindOf(err) != c.kind):
				t.Errorf("error is %v, want %s", err, c.kind)
			}
		})
	}
}

// TestOneCentOffIsFoundR5: whatever balances is accepted, and changing any leg
// by any amount is not.
func TestOneCentOffIsFoundR5(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ps []domain.Posting
		rest := int64(0)
		for range rapid.IntRange(1, 6).Draw(t, "legs") {
			minor := rapid.Int64Range(1, 1<<40).Draw(t, "minor")
			ps, rest = append(ps, domain.Posting{Book: "assets:bank", Amount: domain.NewMoney(minor, domain.CNY)}), rest+minor
		}
		ps = append(ps, domain.Posting{Book: domain.BookParked, Amount: domain.NewMoney(-rest, domain.CNY)})
		if err := domain.CheckPostings(ps); err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(ps)-1).Draw(t, "leg")
		by := rapid.Int64Range(1, 1<<40).Draw(t, "by")
		ps[i].Amount = domain.NewMoney(ps[i].Amount.Minor()+by, domain.CNY)
		if err := domain.CheckPostings(ps); err == nil || domain.KindOf(err) != domain.KindCorrupt {
			t.Fatalf("off by %d: %v", by, err)
		}
	})
}

// TestWhichFactsPost: money moves in these facts only, and they have dates.
func TestWhichFactsPost(t *testing.T) {
	t.Parallel()
	posting := map[string]bool{
		"payment.credited.v1.full": true, "payment.credited.v1.minimal": true, "payment.parked.v1.full": true,
		"payment.allocated.v1.full": true, "payment.allocated.v1.rule": true, "payment.allocated.v1.minimal": true,
		"correction.issued.v1.person": true, "correction.issued.v1.entered": true,
	}
	for name, f := range fixtures() {
		typ := typeOf(name)
		ps, want := domain.PostingsOf(f), posting[name] || typ == domain.TypePaymentRefunded ||
			typ == domain.TypeRefundFailed || strings.HasPrefix(typ, "dispute.") || strings.HasSuffix(typ, ".booked.v1") ||
			strings.HasPrefix(typ, "payout.") || typ == domain.TypeAccountDrawn || typ == domain.TypeDrawReversed
		d, dated := domain.DatesOf(f)
		if (len(ps) > 0) != want || dated != want {
			t.Errorf("%s has %d postings, dates %t, want %t", name, len(ps), dated, want)
		}
		if want && (d.ValueDate != "2026-03-14" || d.Period == "") {
			t.Errorf("%s is dated %+v", name, d)
		}
	}
}

// TestBooks: names of books are in logs; they never change.
func TestBooks(t *testing.T) {
	t.Parallel()
	if domain.BookWallet != "liabilities:wallet" || domain.BookParked != "liabilities:parked" ||
		domain.BookPSP("epay-main") != "assets:psp:epay-main" {
		t.Errorf("books are %q, %q, %q", domain.BookWallet, domain.BookParked, domain.BookPSP("epay-main"))
	}
	for got, want := range map[string]string{
		domain.BookFee("a"): "expenses:fee:a", domain.BookDiscount("a"): "expenses:discount:a", domain.BookFeeRounding: "expenses:fee:rounding",
		domain.BookConversion: "equity:conversion", domain.BookOpening: "equity:opening", domain.BookTransit: "assets:transit",
		domain.BookBank: "assets:bank",
	} {
		if got != want {
			t.Errorf("a book is %q, want %q", got, want)
		}
	}
	if domain.BookSuspense("a") != "suspense:a" || domain.BookDisputes("a") != "assets:disputes:a" ||
		domain.BookDisputeFee("a") != "expenses:dispute-fee:a" || domain.BookChargeback != "expenses:chargeback" || domain.BookUnclaimed != "income:unclaimed" {
		t.Errorf("books are %q, %q, %q, %q", domain.BookSuspense("a"), domain.BookDisputes("a"),
			domain.BookDisputeFee("a"), domain.BookChargeback)
	}
}
