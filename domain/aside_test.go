package domain_test

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

const dayStream = domain.Stream("reconciliation-epay-main:2026-03-13")

// listed is a difference as the list shows it.
func listed(kind domain.DiscrepancyKind, theirs domain.Money) domain.ReconciliationDiffered {
	return domain.ReconciliationDiffered{
		Discrepancy: domain.ID{7}, Kind: kind, Line: domain.LinePayment, OrderNo: "A1", TradeNo: "T1", Ours: ten, Theirs: theirs, By: "bill-7",
	}
}

// told are a difference's facts, folded.
func told(facts ...domain.Fact) (a domain.Aside) {
	for _, f := range facts {
		a = a.Apply(f, noon)
	}
	return a
}

// word is a word that is taken.
func word(t *testing.T, a domain.Aside, d domain.ReconciliationDiffered, by string) domain.Fact {
	t.Helper()
	f, err := a.Say(ledgerID, dayStream, d, by, "seen")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestTwoSetAsideOne: who says what, and what that comes to.
func TestTwoSetAsideOne(t *testing.T) {
	t.Parallel()
	money, other := listed(domain.OnlyOurs, domain.Money{}), listed(domain.OnlyOurs, five)
	ask := word(t, domain.Aside{}, money, "li")
	again := word(t, told(ask), other, "wang")
	done := word(t, told(ask), money, "wang")
	gone := money
	gone.Resolved, gone.By = true, "bill-8"
	repaired := gone
	repaired.By, repaired.AskedBy, repaired.Correction = "wang", "li", domain.ID{9}
	for name, c := range map[string]struct {
		before []domain.Fact
		d      domain.ReconciliationDiffered
		by     string
		want   string // "ask", "agree", "alone"
		kind   domain.Kind
	}{
		"the first":                              {nil, money, "li", "ask", 0},
		"the second":                             {[]domain.Fact{ask}, money, "wang", "agree", 0},
		"the first again":                        {[]domain.Fact{ask}, money, "li", "", domain.KindDenied},
		"of another amount":                      {[]domain.Fact{ask}, other, "wang", "ask", 0},
		"of another amount, by the first":        {[]domain.Fact{ask}, other, "li", "ask", 0},
		"the first, of the other amount":         {[]domain.Fact{ask, again}, other, "li", "agree", 0},
		"of what it was before":                  {[]domain.Fact{ask, again}, money, "wang", "ask", 0},
		"after a third":                          {[]domain.Fact{ask, done}, money, "zhao", "", domain.KindConflict},
		"after two corrected it":                 {[]domain.Fact{repaired}, money, "zhao", "", domain.KindConflict},
		"after a run resolved it":                {[]domain.Fact{ask, gone}, money, "wang", "ask", 0},
		"found anew":                             {[]domain.Fact{ask, gone, money}, money, "wang", "ask", 0},
		"found anew after it was set aside":      {[]domain.Fact{ask, done, money}, money, "wang", "ask", 0},
		"of a fee":                               {nil, listed(domain.FeeMismatch, five), "li", "alone", 0},
		"of a fee, after two words":              {[]domain.Fact{ask, gone}, listed(domain.FeeMismatch, five), "li", "alone", 0},
		"nobody":                                 {nil, money, "", "", domain.KindDenied},
		"of a kind that newer software may know": {nil, listed("unheard_of", five), "li", "ask", 0},
	} {
		before := told(c.before...)
		f, err := before.Say(ledgerID, dayStream, c.d, c.by, "seen")
		got := ""
		switch f := f.(type) {
		case domain.ReconciliationAsked:
			got = "ask"
			if f.By != c.by || f.Reason != "seen" || f.Theirs != c.d.Theirs || told(append(slices.Clone(c.before), f)...).Ask == nil {
				t.Errorf("%s: %+v", name, f)
			}
		case domain.ReconciliationDiffered:
			got = "alone"
			if f.AskedBy != "" {
				got = "agree"
			}
			if f.By != c.by || f.How != "seen" || !f.Resolved || !f.ByPersons() || f.AskedBy == f.By || told(append(slices.Clone(c.before), f)...).Done == nil {
				t.Errorf("%s: %+v", name, f)
			}
			if got == "agree" && f.Proposal != before.Ask.Proposal {
				t.Errorf("%s: it agrees to %s", name, f.Proposal)
			}
		default:
		}
		if got != c.want || c.want == "" && domain.KindOf(err) != c.kind || c.want != "" && err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	for _, reason := range []string{"", strings.Repeat("x", 2001)} {
		if _, err := told().Say(ledgerID, dayStream, money, "li", reason); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("a reason of %d bytes: %v", len(reason), err)
		}
	}
}

// TestAsidesInAnyOrder: whatever is said and found in whatever order, what may
// stand for money is set aside by two persons who saw the same, and no word's id
// comes twice, so that no signature serves twice.
func TestAsidesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a domain.Aside
		var last domain.ReconciliationAsked
		ids := map[domain.ID]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			d := listed(rapid.SampledFrom([]domain.DiscrepancyKind{domain.OnlyOurs, domain.FeeMismatch}).Draw(t, "kind"),
				rapid.SampledFrom([]domain.Money{five, ten}).Draw(t, "theirs"))
			by := rapid.SampledFrom([]string{"li", "wang", "zhao"}).Draw(t, "by")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				d.Resolved, d.How = true, "the bill does not show it any more"
				a = a.Apply(d, noon)
			case 1:
				a = a.Apply(d, noon)
			default:
				f, err := a.Say(ledgerID, dayStream, d, by, "seen")
				if err != nil {
					continue
				}
				a = a.Apply(f, noon)
				switch f := f.(type) {
				case domain.ReconciliationAsked:
					if ids[f.Proposal] {
						t.Fatalf("word %s is said twice", f.Proposal)
					}
					ids[f.Proposal], last = true, f
				case domain.ReconciliationDiffered:
					if two := f.AskedBy != ""; two != d.Kind.NeedsTwo() ||
						two && (f.AskedBy == by || f.AskedBy != last.By || f.Proposal != last.Proposal || f.Theirs != last.Theirs) {
						t.Fatalf("%+v after %+v", f, last)
					} else if !two && ids[f.Proposal] {
						t.Fatalf("word %s is said twice", f.Proposal)
					}
					ids[f.Proposal] = true
				default:
					t.Fatalf("a %s", f.FactType())
				}
			}
		}
	})
}

// TestWordsAreSigned: each word is signed for what it says, and its signature
// serves for no other: another difference, amount, reason, day, ledger, first
// word or person.
func TestWordsAreSigned(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	key := domain.KeyFingerprint(public)
	people := domain.People{}.Apply(domain.KeyProposed{Fingerprint: key, Person: "wang", Public: public}, noon).
		Apply(domain.KeyAdded{Fingerprint: key, Person: "wang", By: "li"}, noon)
	leaf := [32]byte{0: 0xab}
	money := listed(domain.OnlyOurs, five)
	ask, _ := word(t, domain.Aside{}, money, "wang").(domain.ReconciliationAsked)
	agree, _ := word(t, told(word(t, domain.Aside{}, money, "li")), money, "wang").(domain.ReconciliationDiffered)
	alone, _ := word(t, domain.Aside{}, listed(domain.FeeMismatch, five), "wang").(domain.ReconciliationDiffered)
	type text struct {
		ledger domain.ID
		stream domain.Stream
		leaf   [32]byte
		f      domain.Fact
	}
	altered := func(f domain.ReconciliationDiffered, change func(*domain.ReconciliationDiffered)) domain.Fact {
		change(&f)
		return f
	}
	more, why := ask, ask
	more.Theirs, why.Reason = ten, "another"
	texts := map[string]text{
		"ask":                    {ledgerID, dayStream, leaf, ask},
		"agree":                  {ledgerID, dayStream, leaf, agree},
		"alone":                  {ledgerID, dayStream, leaf, alone},
		"ask of more":            {ledgerID, dayStream, leaf, more},
		"ask for another reason": {ledgerID, dayStream, leaf, why},
		"another ledger":         {domain.ID{1}, dayStream, leaf, agree},
		"another day":            {ledgerID, dayStream + "0", leaf, agree},
		"another first word":     {ledgerID, dayStream, [32]byte{1}, agree},
		"another difference":     {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Discrepancy = domain.ID{8} })},
		"another kind":           {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Kind = domain.OnlyTheirs })},
		"another line":           {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Line = domain.LineRefund })},
		"another order":          {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.OrderNo = "A2" })},
		"another trade":          {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.TradeNo = "T2" })},
		"another refund":         {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Ref = "R2" })},
		"another amount of ours": {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Ours = five })},
		"another of theirs":      {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Theirs = ten })},
		"another reason":         {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.How = "another" })},
		"another person":         {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.By = "zhao" })},
		"another word":           {ledgerID, dayStream, leaf, altered(agree, func(f *domain.ReconciliationDiffered) { f.Proposal = domain.ID{8} })},
	}
	statement := func(x text) func(time.Time) []byte {
		return func(at time.Time) []byte { return domain.WordStatement(x.ledger, x.stream, x.leaf, x.f, at) }
	}
	for signed, x := range texts {
		sig := &domain.Signature{Key: key, SignedAt: noon, Value: ed25519.Sign(private, statement(x)(noon))}
		for read, y := range texts {
			if err := people.SignedBy("wang", sig, statement(y)); (err == nil) != (signed == read) {
				t.Errorf("signed %q, read as %q: %v", signed, read, err)
			}
		}
	}
	if domain.WordStatement(ledgerID, dayStream, leaf, domain.KeyAdded{}, noon) != nil {
		t.Error("another fact is no word")
	}
}
