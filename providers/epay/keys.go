package epay

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"

	"counterfoil/domain"
)

// Sizes of RSA keys, in bits. Below the first a key can be broken, above the
// second a verification costs more than a callback is worth.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// ParsePrivateKey reads an RSA private key as gateways show it: base64 of
// PKCS#8 without armour, on one line or several; or with PEM armour; or
// PKCS#1, as some merchants' tools export it. KindInvalid for anything else and
// for fewer than 2048 bits. No error holds any part of the key.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	der, err := keyBytes(text, "PRIVATE KEY", "RSA PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := parsePrivateDER(der)
	if err != nil {
		return nil, err
	}
	if err := checkBits(key.N.BitLen()); err != nil {
		return nil, err
	}
	return key, nil
}

func parsePrivateDER(der []byte) (*rsa.PrivateKey, error) {
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		key, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, domain.E(domain.KindInvalid, "private key is not an RSA key")
		}
		return key, nil
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "private key is neither PKCS#8 nor PKCS#1")
	}
	return key, nil
}

// ParsePublicKey reads an RSA public key as gateways show it: base64 of the
// SubjectPublicKeyInfo, with PEM armour or without. KindInvalid for anything
// else and for fewer than 2048 bits.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	der, err := keyBytes(text, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "public key is not a SubjectPublicKeyInfo")
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, domain.E(domain.KindInvalid, "public key is not an RSA key")
	}
	if key.E < 3 || key.E%2 == 0 {
		return nil, domain.E(domain.KindInvalid, "public key has the exponent %d", key.E)
	}
	if err := checkBits(key.N.BitLen()); err != nil {
		return nil, err
	}
	return key, nil
}

// PublicDER is the SubjectPublicKeyInfo of an RSA public key.
func PublicDER(pub *rsa.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("epay: an RSA public key has no encoding: " + err.Error())
	}
	return der
}

// Fingerprint names a public key: "sha256:" and the hex of SHA-256 over its
// SubjectPublicKeyInfo.
func Fingerprint(pub *rsa.PublicKey) string {
	sum := sha256.Sum256(PublicDER(pub))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// keyBytes takes the armour off: PEM of one of these types, or bare base64
// with any white space in it.
func keyBytes(text string, types ...string) ([]byte, error) {
	if strings.Contains(text, "-----BEGIN ") {
		return armoured(text, types)
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(der) == 0 {
		return nil, domain.E(domain.KindInvalid, "key is neither base64 nor PEM")
	}
	return der, nil
}

func armoured(text string, types []string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, domain.E(domain.KindInvalid, "key is not exactly one PEM block")
	}
	for _, t := range types {
		if block.Type == t {
			return block.Bytes, nil
		}
	}
	return nil, domain.E(domain.KindInvalid, "PEM block is a %q, want %s", block.Type, strings.Join(types, " or "))
}

func checkBits(bits int) error {
	if bits < minKeyBits || bits > maxKeyBits {
		return domain.E(domain.KindInvalid, "RSA key has %d bits, want %d to %d", bits, minKeyBits, maxKeyBits)
	}
	return nil
}
