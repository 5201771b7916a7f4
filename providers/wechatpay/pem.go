package wechatpay

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"

	"counterfoil/domain"
)

// Sizes of RSA keys, in bits. Below the first a key can be broken, above the
// second a verification costs more than a callback is worth.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// ParsePrivateKey reads the merchant's key as WeChat hands it out: PEM of
// PKCS#8 (apiclient_key.pem), of PKCS#1, or the base64 of either. KindInvalid
// for anything else and for fewer than 2048 bits. No error holds any part of
// the key.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	der, kind, err := keyBytes(text)
	if err != nil {
		return nil, err
	}
	if kind != "" && kind != "PRIVATE KEY" && kind != "RSA PRIVATE KEY" {
		return nil, domain.E(domain.KindInvalid, "is a %q, not a private key", kind)
	}
	var key *rsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		key, _ = parsed.(*rsa.PrivateKey)
	} else {
		key, _ = x509.ParsePKCS1PrivateKey(der)
	}
	if key == nil {
		return nil, domain.E(domain.KindInvalid, "is not an RSA key in PKCS#8 or PKCS#1")
	}
	return key, checkBits(key.N.BitLen())
}

// parsePlatformKey reads a platform certificate or public key.
func parsePlatformKey(k PlatformKey) (*platformKey, error) {
	der, kind, err := keyBytes(k.PEM)
	if err != nil {
		return nil, err
	}
	if kind == "CERTIFICATE" {
		return parseCertificate(der, k.ID)
	}
	if !strings.HasPrefix(k.ID, PublicKeyPrefix) || len(k.ID) > 128 {
		return nil, domain.E(domain.KindInvalid, "a public key needs its id, %s…", PublicKeyPrefix)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	pub, ok := parsed.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, domain.E(domain.KindInvalid, "is neither a certificate nor an RSA public key")
	}
	return newPlatformKey(k.ID, pub)
}

// parseCertificate reads a platform certificate. serial is what somebody says
// its serial is, or "".
func parseCertificate(der []byte, serial string) (*platformKey, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "is not a certificate")
	}
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, domain.E(domain.KindInvalid, "is a certificate of another kind of key than RSA")
	}
	own := Serial(cert)
	if serial != "" && serial != own {
		return nil, domain.E(domain.KindInvalid, "is the certificate %s, not %.64q", own, serial)
	}
	key, err := newPlatformKey(own, pub)
	if err != nil {
		return nil, err
	}
	key.notBefore, key.notAfter = cert.NotBefore, cert.NotAfter
	return key, nil
}

// Serial is a certificate's serial as WeChat's headers write it: upper-case
// hex.
func Serial(cert *x509.Certificate) string {
	return strings.ToUpper(hex.EncodeToString(cert.SerialNumber.Bytes()))
}

func newPlatformKey(id string, pub *rsa.PublicKey) (*platformKey, error) {
	if pub.E < 3 || pub.E%2 == 0 {
		return nil, domain.E(domain.KindInvalid, "has the exponent %d", pub.E)
	}
	return &platformKey{id: id, pub: pub, mark: Fingerprint(pub)}, checkBits(pub.N.BitLen())
}

// platformKey is one of WeChat's keys, ready to verify.
type platformKey struct {
	id        string
	pub       *rsa.PublicKey
	mark      string
	notBefore time.Time // zero: always
	notAfter  time.Time // zero: for ever
	obtained  string
}

// holds reports whether what the key signed at that time counts.
func (k *platformKey) holds(at time.Time) bool {
	return !at.Before(k.notBefore) && (k.notAfter.IsZero() || !at.After(k.notAfter))
}

// publicDER is the SubjectPublicKeyInfo of an RSA public key.
func publicDER(pub *rsa.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("wechatpay: an RSA public key has no encoding: " + err.Error())
	}
	return der
}

// Fingerprint names a public key: "sha256:" and the hex of SHA-256 over its
// SubjectPublicKeyInfo.
func Fingerprint(pub *rsa.PublicKey) string {
	sum := sha256.Sum256(publicDER(pub))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// keyBytes takes the armour off one PEM block, whose type is kind, or reads
// bare base64 with any white space in it.
func keyBytes(text string) (der []byte, kind string, err error) {
	if strings.Contains(text, "-----BEGIN ") {
		block, rest := pem.Decode([]byte(text))
		if block == nil || strings.TrimSpace(string(rest)) != "" {
			return nil, "", domain.E(domain.KindInvalid, "is not exactly one PEM block")
		}
		return block.Bytes, block.Type, nil
	}
	der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(der) == 0 {
		return nil, "", domain.E(domain.KindInvalid, "is neither PEM nor base64")
	}
	return der, "", nil
}

func checkBits(bits int) error {
	if bits < minKeyBits || bits > maxKeyBits {
		return domain.E(domain.KindInvalid, "has %d bits, want %d to %d", bits, minKeyBits, maxKeyBits)
	}
	return nil
}
