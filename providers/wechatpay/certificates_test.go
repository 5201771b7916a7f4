package wechatpay

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// certificateOf makes a certificate of a stranger's key.
func certificateOf(t *testing.T, key *rsa.PrivateKey, serial int64, from, to time.Time) (text, id string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), Serial(cert)
}

// certificatesAnswer seals certificates, each under the serial it is said to
// have.
func certificatesAnswer(t *testing.T, key string, certificates ...string) string {
	t.Helper()
	aead, err := NewAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	var data []string
	for i := 0; i < len(certificates); i += 2 {
		text, err := Seal(aead, "certnonce123", "certificate", []byte(certificates[i+1]))
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, `{"serial_no":"`+certificates[i]+`","effective_time":"2020-01-01T00:00:00+08:00","expire_time":"2119-12-31T00:00:00+08:00",`+
			`"encrypt_certificate":{"algorithm":"AEAD_AES_256_GCM","nonce":"certnonce123","associated_data":"certificate","ciphertext":"`+text+`"}}`)
	}
	return `{"data":[` + strings.Join(data, ",") + `]}`
}

// withoutKeys is a channel that knows none of WeChat's keys yet.
func withoutKeys() Config {
	cfg := configV3()
	cfg.PlatformKeys = nil
	return cfg
}

func TestFirstDownload(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	c := g.channel(t, withoutKeys())
	if _, refusal, err := c.Read(genuineV3(t)); err == nil || refusal.Reason != domain.ReasonWrongSignature {
		t.Errorf("read without a key: %v", err)
	}
	c.refreshing.Wait()
	g.prepare(certificatesTarget, reply{body: certificatesAnswer(t, apiV3Key, platformSerial, pemVector("platform_cert.pem"))})
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := mustRead(t, c, genuineV3(t))
	if got.Evidence.Key != c.Config().PublicKeys[0].Fingerprint || !strings.HasPrefix(c.Config().PublicKeys[0].Obtained, "download "+platformSerial+" ") {
		t.Errorf("evidence key %s, record %+v", got.Evidence.Key, c.Config().PublicKeys)
	}
}

func TestDownloadThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	text, serial := certificateOf(t, strangerKey(), 0x51, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	genuine := certificatesAnswer(t, apiV3Key, platformSerial, pemVector("platform_cert.pem"))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	smallText, smallSerial := certificateOf(t, small, 0x52, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	for name, a := range map[string]reply{
		"unsigned":                   {body: genuine, unsigned: true},
		"sealed with another key":    {body: certificatesAnswer(t, "another APIv3 key of 32 bytes!!!", platformSerial, pemVector("platform_cert.pem"))},
		"not signed by one of them":  {body: certificatesAnswer(t, apiV3Key, serial, text)},
		"another serial":             {body: certificatesAnswer(t, apiV3Key, "5157F09EFDC096DE15EBE81A47057A7232F1B8E2", pemVector("platform_cert.pem"))},
		"a small key":                {body: certificatesAnswer(t, apiV3Key, platformSerial, pemVector("platform_cert.pem"), smallSerial, smallText)},
		"no certificate":             {body: certificatesAnswer(t, apiV3Key, platformSerial, publicPEM(platformKeyOnce()))},
		"nothing":                    {body: `{"data":[]}`},
		"something else":             {body: `{"data":[1]}`},
		"an old answer":              {body: genuine, age: 10 * time.Minute},
		"an error":                   {status: 404, body: `{"code":"RESOURCE_NOT_EXISTS"}`},
		"a nonce of another length":  {body: strings.Replace(genuine, "certnonce123", "cert", 1)},
		"an answer of another shape": {body: strings.Replace(genuine, "encrypt_certificate", "x", 1)},
	} {
		c := g.channel(t, withoutKeys())
		g.prepare(certificatesTarget, a)
		if err := c.Refresh(t.Context()); domain.KindOf(err) != domain.KindUnavailable || err == nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(c.v3.platform.all()); n != 0 {
			t.Errorf("%s: %d keys were taken", name, n)
		}
	}
	if err := newChannel(t, configV2()).Refresh(t.Context()); err != nil {
		t.Errorf("v2 has no certificates to ask for: %v", err)
	}
	cfg := withoutKeys()
	cfg.PlatformKeys = []PlatformKey{{ID: publicKeyID, PEM: publicPEM(platformKeyOnce())}}
	g.prepare(certificatesTarget, reply{status: 404, body: `{"code":"RESOURCE_NOT_EXISTS"}`})
	if err := g.channel(t, cfg).Refresh(t.Context()); err != nil {
		t.Errorf("a merchant with a public key has no certificates: %v", err)
	}
}

// TestRotation: a callback with an unknown serial is refused and makes the
// channel look for the certificate, once a minute at most.
func TestRotation(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	var now atomic.Int64
	now.Store(testNow.UnixNano())
	c := g.channelAt(t, configV3(), func() time.Time { return time.Unix(0, now.Load()) })
	next, serial := certificateOf(t, strangerKey(), 0x5f1, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	callback := signedBy(strangerKey(), serial, genuineV3(t).Body)
	g.prepare(certificatesTarget, reply{status: 500, body: `{"code":"SYSTEM_ERROR"}`})
	for range 5 {
		wantRefused(t, c, callback, domain.ReasonWrongSignature)
		c.refreshing.Wait()
	}
	if n := g.questions(); n != 1 {
		t.Errorf("%d downloads within a minute", n)
	}
	g.prepare(certificatesTarget, reply{body: certificatesAnswer(t, apiV3Key, platformSerial, pemVector("platform_cert.pem"), serial, next)})
	now.Add(int64(refreshEvery))
	wantRefused(t, c, callback, domain.ReasonWrongSignature)
	c.refreshing.Wait()
	mustRead(t, c, callback)
	mustRead(t, c, genuineV3(t)) // the old one still counts
	wantRefused(t, c, signedBy(strangerKey(), PublicKeyPrefix+"1", callback.Body), domain.ReasonWrongSignature)
	c.refreshing.Wait()
	if n := g.questions(); n != 2 {
		t.Errorf("%d downloads", n)
	}
}

// TestKeysEnd: what a key signed before its end verifies for ever, and nothing
// that it signs later is taken.
func TestKeysEnd(t *testing.T) {
	t.Parallel()
	cfg := configV3()
	cfg.PlatformKeys[0].Retired = testNow.Add(time.Hour)
	c := newChannel(t, cfg)
	kept := mustRead(t, c, genuineV3(t)).Evidence
	later := sealed(platformKeyOnce(), platformSerial, testNow.Add(2*time.Hour).Unix(), paymentNonce, genuineV3(t).Body)
	later.ReceivedAt = testNow.Add(2 * time.Hour)
	wantRefused(t, c, later, domain.ReasonWrongSignature)
	if notices, err := c.Reverify(kept); err != nil || len(notices) != 1 {
		t.Errorf("evidence of its time: %+v, %v", notices, err)
	}
	kept.At = later.ReceivedAt
	if _, err := c.Reverify(kept); domain.KindOf(err) != domain.KindForged {
		t.Errorf("evidence of a later time: %v", err)
	}
}

func TestNobodyReplacesAKey(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	cfg := configV3()
	c := g.channel(t, cfg)
	text, _ := certificateOf(t, strangerKey(), 1, testNow.Add(-time.Hour), testNow.Add(time.Hour))
	block, _ := pem.Decode([]byte(text))
	key, err := parseCertificate(block.Bytes, "")
	if err != nil {
		t.Fatal(err)
	}
	key.id = platformSerial
	if c.v3.platform.add(key) {
		t.Error("another key was taken under a known serial")
	}
	mustRead(t, c, genuineV3(t))
	cfg.OldAPIv3Keys = []providers.Secret{providers.NewSecret("another APIv3 key of 32 bytes!!!")}
	if marks := newChannel(t, cfg).Config().Secrets; len(marks) != 3 {
		t.Errorf("marks %+v", marks)
	}
}

// TestLearnedKeysAreRecordedFirst: nothing is taken on the word of a key that
// the log does not have, and a new process recalls what an earlier one learned.
func TestLearnedKeysAreRecordedFirst(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.prepare(certificatesTarget, reply{body: certificatesAnswer(t, apiV3Key, platformSerial, pemVector("platform_cert.pem"))})
	c := g.channel(t, withoutKeys())
	c.refreshed.Store(testNow.UnixNano()) // no callback starts a download of its own
	var recorded []domain.ChannelConfigured
	full := errors.New("disk full")
	c.OnLearned(func(_ context.Context, cfg domain.ChannelConfigured) error {
		if _, _, err := c.Read(genuineV3(t)); err == nil {
			t.Error("the key is used before it is recorded")
		}
		recorded = append(recorded, cfg)
		return full
	})
	if err := c.Refresh(t.Context()); !errors.Is(err, full) || domain.KindOf(err) != domain.KindUnavailable {
		t.Errorf("not recorded, and %v", err)
	}
	c.refreshing.Wait()
	wantRefused(t, c, genuineV3(t), domain.ReasonWrongSignature)
	full = nil
	for range 2 {
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kept := mustRead(t, c, genuineV3(t)).Evidence
	last := recorded[len(recorded)-1]
	if last.PublicKeys[0].Fingerprint != kept.Key || len(recorded) > 3 {
		t.Errorf("recorded %d times, at last %+v", len(recorded), last.PublicKeys)
	}
	later := newChannel(t, withoutKeys())
	later.Recall(last.PublicKeys)
	if notices, err := later.Reverify(kept); err != nil || len(notices) != 1 {
		t.Errorf("recalled: %+v, %v", notices, err)
	}
	if got, want := later.Config().PublicKeys, c.Config().PublicKeys; !slices.EqualFunc(got, want, func(a, b domain.PublicKey) bool {
		return a.Fingerprint == b.Fingerprint && a.Obtained == b.Obtained
	}) {
		t.Errorf("recalled as %+v, want %+v", got, want)
	}
	broken := last.PublicKeys[0]
	for _, change := range []func(*domain.PublicKey){
		func(k *domain.PublicKey) { k.Use = "merchant" }, func(k *domain.PublicKey) { k.DER = k.DER[1:] },
		func(k *domain.PublicKey) { k.Obtained = "config " + platformSerial }, func(k *domain.PublicKey) { k.Obtained += "x" },
	} {
		k := broken
		change(&k)
		other := newChannel(t, withoutKeys())
		other.Recall([]domain.PublicKey{k})
		if len(other.v3.platform.all()) != 0 {
			t.Errorf("recalled %+v", k)
		}
	}
}
