package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

const canary = "canary-0123456789abcdef-secret"

func write(t *testing.T, yaml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFillsDefaultsAndChannels(t *testing.T) {
	t.Parallel()
	path := write(t, `
public_url: https://pay.example.com
channels:
  epay-main:
    provider: epay
    protocol: v1
    gateway: https://gw.example.com
    pid: "1001"
    key: `+canary+`
    confirm_by_query: above 100.00
    correction_limit_person: "500"
reconciler:
  sweep_every: 30s
`)
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ch := c.Channels["epay-main"]
	if ch.ID != "epay-main" || ch.Key.Reveal() != canary || ch.Currency != "CNY" || ch.Zone != "Asia/Shanghai" {
		t.Errorf("channel %+v", ch)
	}
	if ch.ConfirmMode != domain.ConfirmAbove || ch.ConfirmAbove.String() != "100.00 CNY" {
		t.Errorf("confirm %s %s", ch.ConfirmMode, ch.ConfirmAbove)
	}
	if l := ch.Corrections; l == nil || l.PersonDay.String() != "500.00 CNY" || !l.Item.IsZero() {
		t.Errorf("limits %+v", l)
	}
	if c.Reconciler.SweepEvery != 30*time.Second || c.Reconciler.Queries != 8 || c.Listen != "127.0.0.1:8080" {
		t.Errorf("config %+v", c)
	}
	if c.Dir != filepath.Dir(path) {
		t.Errorf("dir %s", c.Dir)
	}
	if all := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(all, canary) {
		t.Error("the key shows when the configuration is printed")
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	path := write(t, "listen: 127.0.0.1:1\nchannels:\n  epay-main:\n    provider: epay\n    key: x\n")
	c, err := Load(path, []string{
		"COUNTERFOIL_LISTEN=127.0.0.1:2", "COUNTERFOIL_ALERTS__URL=https://a.example/x",
		"COUNTERFOIL_CHANNELS__EPAY_MAIN__KEY=" + canary, "OTHER=1",
		"COUNTERFOIL_KEY=cf_x", "COUNTERFOIL_TEST_ESDB=x", EnvKey + "=cf_not_a_setting",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:2" || c.Alerts.URL != "https://a.example/x" {
		t.Errorf("%+v", c)
	}
	if _, err := Load(path, []string{"COUNTERFOIL_LISTN=x"}); err == nil || !strings.Contains(err.Error(), "listn") {
		t.Errorf("a misspelt variable: %v", err)
	}
	if got := c.Channels["epay-main"].Key.Reveal(); got != canary {
		t.Errorf("key from the environment: %q", got)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	path := write(t, "channels:\n  a:\n    provider: epay\n    key_file: a.key\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "a.key"), []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Channels["a"].Key.Reveal(); got != canary {
		t.Errorf("key %q", got)
	}
}

// The first wrong field is named with its value, and no secret is told.
func TestWrongFieldsAreNamed(t *testing.T) {
	t.Parallel()
	channel := func(line string) string {
		return "channels:\n  a:\n    provider: epay\n    key: " + canary + "\n    " + line + "\n"
	}
	for yaml, want := range map[string][]string{
		"listn: x":                                 {"listn", "unknown setting"},
		"listen: nowhere":                          {"listen", "nowhere"},
		"store: mysql":                             {"store", "mysql"},
		"store: mysql://db:3306":                   {"store", "mysql://db:3306", "esdb://"},
		"store: 'esdb://u:" + canary + "@h'":       {"store", "store_password_file"},
		"store: 'nodb://u:" + canary + "@h'":       {"store", "store_password_file"},
		"store: 'esdb://h?tlsCaFile=%zz'":          {"store", "not readable"},
		"store_namespace: shop":                    {"store_namespace", "no effect"},
		"store_password_file: x":                   {"store_password_file", "no effect"},
		"public_url: ftp://x":                      {"public_url", "ftp://x"},
		"public_url: 'https://u:" + canary + "@h'": {"public_url", "@h"},
		"tree: {time_stamps: {url: 'ftp://u:" + canary + "@h/', roots: r}}": {"tree.time_stamps.url", "@h/"},
		"log_level: loud":                        {"log_level", "loud"},
		"draws: {zone: Mars/Base}":               {"draws.zone", "Mars/Base"},
		"draws: {zone: Local}":                   {"draws.zone", "Local"},
		"reconciler: {pace: 0.5}":                {"reconciler.pace", "0.5"},
		"reconciler: {sweep_every: 1ms}":         {"reconciler.sweep_every", "1ms"},
		"limits: {trusted_proxies: [10.0.0.1]}":  {"limits.trusted_proxies", "10.0.0.1"},
		"limits: {cache_mb: 1}":                  {"limits.cache_mb", "1"},
		channel("currency: cny"):                 {"channels.a.currency", "cny"},
		channel("zone: Mars/Base"):               {"channels.a.zone", "Mars/Base"},
		channel(`correction_limit: "1e3"`):       {"channels.a.correction_limit", "1e3", "CNY"},
		channel("funds: mine"):                   {"channels.a.funds", "mine"},
		channel("confirm_by_query: maybe"):       {"channels.a.confirm_by_query", "maybe"},
		channel("confirm_by_query: above 1e3"):   {"channels.a.confirm_by_query", "above 1e3"},
		channel("colour: red"):                   {"channels.a.colour", "unknown setting"},
		channel("key_file: b.key"):               {"channels.a.key", "set both"},
		channel("pid: 0123"):                     {"channels.a.pid", "quotes"},
		"channels: {a: {key: 1234567890123456}}": {"channels.a.key", "quotes"},
		"channels:\n  A_b:\n    provider: epay":  {"channels", "A_b"},
		"":                                       {"is empty"},
		"# only a comment":                       {"is empty"},
		"a: [":                                   {"not readable YAML"},
	} {
		_, err := Load(write(t, yaml), nil)
		if domain.KindOf(err) != domain.KindInvalid || err == nil {
			t.Errorf("%s: error %v, want invalid", yaml, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", yaml, err, w)
			}
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %q tells the key", yaml, err)
		}
	}
}

func TestMissingFileSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), FileName), nil)
	if domain.KindOf(err) != domain.KindNotFound || !strings.Contains(err.Error(), "counterfoil init") {
		t.Errorf("error %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(filepath.Join(file, FileName), nil); domain.KindOf(err) != domain.KindDenied || strings.Contains(err.Error(), "init") {
		t.Errorf("a path that leads through a file: %v", err)
	}
	if _, err := Find("a", "b"); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("--config and --dir: %v", err)
	}
}
