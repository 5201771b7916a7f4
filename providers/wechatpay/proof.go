package wechatpay

import (
	"net/http"
	"strconv"
	"time"

	"counterfoil/domain"
)

// maxSkew is how far the time of a signature may be from ours, in both
// directions (signature verification page of v3, official SDK).
const maxSkew = 300 * time.Second

// seal is what a v3 message carries in its headers.
type seal struct {
	timestamp string
	nonce     string
	serial    string
	signature string
}

// sealOf reads the headers, each of which must come once. An absent type means
// the only one there is.
func sealOf(h http.Header) (seal, bool) {
	if types := h[HeaderSignatureType]; len(types) > 1 || (len(types) == 1 && types[0] != AuthScheme) {
		return seal{}, false
	}
	s := seal{}
	for _, line := range [...]struct {
		name string
		into *string
	}{
		{HeaderTimestamp, &s.timestamp},
		{HeaderNonce, &s.nonce},
		{HeaderSerial, &s.serial},
		{HeaderSignature, &s.signature},
	} {
		values := h[line.name]
		if len(values) != 1 || values[0] == "" || !visible(values[0]) {
			return seal{}, false
		}
		*line.into = values[0]
	}
	return s, len(s.timestamp) <= 12 && len(s.nonce) <= 128
}

// visible: header lines are kept as evidence, and only such text is sure to be
// kept as it is.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// proven answers the key that signed a body, looked up by exactly the serial in
// the header, among those that are valid at that time. The same error for every
// way to fail; unknown tells whether the only trouble may be a key we lack.
func (k *v3Keys) proven(h http.Header, body []byte, at time.Time) (key *platformKey, unknown string, err error) {
	s, ok := sealOf(h)
	if !ok {
		return nil, "", errSignature()
	}
	key = k.platform.find(s.serial)
	if key == nil {
		return nil, s.serial, errSignature()
	}
	if !key.holds(at) || !VerifyRSA(signedText(s.timestamp, s.nonce, body), s.signature, key.pub) {
		return nil, "", errSignature()
	}
	return key, "", nil
}

func errSignature() error { return domain.E(domain.KindForged, "signature does not hold") }

// fresh refuses a proven message whose time is too far from ours. WeChat signs
// every repetition anew, so one that is refused for our wrong clock comes again.
func fresh(h http.Header, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get(HeaderTimestamp), 10, 64)
	if err != nil || seconds < 0 {
		return domain.E(domain.KindForged, "signature has no time")
	}
	skew := now.Sub(time.Unix(seconds, 0))
	if skew >= maxSkew || skew <= -maxSkew {
		return domain.E(domain.KindForged, "signature is of another time, %s from ours", skew.Round(time.Second))
	}
	return nil
}
