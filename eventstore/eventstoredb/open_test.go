package eventstoredb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
)

// wantOpen opens and expects a failure whose text names the cause.
func wantOpen(t *testing.T, o eventstoredb.Options, kind domain.Kind, cause string) {
	t.Helper()
	s, err := eventstoredb.Open(t.Context(), o)
	if err == nil {
		closeStore(t, s)
		t.Errorf("%s was opened", o.Connection)
		return
	}
	if domain.KindOf(err) != kind || !strings.Contains(err.Error(), cause) {
		t.Errorf("%s: %s (%v), want %s naming %q", o.Connection, domain.KindOf(err), err, kind, cause)
	}
	if strings.Contains(err.Error(), "changeit") {
		t.Errorf("the error tells the password: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ connection, cause string }{
		{"", "esdb://"},
		{"http://localhost:2113", "esdb://"},
		{"esdb://", "host"},
		{"esdb://a:b:c", "host"},
		{"esdb://admin:changeit@[::1]:2113", "IPv6"},
		{"esdb://admin:changeit@host:port", "port"},
		{"esdb://admin:changeit@ho st", "connection"},
		{"esdb://admin@host", "password"},
		{"esdb://admin:changeit@host?tls=false", "TLS"},
		{"esdb://host?tls=maybe", "tls"},
		{"esdb://host?tsl=false", "unknown setting"},
		{"esdb://host?nodePreference=nearest", "NodePreference"},
		{"esdb://host?keepAliveInterval=5000", "keepAliveInterval"},
		{"esdb://host?gossipTimeout=soon", "gossipTimeout"},
		{"esdb://host?tlsCaFile=/does/not/exist", "exist"},
		{"esdb://host?userCertFile=/a", "userKeyFile"},
		{"esdb://host/path", "path"},
	} {
		wantOpen(t, eventstoredb.Options{Connection: c.connection}, domain.KindInvalid, c.cause)
	}
	wantOpen(t, eventstoredb.Options{Connection: "esdb://h", Namespace: "Big"}, domain.KindInvalid, "namespace")
	wantOpen(t, eventstoredb.Options{Connection: "esdb://h", UserFile: empty}, domain.KindInvalid, "empty")
	wantOpen(t, eventstoredb.Options{Connection: "esdb://h", PasswordFile: empty + "x"}, domain.KindInvalid, "password_file")
}

// TestWrongServers: each tells at the start what is wrong with it.
func TestWrongServers(t *testing.T) {
	t.Parallel()
	for version, c := range map[string]struct {
		kind  domain.Kind
		cause string
	}{
		"":            {domain.KindMismatch, "version"},
		"22.10.5":     {domain.KindMismatch, "22.10.5"},
		"5.0.11":      {domain.KindMismatch, "5.0.11"},
		"24.10.0-rc1": {domain.KindUnavailable, "version"},
	} {
		server := play(t, esdbtest.Options{})
		server.SetVersion(version)
		o := quick(server.ConnectionString())
		o.Connect = time.Second
		wantOpen(t, o, c.kind, c.cause)
	}
	for _, version := range []string{"23.10.0", "24.2.0.0", "26.1.0.3160"} {
		server := play(t, esdbtest.Options{Version: version})
		open(t, quick(server.ConnectionString()))
	}
}

// TestNoServer: nothing listens, something else does, or nothing answers.
func TestNoServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	silent := quick("esdb://" + addr + "?tls=false&gossipTimeout=1")
	silent.Connect = 700 * time.Millisecond
	wantOpen(t, silent, domain.KindUnavailable, "")
	_ = l.Close()
	nobody := quick("esdb://" + addr + "?tls=false")
	nobody.Connect = 300 * time.Millisecond
	wantOpen(t, nobody, domain.KindUnavailable, "refused")
	dns := quick("esdb+discover://" + addr + "?tls=false")
	dns.Connect = 300 * time.Millisecond
	wantOpen(t, dns, domain.KindUnavailable, "refused")
}

// TestCredentials come from files, over TLS only; wrong ones and a TLS mismatch
// are told apart.
func TestCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, root := certificate(t)
	ca := write("ca.pem", root)
	server := play(t, esdbtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, User: "admin", Password: "changeit"})
	o := quick(server.ConnectionString() + "&tlsCaFile=" + ca)
	o.Connect = 3 * time.Second
	wantOpen(t, o, domain.KindDenied, "Not Authenticated")

	o.UserFile, o.PasswordFile = write("user", "admin\n"), write("wrong", "changeme\n")
	wantOpen(t, o, domain.KindDenied, "Not Authenticated")

	unknown := o
	unknown.Connection = server.ConnectionString()
	wantOpen(t, unknown, domain.KindUnavailable, "certificate")

	plain := o
	plain.UserFile, plain.PasswordFile = "", ""
	plain.Connection = "esdb://" + server.Addr(0) + "?tls=false"
	wantOpen(t, plain, domain.KindUnavailable, "")

	insecure := play(t, esdbtest.Options{})
	mismatch := quick("esdb://" + insecure.Addr(0))
	mismatch.Connect = 700 * time.Millisecond
	wantOpen(t, mismatch, domain.KindUnavailable, "tls")

	o.PasswordFile = write("password", "changeit\n")
	o.Connect = 5 * time.Second
	s := open(t, o)
	if _, err := s.Append(t.Context(), "s", eventstore.NoStream, names("s", 0, 1)); err != nil {
		t.Error(err)
	}
	o.Connection = "kurrentdb://admin:changeit@" + server.Addr(0) + "?tlsVerifyCert=false"
	o.UserFile, o.PasswordFile = "", ""
	if err := followAll(t, open(t, o)); err != nil {
		t.Error(err)
	}
}

// certificate is a self-signed one for 127.0.0.1, and its PEM.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "esdbtest"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
