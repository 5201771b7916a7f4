package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"counterfoil/internal/config"
)

// built is the folder of the programs, removed at the end.
var built string

// binaries builds the programs, once per run of the tests.
var binaries = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "counterfoil-crash-"); err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-o", dir+string(os.PathSeparator), "counterfoil/cmd/api", "counterfoil/cmd/reconciler", "counterfoil/cmd/counterfoil")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
})

func program(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	must(t, err)
	return filepath.Join(dir, name)
}

// daemon is a running program.
type daemon struct {
	cmd  *exec.Cmd
	log  string // file that its output is appended to
	done chan struct{}

	asked bool // to end, or killed: what it said is of no interest
}

// start runs a program on the site; its output is appended to NAME.log.
func (s *site) start(t testing.TB, prog, name string, env ...string) *daemon {
	t.Helper()
	return s.run(t, exec.Command(program(t, prog), "--dir", s.dir), name, env...)
}

func (s *site) run(t testing.TB, cmd *exec.Cmd, name string, env ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: cmd, log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(foreign(os.Environ()), env...)
	must(t, cmd.Start())
	go func() {
		defer close(d.done)
		cmd.Wait()
		out.Close()
	}()
	t.Cleanup(func() {
		asked := d.asked
		d.kill()
		if t.Failed() && !asked {
			t.Logf("%s said at its end:\n%s", name, d.tail(4000))
		}
	})
	return d
}

// foreign is the environment without settings of ours.
func foreign(environ []string) []string {
	return slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, config.EnvPrefix) })
}

// kill ends the program without warning and waits until it is gone.
func (d *daemon) kill() {
	d.asked = true
	d.cmd.Process.Kill()
	<-d.done
}

// stop asks the program to end, and wants it to end well.
func (d *daemon) stop(t testing.TB) {
	t.Helper()
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	code := d.exit(t, 15*time.Second)
	d.asked = code == 0
	if code != 0 {
		t.Errorf("%s ended with status %d when told to stop", d.cmd.Path, code)
	}
}

// exit waits for the program's end and is its status.
func (d *daemon) exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-d.done:
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%s did not end within %s", d.cmd.Path, within)
		return -1
	}
}

func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// output is all that the program has said.
func (d *daemon) output() string {
	b, _ := os.ReadFile(d.log)
	return string(b)
}

func (d *daemon) tail(n int) string {
	s := d.output()
	return s[max(0, len(s)-n):]
}

// startAPI starts the API and waits until it answers. It is how long that took.
func (s *site) startAPI(t testing.TB, env ...string) (*daemon, time.Duration) {
	t.Helper()
	program(t, "api") // built before the clock runs
	began := time.Now()
	d := s.start(t, "api", "api", env...)
	s.await(t, d)
	return d, time.Since(began)
}

// await waits until the API takes connections.
func (s *site) await(t testing.TB, d *daemon) {
	t.Helper()
	eventually(t, 20*time.Second, "the API answers", func() bool {
		if d.ended() {
			t.Fatalf("the API ended at once:\n%s", d.tail(4000))
		}
		w, err := dial(context.Background(), s.api, "")
		if err != nil {
			return false
		}
		w.close()
		_, _, err = s.ask("livez")
		return err == nil
	})
}

// ask is what a page of the operators' listener says.
func (s *site) ask(page string) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/"+page, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, string(b), err
}

// ready is nil when the API says that it is, else what it says.
func (s *site) ready(t testing.TB) error {
	t.Helper()
	status, text, err := s.ask("readyz")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%d %s", status, strings.TrimSpace(text))
	}
	return nil
}

// call is one request to /v1 with the site's key; into may be nil.
func (s *site) call(ctx context.Context, method, path string, body, into any) (int, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.api+path, bytes.NewReader(sent))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprintf("%x", sha256.Sum256(sent)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return res.StatusCode, err
	}
	if res.StatusCode/100 != 2 {
		return res.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	if into == nil {
		return res.StatusCode, nil
	}
	return res.StatusCode, json.Unmarshal(b, into)
}
