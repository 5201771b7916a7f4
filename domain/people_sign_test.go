package domain_test

import (
	"testing"

	"counterfoil/domain"
)

// TestStatements: what people sign is this text for ever: other programs write
// it, and old signatures stand under it.
func TestStatements(t *testing.T) {
	t.Parallel()
	id := domain.ID{0: 0x5e, 6: 0x40, 8: 0x80, 15: 0x2a}
	leaf := [32]byte{0: 0xab, 31: 0xcd}
	const hash = "ab000000000000000000000000000000000000000000000000000000000000cd"
	head := "ledger: " + ledgerID.String() + "\n"
	opening := domain.OpeningProposed{
		Proposal: id, Channel: "epay-main", Day: "2026-03-13", By: "li", Reason: "the old\nsystem",
		Balance: []domain.Money{ten, domain.NewMoney(138, domain.USD)}, Wallets: []domain.OpeningWallet{{Account: alice, Amount: five}},
	}
	policy := domain.ConfigProposed{
		Channel: "epay-main", Proposal: id, Base: 3, Hash: "9f86", By: "process:api",
		Loosens: []string{"confirm_by_query: never, was always"}, Differences: []string{"confirm_by_query: never, was always", "gateway: b, was a"},
	}
	word := domain.ReconciliationDiffered{
		Discrepancy: id, Kind: domain.OnlyOurs, Line: domain.LinePayment, OrderNo: "A1", TradeNo: "T1", Ours: ten, Resolved: true, How: "seen\nit",
		By: "wang", AskedBy: "li", Proposal: id,
	}
	ask, alone := word.Asked(), word
	alone.AskedBy, alone.Ref, alone.Theirs = "", "R1", five.Neg()
	day := domain.Stream("reconciliation-epay-main:2026-03-13")
	before := "counterfoil setting aside v1\n" + head + "stream: reconciliation-epay-main:2026-03-13\nproposal: " + id.String() + "\nleaf: "
	about := "discrepancy: " + id.String() + "\nkind: only_ours\nline: payment\norder_no: A1\ntrade_no: T1\n"
	behind := "reason: seen\\nit\nperson: wang\nsigned_at: 2026-03-14T04:00:00Z\n"
	for name, c := range map[string]struct{ have, want string }{
		"opening": {
			string(domain.OpeningStatement(ledgerID, leaf, opening, "wang", noon)),
			"counterfoil opening balance v1\n" + head + "stream: opening-epay-main\nproposal: " + id.String() + "\nleaf: " + hash +
				"\ndecision: approve\nchannel: epay-main\nday: 2026-03-13\nreason: the old\\nsystem\nbalance: 10.00 CNY\nbalance: 1.38 USD\n" +
				"account: " + string(alice) + " 5.00 CNY\nperson: wang\nsigned_at: 2026-03-14T04:00:00Z\n",
		},
		"the first word": {
			string(domain.WordStatement(ledgerID, day, leaf, ask, noon)),
			before + "\ndecision: ask\n" + about + "ref: \nours: 10.00 CNY\ntheirs: no money\n" + behind,
		},
		"the second word": {
			string(domain.WordStatement(ledgerID, day, leaf, word, noon)),
			before + hash + "\ndecision: agree\n" + about + "ref: \nours: 10.00 CNY\ntheirs: no money\n" + behind,
		},
		"the only word": {
			string(domain.WordStatement(ledgerID, day, leaf, alone, noon)),
			before + "\ndecision: alone\n" + about + "ref: R1\nours: 10.00 CNY\ntheirs: -5.00 CNY\n" + behind,
		},
		"policy": {
			string(domain.PolicyStatement(ledgerID, leaf, policy, "wang", noon)),
			"counterfoil looser policy v1\n" + head + "stream: policy-epay-main\nproposal: " + id.String() + "\nleaf: " + hash +
				"\ndecision: approve\nchannel: epay-main\nbase: 3\nsettings: 9f86\nloosens: confirm_by_query: never, was always\n" +
				"changes: confirm_by_query: never, was always\nchanges: gateway: b, was a\nperson: wang\nsigned_at: 2026-03-14T04:00:00Z\n",
		},
	} {
		if c.have != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, c.have, c.want)
		}
	}
}
