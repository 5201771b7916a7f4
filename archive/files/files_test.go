package files_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/archive"
	"counterfoil/archive/archivetest"
	"counterfoil/archive/files"
	"counterfoil/domain"
)

func open(t *testing.T, dir string, maxSize int64) *files.Archive {
	t.Helper()
	a, err := files.Open(dir, files.Config{MaxSize: maxSize, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSuite(t *testing.T) {
	t.Parallel()
	archivetest.Run(t, archivetest.Harness{
		Open: func(t *testing.T, maxSize int64) archive.Archive { return open(t, t.TempDir(), maxSize) },
	})
}

// kept puts a text that packs into more than one block and returns its place.
func kept(t *testing.T, a *files.Archive, dir string) (archive.ID, string) {
	t.Helper()
	f, err := a.Put(t.Context(), strings.NewReader(bill))
	if err != nil {
		t.Fatal(err)
	}
	name := f.ID.String()
	return f.ID, filepath.Join(dir, name[:2], name+".gz")
}

var bill = strings.Repeat("2026-11-21,`4200001,7.30\r\n", 4000)

func readAll(t *testing.T, a *files.Archive, id archive.ID) (string, error) {
	t.Helper()
	r, err := a.Open(t.Context(), id)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

// Whatever byte of a kept file changes, or wherever it is cut, the reader does
// not end as if all were well.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0)
	id, path := kept(t, a, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{"empty": nil, "cut": whole[:len(whole)-3], "cut early": whole[:20], "not packed": []byte(bill)}
	for i := range whole {
		if i > 3 && i < 10 {
			continue // time, level and system in the header of the packing: they say nothing
		}
		b := append([]byte{}, whole...)
		b[i] ^= 0x10
		damage[fmt.Sprintf("byte %d flipped", i)] = b
	}
	for name, b := range damage {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, a, id); err == nil && got == bill {
			continue // a flipped flag that changes no byte inside
		} else if err == nil || domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%s: %d bytes, error %v", name, len(got), err)
		}
	}
}

// A damaged file is replaced when its bytes come again.
func TestPutMendsDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0)
	id, path := kept(t, a, dir)
	if err := os.Truncate(path, 30); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, a, id); err == nil || domain.KindOf(err) != domain.KindCorrupt {
		t.Fatalf("error %v", err)
	}
	kept(t, a, dir)
	if got, err := readAll(t, a, id); err != nil || got != bill {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A file of another content under a kept name is found, however well packed.
func TestForeignContentIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir, 0)
	id, path := kept(t, a, dir)
	other, err := a.Put(t.Context(), strings.NewReader("nothing was paid"))
	if err != nil {
		t.Fatal(err)
	}
	name := other.ID.String()
	if err := os.Rename(filepath.Join(dir, name[:2], name+".gz"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, a, id); err == nil || domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("error %v", err)
	}
}

// What a crash left unfinished is removed when it is old enough to be nobody's
// work, and finished files are private and small.
func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, path := kept(t, open(t, dir, 0), dir)
	old, young := filepath.Join(dir, "incoming", "bill-1"), filepath.Join(dir, "incoming", "bill-2")
	for _, p := range []string{old, young} {
		if err := os.WriteFile(p, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 0)
	left, err := os.ReadDir(filepath.Join(dir, "incoming"))
	if err != nil || len(left) != 1 || left[0].Name() != "bill-2" {
		t.Errorf("left: %v, %v", left, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() > int64(len(bill))/10 {
		t.Errorf("kept as %v (%v)", info, err)
	}
}
