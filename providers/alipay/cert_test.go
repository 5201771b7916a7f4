package alipay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// certPEM is a certificate of key with this serial, signed by itself.
func certPEM(t *testing.T, key *rsa.PrivateKey, serial int64) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		Subject: pkix.Name{CommonName: "Ant Test", Organization: []string{"Ant"}, Country: []string{"CN"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestCertificateMode: requests name the certificates, notices and answers are
// verified by the key in Alipay's.
func TestCertificateMode(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.AppCert = certPEM(t, merchantKey(), 7)
	chain := certPEM(t, platformKey(), 8) + certPEM(t, otherKey(), 9)
	cfg.AlipayKeys = []string{chain} // the file holds the issuer's certificate too
	broken := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	cfg.RootCert = certPEM(t, otherKey(), 10) + broken + certPEM(t, platformKey(), 11)
	c := newChannel(t, cfg)
	form, err := c.Form(goodOrder())
	if err != nil {
		t.Fatal(err)
	}
	fields := Params{{"charset", "utf-8"}}
	for name, value := range form.Fields {
		fields = append(fields, Param{name, value})
	}
	// MD5 of "CN=Ant Test,O=Ant,C=CN7".
	if got := fields.Value("app_cert_sn"); got != "e79e633725cec947f24f34edbcf0adb1" {
		t.Errorf("app_cert_sn %s", got)
	}
	roots := certificates(cfg.RootCert)
	if got := fields.Value("alipay_root_cert_sn"); len(roots) != 2 || got != CertSN(roots[0])+"_"+CertSN(roots[1]) {
		t.Errorf("alipay_root_cert_sn %s", got)
	}
	if !Verify(RequestText(fields), fields.Value("sign"), &merchantKey().PublicKey) {
		t.Error("the signature does not hold")
	}
	if _, _, err := c.Read(posted(signed(notice()).With("alipay_cert_sn", "0"))); err != nil {
		t.Error(err)
	}
}

func TestCertificateModeNamesTheWrongField(t *testing.T) {
	t.Parallel()
	app, root := certPEM(t, merchantKey(), 7), certPEM(t, otherKey(), 10)
	for _, tt := range []struct{ app, root, field string }{
		{"", root, "app_cert"},
		{"x", root, "app_cert"},
		{root, root, "app_cert"},
		{app, "", "alipay_root_cert"},
		{app, strings.ToUpper(root), "alipay_root_cert"},
	} {
		cfg := testConfig()
		cfg.AppCert, cfg.RootCert = tt.app, tt.root
		if _, err := New(cfg, nil, fixedClock); domain.FieldOf(err) != tt.field || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("want %s named, got %v", tt.field, err)
		}
	}
}
