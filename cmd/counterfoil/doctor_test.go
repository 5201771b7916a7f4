package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"counterfoil/sandbox"
)

// clinic is an installation with its daemons and a sandbox gateway, as doctor
// meets it.
type clinic struct {
	dir, api, ops, recOps string
	box                   *sandbox.Sandbox
}

func open(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{dir: filepath.Join(t.TempDir(), "pay"), api: freeTCP(t), ops: freeTCP(t), recOps: freeTCP(t)}
	var handler http.Handler
	gw := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(gw.Close)
	var err error
	c.box, err = sandbox.New(sandbox.Config{BaseURL: gw.URL, Seed: 1, Speed: 1000, Now: time.Now, Merchants: []sandbox.MerchantConfig{
		{PID: "1001", Key: scriptKey},
	}})
	check(t, err)
	handler = c.box
	c.box.Start()
	t.Cleanup(c.box.Stop)
	if code, out := c.run(t, nil, "init", "--mode", "test", "--public-url", "http://"+c.api, "--listen", c.api, "--ops-listen", c.ops); code != 0 {
		t.Fatalf("init: %d\n%s", code, out)
	}
	path := filepath.Join(c.dir, "counterfoil.yaml")
	raw, err := os.ReadFile(path)
	check(t, err)
	text := strings.NewReplacer("channels: {}\n", `channels:
  epay-a: {provider: epay, protocol: v1, gateway: "`+gw.URL+`", allow_plain_http: true, pid: "1001", key: `+scriptKey+`, test: true}
`, "127.0.0.1:9081", c.recOps, "sweep_every: 1m0s", "sweep_every: 200ms", "first_ask: 2m0s", "first_ask: 0s").Replace(string(raw))
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func freeTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

// run runs the command and returns its exit code and all it said.
func (c *clinic) run(t *testing.T, environ []string, args ...string) (code int, out string) {
	t.Helper()
	var said bytes.Buffer
	p := &program{args: append(args, "--dir", c.dir), environ: environ, stdout: &said, stderr: &said, clock: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code = p.run(ctx)
	return code, said.String()
}

// start runs the real daemons until the test ends, and waits for them and for
// the first sweep.
func (c *clinic) start(t *testing.T) {
	t.Helper()
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin+string(os.PathSeparator),
		"counterfoil/cmd/api", "counterfoil/cmd/reconciler").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, name := range []string{"api", "reconciler"} {
		log := &bytes.Buffer{}
		cmd := exec.Command(filepath.Join(bin, name), "--dir", c.dir)
		cmd.Stdout, cmd.Stderr = log, log
		check(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil || t.Failed() {
				t.Logf("%s: %v\n%s", name, err, log)
			}
		})
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, out := c.run(t, nil, "doctor")
		if regexp.MustCompile(`(?s)ok +daemon \(api\).*ok +daemon \(reconciler\).*ok +sweep: last complete`).MatchString(out) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the daemons do not get well:\n%s", out)
		}
	}
}

func matches(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(out) {
			t.Errorf("no %q in\n%s", p, out)
		}
	}
}

// TestDoctor examines a true installation: api, reconciler and gateway on real
// sockets, well and then with one thing wrong at a time.
func TestDoctor(t *testing.T) {
	t.Parallel()
	c := open(t)
	code, out := c.run(t, nil, "doctor")
	if code != exitFailure {
		t.Errorf("without daemons doctor exits with %d", code)
	}
	matches(t, out, `FAIL +daemon \(api\): does not answer`, `-> start it: api --dir `, `FAIL +callback address \(epay-a\): .*connection refused`,
		`ok +gateway query \(epay-a\): works`, `WARN +projections: there are none yet`)
	if _, err := os.Stat(filepath.Join(c.dir, "projections.db")); err == nil {
		t.Error("looking made projections.db")
	}

	c.start(t)
	code, out = c.run(t, nil, "doctor", "--pay", "0.01", "--channel", "epay-a", "--pay-by-sandbox")
	if code != exitOK {
		t.Errorf("a sound installation: exit %d", code)
	}
	matches(t, out, `callback address \(epay-a\): http://`+c.api+`/callbacks/epay-a answers as it must, and it is this installation`,
		`ok +\+[0-9.]+s +placed .*callback address http://`+c.api+`/callbacks/epay-a`,
		`ok +\+[0-9.]+s +paid at the gateway: 0.01 CNY`, `callback came: from 127.0.0.1, (held|repeated), answered 200 success`, `kept: as event`,
		`credited: 0.01 CNY to _test as event [0-9]+, by query`, `balance rose: from 0.00 CNY to 0.01 CNY`, `asked again: the gateway says the same`,
		`verdict: the whole way works`)

	// The callback is lost: the money comes all the same, and doctor says why.
	check(t, c.box.Next("1001", sandbox.Fault{Class: sandbox.Lost}))
	code, out = c.run(t, nil, "doctor", "--pay", "0.02", "--channel", "epay-a", "--pay-by-sandbox", "--grace", "200ms")
	if code != exitFailure {
		t.Errorf("a lost callback: exit %d", code)
	}
	matches(t, out, `credited: 0.02 CNY to _test`, `balance rose: from 0.01 CNY to 0.03 CNY`, `FAIL .*verdict: credited by asking the gateway: no callback came`)
	c.wrong(t)
	c.json(t)
}

// wrong has settings that do not fit what runs.
func (c *clinic) wrong(t *testing.T) {
	t.Helper()
	key := "COUNTERFOIL_CHANNELS__EPAY_A__KEY=another-key-of-32-characters-abc"
	code, out := c.run(t, []string{key}, "doctor", "--pay", "0.01", "--channel", "epay-a", "--pay-by-sandbox")
	if code != exitFailure || strings.Contains(out, "placed") {
		t.Errorf("with another key: exit %d, and\n%s", code, out)
	}
	matches(t, out, `FAIL +gateway query \(epay-a\): gateway .* refuses our pid or key, code "-3"`, "no payment is made while a check fails")

	tls := httptest.NewServer(http.RedirectHandler("https://pay.example.com/callbacks/epay-a", http.StatusMovedPermanently))
	defer tls.Close()
	code, out = c.run(t, []string{"COUNTERFOIL_PUBLIC_URL=" + tls.URL}, "doctor", "--pay", "0.01", "--channel", "epay-a", "--pay-by-sandbox", "--anyway")
	if code != exitOK { // the api itself still knows the right address
		t.Errorf("with --anyway: exit %d", code)
	}
	matches(t, out, `FAIL +callback address \(epay-a\): .*redirected \(301\) to https://pay.example.com/`, `-> set public_url to https://`,
		`WARN +\S+ +placed .*the api gives out http://`+c.api+`/callbacks/epay-a as callback address, the configuration says http://`)

	other := open(t) // another folder, whose public_url names this api
	_, out = other.run(t, []string{"COUNTERFOIL_PUBLIC_URL=http://" + c.api}, "doctor")
	matches(t, out, `FAIL +callback address \(epay-a\): .*but the probe is not in this installation's callback log`)

	check(t, os.Chmod(c.dir, 0o755))
	check(t, os.Chmod(filepath.Join(c.dir, "secrets"), 0o755))
	check(t, os.Chmod(filepath.Join(c.dir, "secrets", "admin.key"), 0o644))
	code, out = c.run(t, nil, "doctor")
	matches(t, out, `WARN +permissions \(secrets/admin.key\): everyone may read it`)
	if code != exitOK {
		t.Errorf("a warning alone: exit %d", code)
	}
	for _, args := range [][]string{
		{"--pay", "0.01"},
		{"--pay", "0.01", "--channel", "nothing"},
		{"--pay", "100.00", "--channel", "epay-a"},
		{"--pay", "0", "--channel", "epay-a"},
		{"--pay-by-sandbox"},
		{"--output", "xml"},
	} {
		if code, out := c.run(t, nil, append([]string{"doctor"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d\n%s", args, code, out)
		}
	}
}

// json is for programs: a line a finding, then a line a stage.
func (c *clinic) json(t *testing.T) {
	t.Helper()
	_, out := c.run(t, nil, "doctor", "--output", "json", "--pay", "0.01", "--channel", "epay-a", "--pay-by-sandbox")
	checks := map[string]string{}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var f struct{ Check, Result, Seen, After string }
		check(t, json.Unmarshal([]byte(line), &f))
		checks[f.Check] = f.Result
	}
	for _, want := range []string{"folder", "callback address", "gateway query", "sweep", "credited", "verdict"} {
		if checks[want] != "ok" {
			t.Errorf("%s is %q, want ok:\n%s", want, checks[want], out)
		}
	}
}
