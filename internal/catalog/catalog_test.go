package catalog

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"counterfoil/domain"
)

var update = flag.Bool("update", false, "write catalog.json and docs/events.md from the source of package domain")

const page = "../../docs/events.md"

// TestCatalog: what is printed, and docs/events.md, say what the code does.
func TestCatalog(t *testing.T) {
	c := made(t)
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var md bytes.Buffer
	if err := c.Markdown(&md); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"catalog.json": append(data, '\n'), page: md.Bytes()} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what the source says (%v): go test ./internal/catalog -update, and look at the difference", name, err)
		}
	}
}

// TestEveryTypeIsTold: each type that can be read is in the catalog, with every
// member of its fixture.
func TestEveryTypeIsTold(t *testing.T) {
	c, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Events) != len(domain.Types()) {
		t.Errorf("%d events, %d types", len(c.Events), len(domain.Types()))
	}
	for _, name := range domain.Types() {
		e, ok := c.Event(name)
		if !ok {
			t.Errorf("%s is not told", name)
			continue
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(e.Example), &members); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, m := range e.Members {
			if _, there := members[m.Name]; !there && !m.Optional {
				t.Errorf("%s: the example lacks %s", name, m.Name)
			}
			delete(members, m.Name)
		}
		for left := range members {
			t.Errorf("%s: %s is not told", name, left)
		}
	}
}
