package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
)

// verifyKept checks a bundle against a checkpoint that was kept.
func (w *world) verifyKept(b []byte, kept audit.Brought) audit.BundleReport {
	w.t.Helper()
	rep, err := audit.VerifyBundle(w.t.Context(), bytes.NewReader(b), int64(len(b)), audit.BundleCheck{
		Keys: []string{w.treeKey()}, Brought: []audit.Brought{kept}, Channels: w.strangers,
	})
	must(w.t, err)
	return rep
}

// The owner of the log's key can sign two histories. Each bundle holds by
// itself; the checkpoint that somebody kept tells which one they were shown.
func TestABundleOfAForkedLogIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	w.close()
	fork := w.copy(t)
	w.open()
	fork.open()
	w.configure()
	fork.configure()
	for _, branch := range []struct {
		w       *world
		account string
	}{{w, "user:7"}, {fork, "user:8"}} {
		branch.w.place(trusting, "F1", branch.account, "5.00")
		branch.w.callback(trusting, "F1", "T-F1", "5.00", domain.OutcomeCredited)
		branch.w.fold()
	}
	kept := audit.Brought{Checkpoint: w.checkpoint().Checkpoint, Whose: "kept.txt"}
	if other := fork.checkpoint(); other.Size != kept.Size || other.Root == kept.Root {
		t.Fatalf("no fork: %+v and %+v", kept, other)
	}
	mine, theirs := w.bundle(payment("epay-a/F1")), fork.bundle(payment("epay-a/F1"))
	if rep := fork.check(theirs, w.treeKey()); !rep.OK() {
		t.Fatalf("the fork is a whole log: %+v", rep.Claims)
	}
	if rep := w.verifyKept(mine, kept); !rep.OK() {
		t.Errorf("the log that was kept: %+v", rep.Claims)
	}
	rep := w.verifyKept(theirs, kept)
	failed := rep.Claims[len(rep.Claims)-1]
	if rep.OK() || failed.Name != audit.ClaimCheckpoint || !strings.Contains(failed.Text, "it is not the checkpoint that you bring (kept.txt") {
		t.Errorf("the fork: %+v", rep.Claims)
	}
	if out, code := python(t, theirs, w.treeKey()); code != 0 { // it takes no kept checkpoint: the roots are there to compare
		t.Errorf("the other verifier: %d\n%s", code, out)
	}
}

// A checkpoint of another log, with that log's key put beside it, fails where
// the manifest and the key of the auditor say otherwise.
func TestABundleWithAnotherLogsCheckpoint(t *testing.T) {
	t.Parallel()
	w, foreign := newWorld(t), newWorld(t)
	w.live()
	foreign.live()
	files, other := unzip(t, w.bundle(payment("epay-c/C1"))), unzip(t, foreign.bundle(payment("epay-c/C1")))
	files["checkpoint"], files["log.key"] = other["checkpoint"], other["log.key"]
	for name, key := range map[string][]string{"the log's key": {w.treeKey()}, "the other log's key": {foreign.treeKey()}, "the bundle's own": nil} {
		rep := w.check(rezip(t, files, true), key...)
		failed := rep.Claims[len(rep.Claims)-1]
		if rep.OK() || failed.Name != audit.ClaimCheckpoint {
			t.Errorf("%s: %+v", name, rep.Claims)
		}
	}
}
