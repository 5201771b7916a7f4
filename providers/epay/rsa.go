package epay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"counterfoil/domain"
)

// SignRSA is the V2 signature: RSASSA-PKCS1-v1_5 with SHA-256 over the text,
// in standard base64. A key that cannot sign is KindInternal.
func SignRSA(text string, key *rsa.PrivateKey) (string, error) {
	digest := sha256.Sum256([]byte(text))
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", domain.E(domain.KindInternal, "sign with RSA: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// VerifyRSA reports whether sign is the V2 signature of text under pub. A
// sender that forgets to escape the '+' of base64 makes it a blank on the way.
// No base64 has a blank, so each one is read as the '+' it was.
func VerifyRSA(text, sign string, pub *rsa.PublicKey) bool {
	return verifyRSA([]byte(text), sign, pub)
}

func verifyRSA(text []byte, sign string, pub *rsa.PublicKey) bool {
	if pub == nil || pub.N == nil {
		return false
	}
	raw, ok := decodeSign(strings.ReplaceAll(sign, " ", "+"))
	if !ok || len(raw) != pub.Size() {
		return false
	}
	digest := sha256.Sum256(text)
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], raw) == nil
}

// decodeSign is strict base64: the decoder of the library skips line breaks,
// and an encoding with loose last bits has many spellings.
func decodeSign(sign string) ([]byte, bool) {
	if strings.ContainsAny(sign, "\r\n") {
		return nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(sign)
	return raw, err == nil
}
