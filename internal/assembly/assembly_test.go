package assembly_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
)

// installation makes a test store with one channel.
func installation(t *testing.T, channel string) config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), config.FileName)
	text := "public_url: https://pay.example.com\nchannels:\n  epay-a:\n    provider: epay\n    protocol: v1\n" +
		"    gateway: https://gw.example.com\n    pid: \"1001\"\n    key: 0123456789abcdef0123456789abcdef\n    test: true\n" + channel
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := assembly.Create(t.Context(), cfg, domain.ModeTest, time.Now); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Projections hold nothing that the log does not say: damage to them must not
// keep callbacks out.
func TestDamagedProjectionsAreFoldedAnew(t *testing.T) {
	t.Parallel()
	cfg := installation(t, "")
	logger := slog.New(slog.DiscardHandler)
	app, err := assembly.Open(t.Context(), cfg, logger, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	file := assembly.Path(cfg, assembly.ProjectionsFile)
	if err := os.WriteFile(file, []byte(strings.Repeat("damaged ", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	app, err = assembly.Open(t.Context(), cfg, logger, time.Now)
	if err != nil {
		t.Fatalf("with damaged projections: %v", err)
	}
	head, err := app.Events.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Runner.CatchUp(t.Context(), head); err != nil {
		t.Error(err)
	}
	if err := app.Close(); err != nil {
		t.Error(err)
	}
}

// Wrong settings of a channel are named as the file has them.
func TestWrongChannelIsNamedAsInTheFile(t *testing.T) {
	t.Parallel()
	cfg := installation(t, "")
	for field, change := range map[string]func(*config.Channel){
		"channels.epay-a.protocol": func(c *config.Channel) { c.Protocol = "v3" },
		"channels.epay-a.gateway":  func(c *config.Channel) { c.Gateway = "http://plain.example.com" },
		"channels.epay-a.provider": func(c *config.Channel) { c.Provider = "paypal" },
	} {
		ch := cfg.Channels["epay-a"]
		change(&ch)
		wrong := cfg
		wrong.Channels = map[string]config.Channel{"epay-a": ch}
		_, err := assembly.Open(t.Context(), wrong, slog.New(slog.DiscardHandler), time.Now)
		if domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Play money never enters a live store, nor real money a test store.
func TestLiveAndTestNeverMeet(t *testing.T) {
	t.Parallel()
	cfg := installation(t, "")
	ch := cfg.Channels["epay-a"]
	ch.Test = false
	cfg.Channels = map[string]config.Channel{"epay-a": ch}
	if _, err := assembly.Open(t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now); domain.KindOf(err) != domain.KindDenied {
		t.Errorf("a live channel in a test store: %v", err)
	}
}
