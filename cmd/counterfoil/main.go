// Command counterfoil sets up an installation and looks into it: keys, events,
// verification, reconciliation runs, callbacks, payments and projections.
package main

import (
	"context"
	"io"
	"os"
	"time"

	"counterfoil/internal/assembly"
)

func main() {
	ctx, stop := assembly.Signals(context.Background())
	p := &program{
		args: os.Args[1:], environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr, clock: time.Now,
	}
	code := p.run(ctx)
	stop()
	os.Exit(code)
}

// program is one run of the command: everything it touches is handed in, so
// that scripts can run it.
type program struct {
	args    []string
	environ []string
	stdout  io.Writer // data
	stderr  io.Writer // messages and progress
	clock   func() time.Time

	config  string // --config
	dir     string // --dir
	output  string // --output
	fromLog bool   // --from-log
	started bool   // a command's own work began: what fails now is no wrong usage
}

// getenv is the value of an environment variable.
func (p *program) getenv(name string) string {
	for _, e := range p.environ {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:]
		}
	}
	return ""
}
