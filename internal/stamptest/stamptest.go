// Package stamptest is a time stamping authority for tests that is none of
// ours: OpenSSL signs its replies (RFC 3161).
package stamptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Authority is a running one. Its root certificate is ca.pem in Dir.
type Authority struct {
	Dir    string
	Server *httptest.Server
	Spoil  func([]byte) []byte // changes the reply, when set
	Query  []byte              // answers this question instead of the one asked, when set
	mu     sync.Mutex          // openssl counts in a file
}

// Installed reports whether there is an OpenSSL to sign with.
func Installed() bool {
	_, err := exec.LookPath("openssl")
	return err == nil
}

const settings = `[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
`

// timeStamping is a list of that purpose alone, in DER. It stands alone and is
// critical (RFC 3161, 2.3).
var timeStamping = []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}

// Start makes roots and a certificate that is good for so long, and serves.
func Start(dir string, until time.Duration) (*Authority, error) {
	a := &Authority{Dir: dir}
	root := Template("roots.example", time.Hour)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	leaf := Template("stamp.example", until)
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: timeStamping}}
	rootKey, err := a.Issue("ca", root, root, nil)
	if err != nil {
		return nil, err
	}
	if _, err := a.Issue("tsa", leaf, root, rootKey); err != nil {
		return nil, err
	}
	err = errors.Join(a.write("serial", []byte("01\n")), a.write("tsa.cnf", []byte(settings)))
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	return a, err
}

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	query, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	reply, err := a.reply(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(reply)
}

func (a *Authority) reply(query []byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Query != nil {
		query = a.Query
	}
	if err := a.write("query", query); err != nil {
		return nil, err
	}
	if _, err := a.OpenSSL("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"); err != nil {
		return nil, err
	}
	reply, err := os.ReadFile(filepath.Join(a.Dir, "reply"))
	if err == nil && a.Spoil != nil {
		reply = a.Spoil(reply)
	}
	return reply, err
}

// Template is a certificate for name, good from two hours ago.
func Template(name string, until time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(until),
	}
}

// Issue writes a certificate, NAME.pem, and its key, NAME.key; without an
// issuer's key it signs itself.
func (a *Authority) Issue(name string, c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return key, errors.Join(err,
		a.write(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		a.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// OpenSSL runs it in the authority's folder and returns what it printed.
func (a *Authority) OpenSSL(args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("openssl %v: %w\n%s", args, err, errs.Bytes())
	}
	return out.Bytes(), nil
}

func (a *Authority) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(a.Dir, name), data, 0o600)
}
