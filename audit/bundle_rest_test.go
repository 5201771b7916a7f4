package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
)

func account(name string) audit.BundleOptions {
	return audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectAccount, Name: name}}
}

func period(month string) audit.BundleOptions {
	return audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectPeriod, Name: month}}
}

// agreedWorld has an opening balance of user:1 and a looser policy, both
// approved with people's own keys, and a payment on each of the two channels:
// user:1's where the policy is, and user:2's where the opening is.
func agreedWorld(t *testing.T) *signedAsk {
	t.Helper()
	a := newSignedAsk(t)
	_, err := a.ledger.ApproveOpening(t.Context(), trusting, a.opening.Proposal, "wang", "seen", a.books(a.wang, a.leaf), clerk)
	must(t, err)
	for person, key := range map[string]ed25519.PrivateKey{"li": a.li, "wang": a.wang} {
		_, err := a.ledger.ApprovePolicy(t.Context(), careful, a.policy.Proposal, person, "agreed", a.loosens(person, key, a.settings), clerk)
		must(t, err)
	}
	a.place(careful, "P1", "user:1", "1.00")
	a.callback(careful, "P1", "TP1", "1.00", domain.OutcomeCredited)
	a.place(trusting, "P2", "user:2", "2.00")
	a.callback(trusting, "P2", "TP2", "2.00", domain.OutcomeCredited)
	_, _, err = a.ledger.Draw(t.Context(), domain.DrawAsk{Number: "log-9", Account: "user:9", Amount: yuan(t, "0.35")}, clerk)
	must(t, err)
	a.fold()
	return a
}

// TestBundlesHoldWhatBalancesRestOn: the openings that gave the subject money,
// and who agreed to looser settings, stand in its bundle, and both verifiers
// pass it; other bundles hold neither.
func TestBundlesHoldWhatBalancesRestOn(t *testing.T) {
	t.Parallel()
	a := agreedWorld(t)
	for name, c := range map[string]struct {
		o                  audit.BundleOptions
		openings, policies int64
		wallets            string
	}{
		"an account with an opening": {account("user:1"), 1, 2, "to wallets: 31.00 CNY;"},
		"an account without":         {account("user:2"), 0, 0, "to wallets: 2.00 CNY;"},
		"the month of the opening":   {period("2026-11"), 1, 2, "to wallets: 33.00 CNY;"},
		"a payment by that policy":   {payment("epay-b/P1"), 0, 2, "to wallets: 1.00 CNY;"},
		"a payment by another":       {payment("epay-a/P2"), 0, 0, "to wallets: 2.00 CNY;"},
	} {
		b := a.bundle(c.o)
		rep := a.check(b, a.treeKey())
		if n := rep.Report.Types; !rep.OK() || n[domain.TypeOpeningBooked] != c.openings || n[domain.TypeConfigApproved] != c.policies {
			t.Errorf("%s: %+v %v", name, rep.Claims, n)
		}
		if out, code := python(t, b, a.treeKey()); code != 0 || !strings.Contains(out, c.wallets) {
			t.Errorf("%s: want %q: %d\n%s", name, c.wallets, code, out)
		}
	}
}

// An account that these books only took over has a bundle, too, and the number
// of other accounts in it is told.
func TestABundleOfAnOpeningAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q, _, err := w.ledger.ProposeOpening(t.Context(), trusting, domain.OpeningAsk{
		Day: "2026-11-21", Balance: []domain.Money{yuan(t, "50.00")}, By: "li", Reason: "taken over",
		Wallets: []domain.OpeningWallet{{Account: "user:1", Amount: yuan(t, "30.00")}, {Account: "user:8", Amount: yuan(t, "3.00")}},
	}, clerk)
	must(t, err)
	_, err = w.ledger.ApproveOpening(t.Context(), trusting, q.Ask.Proposal, "wang", "seen", nil, clerk)
	must(t, err)
	w.fold()
	var b bytes.Buffer
	made, err := audit.WriteBundle(t.Context(), &b, audit.BundleDeps{Log: w.events, Ledger: w.ledger, Tree: w.deps().Tree, Now: w.now}, account("user:8"))
	if err != nil || made.Others != 1 {
		t.Errorf("%+v, %v", made, err)
	}
	if rep := w.check(b.Bytes(), w.treeKey()); !rep.OK() || rep.Report.Books[0].Total != yuan(t, "50.00") {
		t.Errorf("%+v", rep)
	}
	if out, code := python(t, b.Bytes(), w.treeKey()); code != 0 || !strings.Contains(out, "to wallets: 3.00 CNY;") {
		t.Errorf("the other verifier: %d\n%s", code, out)
	}
	if page := string(unzip(t, b.Bytes())["summary.html"]); !strings.Contains(page, "期初余额 · Opening balances") || !strings.Contains(page, "opening-epay-a") {
		t.Error("the summary has no opening balances")
	}
}

// TestBundlesWithoutTheirPolicies: whoever takes out who agreed to looser
// settings leaves settings that nobody agreed to.
func TestBundlesWithoutTheirPolicies(t *testing.T) {
	t.Parallel()
	a := agreedWorld(t)
	files := unzip(t, a.bundle(payment("epay-b/P1")))
	dropStream(t, files, domain.PolicyStream(careful))
	rep := a.check(rezip(t, files, true), a.treeKey())
	last := rep.Claims[len(rep.Claims)-1]
	if want := "(channel-epay-b): decisions: it loosens"; rep.OK() || last.Name != audit.ClaimDecisions || !strings.Contains(last.Text, want) {
		t.Errorf("want %q: %+v", want, rep.Claims)
	}
}

// TestForeignRestsAreRefused: openings and policies that bear on nothing in the
// bundle, or that its format has not, are refused by both verifiers.
func TestForeignRestsAreRefused(t *testing.T) {
	t.Parallel()
	a := agreedWorld(t)
	_, _, err := a.ledger.ProposeOpening(t.Context(), signed, domain.OpeningAsk{
		Day: "2026-11-21", Balance: []domain.Money{yuan(t, "9.00")}, By: "li", Reason: "taken over",
	}, clerk)
	must(t, err)
	a.forgeFact(domain.PolicyStream(signed), domain.ConfigProposed{Channel: signed, Hash: strings.Repeat("0", 64)})
	a.seal()
	also := func(s domain.Stream) func(map[string][]byte) {
		return func(f map[string][]byte) { a.alsoIn(f, a.last(s)) }
	}
	first := func(f map[string][]byte) { swap(t, f, "manifest.json", "counterfoil-bundle/2", "counterfoil-bundle/1") }
	for name, c := range map[string]struct {
		o      audit.BundleOptions
		change func(f map[string][]byte)
		says   string
	}{
		"an opening that was not booked": {account("user:2"), also(domain.OpeningStream(signed)), "opening-epay-c is foreign"},
		"a draw of another account":      {account("user:1"), also("draw-log-9"), "draw-log-9 is foreign"},
		"a draw in a month":              {period("2026-11"), also("draw-log-9"), "draw-log-9 is foreign"},
		"an opening beside one payment":  {payment("epay-a/P2"), also(domain.OpeningStream(signed)), "opening-epay-c is foreign"},
		"another channel's policy":       {payment("epay-a/P2"), also(domain.PolicyStream(signed)), "policy-epay-c is foreign"},
		"a policy in the first format":   {payment("epay-b/P1"), first, "policy-epay-b is foreign"},
		"an opening in the first format": {account("user:1"), func(f map[string][]byte) {
			first(f)
			dropStream(t, f, domain.PolicyStream(careful))
		}, "opening-epay-a is foreign"},
	} {
		files := unzip(t, a.bundle(c.o))
		c.change(files)
		b := rezip(t, files, true)
		rep := a.check(b, a.treeKey())
		if last := rep.Claims[len(rep.Claims)-1]; rep.OK() || last.Name != audit.ClaimStreams || !strings.Contains(last.Text, c.says) {
			t.Errorf("%s: %+v", name, rep.Claims)
		}
		if out, code := python(t, b, a.treeKey()); code != 5 || !strings.Contains(out, "streams     NO ") || !strings.Contains(out, "is foreign") {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
	}
}

// last is the last event of a stream.
func (w *world) last(s domain.Stream) eventstore.Recorded {
	w.t.Helper()
	events, err := w.events.ReadStream(w.t.Context(), s, eventstore.ReadOptions{})
	must(w.t, err)
	return events[len(events)-1]
}

// dropStream takes a stream out of a bundle, as if it never held it.
func dropStream(t *testing.T, f map[string][]byte, s domain.Stream) {
	t.Helper()
	for n := 0; ; {
		lines := bytes.Split(bytes.TrimSpace(f["events.ndjson"]), []byte("\n"))
		if n == len(lines) {
			break
		}
		if bytes.Contains(lines[n], []byte(`"stream":"`+string(s)+`"`)) {
			dropLine(f, n)
		} else {
			n++
		}
	}
	var m map[string]any
	must(t, json.Unmarshal(f["manifest.json"], &m))
	rows, _ := m["streams"].([]any)
	m["streams"] = slices.DeleteFunc(rows, func(row any) bool {
		r, _ := row.(map[string]any)
		return r["stream"] == string(s)
	})
	b, err := json.Marshal(m)
	must(t, err)
	f["manifest.json"] = b
}
