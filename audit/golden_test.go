package audit_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"counterfoil/audit"
)

var update = flag.Bool("update", false, "write new examples of bundle and receipts into testdata")

// The examples that were handed out once: whatever is written later, they are
// read for ever.
const (
	goldenKey     = "log.key" // of the log that these four are of
	goldenBundle  = "bundle-v1.zip"
	goldenReceipt = "receipt-v1.json"
	goldenText    = "receipt-v1.txt"

	goldenSecond    = "bundle-v2.zip" // with openings and policies
	goldenSecondKey = "bundle-v2.key"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	return fileOf(t, filepath.Join("testdata", name))
}

func fileOf(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// TestWriteExamples makes an example that is missing, when asked to; old ones
// stay.
func TestWriteExamples(t *testing.T) {
	if !*update {
		t.Skip("examples are written with -update only: the old ones must stay readable")
	}
	if _, err := os.Stat(filepath.Join("testdata", goldenSecond)); err == nil {
		t.Skip("there are all")
	}
	a := agreedWorld(t)
	must(t, os.WriteFile(filepath.Join("testdata", goldenSecondKey), []byte(a.treeKey()+"\n"), 0o644))
	must(t, os.WriteFile(filepath.Join("testdata", goldenSecond), a.bundle(account("user:1")), 0o644))
}

func TestOldExamplesStayReadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ bundle, key, name string }{
		{goldenBundle, goldenKey, "epay-c/C1"}, {goldenSecond, goldenSecondKey, "user:1"},
	} {
		b, key := golden(t, c.bundle), string(golden(t, c.key))
		rep, err := audit.VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{Keys: []string{key}})
		if err != nil || !rep.OK() || rep.Subject.Name != c.name {
			t.Errorf("%s: %+v, %v", c.bundle, rep.Claims, err)
		}
		if out, code := python(t, b, key); code != 0 {
			t.Errorf("%s: the other verifier: %d\n%s", c.bundle, code, out)
		}
	}
	key := string(golden(t, goldenKey))
	for _, name := range []string{goldenReceipt, goldenText} {
		r, err := audit.ParseReceipt(golden(t, name))
		must(t, err)
		if p, err := r.Check(key); err != nil || p.Entry.Stream != "payment-epay-c:C1" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// No bytes pass for a bundle of that key but those of its events, and none make
// the reader stumble.
func FuzzVerifyBundle(f *testing.F) {
	good, key := golden(f, goldenBundle), string(golden(f, goldenKey))
	events := unzip(f, good)["events.ndjson"]
	f.Add(good)
	f.Add(rezip(f, unzip(f, good), true))
	for _, name := range []string{"events.ndjson", "proofs.ndjson", "manifest.json", "checkpoint"} {
		files := unzip(f, good)
		files[name] = files[name][:len(files[name])/2]
		f.Add(rezip(f, files, name != "manifest.json"))
	}
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := audit.VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{Keys: []string{key}})
		must(t, err)
		if rep.OK() && !bytes.Equal(unzip(t, b)["events.ndjson"], events) {
			t.Errorf("%q passes", b)
		}
	})
}

// FuzzBundleParts changes the files inside, which a changed zip hides behind
// its checksums.
func FuzzBundleParts(f *testing.F) {
	good, key := golden(f, goldenBundle), string(golden(f, goldenKey))
	files := unzip(f, good)
	for _, name := range []string{"manifest.json", "events.ndjson", "proofs.ndjson", "checkpoint"} {
		f.Add(name, files[name])
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		changed := unzip(t, good)
		if _, ok := changed[name]; !ok {
			t.Skip()
		}
		changed[name] = content
		b := rezip(t, changed, name != "manifest.json")
		rep, err := audit.VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{Keys: []string{key}})
		must(t, err)
		if rep.OK() && rep.Root == "" {
			t.Errorf("%s %q passes", name, content)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	key, long := string(golden(f, goldenKey)), golden(f, goldenReceipt)
	good, err := audit.ParseReceipt(long)
	must(f, err)
	f.Add(long)
	f.Add(golden(f, goldenText))
	f.Add([]byte("CFR1."))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := audit.ParseReceipt(b)
		if err != nil {
			return
		}
		if p, err := r.Check(key); err == nil && (p.Entry.ID != good.Event.Event.ID || string(p.Entry.Data) != string(good.Event.Event.Data)) {
			t.Errorf("%q passes", b)
		}
	})
}
