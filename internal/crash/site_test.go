package crash

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/sandbox"
)

// The channels of every site: V1 credited on the callback alone, V2, and V1
// that waits for the query.
const (
	plain = "epay-plain"
	rsa   = "epay-rsa"
	asked = "epay-asked"

	md5Key = "0123456789abcdef-crash-md5-key"
)

// pids of the channels.
var pids = map[string]string{plain: "1002", rsa: "2001", asked: "1001"}

// rsaKeys are made once: the merchant's pair and the platform's.
var rsaKeys = sync.OnceValues(func() (pairs [2]sandbox.KeyPair, err error) {
	for i := range pairs {
		if pairs[i], err = sandbox.NewKeyPair(); err != nil {
			return pairs, err
		}
	}
	return pairs, nil
})

// site is an installation under test.
type site struct {
	dir    string
	api    string // host:port of the API
	ops    string // host:port of its listener for operators
	key    string // an API key with every scope
	config config.Config
	signer signer
}

// setup shapes a site; the zero setup is a store in a temporary folder whose
// gateway nobody answers for.
type setup struct {
	dir     string
	gateway string
	conns   int    // limits.conns_per_address
	store   string // address of the event store, empty for a file
	extra   string // more lines of configuration
}

// newSite makes a test store with its configuration, as `counterfoil init`
// would.
func newSite(t testing.TB, o setup) *site {
	t.Helper()
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	if o.gateway == "" {
		o.gateway = "http://127.0.0.1:9"
	}
	if o.conns == 0 {
		o.conns = 256
	}
	s := &site{dir: o.dir, api: freePort(t), ops: freePort(t)}
	pairs, err := rsaKeys()
	must(t, err)
	s.signer = newSigner(t, pairs[1].Private)
	path := filepath.Join(o.dir, config.FileName)
	keep(t, path, s.configuration(o, pairs))
	cfg, err := config.Load(path, nil)
	must(t, err)
	_, err = assembly.Create(t.Context(), cfg, domain.ModeTest, time.Now)
	must(t, err)
	s.config = cfg
	s.makeKey(t, cfg)
	return s
}

// keep writes a file so that even a power cut leaves it.
func keep(t testing.TB, path string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(path, text, 0o600))
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		must(t, err)
		must(t, f.Sync())
		must(t, f.Close())
	}
}

func (s *site) configuration(o setup, pairs [2]sandbox.KeyPair) []byte {
	var b bytes.Buffer
	if o.store != "" {
		fmt.Fprintf(&b, "store: %s\n", o.store)
	}
	fmt.Fprintf(&b, "public_url: http://%s\nlisten: %s\nops_listen: %s\nlimits:\n  conns_per_address: %d\n%s\nchannels:\n",
		s.api, s.api, s.ops, o.conns, o.extra)
	for _, ch := range []struct{ id, protocol, confirm, keys string }{
		{plain, "v1", "never", fmt.Sprintf("key: %q", md5Key)},
		{asked, "v1", "always", fmt.Sprintf("key: %q", md5Key)},
		{rsa, "v2", "never", fmt.Sprintf("merchant_key: %q\n    platform_key: %q", pairs[0].Private, pairs[1].Public)},
	} {
		fmt.Fprintf(&b, "  %s:\n    provider: epay\n    protocol: %s\n    gateway: %s\n    pid: %q\n    confirm_by_query: %s\n"+
			"    allow_plain_http: true\n    test: true\n    %s\n", ch.id, ch.protocol, o.gateway, pids[ch.id], ch.confirm, ch.keys)
	}
	return b.Bytes()
}

// makeKey makes the site's API key.
func (s *site) makeKey(t testing.TB, cfg config.Config) {
	t.Helper()
	ops, err := osqlite.Open(t.Context(), assembly.Path(cfg, assembly.OperationsFile), osqlite.Options{Clock: time.Now})
	must(t, err)
	var secret [32]byte
	_, err = rand.Read(secret[:])
	must(t, err)
	id := strings.ToLower(rand.Text()[:12])
	token, hash := httpapi.NewKey(id, secret)
	s.key = token
	must(t, ops.PutAPIKey(t.Context(), operations.APIKey{
		ID: id, SHA256: hash, Person: "crash", Scopes: []operations.Scope{operations.ScopeAdmin}, CreatedAt: time.Now(),
	}))
	must(t, ops.Close())
}

// path of a file of the site.
func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// freePort is an address nobody listens at. It lies below the ports that
// outgoing connections take: one of those must not have it when a killed
// process is started again.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		at := "127.0.0.1:" + strconv.Itoa(20000+mrand.IntN(12000))
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
		if err == nil {
			must(t, l.Close())
			return at
		}
	}
	t.Fatal("no free port")
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that another process brings about.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still not after %s: %s", within, what)
		}
	}
}
