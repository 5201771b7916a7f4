package stripe

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// TestVector is the published scheme on the recorded event: 439 bytes, signed
// by openssl.
func TestVector(t *testing.T) {
	t.Parallel()
	if len(vectorBody) != 439 {
		t.Fatalf("the vector has %d bytes", len(vectorBody))
	}
	if got := Sign([]byte(vectorBody), sampleSecret, testNow); got != vectorSignature {
		t.Errorf("Sign = %s, want %s", got, vectorSignature)
	}
	read, _, err := newChannel(t, config()).Read(request(vectorBody, vectorSignature))
	if err != nil || len(read.Notices) != 1 || read.Evidence.Scheme != SchemeHMAC || read.Evidence.Grade != domain.GradeB {
		t.Errorf("Read = %+v, %v", read, err)
	}
}

// TestTolerance: the time counts on arrival, to both sides, and for evidence it
// is the arrival that was kept.
func TestTolerance(t *testing.T) {
	t.Parallel()
	c := newChannel(t, config())
	for _, s := range []struct {
		late time.Duration
		good bool
	}{
		{0, true},
		{Tolerance, true},
		{-Tolerance, true},
		{Tolerance + time.Second, false},
		{-Tolerance - time.Second, false},
		{24 * time.Hour, false},
		{-24 * time.Hour, false},
		{5 * 365 * 24 * time.Hour, false},
	} {
		r := request(vectorBody, vectorSignature)
		r.ReceivedAt = testNow.Add(s.late)
		read, refusal, err := c.Read(r)
		if (err == nil) != s.good || (!s.good && (refusal.Reason != domain.ReasonStale || domain.KindOf(err) != domain.KindForged)) {
			t.Errorf("%s late: %v, refusal %+v", s.late, err, refusal)
		}
		if err != nil {
			continue
		}
		years := newChannel(t, config())
		years.clock = func() time.Time { return testNow.AddDate(10, 0, 0) }
		if again, err := years.Reverify(read.Evidence); err != nil || len(again) != 1 {
			t.Errorf("ten years later: %+v, %v", again, err)
		}
		moved := read.Evidence
		moved.At = moved.At.Add(time.Hour)
		if _, err := c.Reverify(moved); domain.KindOf(err) != domain.KindForged {
			t.Errorf("evidence of another time: %v", err)
		}
	}
}

// TestHeader: what a header may look like.
func TestHeader(t *testing.T) {
	t.Parallel()
	_, hash, _ := strings.Cut(vectorSignature, ",v1=")
	zeros := strings.Repeat("0", 64)
	for header, good := range map[string]bool{
		"t=1771034406,v1=" + hash:                                         true,
		"v1=" + hash + ",t=1771034406":                                    true,
		"t=1771034406,v1=" + strings.ToUpper(hash):                        true,
		"t=1771034406,v1=" + zeros + ",v1=" + hash:                        true,
		"t=1771034406,v1=" + hash + ",v0=" + zeros + ",x,y=,=z":           true,
		"t=1771034406,v1=zz,v1=" + hash:                                   true,
		"t=1771034406,v1=" + hash + ",t=1771034406":                       false,
		"t=01771034406,v1=" + hash:                                        false,
		"t=+1771034406,v1=" + hash:                                        false,
		"t=1771034406.0,v1=" + hash:                                       false,
		"t=-1,v1=" + hash:                                                 false,
		"t=0,v1=" + hash:                                                  false,
		"t=99999999999999999999,v1=" + hash:                               false,
		"t=1771034406,v1=" + hash[:62]:                                    false,
		"t=1771034406,v1=" + hash + "00":                                  false,
		"t=1771034406, v1=" + hash:                                        false,
		"t=1771034406;v1=" + hash:                                         false,
		strings.Repeat("a=b,", 2000) + "t=1771034406,v1=" + hash:          false,
		"t=1771034406" + strings.Repeat(",v1="+zeros, 20) + ",v1=" + hash: false,
	} {
		h := http.Header{SignatureHeader: {header}}
		_, _, err := proven(h, []byte(vectorBody), []secret{{key: []byte(sampleSecret), mark: "m"}}, testNow)
		if (err == nil) != good {
			t.Errorf("%.90s: %v", header, err)
		}
	}
	twice := http.Header{SignatureHeader: {vectorSignature, vectorSignature}}
	if _, reason, err := proven(twice, []byte(vectorBody), []secret{{key: []byte(sampleSecret), mark: "m"}}, testNow); err == nil || reason != domain.ReasonWrongSignature {
		t.Errorf("two header lines: %s, %v", reason, err)
	}
}

// TestRotation: both secrets hold while one is rolled; evidence names the one
// that did; a retired one verifies what is kept and lets nothing in.
func TestRotation(t *testing.T) {
	t.Parallel()
	both, after, gone := config(), config(), config()
	both.Secrets = secrets(otherSecret, sampleSecret)
	after.Secrets, after.Retired = secrets(otherSecret), secrets(sampleSecret)
	gone.Secrets = secrets(otherSecret)

	during := newChannel(t, both)
	former, _, err := during.Read(request(vectorBody, vectorSignature))
	if err != nil {
		t.Fatal(err)
	}
	latter, _, err := during.Read(request(vectorBody, Sign([]byte(vectorBody), otherSecret, testNow)))
	if err != nil || former.Evidence.Key == latter.Evidence.Key {
		t.Fatalf("keys %s and %s, %v", former.Evidence.Key, latter.Evidence.Key, err)
	}
	later := newChannel(t, after)
	if _, refusal, err := later.Read(request(vectorBody, vectorSignature)); err == nil || refusal.Reason != domain.ReasonWrongSignature {
		t.Errorf("a retired secret lets in: %+v, %v", refusal, err)
	}
	if again, err := later.Reverify(former.Evidence); err != nil || len(again) != 1 {
		t.Errorf("evidence under a retired secret: %v", err)
	}
	if _, err := newChannel(t, gone).Reverify(former.Evidence); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("evidence under an unknown secret: %v", err)
	}
	swapped := former.Evidence
	swapped.Key = latter.Evidence.Key
	if _, err := during.Reverify(swapped); domain.KindOf(err) != domain.KindForged {
		t.Errorf("evidence that names another secret: %v", err)
	}
}
