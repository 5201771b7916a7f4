package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/sandbox"
)

// The command serves, says what to configure, and ends when it is told to.
func TestRunServesUntilCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--listen", "127.0.0.1:0", "--seed", "4", "--merchant", "1001:v1:sample-key:credit"}, in, io.Discard)
		ended <- errors.Join(err, in.Close())
	}()
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "key:") {
			break
		}
	}
	text := strings.Join(said, "\n")
	root := strings.Fields(said[0])[4]
	for _, want := range []string{
		"  sandbox-1001:", "    provider: epay", "    protocol: v1", "    gateway: " + root, `    pid: "1001"`,
		`    key: "sample-key"`, "    allow_plain_http: true",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root+"/api.php?act=query&pid=1001&key=sample-key", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.HasPrefix(string(body), `{"code":1,"pid":1001,"key":"sample-key"`) {
		t.Errorf("answered %s, %v", body, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "merchants.json")
	list := `[{"pid":"7","version":"v1","style":"epusdt","text_numbers":true,"auto_pay":"3s"}]`
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{
		"--merchant", "1001:v1", "--merchants", file, "--fault", "lost=0.25", "--every-fault", "0.01", "--speed", "600",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	m := o.config.Merchants
	if len(m) != 2 || m[0].PID != "1001" || m[1].Style != sandbox.Epusdt || !m[1].TextNumbers || m[1].AutoPay.String() != "3s" {
		t.Errorf("merchants %+v", m)
	}
	if r := o.config.Rates; len(r) != 1 || r[0].Class != sandbox.Lost || r[0].Share != 0.25 || o.everyFault != 0.01 || o.config.Speed != 600 {
		t.Errorf("rates %+v and %g of every fault", r, o.everyFault)
	}
	o, err = parse(nil, io.Discard)
	if err != nil || len(o.config.Merchants) != 2 || o.config.Merchants[1].Version != sandbox.V2 || o.listen != "127.0.0.1:7080" {
		t.Errorf("without flags: %+v, %v", o, err)
	}
}

func TestWrongFlagsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nonsense"},
		{"argument"},
		{"--merchant", "1001"},
		{"--merchants", "none.json"},
		{"--fault", "lost"},
		{"--fault", "lost=x"},
		{"--every-fault", "2"},
		{"--every-fault", "NaN"},
		{"--listen", "0.0.0.0:7080"},
		{"--listen", "127.0.0.1"},
		{"--providers", "none.json"},
		{"--stripe", "acct_1:yen"},
		{"--listen", "example.com:80"},
	} {
		if _, err := parse(args, io.Discard); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := parse([]string{"--listen", "0.0.0.0:7080", "--allow-remote"}, io.Discard); err != nil {
		t.Errorf("with --allow-remote: %v", err)
	}
	if _, err := parse([]string{"--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	// What only the library can see is wrong comes up when it starts.
	err := run(t.Context(), []string{"--listen", "127.0.0.1:0", "--merchant", "1001:v9"}, io.Discard, io.Discard)
	if domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("v9: %v", err)
	}
}

// One merchant at every provider, with each fault of each, and channels that
// can be configured as they are printed.
func TestAllProviders(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "providers.json")
	if err := os.WriteFile(file, []byte(`{"wechatpay":[{"mchid":"1900000111","protocol":"v2"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse([]string{
		"--all", "--alipay", "2021000000000009", "--providers", file, "--every-fault", "0.01",
		"--stripe", "acct_2:JPY", "--merchant", "1001:v1", "--wechatpay", "1900000300/1900000301:v3",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.config.Now, o.config.BaseURL = time.Now, "http://127.0.0.1:7080"
	box, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	describe(&out, box, o.config)
	for _, want := range []string{
		"provider: epay", "provider: wechatpay", "provider: alipay", "provider: stripe", `currency: "JPY"`, `mchid: "1900000109"`, `mchid: "1900000111"`,
		`app_id: "2021000000000009"`, `sub_mchid: "1900000301"`, "# wechatpay at http://127.0.0.1:7080/wechatpay",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if rates := box.Rates(); len(rates) < 60 {
		t.Errorf("%d rates", len(rates))
	}
	path := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := assembly.Channels(cfg, domain.ID{1}, time.Now); err != nil || len(cfg.Channels) != 8 {
		t.Errorf("%d channels, %v", len(cfg.Channels), err)
	}
}
