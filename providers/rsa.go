package providers

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"

	"counterfoil/domain"
)

// Sizes of RSA keys, in bits. Below the first a key can be broken, above the
// second a verification costs more than a callback is worth.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// ParseRSAPrivate reads an RSA private key as providers' consoles and tools
// show it: base64 of PKCS#8 or PKCS#1 without armour, on one line or several,
// or with PEM armour. KindInvalid for anything else and for fewer than 2048
// bits. No error holds any part of the key.
func ParseRSAPrivate(text string) (*rsa.PrivateKey, error) {
	der, _, err := keyBytes(text, "PRIVATE KEY", "RSA PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := privateOf(der)
	if err != nil {
		return nil, err
	}
	return key, checkRSA(&key.PublicKey)
}

func privateOf(der []byte) (*rsa.PrivateKey, error) {
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

// ParseRSAPublic reads an RSA public key: base64 of the SubjectPublicKeyInfo
// without armour, or a PEM block of it, or a PEM certificate, from which only
// the key is taken; those of its issuers may follow. KindInvalid for anything else and for fewer than 2048 bits.
func ParseRSAPublic(text string) (*rsa.PublicKey, error) {
	der, armour, err := keyBytes(text, "PUBLIC KEY", "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	parsed, err := publicOf(der, armour)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, domain.E(domain.KindInvalid, "public key is not an RSA key")
	}
	return key, checkRSA(key)
}

func publicOf(der []byte, armour string) (any, error) {
	if armour == "CERTIFICATE" {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, domain.E(domain.KindInvalid, "certificate cannot be read")
		}
		return certificate.PublicKey, nil
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "public key is not a SubjectPublicKeyInfo")
	}
	return parsed, nil
}

// RSAKey is a public key as a channel's record keeps it: whole, so that old
// evidence can be verified for ever.
func RSAKey(pub *rsa.PublicKey, use, obtained string) domain.PublicKey {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("providers: an RSA public key has no encoding: " + err.Error())
	}
	sum := sha256.Sum256(der)
	return domain.PublicKey{
		Fingerprint: "sha256:" + hex.EncodeToString(sum[:]), Use: use, DER: der, Obtained: obtained,
	}
}

// keyBytes takes the armour off: PEM of one of these types, or bare base64
// with any white space in it, for which armour is empty.
func keyBytes(text string, types ...string) (der []byte, armour string, err error) {
	if !strings.Contains(text, "-----BEGIN ") {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil || len(der) == 0 {
			return nil, "", domain.E(domain.KindInvalid, "key is neither base64 nor PEM")
		}
		return der, "", nil
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || (block.Type != "CERTIFICATE" && strings.TrimSpace(string(rest)) != "") {
		return nil, "", domain.E(domain.KindInvalid, "key is not exactly one PEM block")
	}
	if !slices.Contains(types, block.Type) {
		return nil, "", domain.E(domain.KindInvalid, "PEM block is a %q, want %s", block.Type, strings.Join(types, " or "))
	}
	return block.Bytes, block.Type, nil
}

func checkRSA(key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return domain.E(domain.KindInvalid, "RSA key has %d bits, want %d to %d", bits, minRSABits, maxRSABits)
	}
	if key.E < 3 || key.E%2 == 0 {
		return domain.E(domain.KindInvalid, "public key has the exponent %d", key.E)
	}
	return nil
}
