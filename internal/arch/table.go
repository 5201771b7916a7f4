package arch

// Row says what one package (or one subtree, written "name/...") may import
// from this module. The first row that matches a package counts. Everyone may
// import what Rules.Common lists; the row need not repeat it.
type Row struct {
	Package string
	May     []string
	Pure    bool // nothing that touches the world, and nothing of Common or Tests
}

// Library says which packages may import a foreign library, or a standard
// package that deserves the same care. Path covers everything below it.
type Library struct {
	Path    string
	Owners  []string
	InTests bool // every _test.go file may import it too
}

// Door names an identifier of a package and who may name it.
type Door struct {
	Package, Name string
	Open          []string
}

// Rules is the whole table that Check holds a module against.
type Rules struct {
	Module    string // module path, the first part of our own import paths
	Rows      []Row
	Common    []string // importable by every package that is not pure
	Tests     []string // importable by every _test.go file outside pure packages
	Impure    []string // standard packages that a pure package must not import
	Libraries []Library
	Doors     []Door
}

var (
	// ports are the four interfaces to the world outside the core.
	ports = []string{"archive", "eventstore", "operations", "providers"}
	// adapters are the packages that meet foreign technology for a port.
	adapters = []string{"archive/...", "eventstore/...", "operations/...", "projections/...", "providers/..."}
	// core is everything between the ports and the faces.
	core = append([]string{
		"alerts", "audit", "doctor", "ledger", "projections", "reconcile", "relay", "reports", "tamperlog", "webhooks",
	}, ports...)
	// everything is the module except cmd, whose packages nobody imports.
	everything = append(append([]string{"console", "httpapi", "internal/...", "sandbox", "sandbox/..."}, core...), adapters...)
	// appending are the packages that may hold the door to the log.
	appending = []string{"eventstore/...", "ledger", "internal/assembly", "cmd/..."}
	// harnesses put whole systems together to show or to try them.
	harnesses = []string{"internal/bench", "internal/crash", "internal/demo", "internal/simulation"}
)

// Counterfoil is the table for this module. A new package needs a row, a new
// library a line with its owners; both are decisions, so they are made here.
//
// A _test.go file may import what its package may, and besides: the ports and
// all their adapters and suites, ledger, sandbox, and internal/... . It may not
// import cmd, the faces (httpapi, console) or another package of the core,
// because a test that needs those belongs to the package above.
func Counterfoil() Rules {
	return Rules{
		Module:    "counterfoil",
		Rows:      rows(),
		Common:    []string{"domain", "internal/strictjson"},
		Tests:     append(append([]string{"ledger", "projections", "sandbox", "sandbox/...", "internal/..."}, ports...), adapters...),
		Impure:    impure,
		Libraries: libraries(),
		Doors: []Door{
			{"eventstore", "Appender", appending},
			{"eventstore", "Store", append(append([]string{}, appending...), harnesses...)},
		},
	}
}

// rows is ordered from the ground up; imports go down.
func rows() []Row {
	return []Row{
		{Package: "internal/strictjson", Pure: true},
		{Package: "domain", May: []string{"internal/strictjson"}, Pure: true},

		{Package: "eventstore"},
		{Package: "providers"},
		{Package: "operations"},
		{Package: "archive"},

		{Package: "internal/still"},
		{Package: "internal/lookout", Pure: true},
		{Package: "eventstore/...", May: []string{"eventstore", "internal/lookout", "internal/still"}},
		{Package: "providers/...", May: []string{"providers"}},
		{Package: "operations/...", May: []string{"internal/still", "operations"}},
		{Package: "archive/...", May: []string{"archive"}},

		{Package: "projections", May: []string{"eventstore"}},
		{Package: "ledger", May: []string{"eventstore"}},
		{Package: "tamperlog", May: []string{"eventstore"}},
		{Package: "projections/...", May: []string{"eventstore", "internal/lookout", "internal/still", "projections"}},
		{Package: "reports", May: []string{"eventstore", "operations", "projections"}}, // a fold of the log, beside runs that left no fact

		{Package: "relay", May: []string{"eventstore", "ledger", "operations", "providers"}},
		{Package: "webhooks", May: []string{"eventstore", "ledger", "operations", "providers"}},
		{Package: "reconcile", May: []string{"archive", "eventstore", "ledger", "operations", "projections", "providers", "tamperlog"}},
		{Package: "audit", May: []string{"archive", "eventstore", "ledger", "operations", "projections", "providers", "reports", "tamperlog"}},
		{Package: "doctor", May: append([]string{"projections"}, ports...)},
		{Package: "alerts", May: append([]string{"projections"}, ports...)},

		{Package: "httpapi", May: core},
		{Package: "console", May: core},
		{Package: "sandbox/stage"},
		{Package: "sandbox", May: []string{"providers", "providers/...", "sandbox/..."}},
		{Package: "sandbox/...", May: []string{"providers", "providers/...", "sandbox/stage"}},

		{Package: "internal/config", May: []string{"providers"}},
		{Package: "internal/catalog"},
		{Package: "internal/progress"},
		{Package: "internal/stamptest"},
		{Package: "internal/arch"},
		{Package: "internal/assembly", May: everything},
		{Package: "internal/bench", May: everything},
		{Package: "internal/crash", May: everything},
		{Package: "internal/demo", May: everything},
		{Package: "internal/simulation", May: everything},
		{Package: "internal/simulation/month", May: everything},

		{Package: "cmd/api", May: everything},
		{Package: "cmd/reconciler", May: everything},
		{Package: "cmd/counterfoil", May: everything},
		{Package: "cmd/sandbox", May: everything},
	}
}

// impure are the standard packages that reach files, sockets, randomness, logs
// or the machine. net/url and net/netip only handle text; time is watched by the
// linter, which refuses time.Now.
var impure = []string{
	"crypto/rand", "database/...", "io/fs", "io/ioutil", "log", "log/syslog", "math/rand/...",
	"net", "net/http/...", "net/mail", "net/rpc/...", "net/smtp", "net/textproto",
	"os/...", "path/filepath", "plugin", "runtime/...", "syscall/...",
}

// libraries has one line for each foreign module that go.mod requires directly,
// and for standard packages that have one home.
func libraries() []Library {
	sql := []string{"eventstore/sqlite", "operations/sqlite", "projections/sqlite"}
	suites := []string{"eventstore/storetest", "operations/operationstest", "providers/providertest"}
	return []Library{
		{Path: "unsafe", Owners: []string{"eventstore/sqlite", "internal/crash", "internal/strictjson"}},
		{Path: "database/sql", Owners: append([]string{"operations/postgres", "projections/postgres"}, sql...), InTests: true},
		{Path: "modernc.org/sqlite", Owners: sql},
		{Path: "modernc.org/libc", Owners: []string{"eventstore/sqlite"}},
		{Path: "github.com/jackc/pgx/v5", Owners: []string{"operations/postgres", "projections/postgres"}},
		{Path: "github.com/EventStore/EventStore-Client-Go/v4", Owners: []string{"eventstore/eventstoredb/..."}},
		{Path: "google.golang.org/grpc", Owners: []string{"eventstore/eventstoredb/..."}},

		{Path: "github.com/shopspring/decimal", Owners: []string{"domain", "providers/...", "reconcile", "reports", "sandbox/..."}, InTests: true},
		{Path: "github.com/robfig/cron/v3", Owners: []string{"cmd/reconciler"}, InTests: true},
		{Path: "github.com/danielgtaylor/huma/v2", Owners: []string{"httpapi", "cmd/..."}, InTests: true},
		{Path: "github.com/spf13/cobra", Owners: []string{"cmd/..."}},
		{Path: "github.com/knadh/koanf", Owners: []string{"internal/config"}},
		{Path: "github.com/prometheus/client_golang", Owners: []string{"alerts", "httpapi", "reconcile", "internal/assembly", "cmd/..."}, InTests: true},
		{Path: "github.com/xuri/excelize/v2", Owners: []string{"reports"}, InTests: true},
		{Path: "github.com/schollz/progressbar/v3", Owners: []string{"internal/progress"}},
		{Path: "github.com/cenkalti/backoff/v5", Owners: []string{"eventstore/eventstoredb", "providers/...", "reconcile", "relay", "webhooks", "alerts", "sandbox"}},

		{Path: "golang.org/x/sync", Owners: append([]string{"cmd/..."}, everything...), InTests: true},
		{Path: "golang.org/x/term", Owners: []string{"internal/progress", "cmd/..."}},
		{Path: "golang.org/x/text", Owners: []string{"archive/...", "providers/...", "reports", "sandbox/..."}, InTests: true},
		{Path: "golang.org/x/mod", Owners: []string{"audit", "tamperlog"}, InTests: true},
		{Path: "github.com/digitorus", Owners: []string{"tamperlog"}, InTests: true},
		{Path: "golang.org/x/time", Owners: []string{"httpapi", "providers/...", "reconcile", "sandbox"}, InTests: true},

		{Path: "pgregory.net/rapid", Owners: suites, InTests: true},
		{Path: "github.com/google/go-cmp", Owners: suites, InTests: true},
		{Path: "github.com/rogpeppe/go-internal", Owners: suites, InTests: true},
		{Path: "go.uber.org/goleak", InTests: true},
	}
}
