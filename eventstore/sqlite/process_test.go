package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

// The test binary starts itself again as another process that writes to the
// store named by this variable.
const childStore, childName = "COUNTERFOIL_TEST_STORE", "COUNTERFOIL_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		if err := child(path, os.Getenv(childName)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// child appends from several goroutines, to streams of its own and one that
// all processes share, and says on its output what was acknowledged. It ends
// with its input.
func child(path, name string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for w := range cap(errs) {
		wg.Go(func() { errs <- childWriter(ctx, s, domain.Stream(fmt.Sprintf("%s-%d", name, w))) })
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	return s.Close()
}

func childWriter(ctx context.Context, s *sqlite.Store, stream domain.Stream) error {
	for i := 0; ; i += 2 {
		events := storetest.NewEvents(fmt.Sprintf("%s/%d", stream, i), fmt.Sprintf("%s/%d", stream, i+1))
		a, err := s.Append(context.WithoutCancel(ctx), stream, eventstore.Expected(i-1), events)
		if err != nil {
			return err
		}
		if _, err := fmt.Printf("%s %d %d\n", stream, a.Revision, a.Position); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

type process struct {
	cmd    *exec.Cmd
	input  io.Closer
	output *bufio.Scanner
}

func start(t *testing.T, path, name string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childStore+"="+path, childName+"="+name)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd: cmd, input: input, output: bufio.NewScanner(output)}
}

// ack is a line of a child's report.
type ack struct {
	stream   domain.Stream
	revision uint64
	position eventstore.Position
}

// read is the next line; false at the end of the output.
func (p *process) read() (a ack, ok bool) {
	if !p.output.Scan() {
		return ack{}, false
	}
	n, err := fmt.Sscan(p.output.Text(), &a.stream, &a.revision, (*uint64)(&a.position))
	return a, err == nil && n == 3
}

// TestKill kills a writing process at random times. What it had said to be
// written is there, in order, nothing is half there, and the file is sound.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	p := filepath.Join(t.TempDir(), "events.db")
	if err := sqlite.Create(p, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		acks := killed(t, p, fmt.Sprint("round", round))
		t.Logf("round %d: %d acknowledged", round, len(acks))
		checkAcks(t, p, acks)
	}
}

// killed runs a child, kills it without warning, and is what it had
// acknowledged.
func killed(t *testing.T, path, name string) []ack {
	t.Helper()
	c := start(t, path, name)
	var acks []ack
	for wait := 1 + rand.N(400); len(acks) < wait; {
		a, ok := c.read()
		if !ok {
			t.Fatal("the child ended by itself")
		}
		acks = append(acks, a)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for a, ok := c.read(); ok; a, ok = c.read() { // said before it died
		acks = append(acks, a)
	}
	c.cmd.Wait()
	return acks
}

func checkAcks(t *testing.T, path string, acks []ack) {
	t.Helper()
	var sound string
	if err := database(t, path).QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("integrity check: %q, %v", sound, err)
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.CheckLog(t, s)
	at := make(map[eventstore.Position]ack)
	lengths := make(map[domain.Stream]uint64)
	for _, e := range storetest.Log(t, s) {
		at[e.Position] = ack{e.Stream, e.Revision, e.Position}
		lengths[e.Stream]++
	}
	for _, a := range acks {
		if at[a.position] != a {
			t.Errorf("acknowledged %+v, found %+v", a, at[a.position])
		}
	}
	for stream, n := range lengths {
		if n%2 != 0 {
			t.Errorf("stream %s has %d events, they were appended in pairs", stream, n)
		}
	}
}

// TestTwoProcesses: two processes write to one file at the same time, a third
// follows. Neither starves, nothing is lost, and the follower sees each event
// once, in the order of the log.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	span := 1500 * time.Millisecond
	if testing.Short() {
		span = 400 * time.Millisecond
	}
	s := create(t, sqlite.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan []eventstore.Recorded)
	go func() { seen <- followUntil(ctx, s, "end") }()

	children := []*process{start(t, path(t, s), "one"), start(t, path(t, s), "two")}
	counts := make([]int, len(children))
	var wg sync.WaitGroup
	began := make(chan struct{}, len(children))
	for i, c := range children {
		wg.Go(func() {
			for _, ok := c.read(); ok; _, ok = c.read() {
				if counts[i]++; counts[i] == 1 {
					began <- struct{}{}
				}
			}
		})
	}
	for range children {
		<-began // both are at work: from here on the time counts
	}
	time.Sleep(span)
	for _, c := range children {
		c.input.Close()
	}
	wg.Wait()
	for i, c := range children {
		if err := c.cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	t.Logf("acknowledged: %v", counts)
	if low, high := min(counts[0], counts[1]), max(counts[0], counts[1]); low*5 < high {
		t.Errorf("one process made %d appends while the other made %d", low, high)
	}
	mustWrite(t, open(t, path(t, s), sqlite.Options{}), "end", eventstore.NoStream, "end") // not by the follower's own store
	log := storetest.Log(t, s)
	if want := 2*(counts[0]+counts[1]) + 1; len(log) != want {
		t.Errorf("the log has %d events, want %d", len(log), want)
	}
	got := <-seen
	for i := range log {
		if i >= len(got) || got[i].Position != log[i].Position || got[i].ID != log[i].ID {
			t.Fatalf("the follower differs at event %d of %d (it saw %d)", i, len(log), len(got))
		}
	}
	storetest.CheckLog(t, s)
}

// followUntil follows until it has seen an event of the stream end.
func followUntil(ctx context.Context, s eventstore.Reader, end domain.Stream) []eventstore.Recorded {
	var got []eventstore.Recorded
	for b, err := range s.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			return got
		}
		got = append(got, b.Events...)
		if n := len(got); n > 0 && got[n-1].Stream == end {
			return got
		}
	}
	return got
}
