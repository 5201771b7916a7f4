package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers/epay"
)

const (
	channelID = "bench"
	pid       = "1001"
	sharedKey = "bench-key-0123456789abcdef-bench"
	software  = "bench"
)

// Store is an installation to measure: a V1 channel and payments placed
// beforehand.
type Store struct {
	Dir    string
	Listen string
	Key    string // API key
	Random bool   // order numbers in random order
	Placed int
}

// NewStore makes an installation in dir. confirm is the channel's
// confirm_by_query.
func NewStore(ctx context.Context, dir, confirm string, random bool) (*Store, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	s := &Store{Dir: dir, Listen: l.Addr().String(), Random: random}
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	text := fmt.Sprintf(`public_url: http://%[1]s
listen: %[1]s
ops_listen: 127.0.0.1:0
reconciler: {ops_listen: "127.0.0.1:0", sweep_every: 1h}
limits:
  conns_per_address: 4096
channels:
  %[2]s:
    provider: epay
    protocol: v1
    gateway: http://127.0.0.1:1
    allow_plain_http: true
    pid: %[3]q
    key: %[4]q
    confirm_by_query: %[5]s
    test: true
`, s.Listen, channelID, pid, sharedKey, confirm)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	cfg, err := config.Load(s.config(), nil)
	if err != nil {
		return nil, err
	}
	if _, err := assembly.Create(ctx, cfg, domain.ModeTest, time.Now); err != nil {
		return nil, err
	}
	return s, s.makeKey(ctx)
}

func (s *Store) config() string { return filepath.Join(s.Dir, config.FileName) }

// open opens the installation in this process.
func (s *Store) open(ctx context.Context) (*assembly.App, error) {
	cfg, err := config.Load(s.config(), nil)
	if err != nil {
		return nil, err
	}
	return assembly.Open(ctx, cfg, slog.New(slog.DiscardHandler), time.Now)
}

func (s *Store) makeKey(ctx context.Context) (err error) {
	app, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	token, hash := httpapi.NewKey("bench0000000", secret)
	s.Key = token
	return app.Ops.PutAPIKey(ctx, operations.APIKey{
		ID: "bench0000000", SHA256: hash, Person: "bench", Scopes: []operations.Scope{operations.ScopeAdmin},
		CreatedAt: time.Now(),
	})
}

// OrderNo is the number of the i-th payment. Random ones scatter over the
// whole index; the same i always gives the same number.
func (s *Store) OrderNo(i int) string {
	if s.Random {
		return fmt.Sprintf("R%016x", bits.ReverseBytes64(uint64(i)*0x9e3779b97f4a7c15)^uint64(i)*0xbf58476d1ce4e5b9)
	}
	return fmt.Sprintf("ORD%012d", i)
}

const price = "7.30"

func account(i int) string { return fmt.Sprintf("user:%d", i%10_000) }

// Place places n more payments, many at once, and lets the projector catch up.
func (s *Store) Place(ctx context.Context, n int, step func()) (err error) {
	app, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- app.Run(run) }()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(512)
	for i := s.Placed; i < s.Placed+n; i++ {
		g.Go(func() error {
			defer step()
			_, _, err := app.Ledger.Place(gctx, domain.Order{
				Channel: channelID, OrderNo: domain.OrderNo(s.OrderNo(i)), Account: domain.AccountID(account(i)),
				Amount: domain.NewMoney(730, domain.CNY), ExpiresAt: time.Now().Add(24 * time.Hour),
			}, ledger.Personal{Subject: "bench"}, ledger.By{Actor: "key:bench"})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		stop()
		return errors.Join(err, <-done)
	}
	s.Placed += n
	head, err := app.Events.Head(ctx)
	for err == nil {
		at, cerr := app.Rows.Checkpoint(ctx)
		if err = cerr; at >= head {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return errors.Join(err, <-done)
}

// Callback is the i-th payment's genuine callback as an HTTP request.
func (s *Store) Callback(i int) []byte {
	params := epay.Params{
		{Name: "pid", Value: pid},
		{Name: "trade_no", Value: fmt.Sprintf("20261122%011d", i)},
		{Name: "out_trade_no", Value: s.OrderNo(i)},
		{Name: "type", Value: "alipay"},
		{Name: "name", Value: "Top-up"},
		{Name: "money", Value: price},
		{Name: "trade_status", Value: "TRADE_SUCCESS"},
	}
	var q strings.Builder
	for _, p := range params {
		q.WriteString(p.Name + "=" + url.QueryEscape(p.Value) + "&")
	}
	q.WriteString("sign=" + epay.SignMD5(epay.Text(params), sharedKey) + "&sign_type=MD5")
	return request(s.Listen, "/callbacks/"+channelID+"?"+q.String(), "")
}
