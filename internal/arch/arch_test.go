package arch_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"counterfoil/internal/arch"
)

func TestModuleKeepsItsLayers(t *testing.T) {
	t.Parallel()
	found, err := arch.Check(filepath.Join("..", ".."), arch.Counterfoil())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Every planted mistake is one file in an otherwise clean module; the test
// names the words the report must contain.
func TestPlantedMistakesAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, src, want string }{
		"a package without a row": {
			"util/u.go", "// Package util is.\npackage util\n",
			"util: no row",
		},
		"a package without a comment": {
			"ledger/l.go", "package ledger\n",
			"ledger/l.go:1: package ledger has no package comment",
		},
		"a comment that is about something else": {
			"cmd/api/main.go", "// Copyright.\npackage main\n",
			"package main has no package comment",
		},
		"an import upwards": {
			"ledger/l.go", "// Package ledger is.\npackage ledger\n\nimport _ \"counterfoil/httpapi\"\n",
			"ledger/l.go:4: ledger may not import httpapi",
		},
		"an adapter in the core": {
			"reconcile/r.go", "// Package reconcile is.\npackage reconcile\n\nimport _ \"counterfoil/eventstore/sqlite\"\n",
			"reconcile may not import eventstore/sqlite",
		},
		"an adapter that knows another": {
			"operations/sqlite/o.go", "// Package sqlite is.\npackage sqlite\n\nimport _ \"counterfoil/eventstore/sqlite\"\n",
			"operations/sqlite may not import eventstore/sqlite",
		},
		"a command imported": {
			"internal/demo/d.go", "// Package demo is.\npackage demo\n\nimport _ \"counterfoil/cmd/api\"\n",
			"internal/demo may not import cmd/api",
		},
		"the socket in the domain": {
			"domain/d.go", "// Package domain is.\npackage domain\n\nimport _ \"net/http\"\n",
			"domain is pure and may not import net/http",
		},
		"the store in the domain's tests": {
			"domain/d_test.go", "package domain\n\nimport _ \"counterfoil/eventstore/memory\"\n",
			"domain may not import eventstore/memory",
		},
		"a face in a test of the core": {
			"ledger/l_test.go", "package ledger\n\nimport _ \"counterfoil/httpapi\"\n",
			"ledger may not import httpapi",
		},
		"the driver outside its adapters": {
			"audit/a.go", "// Package audit is.\npackage audit\n\nimport _ \"modernc.org/sqlite/lib\"\n",
			"audit may not import modernc.org/sqlite/lib: it belongs to",
		},
		"cron in a test helper that is no test file": {
			"reconcile/r.go", "// Package reconcile is.\npackage reconcile\n\nimport _ \"github.com/robfig/cron/v3\"\n",
			"it belongs to cmd/reconciler",
		},
		"a library nobody decided on": {
			"httpapi/h.go", "// Package httpapi is.\npackage httpapi\n\nimport _ \"github.com/go-chi/chi/v5\"\n",
			"no line in internal/arch/table.go for the library github.com/go-chi/chi/v5",
		},
		"a test library in shipped code": {
			"httpapi/h.go", "// Package httpapi is.\npackage httpapi\n\nimport _ \"pgregory.net/rapid\"\n",
			"httpapi may not import pgregory.net/rapid",
		},
		"cgo": {
			"ledger/l.go", "// Package ledger is.\npackage ledger\n\nimport \"C\"\n",
			"cgo",
		},
		"a dot import": {
			"ledger/l.go", "// Package ledger is.\npackage ledger\n\nimport . \"counterfoil/eventstore\"\n",
			"dot import of counterfoil/eventstore",
		},
		"the door to the log": {
			"httpapi/h.go", "// Package httpapi is.\npackage httpapi\n\nimport \"counterfoil/eventstore\"\n\nvar _ eventstore.Appender\n",
			"httpapi/h.go:6: httpapi may not name eventstore.Appender",
		},
		"the door under another name": {
			"relay/r.go", "// Package relay is.\npackage relay\n\nimport es \"counterfoil/eventstore\"\n\nfunc f(a struct{ x []es.Appender }) {}\n",
			"relay may not name eventstore.Appender",
		},
		"the whole store, which holds the door": {
			"reconcile/r.go", "// Package reconcile is.\npackage reconcile\n\nimport \"counterfoil/eventstore\"\n\nfunc f() (s eventstore.Store) { return }\n",
			"reconcile may not name eventstore.Store",
		},
		"a mistake behind a build tag": {
			"ledger/l.go", "//go:build never\n\n// Package ledger is.\npackage ledger\n\nimport _ \"counterfoil/httpapi\"\n",
			"ledger may not import httpapi",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := check(t, map[string]string{c.file: c.src})
			if len(found) != 1 || !strings.Contains(found[0], c.want) {
				t.Errorf("reported %q, want one line with %q", found, c.want)
			}
		})
	}
}

// What the rules allow must stay allowed, else people learn to go round them.
func TestAllowedImportsPass(t *testing.T) {
	t.Parallel()
	found := check(t, map[string]string{
		"domain/d.go":               "// Package domain is.\npackage domain\n\nimport (\n\t_ \"net/url\"\n\t_ \"time\"\n\n\t_ \"counterfoil/internal/strictjson\"\n\t_ \"github.com/shopspring/decimal\"\n)\n",
		"domain/d_test.go":          "package domain_test\n\nimport (\n\t_ \"os\"\n\n\t_ \"counterfoil/domain\"\n\t_ \"pgregory.net/rapid\"\n)\n",
		"eventstore/e.go":           "// Package eventstore is.\npackage eventstore\n\nimport _ \"counterfoil/domain\"\n\ntype Appender interface{}\n",
		"eventstore/sqlite/s.go":    "// Package sqlite is.\npackage sqlite\n\nimport (\n\t_ \"database/sql\"\n\n\t\"counterfoil/eventstore\"\n\t_ \"modernc.org/sqlite\"\n)\n\nvar _ eventstore.Appender\n",
		"eventstore/storetest/s.go": "// Package storetest is.\npackage storetest\n\nimport (\n\t_ \"counterfoil/eventstore\"\n\t_ \"pgregory.net/rapid\"\n)\n",
		"ledger/l.go":               "// Package ledger is.\npackage ledger\n\nimport \"counterfoil/eventstore\"\n\nvar _ eventstore.Appender\n",
		"ledger/l_test.go":          "package ledger\n\nimport (\n\t_ \"counterfoil/eventstore/memory\"\n\t_ \"counterfoil/providers/epay\"\n)\n",
		"relay/r.go":                "// Package relay is.\npackage relay\n\nimport \"counterfoil/eventstore\"\n\nvar _ eventstore.Reader\n",
		"relay/r_test.go":           "package relay\n\nimport \"counterfoil/eventstore\"\n\nvar _ eventstore.Appender\n",
		"httpapi/h.go":              "// Package httpapi is.\npackage httpapi\n\nimport (\n\t_ \"net/http\"\n\n\t_ \"counterfoil/ledger\"\n\t_ \"github.com/danielgtaylor/huma/v2/adapters/humago\"\n)\n",
		"internal/simulation/s.go":  "// Package simulation is.\npackage simulation\n\nimport (\n\t\"counterfoil/eventstore\"\n\t_ \"counterfoil/httpapi\"\n)\n\nvar _ eventstore.Store\n",
		"cmd/api/main.go":           "// Command api is.\npackage main\n\nimport (\n\t_ \"counterfoil/internal/assembly\"\n\t_ \"github.com/spf13/cobra\"\n)\n",
		"ledger/testdata/bad.go":    "package bad\n\nimport _ \"counterfoil/httpapi\"\n",
		"providers/witness/go.mod":  "module counterfoil/providers/witness\n",
		"providers/witness/w.go":    "package witness\n\nimport _ \"counterfoil/httpapi\"\n",
	})
	for _, f := range found {
		t.Error(f)
	}
}

func TestUnreadableSourceIsAnError(t *testing.T) {
	t.Parallel()
	root := plant(t, map[string]string{"ledger/l.go": "package\n"})
	if _, err := arch.Check(root, arch.Counterfoil()); err == nil || !strings.Contains(err.Error(), "ledger/l.go") {
		t.Errorf("error %v does not name the file", err)
	}
}

// A row behind one that already covers its package would never be read, and
// a permission for a package no row knows is a slip of the pen.
func TestTableIsConsistent(t *testing.T) {
	t.Parallel()
	r := arch.Counterfoil()
	var seen []string
	for _, row := range r.Rows {
		for _, s := range seen {
			if s == row.Package || strings.HasSuffix(s, "/...") && strings.HasPrefix(row.Package, strings.TrimSuffix(s, "...")) {
				t.Errorf("row %s is hidden by row %s", row.Package, s)
			}
		}
		seen = append(seen, row.Package)
	}
	for _, row := range r.Rows {
		for _, m := range row.May {
			if m != "internal/..." && !slices.Contains(seen, m) {
				t.Errorf("%s may import %s, which has no row", row.Package, m)
			}
		}
	}
}

func check(t *testing.T, files map[string]string) []string {
	t.Helper()
	found, err := arch.Check(plant(t, files), arch.Counterfoil())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, src := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
