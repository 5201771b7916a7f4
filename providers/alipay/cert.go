package alipay

import (
	"crypto/md5" //nolint:gosec // a name that Alipay gives, not a proof
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"

	"counterfoil/domain"
)

// The fields by which an application in certificate mode says whose keys are in
// use (Alipay, signing a request in certificate mode).
const (
	fieldAppCertSN  = "app_cert_sn"
	fieldRootCertSN = "alipay_root_cert_sn"
)

// CertSN is Alipay's number of a certificate: MD5, in hex, of the issuer's name
// and the decimal serial.
func CertSN(cert *x509.Certificate) string {
	sum := md5.Sum([]byte(cert.Issuer.String() + cert.SerialNumber.String())) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// certNumbers are the fields that certificate mode adds to every request; none
// in key mode.
func certNumbers(cfg Config, own *rsa.PublicKey) (Params, error) {
	if cfg.AppCert == "" && cfg.RootCert == "" {
		return nil, nil
	}
	wrong := func(field, format string, args ...any) error {
		return domain.EField(domain.KindInvalid, field, format, args...)
	}
	app := certificates(cfg.AppCert)
	if len(app) == 0 {
		return nil, wrong("app_cert", "is missing or no certificate")
	}
	if !own.Equal(app[0].PublicKey) {
		return nil, wrong("app_cert", "is not the certificate of app_key")
	}
	roots := make([]string, 0, 4)
	for _, cert := range certificates(cfg.RootCert) {
		// The file has roots of other algorithms too, which do not count.
		if cert.SignatureAlgorithm == x509.SHA256WithRSA || cert.SignatureAlgorithm == x509.SHA1WithRSA {
			roots = append(roots, CertSN(cert))
		}
	}
	if len(roots) == 0 {
		return nil, wrong("alipay_root_cert", "is missing or has no RSA certificate")
	}
	return Params{{fieldAppCertSN, CertSN(app[0])}, {fieldRootCertSN, strings.Join(roots, "_")}}, nil
}

// certificates are those of a PEM file that can be read here.
func certificates(text string) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			all = append(all, cert)
		}
	}
	return all
}
