package sqlite

import (
	"math/rand/v2"
	"slices"
	"testing"

	"counterfoil/domain"
)

// TestReceivables: the accounts below zero, whatever led there, are those whose
// entries sum to less than nothing; the test account is none of them.
func TestReceivables(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.random(t, rand.New(rand.NewPCG(3, 9)), 200)
	l.add(t, domain.DrawStream("log-2"), drawn("erin", cny(1_000_000_000)))
	l.add(t, domain.DrawStream("log-3"), drawn("frank", cny(1)))
	l.add(t, domain.PaymentStream("c", "t"), l.corrected("c", "T-test", domain.TestAccount, cny(7), domain.ActionReverse))
	type key struct {
		wallet   domain.AccountID
		currency domain.Currency
	}
	sums := map[key]int64{}
	for _, r := range l.all(t) {
		f, err := domain.DecodeFact(r.Type, r.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range domain.PostingsOf(f) {
			if p.Wallet != "" && p.Wallet != domain.TestAccount {
				sums[key{p.Wallet, p.Amount.Currency()}] -= p.Amount.Minor()
			}
		}
	}
	count, owed := 0, map[domain.Currency]int64{}
	for k, sum := range sums {
		if sum < 0 {
			count++
			owed[k.currency] -= sum
		}
	}
	d := openDB(t, path(t))
	fold(t, l, d, 50)
	got, err := d.Receivables(t.Context(), 1000)
	if err != nil || got.Count != count || len(got.Accounts) != count || count < 3 {
		t.Fatalf("%d accounts, %d listed, want %d: %v", got.Count, len(got.Accounts), count, err)
	}
	for _, m := range got.Totals {
		if m.Minor() != owed[m.Currency()] {
			t.Errorf("owed are %s, want %d", m, owed[m.Currency()])
		}
	}
	for i, a := range got.Accounts {
		if a.Amount.Minor() != sums[key{a.Account, a.Amount.Currency()}] || a.Position == 0 {
			t.Errorf("%+v, want %d", a, sums[key{a.Account, a.Amount.Currency()}])
		}
		if i > 0 && (got.Accounts[i-1].Amount.Currency() > a.Amount.Currency() ||
			got.Accounts[i-1].Amount.Currency() == a.Amount.Currency() && got.Accounts[i-1].Amount.Minor() > a.Amount.Minor()) {
			t.Errorf("%+v stands behind %+v", a, got.Accounts[i-1])
		}
	}
	first, err := d.Receivables(t.Context(), 1)
	if err != nil || first.Count != count || !slices.Equal(first.Totals, got.Totals) || len(first.Accounts) != 1 || first.Accounts[0] != got.Accounts[0] {
		t.Errorf("the first: %+v, %v", first, err)
	}
	if first.Accounts[0].Account != "erin" {
		t.Errorf("who owes most is %+v", first.Accounts[0])
	}
	empty := openDB(t, path(t))
	if none, err := empty.Receivables(t.Context(), 10); err != nil || none.Count != 0 || len(none.Accounts) != 0 || len(none.Totals) != 0 {
		t.Errorf("of an empty log: %+v, %v", none, err)
	}
}
