package providers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

func armour(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func bare(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestParseRSA(t *testing.T) {
	t.Parallel()
	key := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	pkcs8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	folded := bare(pkcs8)[:60] + "\r\n " + bare(pkcs8)[60:]
	for _, text := range []string{bare(pkcs8), bare(pkcs1), folded, armour("PRIVATE KEY", pkcs8), armour("RSA PRIVATE KEY", pkcs1)} {
		if got, err := providers.ParseRSAPrivate(text); err != nil || !got.Equal(key) {
			t.Errorf("%.30s: %v", text, err)
		}
	}
	spki := providers.RSAKey(&key.PublicKey, "platform", "config")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	certificate := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	for _, text := range []string{bare(spki.DER), armour("PUBLIC KEY", spki.DER), armour("CERTIFICATE", certificate)} {
		if got, err := providers.ParseRSAPublic(text); err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("%.30s: %v", text, err)
		}
	}
	if len(spki.Fingerprint) != len("sha256:")+64 || spki.Use != "platform" || spki.Obtained != "config" {
		t.Errorf("record %+v", spki)
	}
}

func TestParseRSARefuses(t *testing.T) {
	t.Parallel()
	const canary = "Y2FuYXJ5Y2FuYXJ5"
	small := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	ec := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecPrivate := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(ec))
	ecPublic := must[[]byte](t)(x509.MarshalPKIXPublicKey(&ec.PublicKey))
	odd := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 4}
	private := map[string]string{
		"empty": "", "text": "not base64!", "other bytes": canary, "small": bare(x509.MarshalPKCS1PrivateKey(small)),
		"elliptic": bare(ecPrivate), "public": armour("PUBLIC KEY", ecPublic), "half a block": "-----BEGIN PRIVATE KEY-----\n" + canary,
		"two blocks": armour("PRIVATE KEY", ecPrivate) + armour("PRIVATE KEY", ecPrivate),
	}
	for name, text := range private {
		if _, err := providers.ParseRSAPrivate(text); domain.KindOf(err) != domain.KindInvalid || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "other bytes": canary, "elliptic": bare(ecPublic), "certificate": armour("CERTIFICATE", []byte("x")),
		"private": armour("PRIVATE KEY", ecPrivate), "even exponent": bare(providers.RSAKey(odd, "", "").DER),
		"small": bare(providers.RSAKey(&small.PublicKey, "", "").DER),
	} {
		if _, err := providers.ParseRSAPublic(text); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
