package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// keyBits is the modulus of the RSA keys the protocol uses.
const keyBits = 2048

// KeyPair is an RSA key in the form Epay servers show it: one line of
// standard base64 without armour, PKCS #8 for the private half and SPKI for
// the public one.
type KeyPair struct {
	Private string `json:"private"`
	Public  string `json:"public"`
}

// NewKeyPair makes a 2048-bit key from the system's randomness.
func NewKeyPair() (KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return KeyPair{}, domain.E(domain.KindInternal, "make an RSA key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, domain.E(domain.KindInternal, "encode an RSA key: %w", err)
	}
	return KeyPair{Private: base64.StdEncoding.EncodeToString(private), Public: bareKey(&key.PublicKey)}, nil
}

// newStranger makes a key that belongs to nobody here.
func newStranger() (*rsa.PrivateKey, error) {
	pair, err := NewKeyPair()
	if err != nil {
		return nil, err
	}
	return epay.ParsePrivateKey(pair.Private)
}

// bareKey is a public key as KeyPair.Public.
func bareKey(key *rsa.PublicKey) string {
	return base64.StdEncoding.EncodeToString(epay.PublicDER(key))
}

// seededKey is the MD5 key of a merchant that was given none: 32 characters
// that follow from the seed, so that a run can be repeated.
func seededKey(seed uint64, pid string) string {
	d := stage.Digest(seed, "md5 key", pid)
	return hex.EncodeToString(d[:16])
}
