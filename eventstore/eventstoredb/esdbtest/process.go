package esdbtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Serve plays an installation for another process: it prints the connection
// string, then obeys one command a line, each answered with "ok" or an error,
// until in ends. A test's binary that starts itself again calls it; see Launch.
func Serve(o Options, in io.Reader, out io.Writer) error {
	s, err := Start(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := fmt.Fprintln(out, s.ConnectionString()); err != nil {
		return fmt.Errorf("tell the connection string: %w", err)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer := "ok"
		if err := s.obey(strings.Fields(lines.Text())); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return fmt.Errorf("answer a command: %w", err)
		}
	}
	return lines.Err()
}

// faultNames are the faults that another process can ask for.
var faultNames = map[string]Fault{
	"pass": Pass, "aborted": Aborted, "aborted-after": AbortedAfter, "cut": Cut, "cut-after": CutAfter,
	"silent-after": SilentAfter, "unavailable": Unavailable, "not-leader": NotLeader,
}

var errCommand = errors.New("no such command")

func (s *Server) obey(words []string) error {
	if len(words) < 2 {
		return errCommand
	}
	switch words[0] {
	case "version":
		s.SetVersion(words[1])
		return nil
	case "latency":
		d, err := time.ParseDuration(words[1])
		if err == nil {
			s.SetLatency(d)
		}
		return err
	case "next":
		return s.next(words[1:])
	case "write":
		if len(words) != 4 {
			return errCommand
		}
		s.Write(words[1], words[2], []byte(words[3]), nil)
		return nil
	}
	node, err := strconv.Atoi(words[1])
	if err != nil || node < 0 || node >= len(s.nodes) {
		return fmt.Errorf("%q is no node", words[1])
	}
	switch words[0] {
	case "kill":
		s.Kill(node)
	case "restart":
		return s.Restart(node)
	case "hang":
		s.Hang(node)
	case "resume":
		s.Resume(node)
	case "lead":
		s.Lead(node)
	default:
		return errCommand
	}
	return nil
}

func (s *Server) next(names []string) error {
	for _, name := range names {
		f, ok := faultNames[name]
		if !ok {
			return fmt.Errorf("%q is no fault", name)
		}
		s.Next(f)
	}
	return nil
}

// Process is an installation that another process plays. What it keeps ends
// with it.
type Process struct {
	// Connection is how a client finds it.
	Connection string

	cmd *exec.Cmd
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

// Launch starts a program that calls Serve with its standard input and output.
func Launch(cmd *exec.Cmd) (*Process, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("launch a server: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("launch a server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("launch a server: %w", err)
	}
	p := &Process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch a server: %w", err), p.Close())
	}
	p.Connection = strings.TrimSpace(line)
	return p, nil
}

// Do gives a command: kill, restart, hang, resume or lead with a node, version
// with a version, latency with a duration, next with faults, write with a stream, a type and JSON
// without spaces.
func (p *Process) Do(command string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if answer = strings.TrimSpace(answer); answer != "ok" {
		return fmt.Errorf("%s: %s", command, answer) //nolint:err113 // the server's own words
	}
	return nil
}

// Close ends the process.
func (p *Process) Close() error {
	_ = p.in.Close() // that it ends is all that is wanted
	return p.cmd.Wait()
}
