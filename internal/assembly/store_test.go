package assembly_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"counterfoil/domain"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
)

var quiet = slog.New(slog.DiscardHandler)

// play starts a server for one test.
func play(t *testing.T, o esdbtest.Options) *esdbtest.Server {
	t.Helper()
	s, err := esdbtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// configured is the configuration of a folder with a store and one channel.
func configured(t *testing.T, lines ...string) config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), config.FileName)
	text := strings.Join(lines, "\n") + "\npublic_url: https://pay.example.com\nchannels:\n  epay-a:\n    provider: epay\n    protocol: v1\n" +
		"    gateway: https://gw.example.com\n    pid: \"1001\"\n    key: 0123456789abcdef0123456789abcdef\n    test: true\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// onServer is a new installation on a server.
func onServer(t *testing.T, server *esdbtest.Server, lines ...string) config.Config {
	t.Helper()
	cfg := configured(t, append(lines, "store: "+server.ConnectionString())...)
	if _, err := assembly.Create(t.Context(), cfg, domain.ModeTest, time.Now); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func openApp(t *testing.T, cfg config.Config) *assembly.App {
	t.Helper()
	app, err := assembly.Open(t.Context(), cfg, quiet, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	return app
}

// Nobody above the port knows which store it is; what is kept on the server
// stands in the namespace alone.
func TestInstallationOnAServer(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	cfg := onServer(t, server)
	app := openApp(t, cfg)
	if err := app.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	head, err := app.Events.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Runner.CatchUp(t.Context(), head); err != nil {
		t.Error(err)
	}
	if log := server.Log("counterfoil."); len(log) != 2 {
		t.Errorf("the server holds %v", log)
	}
	if _, err := os.Stat(assembly.Path(cfg, assembly.EventsFile)); err == nil {
		t.Error("there is a file of events, too")
	}
	_, err = assembly.Create(t.Context(), configured(t, "store: "+server.ConnectionString()), domain.ModeTest, time.Now)
	if domain.KindOf(err) != domain.KindConflict || !strings.Contains(err.Error(), "another namespace") {
		t.Errorf("a second ledger in one namespace: %v", err)
	}
	onServer(t, server, "store_namespace: second")
}

// A folder's keys and tree belong to one ledger: a namespace that holds another
// one, or none, starts no daemon.
func TestFolderOfAnotherLedger(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	cfg := onServer(t, server)
	onServer(t, server, "store_namespace: second")
	for namespace, c := range map[string]struct {
		kind domain.Kind
		says string
	}{
		"second": {domain.KindMismatch, "this folder belongs to"},
		"third":  {domain.KindNotFound, "holds no log"},
	} {
		wrong, err := cfg.WithStore(server.ConnectionString(), namespace, "", "")
		if err != nil {
			t.Fatal(err)
		}
		before := len(server.Log(namespace + "."))
		_, err = assembly.Open(t.Context(), wrong, quiet, time.Now)
		if domain.KindOf(err) != c.kind || domain.FieldOf(err) != "store" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", namespace, err)
		}
		if after := len(server.Log(namespace + ".")); after != before {
			t.Errorf("%s: %d events were written", namespace, after-before)
		}
	}
}

// The state of the connections is told as metrics, under their documented names.
func TestStoreMetrics(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	app := openApp(t, onServer(t, server))
	reg := app.Registry()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	for name, want := range map[string]float64{
		"counterfoil_store_connected": 1, "counterfoil_store_connections_total": 1,
		"counterfoil_store_repeats_total": 0, "counterfoil_store_resubscriptions_total": 0,
	} {
		if got, ok := metric(t, reg, name); !ok || got != want {
			t.Errorf("%s is %v (%t), want %v", name, got, ok, want)
		}
	}
	server.Kill(0)
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := app.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "event store") {
			t.Fatalf("readiness without a server: %v", err)
		}
		if on, _ := metric(t, reg, "counterfoil_store_connected"); on == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a killed server still counts as connected")
		}
	}
	if err := server.Restart(0); err != nil {
		t.Fatal(err)
	}
	for app.Ready(t.Context()) != nil {
		if t.Context().Err() != nil {
			t.Fatal("not ready again")
		}
	}
	if n, _ := metric(t, reg, "counterfoil_store_connections_total"); n < 2 {
		t.Errorf("%v connections", n)
	}
	if _, ok := metric(t, openApp(t, installation(t, "")).Registry(), "counterfoil_store_connected"); ok {
		t.Error("a file has connections")
	}
}

// metric is the value of a metric without labels.
func metric(t *testing.T, g prometheus.Gatherer, name string) (float64, bool) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
		}
	}
	return 0, false
}

// Whatever is wrong with the server is named when it is opened, as the
// configuration calls it; no password is told.
func TestServersThatAreNoStore(t *testing.T) {
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
	ca, user, password, wrong := write("ca.pem", root), write("user", "admin\n"), write("password", "changeit\n"), write("wrong", "wr0ngw0rd\n")
	page := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(page.Close)
	secure := play(t, esdbtest.Options{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, User: "admin", Password: "changeit"})
	plain, old, foreign := play(t, esdbtest.Options{}), play(t, esdbtest.Options{Version: "21.10.0"}), play(t, esdbtest.Options{})
	foreign.Write("counterfoil.ledger", "user-signed-up", []byte(`{}`), nil)
	kept := "store_user_file: " + user + "\nstore_password_file: "
	files := kept + password + "\n"
	for name, c := range map[string]struct {
		lines, says string
		kind        domain.Kind
	}{
		"nobody there":            {"store: esdb://127.0.0.1:1?tls=false", "refused", domain.KindUnavailable},
		"no such server":          {"store: esdb://" + strings.TrimPrefix(page.URL, "http://") + "?tls=false", "is tls=false right?", domain.KindUnavailable},
		"too old":                 {"store: " + old.ConnectionString(), "21.10.0", domain.KindMismatch},
		"wrong password":          {kept + wrong + "\nstore: " + secure.ConnectionString() + "&tlsCaFile=" + ca, "Not Authenticated", domain.KindDenied},
		"no credentials":          {"store: " + secure.ConnectionString() + "&tlsCaFile=" + ca, "Not Authenticated", domain.KindDenied},
		"unknown issuer":          {files + "store: " + secure.ConnectionString(), "certificate", domain.KindUnavailable},
		"TLS against none":        {"store: esdb://" + plain.Addr(0), "tls", domain.KindUnavailable},
		"none against TLS":        {"store: esdb://" + secure.Addr(0) + "?tls=false", "is tls=false right?", domain.KindUnavailable},
		"credentials without TLS": {files + "store: esdb://" + secure.Addr(0) + "?tls=false", "store: ", domain.KindInvalid},
		"bad setting":             {"store: esdb://h?tsl=false", "store: unknown setting", domain.KindInvalid},
		"bad namespace":           {"store: esdb://h\nstore_namespace: Big", "store_namespace: ", domain.KindInvalid},
		"no password file":        {"store_user_file: " + user + "\nstore_password_file: /nowhere\nstore: esdb://h", "store_password_file: ", domain.KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := assembly.OpenEvents(t.Context(), configured(t, c.lines), assembly.StoreOptions{Connect: 4 * time.Second})
			if s != nil {
				t.Errorf("a store comes with %v", err)
			}
			if err == nil || domain.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v (%s), want %s and %q", err, domain.KindOf(err), c.kind, c.says)
			}
			if err != nil && (strings.Contains(err.Error(), "changeit") || strings.Contains(err.Error(), "wr0ngw0rd")) {
				t.Error("the password is told")
			}
		})
	}
	_, err := assembly.Create(t.Context(), configured(t, "store: "+foreign.ConnectionString()), domain.ModeTest, time.Now)
	if domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), "another program wrote it") {
		t.Errorf("another program's stream: %v", err)
	}
	good := configured(t, files+"store: "+secure.ConnectionString()+"&tlsCaFile="+ca)
	if _, err := assembly.Create(t.Context(), good, domain.ModeTest, time.Now); err != nil {
		t.Errorf("with everything right: %v", err)
	}
}

// Facts of a type from the future stop the projections, not the callbacks.
func TestUnknownTypesOnAServer(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	cfg := onServer(t, server)
	envelope := append([]byte{1, 0, 0, 0, 2}, "{}"...)
	server.Write("counterfoil.future", "payment.teleported.v9", []byte(`{"to":"mars"}`), envelope)
	app := openApp(t, cfg)
	err := app.Runner.Run(t.Context())
	if domain.KindOf(err) != domain.KindMismatch || !strings.Contains(err.Error(), "payment.teleported.v9") {
		t.Errorf("the projections: %v", err)
	}
	if err := app.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "payment.teleported.v9") {
		t.Errorf("readiness: %v", err)
	}
	if err := app.Events.Ready(t.Context()); err != nil {
		t.Errorf("the store: %v", err)
	}
}

// A program that writes into our namespace is noticed, and nothing is built on
// what it wrote.
func TestForeignEventsOnAServer(t *testing.T) {
	t.Parallel()
	server := play(t, esdbtest.Options{})
	app := openApp(t, onServer(t, server))
	server.Write("counterfoil.payment-x:1", "order-placed", []byte(`{}`), []byte(`{"by":"somebody"}`))
	err := app.Runner.Run(t.Context())
	if domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), "counterfoil.payment-x:1") {
		t.Errorf("the projections: %v", err)
	}
	if err := app.Ready(t.Context()); domain.KindOf(err) != domain.KindCorrupt || !strings.Contains(err.Error(), "counterfoil.payment-x:1") {
		t.Errorf("readiness: %v", err)
	}
}

// A log that went elsewhere is named to whoever starts a daemon on its file.
func TestRetiredStoreStartsNoDaemon(t *testing.T) {
	t.Parallel()
	cfg := installation(t, "")
	server := play(t, esdbtest.Options{})
	target, err := cfg.WithStore(server.ConnectionString(), "moved", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := assembly.Migrate(t.Context(), cfg, target, assembly.MigrateOptions{Clock: time.Now}); err != nil {
		t.Fatal(err)
	}
	_, err = assembly.Open(t.Context(), cfg, quiet, time.Now)
	if domain.FieldOf(err) != "store" || !strings.Contains(err.Error(), assembly.StoreName(target)) {
		t.Errorf("%v", err)
	}
	app := openApp(t, target)
	if err := app.Ready(t.Context()); err != nil {
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
