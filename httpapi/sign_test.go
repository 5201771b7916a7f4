package httpapi_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"testing"

	"counterfoil/domain"
	"counterfoil/operations"
)

// ownKey is a key of a person's own, which another person has confirmed.
func (s *site) ownKey(t *testing.T, who, other string, seed byte) ed25519.PrivateKey {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	print, at := domain.KeyFingerprint(public), s.clock.now()
	if a := s.call(who, http.MethodPost, "/v1/sign-keys", jsonOf(t, map[string]any{
		"public": hex.EncodeToString(public), "signed_at": at,
		"proof": hex.EncodeToString(ed25519.Sign(private, domain.KeyStatement(s.ledger.ID(), who, print, at))),
	})); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.call(other, http.MethodPost, "/v1/sign-keys/"+print+"/confirm", `{}`); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return private
}

// signedBody is a decision with a signature over a statement of now.
func (s *site) signedBody(t *testing.T, private ed25519.PrivateKey, statement []byte) string {
	t.Helper()
	public, _ := private.Public().(ed25519.PublicKey)
	return jsonOf(t, map[string]any{"reason": "done", "signature": map[string]any{
		"key": domain.KeyFingerprint(public), "value": hex.EncodeToString(ed25519.Sign(private, statement)), "signed_at": s.clock.now(),
	}})
}

// leafOf are the parts of a statement, which must be of a stream and for wang.
func (s *site) leafOf(t *testing.T, path string, stream domain.Stream) [32]byte {
	t.Helper()
	parts := s.call("wang", http.MethodGet, path+"/statement", "")
	leaf, err := hex.DecodeString(parts.text("leaf"))
	if err != nil || len(leaf) != 32 || parts.text("ledger") != s.ledger.ID().String() || parts.text("stream") != string(stream) || parts.text("person") != "wang" {
		t.Fatalf("%d %s", parts.status, parts.body)
	}
	return [32]byte(leaf)
}

// signedOnly says yes at a path without a signature, with one over another
// text, and with the right one.
func (s *site) signedOnly(t *testing.T, path string, private ed25519.PrivateKey, statement []byte, state string) {
	t.Helper()
	if a := s.call("wang", http.MethodPost, path+"/approve", `{}`); a.status != http.StatusForbidden || !bytes.Contains(a.body, []byte("must be signed")) {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
	other := bytes.Replace(statement, []byte("decision: approve"), []byte("decision: reject"), 1)
	if a := s.call("wang", http.MethodPost, path+"/approve", s.signedBody(t, private, other)); a.status != http.StatusUnauthorized {
		t.Errorf("signed another text: %d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodPost, path+"/approve", s.signedBody(t, private, statement)); a.status != http.StatusOK || a.text("state") != state {
		t.Errorf("signed: %d %s", a.status, a.body)
	}
}

// TestSignedOpeningByAPI: who has a key of their own books an opening balance
// with it, out of what the API shows.
func TestSignedOpeningByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.officers()
	a := s.call("li", http.MethodPost, "/v1/openings", `{"channel":"epay-now","day":"2026-03-13","balance":[{"amount":"100.00","currency":"CNY"}],`+
		`"wallets":[{"account":"user:1","amount":{"amount":"60.00","currency":"CNY"}}],"reason":"old system"}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id, err := domain.ParseID(a.text("id"))
	s.ok(err)
	private := s.ownKey(t, "wang", "li", 7)
	path := "/v1/openings/epay-now/" + a.text("id")
	s.ok(s.ops.PutAPIKey(t.Context(), operations.APIKey{
		ID: "bounded", SHA256: s.hashOf("bounded"), CreatedAt: s.clock.now(), Person: "wu", Accounts: []string{"user:"},
		Scopes: []operations.Scope{operations.ScopeCorrections},
	}))
	for key, target := range map[string]string{"robot": path, "bounded": path, "narrow": "/v1/openings/epay-ask/" + a.text("id")} {
		if a := s.call(key, http.MethodGet, target+"/statement", ""); a.status != http.StatusForbidden {
			t.Errorf("a statement for %s: %d %s", key, a.status, a.body)
		}
	}
	for _, target := range []string{"/v1/openings/epay-ask/" + a.text("id"), "/v1/openings/epay-now/" + domain.ID{1}.String()} {
		if a := s.call("wang", http.MethodGet, target+"/statement", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	leaf := s.leafOf(t, path, domain.OpeningStream(now))
	s.signedOnly(t, path, private, domain.OpeningStatement(s.ledger.ID(), leaf, domain.OpeningProposed{
		Proposal: id, Channel: now, Day: "2026-03-13", Balance: []domain.Money{domain.NewMoney(10000, domain.CNY)}, Reason: "old system",
		Wallets: []domain.OpeningWallet{{Account: "user:1", Amount: domain.NewMoney(6000, domain.CNY)}},
	}, "wang", s.clock.now()), "issued")
}

// TestSignedPolicyByAPI: so does who has a looser policy put in force.
func TestSignedPolicyByAPI(t *testing.T) {
	t.Parallel()
	s, text := looser(t)
	id, err := domain.ParseID(text)
	s.ok(err)
	shown := s.call("li", http.MethodGet, "/v1/config?state=waiting", "")
	private := s.ownKey(t, "wang", "li", 7)
	path := "/v1/config/" + id.String()
	if a := s.call("robot", http.MethodGet, path+"/statement", ""); a.status != http.StatusForbidden {
		t.Errorf("a statement for a service: %d %s", a.status, a.body)
	}
	if a := s.call("wang", http.MethodGet, "/v1/config/"+domain.ID{1}.String()+"/statement", ""); a.status != http.StatusNotFound {
		t.Errorf("unknown: %d %s", a.status, a.body)
	}
	leaf := s.leafOf(t, path, domain.PolicyStream(ask))
	s.signedOnly(t, path, private, domain.PolicyStatement(s.ledger.ID(), leaf, domain.ConfigProposed{
		Channel: ask, Proposal: id, Hash: shown.text("changes.0.hash"), Loosens: []string{shown.text("changes.0.loosens.0")},
		Differences: []string{shown.text("changes.0.differences.0")},
	}, "wang", s.clock.now()), "waiting")
	if a := s.call("li", http.MethodPost, path+"/approve", `{}`); a.status != http.StatusOK || a.text("state") != "in_force" {
		t.Errorf("li has no key: %d %s", a.status, a.body)
	}
}
