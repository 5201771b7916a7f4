package progress

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What is no terminal gets nothing: logs and scripts read standard error.
func TestSilentWithoutATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, b := range []*Bar{New(&out, nil, "verify"), New(file, nil, "verify"), {}, nil} {
		b.Set(1, 2)
		b.End()
		b.End()
	}
	info, err := file.Stat()
	if err != nil || info.Size() != 0 || out.Len() != 0 {
		t.Errorf("%d bytes in the file, %q in the buffer, %v", info.Size(), out.String(), err)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		want    bool
	}{
		{nil, false},
		{[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		{[]string{"HOME=/", "TERM=dumb"}, true},
	} {
		if got := plain(c.environ); got != c.want {
			t.Errorf("%q: %t", c.environ, got)
		}
	}
}

// The drawn bar stays within its bounds whatever it is told.
func TestBarTakesAnyNumbers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := draw(&out, "verify")
	for _, n := range [][2]uint64{{0, 0}, {5, 0}, {1, 10}, {20, 10}, {20, 40}, {40, 40}, {41, 40}} {
		b.Set(n[0], n[1])
	}
	b.End()
	b.End()
	if !bytes.Contains(out.Bytes(), []byte("verify")) {
		t.Errorf("drawn: %q", out.String())
	}
}
