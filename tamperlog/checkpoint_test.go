package tamperlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"counterfoil/domain"
)

func removeAll(dir, name string) error { return os.RemoveAll(filepath.Join(dir, name)) }

// flip changes one bit of a file.
func flip(t testing.TB, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	b[at] ^= 4
	must(t, os.WriteFile(path, b, 0o600))
}

func keys(t testing.TB, name string) (private, public string) {
	t.Helper()
	private, public, err := NewKey(name)
	must(t, err)
	return private, public
}

func TestCheckpointsAreC2SPNotes(t *testing.T) {
	t.Parallel()
	private, public := keys(t, Origin(testLedger))
	c := Checkpoint{Origin: Origin(testLedger), Size: 20852163, Root: [32]byte{1, 2, 3}}
	msg, err := c.sign(private)
	must(t, err)
	want := "counterfoil/01020300-0000-0000-0000-000000000000\n20852163\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 " + c.Origin + " "
	if !strings.HasPrefix(string(msg), want) {
		t.Errorf("%q", msg)
	}
	s, err := OpenCheckpoint(msg, public)
	if err != nil || s.Checkpoint != c || len(s.Keys) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestForeignAndForgedCheckpointsAreRefused(t *testing.T) {
	t.Parallel()
	private, public := keys(t, "log")
	other, otherPublic := keys(t, "log")
	c := Checkpoint{Origin: "log", Size: 7, Root: [32]byte{1}}
	good, err := c.sign(private)
	must(t, err)
	forged, err := c.sign(other)
	must(t, err)
	for name, cs := range map[string]struct {
		msg  string
		key  string
		kind domain.Kind
	}{
		"another key of the same name": {string(good), otherPublic, domain.KindForged},
		"signed by somebody else":      {string(forged), public, domain.KindForged},
		"another size":                 {strings.Replace(string(good), "\n7\n", "\n8\n", 1), public, domain.KindForged},
		"nothing":                      {"", public, domain.KindInvalid},
		"no signature":                 {c.Text(), public, domain.KindInvalid},
		"no key":                       {string(good), "hello", domain.KindInvalid},
		"far too long":                 {strings.Repeat("x", MaxCheckpoint+1), public, domain.KindTooLarge},
	} {
		if _, err := OpenCheckpoint([]byte(cs.msg), cs.key); domain.KindOf(err) != cs.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A signature over a text that is no checkpoint does not make it one.
func TestSignedNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	private, public := keys(t, "log")
	s, err := note.NewSigner(private)
	must(t, err)
	root := "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, text := range []string{
		"log\n", "log\n7\n", "log\n07\n" + root + "\n", "log\n+7\n" + root + "\n", "log\n-7\n" + root + "\n",
		"log\n18446744073709551615\n" + root + "\n", "log\n7\nAQ==\n", "log\n7\n" + strings.Replace(root, "A=", "B=", 1) + "\n",
		"log\n7\n" + root[:43] + "\n", "\n7\n" + root + "\n", "log\n7\n" + root + "\n\nmore\n",
	} {
		msg, err := note.Sign(&note.Note{Text: text}, s)
		must(t, err)
		if c, err := OpenCheckpoint(msg, public); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	msg, err := note.Sign(&note.Note{Text: "log\n7\n" + root + "\nan extension\n"}, s)
	must(t, err)
	if _, err := OpenCheckpoint(msg, public); err != nil {
		t.Errorf("an extension line: %v", err)
	}
}

func TestWitnesses(t *testing.T) {
	t.Parallel()
	private, public := keys(t, "log")
	witness, witnessPublic := keys(t, "witness.example")
	c := Checkpoint{Origin: "log", Size: 7}
	msg, err := c.sign(private)
	must(t, err)
	if _, err := OpenCheckpoint(msg, public, witnessPublic); domain.KindOf(err) != domain.KindForged {
		t.Errorf("without the witness: %v", err)
	}
	both, err := Cosign(msg, public, witness)
	must(t, err)
	s, err := OpenCheckpoint(both, public, witnessPublic)
	if err != nil || len(s.Keys) != 2 || s.Checkpoint != c {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = OpenCheckpoint(both, public); err != nil || len(s.Others) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Cosign(both, witnessPublic+"x", witness); err == nil {
		t.Error("a witness signed what does not verify")
	}
}

// A tree is begun once: never a second time under the same key.
func TestCreateNeverWritesOverATree(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, key := filepath.Join(base, "tree"), filepath.Join(base, "tree.key")
	must(t, Create(dir, key, "log"))
	info, err := os.Stat(key)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the private key has mode %v", info.Mode())
	}
	head, err := OpenFolder(dir).Checkpoint()
	if err != nil || head.Size != 0 || head.Root != emptyRoot {
		t.Errorf("%+v, %v", head, err)
	}
	must(t, os.RemoveAll(dir))
	if err := Create(dir, key, "log"); domain.KindOf(err) != domain.KindConflict {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was made")
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	private, public := keys(f, "log")
	msg, err := (Checkpoint{Origin: "log", Size: 7}).sign(private)
	must(f, err)
	f.Add(msg)
	f.Add([]byte("log\n7\nAQ==\n\n\u2014 log x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := OpenCheckpoint(b, public)
		if err == nil && (s.Size != 7 || s.Origin != "log") {
			t.Errorf("%q passes", b)
		}
	})
}

func FuzzParseTile(f *testing.F) {
	f.Add("tile/0/x001/234.p/17")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := ParseTile(path); err == nil && tile.Path() != path {
			t.Errorf("%q is %q", path, tile.Path())
		}
	})
}
