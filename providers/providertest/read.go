package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// clone keeps one test from changing another's request.
func clone(r providers.Request) providers.Request {
	r.Header = r.Header.Clone()
	r.Body = bytes.Clone(r.Body)
	return r
}

func sameContents(a, b []domain.Notice) bool { return slices.EqualFunc(a, b, providers.SameContent) }

func testGenuine(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		for range 2 { // reading changes nothing
			read, refusal, err := h.Channel.Read(clone(g.Request))
			if err != nil {
				t.Errorf("%s: refused with %s: %v", g.Name, refusal.Reason, err)
				continue
			}
			if refusal != (providers.Refusal{}) {
				t.Errorf("%s: accepted, and a refusal %+v", g.Name, refusal)
			}
			if !sameContents(read.Notices, g.Notices) {
				t.Errorf("%s: notices %+v, want the content of %+v", g.Name, read.Notices, g.Notices)
			}
			checkDelivery(t, h, g, read)
		}
	}
}

// checkDelivery looks at what a notice has from its delivery.
func checkDelivery(t *testing.T, h Harness, g Genuine, read providers.Read) {
	t.Helper()
	for i, n := range read.Notices {
		if n.Delivery != g.Request.Delivery || n.Index != i || !n.ReceivedAt.Equal(g.Request.ReceivedAt) ||
			n.Source != domain.SourceCallback || n.Channel != h.Channel.Config().Channel || n.Run != "" {
			t.Errorf("%s: notice %d is not of this delivery: %+v", g.Name, i, n)
		}
	}
}

func testEvidence(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		r := clone(g.Request)
		r.Header.Set("Authorization", "Basic Y2FuYXJ5")
		r.Header.Set("Cookie", "canary=1")
		read, _, err := h.Channel.Read(r)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		e := read.Evidence
		if e.Kind != "callback" || e.Method != r.Method || e.Target != r.Target || !bytes.Equal(e.Body, r.Body) ||
			e.Remote != r.Remote || !e.At.Equal(r.ReceivedAt) || e.Scheme == "" {
			t.Errorf("%s: the evidence is not what came: %+v", g.Name, e)
		}
		if e.Grade != domain.GradeA && e.Grade != domain.GradeB {
			t.Errorf("%s: grade %q for a signed callback", g.Name, e.Grade)
		}
		if !knownKey(h.Channel.Config(), e) {
			t.Errorf("%s: the key %q of grade %s is not in the channel's record", g.Name, e.Key, e.Grade)
		}
		checkHeaders(t, g.Name, e.Headers)
	}
}

// knownKey reports whether the record of the channel has the key that made
// this grade: a public one for A, a shared one for B.
func knownKey(c domain.ChannelConfigured, e domain.Evidence) bool {
	if e.Grade == domain.GradeA {
		return slices.ContainsFunc(c.PublicKeys, func(k domain.PublicKey) bool { return k.Fingerprint == e.Key })
	}
	return slices.ContainsFunc(c.Secrets, func(k domain.SecretMark) bool { return k.Fingerprint == e.Key })
}

func checkHeaders(t *testing.T, name string, lines []domain.Header) {
	t.Helper()
	if !slices.IsSortedFunc(lines, func(a, b domain.Header) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%s: the headers are in no order", name)
	}
	for _, line := range lines {
		if line.Name == "Authorization" || line.Name == "Cookie" {
			t.Errorf("%s: %s is kept", name, line.Name)
		}
	}
}

func testReverify(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		read, _, err := h.Channel.Read(clone(g.Request))
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		for name, e := range map[string]domain.Evidence{"as read": read.Evidence, "as stored": stored(t, read.Evidence)} {
			again, err := h.Channel.Reverify(e)
			if err != nil || !sameContents(again, read.Notices) {
				t.Errorf("%s, %s: Reverify = %+v, %v, want %+v", g.Name, name, again, err, read.Notices)
			}
		}
	}
}

// stored is e after it was kept and read back.
func stored(t *testing.T, e domain.Evidence) domain.Evidence {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back domain.Evidence
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

// testTampered changes kept evidence: every bit of what was received, and what
// it says of itself.
func testTampered(t *testing.T, h Harness) {
	g := h.Genuine[0]
	read, _, err := h.Channel.Read(clone(g.Request))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*domain.Evidence){
		"other key":    func(e *domain.Evidence) { e.Key += "0" },
		"no key":       func(e *domain.Evidence) { e.Key = "" },
		"better grade": func(e *domain.Evidence) { e.Grade = "A+" },
		"other scheme": func(e *domain.Evidence) { e.Scheme += "x" },
		"no kind":      func(e *domain.Evidence) { e.Kind = "" },
		"as a query":   func(e *domain.Evidence) { e.Kind, e.Status = "query", 200 },
		"other method": func(e *domain.Evidence) { e.Method = "PUT" },
		"no bytes":     func(e *domain.Evidence) { e.Body, e.Target = nil, "/" },
	} {
		e := read.Evidence
		change(&e)
		if notices, err := h.Channel.Reverify(e); err == nil {
			t.Errorf("%s: evidence is taken for %+v", name, notices)
		}
	}
	for i := range (len(read.Evidence.Target) + len(read.Evidence.Body)) * 8 {
		e := read.Evidence
		e.Target, e.Body = flip(e.Target, e.Body, i)
		notices, err := h.Channel.Reverify(e)
		if err == nil && !noMore(read.Notices, notices) {
			t.Fatalf("bit %d of the evidence may change: %+v", i, notices)
		}
	}
}

// flip changes bit i of a target followed by a body.
func flip(target string, body []byte, i int) (string, []byte) {
	all := append([]byte(target), body...)
	all[i/8] ^= 1 << (i % 8)
	return string(all[:len(target)]), all[len(target):]
}

// noMore reports whether the second notices say the same as the first, but for
// more doubts: what a change outside of the signed text may do.
func noMore(first, second []domain.Notice) bool {
	return slices.EqualFunc(first, second, func(a, b domain.Notice) bool {
		for _, d := range a.Doubts {
			if !slices.Contains(b.Doubts, d) {
				return false
			}
		}
		a.Doubts, b.Doubts = nil, nil
		return providers.SameContent(a, b)
	})
}

// refused reports how a request was taken that should not have been.
func refused(c providers.Channel, r providers.Request) (domain.Reason, error) {
	read, refusal, err := c.Read(clone(r))
	switch kind := domain.KindOf(err); {
	case err == nil:
		return "", fmt.Errorf("accepted: %+v", read.Notices)
	case kind != domain.KindForged && kind != domain.KindInvalid:
		return "", fmt.Errorf("refused with the kind %s: %w", kind, err)
	case len(read.Notices) != 0:
		return "", fmt.Errorf("refused, but with the notices %+v", read.Notices)
	case refusal.Reason == domain.ReasonNone:
		return "", fmt.Errorf("refused without a reason: %w", err)
	}
	return refusal.Reason, nil
}

func testMutants(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		n := 0
		for mutant := range h.Mutants(clone(g.Request)) {
			n++
			if _, err := refused(h.Channel, mutant); err != nil {
				t.Fatalf("%s: mutant %d, %s %s: %v", g.Name, n, mutant.Target, mutant.Body, err)
			}
		}
		if n < 8*16 {
			t.Errorf("%s: only %d mutants", g.Name, n)
		}
	}
}

// testRawBits flips every bit on the wire. Not all of them are signed (an
// escape may be written in small letters), but none may change the meaning.
func testRawBits(t *testing.T, h Harness) {
	for _, g := range h.Genuine {
		for i := range (len(g.Request.Target) + len(g.Request.Body)) * 8 {
			r := clone(g.Request)
			r.Target, r.Body = flip(r.Target, r.Body, i)
			_, r.RawQuery, _ = strings.Cut(r.Target, "?")
			read, _, err := h.Channel.Read(r)
			if err == nil && !noMore(g.Notices, read.Notices) {
				t.Fatalf("%s: bit %d of the wire may change: %+v", g.Name, i, read.Notices)
			}
		}
	}
}

func testForged(t *testing.T, h Harness) {
	for name, reason := range forgeries {
		for i, r := range h.Forged[name] {
			got, err := refused(h.Channel, r)
			if err != nil || got != reason {
				t.Errorf("%s %d: refused with %q, want %q: %v", name, i, got, reason, err)
			}
		}
	}
}

func testOtherKeys(t *testing.T, h Harness) {
	for i, other := range h.Others {
		for _, g := range h.Genuine {
			if reason, err := refused(other, g.Request); err != nil || reason != domain.ReasonWrongSignature {
				t.Errorf("%s, channel %d: refused with %q: %v", g.Name, i, reason, err)
			}
		}
	}
}

func testTransport(t *testing.T, h Harness) {
	if h.Channel.Limit() < 1<<10 || h.Channel.Limit() > 1<<20 {
		t.Errorf("limit of %d bytes", h.Channel.Limit())
	}
	for _, g := range h.Genuine {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, "get", ""} {
			r := clone(g.Request)
			r.Method = method
			if reason, err := refused(h.Channel, r); err != nil || reason != domain.ReasonWrongMethod {
				t.Errorf("%s by %q: refused with %q: %v", g.Name, method, reason, err)
			}
		}
		empty := clone(g.Request)
		empty.Target, empty.RawQuery, empty.Body = "/", "", nil
		if _, err := refused(h.Channel, empty); err != nil {
			t.Errorf("%s without its bytes: %v", g.Name, err)
		}
	}
	if _, err := refused(h.Channel, providers.Request{}); err != nil {
		t.Errorf("no request at all: %v", err)
	}
}
