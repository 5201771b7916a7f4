package witness

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// pemOf is a key, or its public half, in PEM.
func pemOf(t testing.TB, kind string, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if kind == "PUBLIC KEY" {
		der, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
