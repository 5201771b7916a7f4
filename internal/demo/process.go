package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"counterfoil/domain"
)

// processes are the real daemons, each with its log in the demo's folder.
type processes struct {
	dir, bin string
	mu       sync.Mutex
	running  map[string]*process
}

type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

func newProcesses(dir, bin string) *processes {
	return &processes{dir: dir, bin: bin, running: map[string]*process{}}
}

// start runs a program under a name; its log is NAME.log, appended to.
func (p *processes) start(ctx context.Context, program, name string, env ...string) error {
	path := filepath.Join(p.bin, program)
	if _, err := os.Stat(path); err != nil {
		return domain.E(domain.KindNotFound, "the program %s is not beside this one: run `make build`", program)
	}
	log, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", name, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, "--dir", p.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	pr := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(pr.done)
		_ = cmd.Wait()
		_ = log.Close()
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[name] = pr
	return nil
}

// kill ends a process as a power cut would end it: nothing is flushed.
func (p *processes) kill(name string) { p.end(name, syscall.SIGKILL) }

func (p *processes) end(name string, sig os.Signal) {
	p.mu.Lock()
	pr := p.running[name]
	delete(p.running, name)
	p.mu.Unlock()
	if pr == nil {
		return
	}
	_ = pr.cmd.Process.Signal(sig)
	select {
	case <-pr.done:
	case <-time.After(15 * time.Second):
		_ = pr.cmd.Process.Kill()
		<-pr.done
	}
}

// stop ends all of them in order.
func (p *processes) stop() {
	p.mu.Lock()
	names := make([]string, 0, len(p.running))
	for name := range p.running {
		names = append(names, name)
	}
	p.mu.Unlock()
	for _, name := range names {
		p.end(name, syscall.SIGTERM)
	}
}

// await waits until an address answers anything at all.
func (p *processes) await(ctx context.Context, url string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("await %s: %w", url, err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			return res.Body.Close()
		}
		select {
		case <-ctx.Done():
			return domain.E(domain.KindUnavailable, "the API did not start within %s: see api.log in %s", within, p.dir)
		case <-tick.C:
		}
	}
}
