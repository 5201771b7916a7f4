package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"counterfoil/internal/stamptest"
	"counterfoil/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"counterfoil": main})
}

// tidy takes the built programs away when all tests are through.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	code := t.M.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	return code
}

// built is the folder of programs, once there is one.
var built string

// The scripts are the manual of the command: each plays one job with the true
// program, and checks what it says and how it ends.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:       "testdata",
		Condition: conditions,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     exits,
			"soon":      soon,
			"noted":     noted,
			"secrets":   secrets,
			"hidden":    hidden,
			"daemon":    daemon,
			"gateway":   gateway,
			"authority": authority,
			"server":    server,
			"submit":    submit,
			"pay":       pay,
			"sql":       runSQL,
			"medium":    medium,
			"mode":      fileMode,
			"setconfig": setConfig,
			"setenv":    setEnv,
			"revoke":    revoke,
		},
	})
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// soon repeats a command until its output matches: soon PATTERN COMMAND ARG...
func soon(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no %q in the output", args[0])
		}
	}
}

// mode checks the permissions of a file: mode 600 FILE
func fileMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// setconfig puts the channels of a file into the configuration of a folder:
// setconfig DIR FILE. $GATEWAY in it is where the gateway listens.
func setConfig(ts *testscript.TestScript, _ bool, args []string) {
	path := filepath.Join(ts.MkAbs(args[0]), "counterfoil.yaml")
	raw, err := os.ReadFile(path)
	ts.Check(err)
	channels := strings.ReplaceAll(ts.ReadFile(args[1]), "$GATEWAY", ts.Getenv("GATEWAY"))
	ts.Check(os.WriteFile(path, []byte(strings.Replace(string(raw), "channels: {}\n", channels, 1)), 0o600))
}

// setenv takes a variable's value from a file: setenv NAME FILE
func setEnv(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// revoke revokes a person's key by the list of keys: revoke DIR FILE PERSON
func revoke(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		var k keyRow
		ts.Check(json.Unmarshal([]byte(line), &k))
		if k.Person == args[2] {
			ts.Check(ts.Exec("counterfoil", "keys", "revoke", k.ID, "--dir", args[0]))
			return
		}
	}
	ts.Fatalf("%s has no key", args[2])
}

// runSQL changes a store behind the program's back: sql FILE STATEMENT
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	path, err := filepath.EvalSymlinks(ts.MkAbs(args[0]))
	ts.Check(err)
	db, err := sql.Open("sqlite", path)
	ts.Check(err)
	defer db.Close()
	res, err := db.Exec(args[1])
	if neg {
		if err == nil {
			ts.Fatalf("%s was let through", args[1])
		}
		return
	}
	ts.Check(err)
	if n, err := res.RowsAffected(); err != nil || n == 0 && strings.HasPrefix(args[1], "UPDATE") {
		ts.Fatalf("%s changed %d rows (%v)", args[1], n, err)
	}
}

// programs are the daemons, built once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "counterfoil-programs-")
	if err != nil {
		return "", err
	}
	built = dir
	out, err := exec.Command("go", "build", "-o", dir+string(os.PathSeparator), "counterfoil/cmd/api").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// daemon starts the API on free ports and waits until it is ready, or stops it:
// daemon start DIR, daemon stop. $API is where it listens.
func daemon(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "stop" {
		stopDaemon(ts)
		return
	}
	bin, err := programs()
	ts.Check(err)
	api, ops := strings.TrimPrefix(ts.Getenv("API"), "http://"), ts.Getenv("OPS")
	if api == "" { // a daemon that comes back does so under its address
		api, ops = freeAddress(ts), freeAddress(ts)
		ts.Setenv("API", "http://"+api)
		ts.Setenv("OPS", ops)
	}
	cmd := exec.Command(filepath.Join(bin, "api"), "--dir", ts.MkAbs(args[1]))
	cmd.Env = append(os.Environ(), "COUNTERFOIL_LISTEN="+api, "COUNTERFOIL_OPS_LISTEN="+ops, "COUNTERFOIL_PUBLIC_URL=http://"+api,
		"COUNTERFOIL_RECONCILER__FIRST_ASK=0s")
	if key := ts.Getenv(scriptKeyEnv); key != "" {
		cmd.Env = append(cmd.Env, scriptKeyEnv+"="+key)
	}
	log, err := os.Create(ts.MkAbs("api.log"))
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	running.Store(ts, cmd)
	ts.Defer(func() { stopDaemon(ts); _ = log.Close() })
	await(ts, "http://"+ops+"/readyz")
}

// running has the daemon of each script.
var running sync.Map

func stopDaemon(ts *testscript.TestScript) {
	v, ok := running.LoadAndDelete(ts)
	if !ok {
		return
	}
	cmd, _ := v.(*exec.Cmd)
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		log, _ := os.ReadFile(ts.MkAbs("api.log"))
		ts.Logf("api: %v\n%s", err, log)
	}
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

func await(ts *testscript.TestScript, url string) {
	end := time.Now().Add(20 * time.Second)
	for time.Now().Before(end) {
		res, err := http.Get(url)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	log, _ := os.ReadFile(ts.MkAbs("api.log"))
	ts.Fatalf("%s does not get ready\n%s", url, log)
}

// scriptPIDs are the merchants that scripts have at the gateway.
var scriptPIDs = []string{"1001", "1002"}

const (
	scriptKey = "89unJUB8HZ54Hj7x4nUj56HN4nUzUJ8i"

	scriptKeyEnv = "COUNTERFOIL_CHANNELS__EPAY_A__KEY"
)

// boxes has the gateway of each script.
var boxes sync.Map

// gateway starts an Epay gateway, or stops it: gateway start, gateway stop.
// $GATEWAY is where it listens.
func gateway(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "stop" {
		v, _ := boxes.LoadAndDelete(ts)
		v.(*box).stop()
		return
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	var merchants []sandbox.MerchantConfig
	for _, pid := range scriptPIDs {
		merchants = append(merchants, sandbox.MerchantConfig{PID: pid, Version: sandbox.V1, Key: scriptKey})
	}
	s, err := sandbox.New(sandbox.Config{
		BaseURL: server.URL, Seed: 1, Speed: 100_000, Now: time.Now, Log: slog.New(slog.DiscardHandler), Merchants: merchants,
	})
	ts.Check(err)
	handler = s
	s.Start()
	b := &box{s, server, sync.Once{}}
	boxes.Store(ts, b)
	ts.Defer(b.stop)
	ts.Setenv("GATEWAY", server.URL)
}

// authority starts a time stamping authority, whose address is $AUTHORITY and
// whose root certificate the file roots.pem.
func authority(ts *testscript.TestScript, _ bool, _ []string) {
	if !stamptest.Installed() {
		ts.Fatalf("openssl is not installed")
	}
	dir := ts.MkAbs("authority")
	ts.Check(os.Mkdir(dir, 0o700))
	a, err := stamptest.Start(dir, time.Hour)
	ts.Check(err)
	ts.Defer(a.Server.Close)
	ts.Setenv("AUTHORITY", a.Server.URL)
	ts.Check(os.Rename(filepath.Join(dir, "ca.pem"), ts.MkAbs("roots.pem")))
	ts.Check(os.Symlink(ts.MkAbs("roots.pem"), filepath.Join(dir, "ca.pem")))
}

type box struct {
	*sandbox.Sandbox
	server *httptest.Server
	once   sync.Once
}

func (b *box) stop() { b.once.Do(func() { b.server.Close(); b.Stop() }) }

var payAddress = regexp.MustCompile(`http://\S+/submit\.php\S*`)

// submit opens the address that the last command printed, as a payer's browser
// does.
func submit(ts *testscript.TestScript, _ bool, _ []string) {
	address := payAddress.FindString(ts.ReadFile("stdout"))
	if address == "" {
		ts.Fatalf("the last command printed no address to pay at")
	}
	res, err := http.Get(address)
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	ts.Check(errors.Join(err, res.Body.Close()))
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("the gateway refuses the order: %s\n%s", res.Status, body)
	}
}

// pay pays a submitted order and waits until the gateway has made all its
// callbacks: pay ORDER [FAULT]
func pay(ts *testscript.TestScript, _ bool, args []string) {
	v, _ := boxes.Load(ts)
	b, _ := v.(*box)
	order, err := b.OrderByNumber(scriptPIDs[0], args[0])
	if err != nil {
		order, err = b.OrderByNumber(scriptPIDs[1], args[0])
	}
	ts.Check(err)
	var faults []sandbox.Fault
	for _, f := range args[1:] {
		faults = append(faults, sandbox.Fault{Class: sandbox.Class(f)})
	}
	_, err = b.PayWith(order.TradeNo, faults...)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ts.Check(b.Settled(ctx))
}
