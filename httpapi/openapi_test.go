package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

//go:generate go test -run TestOpenAPIFile -update .

var update = flag.Bool("update", false, "write docs/openapi.json from what is served")

const openAPIFile = "../docs/openapi.json"

func (s *site) openAPI() answer {
	s.tb.Helper()
	a := s.call("admin", http.MethodGet, "/openapi.json", "")
	if a.status != http.StatusOK {
		s.tb.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

// TestOpenAPIFile: the committed description is the served one. `go generate
// ./httpapi` brings it up to date.
func TestOpenAPIFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var served bytes.Buffer
	s.ok(json.Indent(&served, s.openAPI().body, "", "  "))
	served.WriteByte('\n')
	if *update {
		s.ok(os.WriteFile(openAPIFile, served.Bytes(), 0o644))
	}
	committed, err := os.ReadFile(openAPIFile)
	if err != nil || !bytes.Equal(committed, served.Bytes()) {
		t.Errorf("%s is not what is served (%v): run go generate ./httpapi", openAPIFile, err)
	}
}

// TestOpenAPISaysEverything: each operation has words, a key, its scope and its
// answers; each answer and member has a type.
func TestOpenAPISaysEverything(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.openAPI()
	if a.text("openapi") != "3.1.0" || a.text("info.version") == "" {
		t.Errorf("openapi %s, version %s", a.text("openapi"), a.text("info.version"))
	}
	paths, _ := a.field("paths").(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, op := range methods {
			raw, err := json.Marshal(op)
			s.ok(err)
			checkOperation(t, method+" "+path, answer{body: raw})
		}
	}
	schemas, _ := a.field("components.schemas").(map[string]any)
	for name, schema := range schemas {
		checkSchema(t, name, schema)
	}
	if strings.Contains(string(a.body), `"base64"`) || strings.Contains(string(a.body), `"null"`) {
		t.Error("something is described as base64, or as a list that may be null")
	}
}

func checkOperation(t *testing.T, name string, op answer) {
	t.Helper()
	id := op.text("operationId")
	if op.text("summary") == "" || len(op.text("description")) < 60 || op.field("security.0.key") == nil {
		t.Errorf("%s: summary %q, description %q, security %v", name, op.text("summary"), op.text("description"), op.field("security"))
	}
	if want := "Scope: `" + string(scopeOf[id]) + "`."; !strings.Contains(op.text("description"), want) {
		t.Errorf("%s does not say %s", name, want)
	}
	responses, _ := op.field("responses").(map[string]any)
	var codes []string
	for code, r := range responses {
		codes = append(codes, code)
		raw, _ := json.Marshal(r)
		if text := string(raw); code != "304" && !strings.Contains(text, `"$ref"`) && !strings.Contains(text, "ndjson") && !strings.Contains(text, `"binary"`) {
			t.Errorf("%s: the answer %s has no shape: %s", name, code, text)
		}
	}
	slices.Sort(codes)
	for _, code := range []string{"401", "403", "422", "500", "503"} {
		if !slices.Contains(codes, code) {
			t.Errorf("%s does not name %s: %v", name, code, codes)
		}
	}
	parameters, _ := op.field("parameters").([]any)
	for _, p := range parameters {
		raw, _ := json.Marshal(p)
		if d := (answer{body: raw}); d.text("description") == "" {
			t.Errorf("%s: %s has no description", name, d.text("name"))
		}
	}
}

func checkSchema(t *testing.T, name string, schema any) {
	t.Helper()
	fields, _ := schema.(map[string]any)
	properties, _ := fields["properties"].(map[string]any)
	if len(properties) == 0 {
		t.Errorf("schema %s has no members: %v", name, schema)
	}
	for member, p := range properties {
		shape, _ := p.(map[string]any)
		if shape["type"] == nil && shape["$ref"] == nil && shape["description"] == nil {
			t.Errorf("%s.%s has no type: %v", name, member, shape)
		}
		if shape["description"] == nil && shape["$ref"] == nil {
			t.Errorf("%s.%s has no description", name, member)
		}
	}
}
