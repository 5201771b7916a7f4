package wechatpay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"counterfoil/domain"
)

// The headers of a v3 signature, on callbacks and on answers, in the form of
// http.Header's keys.
const (
	HeaderTimestamp     = "Wechatpay-Timestamp"
	HeaderNonce         = "Wechatpay-Nonce"
	HeaderSerial        = "Wechatpay-Serial"
	HeaderSignature     = "Wechatpay-Signature"
	HeaderSignatureType = "Wechatpay-Signature-Type"
)

// AuthScheme is the v3 signature: the type in HeaderSignatureType and the
// scheme of a request's Authorization.
const AuthScheme = "WECHATPAY2-SHA256-RSA2048"

// ProbePrefix begins the deliberately wrong signatures by which WeChat tries
// whether a merchant verifies at all.
const ProbePrefix = "WECHATPAY/SIGNTEST/"

// PublicKeyPrefix begins the id of a platform public key; any other serial is
// a certificate's.
const PublicKeyPrefix = "PUB_KEY_ID_"

// Message is the text that a v3 signature covers: every part with a line feed
// behind it, also the last and an empty one.
func Message(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += len(p) + 1
	}
	text := make([]byte, 0, n)
	for _, p := range parts {
		text = append(append(text, p...), '\n')
	}
	return text
}

// signedText is Message for a callback or an answer, without a copy of body.
func signedText(timestamp, nonce string, body []byte) []byte {
	text := make([]byte, 0, len(timestamp)+len(nonce)+len(body)+3)
	text = append(append(text, timestamp...), '\n')
	text = append(append(text, nonce...), '\n')
	return append(append(text, body...), '\n')
}

// SignRSA is the v3 signature: RSASSA-PKCS1-v1_5 with SHA-256 over the text, in
// standard base64. A key that cannot sign is KindInternal.
func SignRSA(text []byte, key *rsa.PrivateKey) (string, error) {
	digest := sha256.Sum256(text)
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", domain.E(domain.KindInternal, "sign with RSA: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// VerifyRSA reports whether sign is the v3 signature of text under pub.
func VerifyRSA(text []byte, sign string, pub *rsa.PublicKey) bool {
	if pub == nil || pub.N == nil {
		return false
	}
	raw, ok := strictBase64(sign)
	if !ok || len(raw) != pub.Size() {
		return false
	}
	digest := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], raw) == nil
}

// strictBase64 decodes with one spelling for each content: the decoder of the
// library skips line breaks and does not look at loose last bits.
func strictBase64(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return raw, err == nil
}
