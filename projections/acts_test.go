package projections

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"counterfoil/domain"
)

// TestWhatPeopleDoIsAnAct: every stored fact that names the person who did it is
// on the list of acts, under its own name.
func TestWhatPeopleDoIsAnAct(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../domain/testdata/facts/*.json")
	if err != nil {
		t.Fatal(err)
	}
	acts := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			By    string `json:"by"`
			ByRun bool   `json:"by_run"`
		}
		if err := json.Unmarshal(data, &said); err != nil || said.By == "" {
			continue
		}
		base := strings.TrimSuffix(filepath.Base(name), ".json")
		typ := base[:strings.LastIndexByte(base, '.')]
		f, err := domain.DecodeFact(typ, bytes.TrimSpace(data))
		if err != nil {
			t.Fatalf("%s: %v", base, err)
		}
		want := said.By
		if d, ok := f.(domain.ReconciliationDiffered); said.ByRun || ok && d.Proposal.IsZero() || typ == domain.TypeCorrectionIssued {
			want = "" // a run's, or told by the decision before it
		}
		switch what, person := actOf(f); {
		case person != want, want != "" && typ != what+".v1":
			t.Errorf("%s of %q is %q by %q", base, said.By, what, person)
		case want != "":
			acts++
		}
	}
	if acts < 20 {
		t.Errorf("%d acts among the stored facts", acts)
	}
}
