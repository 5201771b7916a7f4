package tamperlog_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"counterfoil/domain"
	"counterfoil/internal/stamptest"
	"counterfoil/tamperlog"
)

// TestStampIsOpenSSLs: what OpenSSL stamps we accept, and what we keep OpenSSL
// verifies.
func TestStampIsOpenSSLs(t *testing.T) {
	t.Parallel()
	a := authority(t, time.Hour)
	head := []byte("counterfoil/x\n7\nAAAA\n\n— x signature\n")
	before := time.Now()
	reply, stamp, err := ask(t, a, head)
	must(t, err)
	if stamp.Time.Before(before.Add(-2*time.Second)) || stamp.Time.After(time.Now().Add(2*time.Second)) {
		t.Errorf("stamped at %s, asked at %s", stamp.Time, before)
	}
	if !strings.Contains(stamp.Authority, "stamp.example") || stamp.Serial == "" {
		t.Errorf("stamp %+v", stamp)
	}
	again, err := tamperlog.CheckStamp(head, reply, roots(t, a))
	must(t, err)
	if again != stamp {
		t.Errorf("asked: %+v, checked: %+v", stamp, again)
	}
	dir := filepath.Join(t.TempDir(), "stamps")
	stamps := tamperlog.OpenStamps(dir)
	if all, err := stamps.All(); err != nil || len(all) != 0 {
		t.Errorf("an empty folder has %v, %v", all, err)
	}
	must(t, stamps.Add(tamperlog.Checkpoint{Size: 7}, tamperlog.StampedHead{Note: head, Reply: reply}))
	all, err := stamps.All()
	must(t, err)
	if len(all) != 1 || !bytes.Equal(all[0].Note, head) || !bytes.Equal(all[0].Reply, reply) {
		t.Fatalf("kept %d", len(all))
	}
	kept := filepath.Join(dir, "00000000000000000007")
	_, err = a.OpenSSL("ts", "-verify", "-data", kept+".checkpoint", "-in", kept+".tsr", "-CAfile", "ca.pem")
	must(t, err)
}

func TestStampRefused(t *testing.T) {
	t.Parallel()
	good := authority(t, time.Hour)
	head := []byte("a head\n")
	reply, _, err := ask(t, good, head)
	must(t, err)
	strangers := authority(t, time.Hour)
	for name, c := range map[string]struct {
		message, reply []byte
		roots          *x509.CertPool
		kind           domain.Kind
	}{
		"another head":       {[]byte("a heaD\n"), reply, roots(t, good), domain.KindForged},
		"another authority":  {head, reply, roots(t, strangers), domain.KindForged},
		"nobody counts":      {head, reply, nil, domain.KindInvalid},
		"cut":                {head, reply[:len(reply)-9], roots(t, good), domain.KindCorrupt},
		"nothing":            {head, nil, roots(t, good), domain.KindCorrupt},
		"more behind it":     {head, append(bytes.Clone(reply), 0), roots(t, good), domain.KindCorrupt},
		"a text":             {head, []byte("<html>no such page</html>"), roots(t, good), domain.KindCorrupt},
		"its time was moved": {head, moved(t, reply), roots(t, good), domain.KindCorrupt},
	} {
		if _, err := tamperlog.CheckStamp(c.message, c.reply, c.roots); domain.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// moved is reply with another time in it.
func moved(t *testing.T, reply []byte) []byte {
	t.Helper()
	year := time.Now().UTC().Format("20060102")
	out := bytes.ReplaceAll(reply, []byte(year), []byte("19991231"))
	if bytes.Equal(out, reply) {
		t.Fatal("there is no time in it")
	}
	return out
}

func TestAuthorityRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		until time.Duration // its certificate is good for
		with  func(*testing.T, *stamptest.Authority)
		kind  domain.Kind
		text  string
	}{
		"ran out": {
			-time.Hour, nil, domain.KindCorrupt, "outside of certificate validity",
		},
		"no page": {time.Hour, func(_ *testing.T, a *stamptest.Authority) {
			a.Server.Config.Handler = http.NotFoundHandler()
		}, domain.KindUnavailable, "404"},
		"endless": {time.Hour, func(_ *testing.T, a *stamptest.Authority) {
			a.Spoil = func([]byte) []byte { return make([]byte, 1<<20) }
		}, domain.KindUnavailable, "longer than"},
		"an older stamp of the same head": {time.Hour, func(t *testing.T, a *stamptest.Authority) {
			must(t, os.WriteFile(filepath.Join(a.Dir, "old"), []byte("head"), 0o600))
			var err error
			a.Query, err = a.OpenSSL("ts", "-query", "-data", "old", "-sha256", "-cert")
			must(t, err)
		}, domain.KindForged, "another question"},
		"refusal": {time.Hour, func(_ *testing.T, a *stamptest.Authority) {
			a.Query = []byte("no question")
		}, domain.KindCorrupt, "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := authority(t, c.until)
			if c.with != nil {
				c.with(t, a)
			}
			_, _, err := ask(t, a, []byte("head"))
			if domain.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("not there", func(t *testing.T) {
		t.Parallel()
		a := authority(t, time.Hour)
		a.Server.Close()
		if _, _, err := ask(t, a, []byte("head")); domain.KindOf(err) != domain.KindUnavailable {
			t.Errorf("%v", err)
		}
	})
}

// TestStampWithoutThePurpose: a certificate of the same roots that may not stamp
// times dates nothing. OpenSSL refuses to use one, so the library signs here.
func TestStampWithoutThePurpose(t *testing.T) {
	t.Parallel()
	a := authority(t, time.Hour)
	block, _ := pem.Decode(file(t, a, "ca.pem"))
	root, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	block, _ = pem.Decode(file(t, a, "ca.key"))
	rootKey, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	web := stamptest.Template("web.example", time.Hour)
	web.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key, err := a.Issue("web", web, root, rootKey.(*ecdsa.PrivateKey))
	must(t, err)
	block, _ = pem.Decode(file(t, a, "web.pem"))
	signer, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	sum := sha256.Sum256([]byte("head"))
	reply, err := (&timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: time.Now(), Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true,
	}).CreateResponseWithOpts(signer, key, crypto.SHA256)
	must(t, err)
	if _, err := tamperlog.CheckStamp([]byte("head"), reply, roots(t, a)); domain.KindOf(err) != domain.KindForged || !strings.Contains(fmt.Sprint(err), "may not stamp") {
		t.Errorf("%v", err)
	}
}

// TestStampOutlivesItsCertificate: what was stamped in time stays stamped.
func TestStampOutlivesItsCertificate(t *testing.T) {
	t.Parallel()
	a := authority(t, 3*time.Second)
	head := []byte("a head\n")
	reply, stamp, err := ask(t, a, head)
	must(t, err)
	time.Sleep(time.Until(stamp.Time.Add(4 * time.Second)))
	if _, err := tamperlog.CheckStamp(head, reply, roots(t, a)); err != nil {
		t.Errorf("a stamp ran out with its certificate: %v", err)
	}
}

func FuzzStamp(f *testing.F) {
	a := authority(f, time.Hour)
	reply, _, err := ask(f, a, []byte("head"))
	must(f, err)
	f.Add(reply)
	pool := roots(f, a)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := tamperlog.CheckStamp([]byte("another head"), b, pool); err == nil {
			t.Errorf("accepted: %+v", s)
		}
	})
}

// authority is one whose certificate is good for so long.
func authority(t testing.TB, until time.Duration) *stamptest.Authority {
	t.Helper()
	if !stamptest.Installed() {
		t.Skip("openssl is not installed")
	}
	a, err := stamptest.Start(t.TempDir(), until)
	must(t, err)
	t.Cleanup(a.Server.Close)
	return a
}

func ask(t testing.TB, a *stamptest.Authority, head []byte) ([]byte, tamperlog.Stamp, error) {
	t.Helper()
	return tamperlog.Authority{URL: a.Server.URL, Roots: roots(t, a), Client: a.Server.Client()}.Ask(context.Background(), head)
}

func roots(t testing.TB, a *stamptest.Authority) *x509.CertPool {
	t.Helper()
	pool, err := tamperlog.ReadRoots(file(t, a, "ca.pem"))
	must(t, err)
	return pool
}

func file(t testing.TB, a *stamptest.Authority, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.Dir, name))
	must(t, err)
	return data
}
