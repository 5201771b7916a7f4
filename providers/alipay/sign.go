package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"counterfoil/domain"
)

// SignRSA2 is the word for the one algorithm in use: SHA256withRSA.
const SignRSA2 = "RSA2"

// Sign is the RSA2 signature: RSASSA-PKCS1-v1_5 with SHA-256 over the text, in
// standard base64. A key that cannot sign is KindInternal.
func Sign(text string, key *rsa.PrivateKey) (string, error) {
	digest := sha256.Sum256([]byte(text))
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", domain.E(domain.KindInternal, "sign with RSA2: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// Verify reports whether sign is the RSA2 signature of text under pub. A sender
// that escapes the '+' of base64 once too little makes it a blank on the way.
// No base64 has a blank, so each one is read as the '+' it was.
func Verify(text, sign string, pub *rsa.PublicKey) bool {
	raw, ok := decodeSign(sign)
	return ok && holds([]byte(text), raw, pub)
}

// holds is Verify for a decoded signature.
func holds(text, sign []byte, pub *rsa.PublicKey) bool {
	if pub == nil || pub.N == nil || len(sign) != pub.Size() {
		return false
	}
	digest := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sign) == nil
}

// decodeSign is strict base64: the decoder of the library skips line breaks,
// and an encoding with loose last bits has many spellings.
func decodeSign(sign string) ([]byte, bool) {
	if sign == "" || strings.ContainsAny(sign, "\r\n") {
		return nil, false
	}
	if strings.IndexByte(sign, ' ') >= 0 {
		sign = strings.ReplaceAll(sign, " ", "+")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(sign)
	return raw, err == nil
}
