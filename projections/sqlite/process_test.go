package sqlite

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/projections"
)

// asChild tells a child process of TestKilledProcess to fold in its folder.
const asChild = "COUNTERFOIL_TEST_FOLD"

// logOfBoth is the log that parent and child fold: made alike in both.
func logOfBoth(t testing.TB) *testLog {
	l := newLog()
	l.payments(t, 900, 50)
	return l
}

// TestFoldInChild is the child of TestKilledProcess: it folds in tiny pages,
// tells after some of them, and goes on until it is killed.
func TestFoldInChild(t *testing.T) {
	if os.Getenv(asChild) == "" {
		t.Skip("run by TestKilledProcess")
	}
	d, err := Open("projections.db", Config{})
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	r := projections.NewRunner(logOfBoth(t), d, projections.Config{Page: 3, Progress: func(projections.Progress) {
		if pages++; pages == 20 {
			os.Stdout.WriteString("folding\n")
		}
	}})
	t.Fatal(r.Run(context.Background()))
}

// TestKilledProcess: a process that is killed in the middle of folding leaves
// whole pages; the one that stood by takes the lock over and ends with the
// rows of one fold.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	at := path(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestFoldInChild$")
	child.Env = append(os.Environ(), asChild+"=1")
	child.Dir = filepath.Dir(at)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "folding\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	l, d := logOfBoth(t), openDB(t, at)
	r, _ := running(t, l, d)
	until(t, "standing by", func() bool { return r.Status().Phase == projections.PhaseStandby })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	head, _ := l.Head(ctx)
	waitFor(t, d, head)
	whole := openDB(t, path(t))
	fold(t, l, whole, 1000)
	if a, b := mustDigest(t, d), mustDigest(t, whole); a != b {
		t.Fatalf("taken over: %+v\nat once: %+v", a, b)
	}
	modelOf(t, l.all(t)).check(t, d)
}
