package audit_test

import (
	"context"
	"errors"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
)

// The verifier that shares no code with this program, and the primitives it
// rests on.
const (
	script     = "../docs/verifier/verify_bundle.py"
	primitives = "../docs/verifier/primitives.py"
)

// python runs the other verifier over a bundle and returns what it says.
func python(t *testing.T, bundle []byte, key ...string) (out string, code int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.zip")
	must(t, os.WriteFile(path, bundle, 0o600))
	return run(t, append([]string{script, path}, key...)...)
}

// run runs a program in Python, which leaves nothing behind.
func run(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	exe, err := osexec.LookPath("python3")
	if err != nil {
		t.Skip("python3 IS NOT INSTALLED: the independent verifier of docs/verifier was not tried")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := osexec.CommandContext(ctx, exe, append([]string{"-B"}, args...)...).CombinedOutput()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return string(text), code
}

// What the other verifier rests on is what the standards' own examples say.
func TestTheOtherVerifiersPrimitives(t *testing.T) {
	t.Parallel()
	if out, code := run(t, primitives); code != 0 || out != "all 3 examples hold\n" {
		t.Errorf("%d\n%s", code, out)
	}
}

// A second program, in another language and without our code, comes to the same
// verdict, for the same claim.
func TestTheOtherVerifierAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	key := w.treeKey()
	for name, says := range map[string]string{
		"epay-a/A1": "to wallets: 7.30 CNY; money by grade: B 14.60 CNY", "epay-c/C1": "1 by RSA keys of providers hold", "epay-c/C2": "to wallets: 9.99 CNY",
		"epay-b/B1": "to wallets: 100.00 CNY; money by grade: C 100.00 CNY",
	} {
		out, code := python(t, w.bundle(payment(name)), key)
		if code != 0 || !strings.Contains(out, says) || !strings.Contains(out, "verdict: every claim holds") {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
	}
	month := w.bundle(audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectPeriod, Name: "2026-11"}})
	if out, code := python(t, month); code != 0 || !strings.Contains(out, "the log's key came out of the bundle itself") {
		t.Errorf("a month: %d\n%s", code, out)
	}
}

func TestTheOtherVerifierRefuses(t *testing.T) {
	t.Parallel()
	w, foreign := newWorld(t), newWorld(t)
	w.live()
	foreign.live()
	key := w.treeKey()
	good := w.bundle(payment("epay-c/C1"))
	for name, c := range map[string]struct {
		change func(f map[string][]byte)
		mend   bool
		claim  string
	}{
		"a future version":  {func(f map[string][]byte) { swap(t, f, "manifest.json", "bundle/2", "bundle/9") }, false, "manifest"},
		"a changed file":    {func(f map[string][]byte) { f["summary.html"] = nil }, false, "files"},
		"a forked head":     {func(f map[string][]byte) { swap(t, f, "checkpoint", "\n", "\n1") }, true, "checkpoint"},
		"another amount":    {func(f map[string][]byte) { swap(t, f, "events.ndjson", "0.01", "9.01") }, true, "inclusion"},
		"an event left out": {func(f map[string][]byte) { dropLine(f, 2) }, true, "streams"},
		"another subject":   {func(f map[string][]byte) { swap(t, f, "manifest.json", "epay-c/C1", "epay-c/C7") }, true, "streams"},
		"an unknown member": {func(f map[string][]byte) { swap(t, f, "manifest.json", `"mode"`, `"mood":1,"mode"`) }, false, "manifest"},
		"another log's key": {func(f map[string][]byte) { f["log.key"] = []byte(foreign.treeKey() + "\n") }, true, "checkpoint"},
		"a position out of order": {func(f map[string][]byte) {
			swap(t, f, "events.ndjson", `"position":"1"`, `"position":"99999"`)
		}, true, "inclusion"},
		"a member of an event":   {func(f map[string][]byte) { swap(t, f, "events.ndjson", `"stream"`, `"mood":1,"stream"`) }, true, "inclusion"},
		"nothing of its subject": {func(f map[string][]byte) { onlyTheLedger(f) }, true, "streams"},
		"a key obtained otherwise": {func(f map[string][]byte) {
			swap(t, f, "manifest.json", `"obtained":"`, `"obtained":"by the auditor from `)
		}, true, "keys"},
		"another public key": {func(f map[string][]byte) {
			for name := range f {
				if strings.HasPrefix(name, "keys/") {
					f[name] = []byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")
				}
			}
		}, true, "keys"},
		"a public key more":    {func(f map[string][]byte) { f["keys/abc.pem"] = []byte("x") }, true, "keys"},
		"secrets of strangers": {func(f map[string][]byte) { f["secrets/none.keys"] = []byte("QUJD\n") }, true, "keys"},
		"evidence of no event": {func(f map[string][]byte) { f["evidence/999.json"] = nil }, true, "evidence"},
		"other evidence": {func(f map[string][]byte) {
			for name := range f {
				if strings.HasSuffix(name, ".json") && strings.HasPrefix(name, "evidence/") {
					f[name] = append(f[name], ' ')
				}
			}
		}, true, "evidence"},
	} {
		files := unzip(t, good)
		c.change(files)
		out, code := python(t, rezip(t, files, c.mend), key)
		if code != 5 || !strings.Contains(out, "\n"+c.claim) && !strings.HasPrefix(out, c.claim) || !strings.Contains(out, "NO ") {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
		if last := strings.Split(strings.TrimSpace(out), "\n"); !strings.HasPrefix(last[max(0, len(last)-2)], c.claim) {
			t.Errorf("%s fails at another claim:\n%s", name, out)
		}
	}
	withheld := unzip(t, good)
	maps.DeleteFunc(withheld, func(name string, _ []byte) bool {
		return strings.HasPrefix(name, "evidence/") && strings.HasSuffix(name, ".json")
	})
	if out, code := python(t, rezip(t, withheld, true), key); code != 4 || !strings.Contains(out, "the evidence of 1 notices is missing") {
		t.Errorf("withheld evidence: %d\n%s", code, out)
	}
	if out, code := python(t, good[:len(good)/2], key); code != 5 {
		t.Errorf("half a bundle: %d\n%s", code, out)
	}
	if out, code := python(t, good, foreign.treeKey()); code != 5 || !strings.Contains(out, "checkpoint  NO") {
		t.Errorf("another log's key: %d\n%s", code, out)
	}
}
