package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"counterfoil/domain"
)

// SignatureHeader carries the signature of a callback (Stripe, "Verify webhook
// signatures manually").
const SignatureHeader = "Stripe-Signature"

// Tolerance is how far the time in a signature may be from the time of arrival,
// to either side. Stripe's own libraries let times of the future pass.
const Tolerance = 300 * time.Second

const (
	scheme        = "v1" // the one scheme that proves anything; others are ignored
	maxHeader     = 4096 // bytes of the header; genuine ones have 80 to 400
	maxSignatures = 16   // of our scheme in one header
)

// Sign is the signature header for a body: the text that is signed is the time
// in unix seconds, a point and the body; the secret is taken as it is, prefix
// and all. It signs with any secret, also with none, as anybody can.
func Sign(body []byte, secret string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + "," + scheme + "=" + hex.EncodeToString(digest([]byte(secret), t, body))
}

func digest(secret []byte, t string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return mac.Sum(nil)
}

// signature is a header taken apart.
type signature struct {
	time   string // as it stands: its digits are signed
	at     time.Time
	digest [][sha256.Size]byte
}

// parseSignature reads the one header line. What it does not know it passes
// over, as the protocol asks; a time that stands twice is no time.
func parseSignature(h http.Header) (signature, bool) {
	lines := h[SignatureHeader]
	if len(lines) != 1 || len(lines[0]) > maxHeader {
		return signature{}, false
	}
	var s signature
	for item := range strings.SplitSeq(lines[0], ",") {
		name, value, _ := strings.Cut(item, "=")
		switch name {
		case "t":
			at, ok := whole(value)
			if s.time != "" || !ok || at < 1 {
				return signature{}, false
			}
			s.time, s.at = value, time.Unix(at, 0)
		case scheme:
			var d [sha256.Size]byte
			if len(value) != hex.EncodedLen(len(d)) || len(s.digest) == maxSignatures {
				continue
			}
			if _, err := hex.Decode(d[:], []byte(value)); err == nil {
				s.digest = append(s.digest, d)
			}
		}
	}
	return s, s.time != "" && len(s.digest) > 0
}

// holds reports whether one of the digests is that of the body under the
// secret. All are compared, in constant time.
func (s signature) holds(secret []byte, body []byte) bool {
	want := digest(secret, s.time, body)
	found := 0
	for i := range s.digest {
		found |= subtle.ConstantTimeCompare(want, s.digest[i][:])
	}
	return found == 1
}

// proven is the mark of the secret that signed the body, by a time within the
// tolerance of arrival. KindForged with the reason for anything else, in the
// same words whatever was wrong with the signature.
func proven(h http.Header, body []byte, secrets []secret, arrival time.Time) (mark string, reason domain.Reason, err error) {
	s, ok := parseSignature(h)
	if ok {
		for i := range secrets {
			if mark == "" && s.holds(secrets[i].key, body) {
				mark = secrets[i].mark
			}
		}
	}
	if mark == "" {
		return "", domain.ReasonWrongSignature, domain.E(domain.KindForged, "signature does not hold")
	}
	if d := arrival.Sub(s.at); d > Tolerance || d < -Tolerance {
		return "", domain.ReasonStale, domain.E(domain.KindForged,
			"rightly signed, but at %s, and it arrived at %s", s.at.UTC().Format(time.RFC3339), arrival.UTC().Format(time.RFC3339))
	}
	return mark, domain.ReasonNone, nil
}
