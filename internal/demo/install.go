package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
)

// install makes a test store with a channel for each of the sandbox's
// merchants and one API key, as `counterfoil init` would.
func (s *scene) install(ctx context.Context) error {
	if entries, err := os.ReadDir(s.dir); err == nil && len(entries) > 0 {
		return domain.EField(domain.KindConflict, "dir", "%s is not empty", s.dir)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "secrets"), 0o700); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	s.api = "http://" + port
	text, err := s.configText(port)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.configPath(), text, 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	cfg, err := config.Load(s.configPath(), nil)
	if err != nil {
		return err
	}
	if _, err := assembly.Create(ctx, cfg, domain.ModeTest, time.Now); err != nil {
		return err
	}
	return s.makeKey(ctx, cfg)
}

// freePort is an address nobody listens at now.
func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (s *scene) configText(listen string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Made by counterfoil demo: a test store, no real money.
%spublic_url: http://%s
listen: %s
ops_listen: 127.0.0.1:0
log_level: info
limits:
  conns_per_address: 1024
payments:
  expire_after: 2h
reconciler:
  sweep_every: 500ms
  pace: %d
  queries: 16
  ask_per_second: 400
channels:
`, s.o.Store, listen, listen, speed)
	channels, err := s.channelsText()
	b.WriteString(channels)
	return b.Bytes(), err
}

// makeKey makes the one API key of the demo and keeps it where the command
// line looks for it.
func (s *scene) makeKey(ctx context.Context, cfg config.Config) (err error) {
	ops, err := osqlite.Open(ctx, assembly.Path(cfg, assembly.OperationsFile), osqlite.Options{Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	id := strings.ToLower(rand.Text()[:12])
	token, hash := httpapi.NewKey(id, secret)
	s.key = token
	if err := os.WriteFile(filepath.Join(s.dir, "secrets", "admin.key"), []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the key: %w", err)
	}
	return ops.PutAPIKey(ctx, operations.APIKey{
		ID: id, SHA256: hash, Person: "demo", Scopes: []operations.Scope{operations.ScopeAdmin}, CreatedAt: time.Now(),
	})
}
