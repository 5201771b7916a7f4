package sqlite

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"counterfoil/domain"
	"counterfoil/operations"
)

// childPath names the store of a child process: this test binary again.
const childPath = "COUNTERFOIL_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := child(path, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child makes the keys of the streams from..to with eight goroutines and tells
// each on its standard output once it has it.
func child(path string, args []string) error {
	from, to := number(args[0]), number(args[1])
	s, err := Open(context.Background(), path, Options{Clock: fixedClock})
	if err != nil {
		return err
	}
	var out sync.Mutex
	err = inParallel(8, from, to, func(i int) error {
		key, err := s.EnsureDataKey(context.Background(), nth(i))
		if err != nil {
			return err
		}
		out.Lock()
		defer out.Unlock()
		fmt.Println(i, hex.EncodeToString(key[:]))
		return nil
	})
	if err != nil {
		return err
	}
	return s.Close()
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func nth(i int) domain.Stream { return domain.Stream(fmt.Sprint("payment-a:", i)) }

// inParallel calls run with from..to-1, in order, from a few goroutines.
func inParallel(callers, from, to int, run func(int) error) error {
	work := make(chan int)
	errs := make(chan error, callers)
	for range callers {
		go func() {
			var first error
			for i := range work {
				if err := run(i); err != nil && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for i := from; i < to; i++ {
		work <- i
	}
	close(work)
	var first error
	for range callers {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// startChild starts a child; its output is what it was given.
func startChild(t *testing.T, path string, from, to int) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], strconv.Itoa(from), strconv.Itoa(to))
	cmd.Env = append(os.Environ(), childPath+"="+path)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	return cmd, out
}

// told reads what children said into keys, at most n lines, and fails if a
// stream has two keys.
func told(t *testing.T, lines *bufio.Scanner, n int, keys map[int]string) {
	t.Helper()
	for ; n > 0 && lines.Scan(); n-- {
		index, key, ok := strings.Cut(lines.Text(), " ")
		if !ok || len(key) != 64 {
			return // cut off by the kill
		}
		i := number(index)
		if other, had := keys[i]; had && other != key {
			t.Errorf("stream %d was given two keys", i)
		}
		keys[i] = key
	}
}

// TestKeysSurviveKill kills a process with SIGKILL while it makes keys, five
// times over, and reads back every key that anybody got.
func TestKeysSurviveKill(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	keys := map[int]string{}
	for round := range 5 {
		cmd, out := startChild(t, path, round*100_000, (round+1)*100_000)
		lines := bufio.NewScanner(out)
		told(t, lines, 40+17*round, keys)
		noError(t, cmd.Process.Kill())
		told(t, lines, 100_000, keys)
		_ = cmd.Wait() // killed
	}
	if len(keys) < 5*40 {
		t.Fatalf("only %d keys were made", len(keys))
	}
	s := openFile(t, path)
	defer s.Close()
	checkKeys(t, s, keys)
}

func checkKeys(t *testing.T, s *Store, keys map[int]string) {
	t.Helper()
	for i, want := range keys {
		key, err := s.DataKey(t.Context(), nth(i))
		noError(t, err)
		if hex.EncodeToString(key[:]) != want {
			t.Fatalf("stream %d reads another key than was given out", i)
		}
	}
}

// TestProcessesAgree has two other processes and this one make the same keys
// at the same time.
func TestProcessesAgree(t *testing.T) {
	t.Parallel()
	const streams = 300
	path := newFile(t)
	a, outA := startChild(t, path, 0, streams)
	b, outB := startChild(t, path, 0, streams)
	s := openFile(t, path)
	defer s.Close()
	var mu sync.Mutex
	mine := map[int]operations.DataKey{}
	noError(t, inParallel(8, 0, streams, func(i int) error {
		key, err := s.EnsureDataKey(t.Context(), nth(i))
		mu.Lock()
		defer mu.Unlock()
		mine[i] = key
		return err
	}))
	keys := map[int]string{}
	for i, key := range mine {
		keys[i] = hex.EncodeToString(key[:])
	}
	told(t, bufio.NewScanner(outA), streams, keys)
	told(t, bufio.NewScanner(outB), streams, keys)
	noError(t, a.Wait())
	noError(t, b.Wait())
	if len(keys) != streams {
		t.Errorf("%d keys, want %d", len(keys), streams)
	}
	checkKeys(t, s, keys)
}
