package audit_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/providers"
	"counterfoil/tamperlog"
)

func (w *world) bundle(o audit.BundleOptions) []byte {
	w.t.Helper()
	return w.bundleWith(o, nil)
}

func (w *world) bundleWith(o audit.BundleOptions, secrets audit.Secrets) []byte {
	w.t.Helper()
	var b bytes.Buffer
	_, err := audit.WriteBundle(w.t.Context(), &b, audit.BundleDeps{
		Log: w.events, Ledger: w.ledger, Tree: w.deps().Tree, Software: "test/1", Now: w.now,
		Describe: func(f domain.Fact) string { return f.FactType() + " <b>" }, Secrets: secrets,
	}, o)
	must(w.t, err)
	return b.Bytes()
}

func payment(name string) audit.BundleOptions {
	return audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectPayment, Name: name}}
}

// strangers are channels that verify with what the settings hold: here the ones
// of the test, since only their public keys are asked.
func (w *world) strangers(cfgs []domain.ChannelConfigured, _ audit.Secrets) map[domain.ChannelID]providers.Channel {
	out := map[domain.ChannelID]providers.Channel{}
	for _, c := range cfgs {
		if c.Channel == signed {
			out[signed] = w.channels[signed]
		}
	}
	return out
}

func (w *world) check(b []byte, key ...string) audit.BundleReport {
	w.t.Helper()
	return w.checkAs(b, w.strangers, key...)
}

func (w *world) checkAs(
	b []byte, channels func([]domain.ChannelConfigured, audit.Secrets) map[domain.ChannelID]providers.Channel, key ...string,
) audit.BundleReport {
	w.t.Helper()
	rep, err := audit.VerifyBundle(w.t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{Keys: key, Channels: channels})
	must(w.t, err)
	return rep
}

func TestBundlesVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	for name, o := range map[string]audit.BundleOptions{
		"a payment, grade B": payment("epay-a/A1"), "a payment, grade A": payment("epay-c/C1"),
		"a payment asked about": payment("epay-b/B1"), "a payment nobody placed at first": payment("epay-c/C2"),
		"an account":        {Subject: audit.Subject{Kind: audit.SubjectAccount, Name: "user:5"}},
		"a month":           {Subject: audit.Subject{Kind: audit.SubjectPeriod, Name: "2026-11"}},
		"personal fields":   {Subject: payment("epay-a/A1").Subject, Personal: true},
		"money by a person": payment("epay-a/A2"),
	} {
		b := w.bundle(o)
		rep := w.check(b, w.treeKey())
		if !rep.OK() || len(rep.Claims) != 9 || rep.Own || rep.Subject != o.Subject {
			t.Errorf("%s: %+v", name, rep.Claims)
		}
		if own := w.check(b); !own.OK() || !own.Own {
			t.Errorf("%s with its own key: %+v", name, own.Claims)
		}
		if name == "a payment, grade A" && (rep.Report.Evidence.Verified != 1 || len(rep.Report.Evidence.Unverifiable) != 0) {
			t.Errorf("%s: %+v", name, rep.Report.Evidence)
		}
		if o.Personal == (rep.Report.Evidence.Personal.Erased > 0) && name == "personal fields" {
			t.Errorf("%s: %+v", name, rep.Report.Evidence.Personal)
		}
	}
	var none bytes.Buffer
	_, err := audit.WriteBundle(t.Context(), &none, audit.BundleDeps{Log: w.events, Ledger: w.ledger, Tree: w.deps().Tree},
		audit.BundleOptions{Subject: audit.Subject{Kind: audit.SubjectAccount, Name: "nobody"}})
	if domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an account without payments: %v", err)
	}
}

// TestAccountsBundleHasDraws: what an account spent is in its bundle, the other
// verifier reads it too, and the bundle of a month or of another account has none.
func TestAccountsBundleHasDraws(t *testing.T) {
	t.Parallel()
	w := month(t)
	w.seal()
	of := func(kind, name string) audit.BundleOptions {
		return audit.BundleOptions{Subject: audit.Subject{Kind: kind, Name: name}}
	}
	b := w.bundle(of(audit.SubjectAccount, "user:1"))
	files := unzip(t, b)
	for _, want := range []string{"消费 · Draws", "draw-log-1", "draw-log-3", "draw.reversed.v1"} {
		if !strings.Contains(string(files["summary.html"]), want) {
			t.Errorf("no %q in the summary", want)
		}
	}
	if rep := w.check(b, w.treeKey()); !rep.OK() || rep.Report.Types[domain.TypeAccountDrawn] != 3 || rep.Report.Types[domain.TypeDrawReversed] != 1 {
		t.Errorf("%+v", rep.Claims)
	}
	if out, code := python(t, b, w.treeKey()); code != 0 {
		t.Errorf("%d\n%s", code, out)
	}
	for _, o := range []audit.BundleOptions{of(audit.SubjectPeriod, "2026-11"), of(audit.SubjectAccount, "user:5")} {
		if strings.Contains(string(unzip(t, w.bundle(o))["events.ndjson"]), "draw-") {
			t.Errorf("%+v has draws", o.Subject)
		}
	}
}

func TestSummariesAreForPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	page := unzip(t, w.bundle(payment("epay-a/A1")))["summary.html"]
	for _, want := range []string{"证据包", "payment-epay-a:A1", "14.60 CNY", w.checkpoint().Hex(), "payment.credited.v1 &lt;b&gt;"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in the summary", want)
		}
	}
}

func unzip(t testing.TB, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		out[f.Name], err = io.ReadAll(r)
		must(t, err)
	}
	return out
}

// rezip packs files; with mend the manifest names them as they are now.
func rezip(t testing.TB, files map[string][]byte, mend bool) []byte {
	t.Helper()
	if mend {
		var m map[string]any
		must(t, json.Unmarshal(files["manifest.json"], &m))
		var list []map[string]any
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if name != "manifest.json" {
				sum := sha256.Sum256(files[name])
				list = append(list, map[string]any{"name": name, "bytes": len(files[name]), "sha256": hex.EncodeToString(sum[:])})
			}
		}
		m["files"] = list
		b, err := json.Marshal(m)
		must(t, err)
		files["manifest.json"] = b
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		must(t, err)
		_, err = w.Write(files[name])
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// onlyTheLedger leaves of a bundle the opening of the ledger alone.
func onlyTheLedger(f map[string][]byte) {
	for i := strings.Count(string(f["events.ndjson"]), "\n") - 1; i > 0; i-- {
		dropLine(f, i)
	}
	maps.DeleteFunc(f, func(name string, _ []byte) bool {
		return strings.HasPrefix(name, "evidence/") || strings.HasPrefix(name, "keys/")
	})
	f["manifest.json"] = regexp.MustCompile(`"streams":\[.*?\],"keys":\[.*?\]`).ReplaceAll(f["manifest.json"],
		[]byte(`"streams":[{"stream":"ledger","events":1}],"keys":[]`))
}

// Bundles that are not what they say: each with the claim that must fail.
func TestBadBundles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	key := w.treeKey()
	good := w.bundle(payment("epay-c/C1"))
	other := unzip(t, w.bundle(payment("epay-a/A1")))
	foreign := newWorld(t) // the same story in another log, with another key
	foreign.live()
	w.fill(3)
	later := unzip(t, w.bundle(payment("epay-c/C1")))
	for name, c := range map[string]struct {
		change func(f map[string][]byte)
		mend   bool
		claim  string
		says   string
	}{
		"a future version": {func(f map[string][]byte) {
			swap(t, f, "manifest.json", "counterfoil-bundle/2", "counterfoil-bundle/9")
		}, false, audit.ClaimManifest, "counterfoil-bundle/9"},
		"an unknown member": {func(f map[string][]byte) { swap(t, f, "manifest.json", `"mode"`, `"mood":1,"mode"`) }, false, audit.ClaimManifest, "mood"},
		"no manifest":       {func(f map[string][]byte) { delete(f, "manifest.json") }, false, audit.ClaimManifest, "missing"},
		"a changed file":    {func(f map[string][]byte) { f["summary.html"] = []byte("all is well") }, false, audit.ClaimFiles, "summary.html was changed"},
		"a file besides":    {func(f map[string][]byte) { f["keys/x.pem"] = nil }, false, audit.ClaimFiles, "not in the manifest"},
		"a file of no kind": {func(f map[string][]byte) { f["../x"] = nil }, true, audit.ClaimContainer, "belongs into no bundle"},
		"a missing file":    {func(f map[string][]byte) { delete(f, "log.key") }, false, audit.ClaimFiles, "missing"},
		"another checkpoint of the log": {func(f map[string][]byte) {
			f["checkpoint"] = later["checkpoint"]
		}, true, audit.ClaimCheckpoint, "the manifest says"},
		"a forked checkpoint": {func(f map[string][]byte) {
			swap(t, f, "checkpoint", "\n", "\n1")
		}, true, audit.ClaimCheckpoint, "signature"},
		"proofs of another head": {func(f map[string][]byte) {
			f["proofs.ndjson"] = later["proofs.ndjson"]
		}, true, audit.ClaimInclusion, "is not in the log"},
		"another amount": {func(f map[string][]byte) { swap(t, f, "events.ndjson", "0.01", "9.01") }, true, audit.ClaimInclusion, "is not in the log"},
		"another index":  {func(f map[string][]byte) { swap(t, f, "events.ndjson", `{"index":0,`, `{"index":1,`) }, true, audit.ClaimInclusion, "proof of event"},
		"half the events": {func(f map[string][]byte) {
			f["events.ndjson"] = f["events.ndjson"][:len(f["events.ndjson"])/2]
		}, true, audit.ClaimInclusion, ""},
		"an event left out": {func(f map[string][]byte) { dropLine(f, 2) }, true, audit.ClaimStreams, "events were left out"},
		"the last event left out": {func(f map[string][]byte) {
			dropLine(f, strings.Count(string(f["events.ndjson"]), "\n")-1)
		}, true, audit.ClaimStreams, "the manifest says"},
		"foreign events": {func(f map[string][]byte) {
			f["events.ndjson"], f["proofs.ndjson"] = other["events.ndjson"], other["proofs.ndjson"]
		}, true, audit.ClaimStreams, ""},
		"another subject": {func(f map[string][]byte) {
			swap(t, f, "manifest.json", `"name":"epay-c/C1"`, `"name":"epay-c/C7"`)
		}, true, audit.ClaimStreams, "is foreign to payment epay-c/C7"},
		"evidence exchanged": {func(f map[string][]byte) {
			for name := range f {
				if strings.HasSuffix(name, ".sealed") {
					f[name] = []byte("sealed")
				}
			}
		}, true, audit.ClaimEvidence, "is not the sealed part"},
		"no sealed part": {func(f map[string][]byte) {
			maps.DeleteFunc(f, func(name string, _ []byte) bool { return strings.HasSuffix(name, ".sealed") })
		}, true, audit.ClaimEvidence, "missing"},
		"evidence of no event": {func(f map[string][]byte) { f["evidence/999.json"] = nil }, true, audit.ClaimEvidence, "belongs to no event"},
		"evidence that says something else": {func(f map[string][]byte) {
			for name := range f {
				if strings.HasPrefix(name, "evidence/") && strings.HasSuffix(name, ".json") {
					f[name] = bytes.Replace(f[name], []byte("0.01"), []byte("0.02"), 1)
					f[name] = append(f[name], ' ')
				}
			}
		}, true, audit.ClaimDecisions, "its evidence has SHA-256"},
		"a key obtained otherwise": {func(f map[string][]byte) {
			swap(t, f, "manifest.json", `"obtained":"`, `"obtained":"by the auditor from `)
		}, true, audit.ClaimKeys, "no settings of channel"},
		"a key untold": {func(f map[string][]byte) {
			f["manifest.json"] = regexp.MustCompile(`"keys":\[.*?\],"files"`).ReplaceAll(f["manifest.json"], []byte(`"keys":[],"files"`))
		}, true, audit.ClaimKeys, "the manifest names 0"},
		"another public key": {func(f map[string][]byte) {
			for name := range f {
				if strings.HasPrefix(name, "keys/") {
					f[name] = []byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")
				}
			}
		}, true, audit.ClaimKeys, "is not the key that the settings hold"},
		"a public key more":    {func(f map[string][]byte) { f["keys/abc.pem"] = []byte("x") }, true, audit.ClaimKeys, "no key of the settings"},
		"secrets of strangers": {func(f map[string][]byte) { f["secrets/none.keys"] = []byte("QUJD\n") }, true, audit.ClaimDecisions, "not in the bundle"},
		"another log's key": {func(f map[string][]byte) {
			f["log.key"] = []byte(foreign.treeKey() + "\n")
		}, true, audit.ClaimCheckpoint, "log.key is not the key that signed it"},
		"a position out of order": {func(f map[string][]byte) {
			swap(t, f, "events.ndjson", `"position":"1"`, `"position":"99999"`)
		}, true, audit.ClaimInclusion, "stands at position"},
		"nothing of its subject": {func(f map[string][]byte) {
			onlyTheLedger(f)
		}, true, audit.ClaimStreams, "nothing of payment epay-c/C1 is in it"},
		"another mode": {func(f map[string][]byte) { swap(t, f, "manifest.json", `"mode":"test"`, `"mode":"live"`) }, true, audit.ClaimStreams, "opens ledger"},
	} {
		files := unzip(t, good)
		c.change(files)
		if c.claim == audit.ClaimContainer {
			c.mend = false
		}
		rep := w.check(rezip(t, files, c.mend), key)
		failed := rep.Claims[len(rep.Claims)-1]
		if rep.OK() || failed.Name != c.claim || failed.OK || !strings.Contains(failed.Text, c.says) {
			t.Errorf("%s: %+v", name, rep.Claims)
		}
	}
	if rep := w.check(good, foreign.treeKey()); rep.OK() || rep.Claims[len(rep.Claims)-1].Name != audit.ClaimCheckpoint {
		t.Errorf("another log's key: %+v", rep.Claims)
	}
	if rep := w.check(foreign.bundle(payment("epay-c/C1")), key); rep.OK() {
		t.Errorf("another log's bundle: %+v", rep.Claims)
	}
	for n := 0; n < len(good); n += 1 + len(good)/97 {
		if rep := w.check(good[:n], key); rep.OK() {
			t.Errorf("%d of %d bytes pass", n, len(good))
		}
	}
}

// The page for people is read first, so a changed one is never passed over.
func TestAForgedSummaryIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	good := w.bundle(payment("epay-a/A1"))
	forged := unzip(t, good)
	swap(t, forged, "summary.html", "payment.credited.v1", "payment.refunded.v1")
	check := func(b []byte) audit.BundleReport {
		rep, err := audit.VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{
			Keys: []string{w.treeKey()}, Channels: w.strangers, Describe: func(f domain.Fact) string { return f.FactType() + " <b>" },
		})
		must(t, err)
		return rep
	}
	if rep := check(good); !rep.Complete() || rep.Summary != audit.SummarySame {
		t.Errorf("%q, %+v", rep.Summary, rep.Claims)
	}
	if rep := check(rezip(t, forged, true)); rep.Complete() || rep.Summary != audit.SummaryOther {
		t.Errorf("forged: %q, %+v", rep.Summary, rep.Claims)
	}
}

// A checkpoint that the auditor kept must be the bundle's.
func TestBundlesAgainstAKeptCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	b := w.bundle(payment("epay-a/A1"))
	kept := w.checkpoint().Checkpoint
	for _, c := range []struct {
		head tamperlog.Checkpoint
		ok   bool
	}{{kept, true}, {tamperlog.Checkpoint{Origin: kept.Origin, Size: kept.Size}, false}} {
		rep, err := audit.VerifyBundle(t.Context(), bytes.NewReader(b), int64(len(b)),
			audit.BundleCheck{Keys: []string{w.treeKey()}, Brought: []audit.Brought{{Checkpoint: c.head, Whose: "kept"}}})
		if err != nil || rep.OK() != c.ok {
			t.Errorf("%+v: %+v, %v", c.head, rep.Claims, err)
		}
	}
}

func swap(t *testing.T, f map[string][]byte, name, old, with string) {
	t.Helper()
	if !bytes.Contains(f[name], []byte(old)) {
		t.Fatalf("no %q in %s", old, f[name])
	}
	f[name] = bytes.Replace(f[name], []byte(old), []byte(with), 1)
}

// dropLine takes an event and its proof out.
func dropLine(f map[string][]byte, n int) {
	for _, name := range []string{"events.ndjson", "proofs.ndjson"} {
		lines := bytes.SplitAfter(f[name], []byte("\n"))
		f[name] = bytes.Join(slices.Delete(lines, n, n+1), nil)
	}
}
