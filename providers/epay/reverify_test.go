package epay

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// TestReverifyKinds tells apart what cannot be checked here from what does not
// hold.
func TestReverifyKinds(t *testing.T) {
	t.Parallel()
	c := newChannel(t, configV1())
	callbackEvidence := read(t, c, get(signedV1(callback()))).Evidence
	queryEvidence := domain.Evidence{
		Kind: "query", Method: "GET", Target: "/api.php?act=order&pid=1001&key=[hidden]&out_trade_no=" + order,
		Status: 200, Body: []byte(paidRow), Scheme: "https", Grade: domain.GradeC,
	}
	other := configV1()
	other.Key = providers.NewSecret(otherSharedKey)
	tests := []struct {
		name     string
		channel  *Channel
		evidence domain.Evidence
		change   func(*domain.Evidence)
		kind     domain.Kind
	}{
		{"another key", newChannel(t, other), callbackEvidence, func(*domain.Evidence) {}, domain.KindNotFound},
		{"another key's name", c, callbackEvidence, func(e *domain.Evidence) { e.Key = "hmac:00" }, domain.KindNotFound},
		{"no key's name", c, callbackEvidence, func(e *domain.Evidence) { e.Key = "" }, domain.KindForged},
		{"another amount", c, callbackEvidence, func(e *domain.Evidence) { e.Target = strings.Replace(e.Target, "money=1", "money=2", 1) }, domain.KindForged},
		{"grade A", c, callbackEvidence, func(e *domain.Evidence) { e.Grade = domain.GradeA }, domain.KindForged},
		{"scheme of V2", c, callbackEvidence, func(e *domain.Evidence) { e.Scheme = SchemeRSA }, domain.KindForged},
		{"another kind", c, callbackEvidence, func(e *domain.Evidence) { e.Kind = "bill" }, domain.KindInvalid},
		{"question about another order", c, queryEvidence, func(e *domain.Evidence) { e.Target = strings.Replace(e.Target, order, "1", 1) }, domain.KindForged},
		{"answer of another pid", c, queryEvidence, func(e *domain.Evidence) { e.Body = []byte(strings.Replace(paidRow, `"1001"`, `"1002"`, 1)) }, domain.KindForged},
		{"answer with 500", c, queryEvidence, func(e *domain.Evidence) { e.Status = 500 }, domain.KindForged},
		{"answer as grade A", c, queryEvidence, func(e *domain.Evidence) { e.Grade = domain.GradeA }, domain.KindForged},
		{"answer with a key", c, queryEvidence, func(e *domain.Evidence) { e.Key = c.scheme.mark() }, domain.KindForged},
		{"answer by another scheme", c, queryEvidence, func(e *domain.Evidence) { e.Scheme = "ftp" }, domain.KindForged},
	}
	for _, tt := range tests {
		e := tt.evidence
		tt.change(&e)
		if notices, err := tt.channel.Reverify(e); err == nil || domain.KindOf(err) != tt.kind {
			t.Errorf("%s: %+v, %v, want kind %s", tt.name, notices, err, tt.kind)
		}
	}
	for _, e := range []domain.Evidence{callbackEvidence, queryEvidence} {
		if got, err := c.Reverify(e); err != nil || len(got) != 1 || got[0].Status != domain.StatusPaid {
			t.Errorf("unchanged: %+v, %v", got, err)
		}
	}
	// The gateway may have moved to TLS since.
	queryEvidence.Scheme = SchemeHTTP
	if _, err := c.Reverify(queryEvidence); err != nil {
		t.Errorf("by plain http: %v", err)
	}
}
