package httpapi_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"counterfoil/domain"
)

// TestSignedApprovalByAPI: a key is proposed by its owner, confirmed by another
// person, and from then on only signed approvals are taken.
func TestSignedApprovalByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, keepsActs)
	s.people()
	s.parkedMoney()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	public, _ := private.Public().(ed25519.PublicKey)
	print, at := domain.KeyFingerprint(public), s.clock.now()
	wish1 := s.call("li", http.MethodPost, corrections, wish("allocate", "A1", "TA1", "account", "user:7"))
	id := wish1.text("id")

	add := func(key, person string) answer {
		return s.call(key, http.MethodPost, "/v1/sign-keys", jsonOf(t, map[string]any{
			"public": hex.EncodeToString(public), "signed_at": at,
			"proof": hex.EncodeToString(ed25519.Sign(private, domain.KeyStatement(s.ledger.ID(), person, print, at))),
		}))
	}
	if a := add("li", "wang"); a.status == http.StatusCreated {
		t.Errorf("li proposed wang's key: %s", a.body)
	}
	if a := add("wang", "wang"); a.status != http.StatusCreated || a.text("state") != "proposed" || a.text("fingerprint") != print {
		t.Fatalf("proposed: %d %s", a.status, a.body)
	}
	for _, c := range []struct {
		key, verb, body string
		status          int
	}{
		{"wang", "confirm", "{}", http.StatusForbidden},
		{"robot", "confirm", "{}", http.StatusForbidden},
		{"li", "confirm", `{"reason":"by voice"}`, http.StatusOK},
		{"li", "retire", "{}", http.StatusUnprocessableEntity},
	} {
		if a := s.call(c.key, http.MethodPost, "/v1/sign-keys/"+print+"/"+c.verb, c.body); a.status != c.status {
			t.Errorf("%s %s: %d %s", c.key, c.verb, a.status, a.body)
		}
	}
	if a := s.call("wang", http.MethodPost, corrections+"/"+id+"/approve", "{}"); a.status != http.StatusForbidden {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
	parts := s.call("wang", http.MethodGet, corrections+"/"+id+"/statement", "")
	leaf, err := hex.DecodeString(parts.text("leaf"))
	s.ok(err)
	ask := domain.CorrectionProposed{
		Action: domain.ActionAllocate, TradeNo: "TA1", Account: "user:7", Amount: domain.NewMoney(500, domain.CNY),
	}
	ask.Proposal, err = domain.ParseID(id)
	s.ok(err)
	approve := func(when time.Time) answer {
		text := domain.ApprovalStatement(s.ledger.ID(), domain.Stream(parts.text("stream")), [32]byte(leaf), ask, "wang", at)
		return s.call("wang", http.MethodPost, corrections+"/"+id+"/approve", jsonOf(t, map[string]any{"signature": map[string]any{
			"key": print, "value": hex.EncodeToString(ed25519.Sign(private, text)), "signed_at": when,
		}}))
	}
	if a := approve(at.Add(time.Second)); a.status == http.StatusOK {
		t.Errorf("signed for another time: %s", a.body)
	}
	if a := approve(at); a.status != http.StatusOK || a.text("state") != "issued" {
		t.Errorf("signed: %d %s", a.status, a.body)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
