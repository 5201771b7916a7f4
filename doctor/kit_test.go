package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/providers"
	"counterfoil/providers/epay"
)

const sampleKey = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants checks a finding: its result and a piece of what was seen or is to do.
func wants(t *testing.T, f Finding, want Result, text string) {
	t.Helper()
	if f.Result != want || !strings.Contains(f.Seen+" | "+f.Do, text) {
		t.Errorf("%s (%s): %s: %s -> %s; want %s with %q", f.Check, f.About, f.Result, f.Seen, f.Do, want, text)
	}
	if (f.Result == Warn || f.Result == Fail) && (f.Do == "" || f.DoZh == "") {
		t.Errorf("%s: %s says not what to do: %q, %q", f.Check, f.Result, f.Do, f.DoZh)
	}
}

// channel is an Epay V1 channel at a gateway.
func channel(t testing.TB, gateway string, change ...func(*epay.Config)) Channel {
	t.Helper()
	cfg := epay.Config{
		Channel: "epay-a", Version: epay.V1, Gateway: gateway, PID: "1001", Key: providers.NewSecret(sampleKey),
		AllowPlainHTTP: true, Ledger: domain.ID{1},
	}
	for _, c := range change {
		c(&cfg)
	}
	port, err := epay.New(cfg, nil, time.Now)
	must(t, err)
	return Channel{ID: cfg.Channel, Port: port, Key: cfg.Key}
}

// bare is an examiner of nothing yet.
func bare() *examiner { return newExaminer(Installation{Clock: time.Now, Mode: domain.ModeTest}) }

// serve is a server that is closed with the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// opsStore is an operations store in a file of its own.
func opsStore(t testing.TB) operations.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "operations.db")
	must(t, osqlite.Create(path))
	ops, err := osqlite.Open(t.Context(), path, osqlite.Options{Clock: time.Now})
	must(t, err)
	t.Cleanup(func() { must(t, ops.Close()) })
	return ops
}

// installed is a test store as init makes it, opened, with what doctor's
// command would hand over. Its clock can be set.
type installed struct {
	*assembly.App
	in  Installation
	off time.Duration // added to the clock of what is opened
}

func install(t testing.TB) *installed {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	path := filepath.Join(dir, config.FileName)
	must(t, os.WriteFile(path, fmt.Appendf(nil, `
public_url: http://127.0.0.1:1
channels:
  epay-a: {provider: epay, protocol: v1, gateway: "http://127.0.0.1:1", allow_plain_http: true, pid: "1001", key: %s, test: true}
`, sampleKey), 0o600))
	cfg, err := config.Load(path, nil)
	must(t, err)
	_, err = assembly.Create(t.Context(), cfg, domain.ModeTest, time.Now)
	must(t, err)
	i := &installed{}
	i.App, err = assembly.Open(t.Context(), cfg, assembly.Logger(cfg, t.Output()), func() time.Time { return time.Now().Add(i.off) })
	must(t, err)
	t.Cleanup(func() { must(t, i.Close()) })
	i.in = Installation{
		Dir: dir, Mode: domain.ModeTest, Clock: time.Now, Rows: i.Rows, Operations: i.Ops,
		Store: Store{Log: i.Events, Free: 8 << 30, SQLite: "3.53.4", Unseal: func(ctx context.Context, r eventstore.Recorded) error {
			_, err := i.Ledger.Unseal(ctx, r)
			return err
		}},
	}
	return i
}

// settle folds what there is into the rows.
func (i *installed) settle(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Runner.Run(ctx) }()
	head, err := i.Events.Head(ctx)
	must(t, err)
	must(t, i.App.Rows.Wait(ctx, head))
	stop()
	must(t, <-done)
}
