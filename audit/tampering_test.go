package audit_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"counterfoil/audit"
	"counterfoil/eventstore"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/ledger"
	"counterfoil/tamperlog"
)

// tamperings is how many are tried: COUNTERFOIL_TEST_TAMPERINGS, else 1,000.
func tamperings() int {
	if n, err := strconv.Atoi(os.Getenv("COUNTERFOIL_TEST_TAMPERINGS")); err == nil {
		return n
	}
	return 1000
}

// TestNoTamperingIsMissed changes a log in random ways behind the program's
// back, by SQL and by raw bytes. Each change is found and named, or a dump of
// all there is shows that nothing changed.
func TestNoTamperingIsMissed(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	const seed = 20261122
	var mu sync.Mutex
	found, same := map[string]int{}, map[string]int{}
	var g errgroup.Group
	g.SetLimit(4)
	for n := range tamperings() {
		g.Go(func() error {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			h := hands[n%len(hands)]
			said, identical, err := v.round(t, n, r, h)
			if err != nil {
				t.Errorf("round %d, %s: %v", n, h.name, err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if identical {
				same[h.name]++
			} else if found[h.name]++; said == "" {
				t.Errorf("round %d, %s: missed", n, h.name)
			}
			return nil
		})
	}
	must(t, g.Wait())
	for _, h := range hands {
		t.Logf("%-28s %5d found, %4d changed nothing", h.name, found[h.name], same[h.name])
		if h.sure && same[h.name] > 0 {
			t.Errorf("%s changed nothing: the hand does not tamper", h.name)
		}
	}
}

// victim is a sealed log, to be copied and tampered with.
type victim struct {
	*world
	log   []byte // of events.db
	dump  string
	keys  ledger.Keys
	count int64 // events
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	w := newWorld(t)
	w.live()
	must(t, w.events.Close())
	v := &victim{world: w, keys: w.ops}
	var err error
	v.log, err = os.ReadFile(w.file("events.db"))
	must(t, err)
	v.dump, err = dump(w.file("events.db"))
	must(t, err)
	v.count = int64(strings.Count(v.dump, "\nevent "))
	if v.count < 60 {
		t.Fatalf("only %d events: %s", v.count, v.dump)
	}
	return v
}

// dump is all that a store file says.
func dump(path string) (string, error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var out strings.Builder
	for _, q := range []string{
		`SELECT 'shape ' || (SELECT user_version FROM pragma_user_version) || ' ' || (SELECT application_id FROM pragma_application_id)`,
		`SELECT 'schema ' || type || ' ' || name || ' ' || quote(sql) FROM sqlite_schema ORDER BY name`,
		`SELECT 'event ' || position || ' ' || quote(stream) || ' ' || quote(revision) || ' ' || quote(id) || ' ' || quote(type) || ' ' ||
			quote(data) || ' ' || quote(meta) || ' ' || quote(sealed_hash) || ' ' || quote(leaf) FROM events NOT INDEXED ORDER BY position`,
		`SELECT 'evidence ' || position || ' ' || quote(sealed) FROM evidence ORDER BY position`,
		`SELECT 'stream ' || stream || ' ' || revision || ' ' || position FROM events INDEXED BY events_stream WHERE stream > '' ORDER BY stream, revision`,
		`SELECT 'probe ' || id || ' ' || tries FROM probe`,
	} {
		if err := lines(db, q, &out); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func lines(db *sql.DB, q string, out *strings.Builder) error {
	rows, err := db.Query(q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var line sql.NullString
		if err := rows.Scan(&line); err != nil {
			return err
		}
		out.WriteString("\n" + line.String)
	}
	return rows.Err()
}

// named is a finding that says where: a position, a page, an object, a file.
var named = regexp.MustCompile(`position -?\d|[Pp]age \d|page number|trigger|index|table|Tree \d|tree|rowid|freelist|row \d|row missing|` +
	`header|not a database|file is not|malformed|Counterfoil|shape|evidence|NULL value|NUMERIC|TEXT value|encoding|probe|first event`)

// round copies the log, tampers with it and verifies the copy.
func (v *victim) round(t *testing.T, n int, r *rand.Rand, h hand) (said string, identical bool, err error) {
	dir := filepath.Join(t.TempDir(), strconv.Itoa(n))
	must(t, os.CopyFS(filepath.Join(dir, "tree"), os.DirFS(v.file("tree"))))
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "events.db")
	must(t, os.WriteFile(path, v.log, 0o600))
	positions, err := h.do(scene{dir: dir, path: path, r: r, count: v.count})
	if err != nil {
		return "", false, err
	}
	findings := v.check(path, filepath.Join(dir, "tree"))
	if len(findings) == 0 {
		after, err := dump(path)
		return "", err == nil && after == v.dump && !h.sure, nil
	}
	for _, p := range positions {
		at := regexp.MustCompile(fmt.Sprintf(`(?i)\bpositions? (%d\b|\d+ to \d+)`, p))
		if !slices.ContainsFunc(findings, at.MatchString) {
			return "", false, fmt.Errorf("position %d is not named in %q", p, findings)
		}
	}
	for _, f := range findings {
		if !named.MatchString(f) {
			return "", false, fmt.Errorf("%q names no place", f)
		}
	}
	return strings.Join(findings, "\n"), false, nil
}

// check is what `counterfoil verify` says of a store and its tree.
func (v *victim) check(path, tree string) []string {
	ctx := context.Background()
	store, err := esqlite.Open(ctx, path, esqlite.Options{MinFree: -1, Readers: 2, Cache: 1 << 20, SkipTail: true})
	if err != nil {
		return []string{err.Error()}
	}
	defer store.Close()
	l, err := ledger.Open(ctx, store, v.keys, ledger.Config{Software: "test/1", Clock: v.clock})
	if err != nil {
		return []string{err.Error()}
	}
	f := tamperlog.OpenFolder(tree)
	defer f.Close()
	rep, err := audit.Verify(ctx, audit.Deps{Log: store, Ledger: l, Channels: v.channels, Tree: f, Inspect: store.Inspect}, nil)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, f := range rep.Findings {
		at := ""
		if f.Position > 0 {
			at = "position " + f.Position.String() + ": "
		}
		out = append(out, at+string(f.Check)+": "+f.Text)
	}
	return out
}

// scene is where a hand works.
type scene struct {
	dir, path string
	r         *rand.Rand
	count     int64
}

// pick is a random event's position; the first event says whose log it is, and
// is left to hands that do not care.
func (s scene) pick() int64 { return 2 + s.r.Int64N(s.count-1) }

// sql runs statements as someone who takes the triggers away and brings them
// back.
func (s scene) sql(f func(tx *sql.Tx) error) error {
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	triggers, err := guards(tx)
	if err != nil {
		return err
	}
	for name := range triggers {
		if _, err := tx.Exec("DROP TRIGGER " + name); err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	for _, text := range triggers {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// guards are the triggers of the file, by name.
func guards(tx *sql.Tx) (map[string]string, error) {
	rows, err := tx.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	triggers := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		triggers[name] = text
	}
	return triggers, rows.Err()
}

// hand is one way to tamper. It returns the positions that must be named. What
// is sure changes something, always.
type hand struct {
	name string
	sure bool
	do   func(s scene) ([]int64, error)
}

var hands = []hand{
	{"a byte of a column", true, changeColumn(false)},
	{"a byte, its leaf mended", true, changeColumn(true)},
	{"a deleted row", true, func(s scene) ([]int64, error) {
		p := s.pick()
		return []int64{p}, s.exec("DELETE FROM evidence WHERE position = %d; DELETE FROM events WHERE position = %[1]d", p)
	}},
	{"a cut-off end", true, func(s scene) ([]int64, error) {
		p := s.pick()
		return []int64{p}, s.exec("DELETE FROM evidence WHERE position >= %d; DELETE FROM events WHERE position >= %[1]d", p)
	}},
	{"swapped rows", true, func(s scene) ([]int64, error) {
		a := s.pick()
		b := 2 + (a-2+1+s.r.Int64N(s.count-2))%(s.count-1)
		var q strings.Builder
		for _, table := range []string{"events", "evidence"} {
			fmt.Fprintf(&q, "UPDATE %s SET position = -9 WHERE position = %d; UPDATE %[1]s SET position = %[2]d WHERE position = %d; "+
				"UPDATE %[1]s SET position = %[3]d WHERE position = -9; ", table, a, b)
		}
		return []int64{a, b}, s.exec("%s", q.String())
	}},
	{"a row put in", true, func(s scene) ([]int64, error) {
		p := s.pick()
		at := s.count + 1 + s.r.Int64N(5)
		return nil, s.exec(`INSERT INTO events SELECT %d, 'payment-epay-a:X%[1]d', 0, randomblob(16), type, data, meta, NULL, leaf
			FROM events WHERE position = %d`, at, p)
	}},
	{"a row moved to the end", true, func(s scene) ([]int64, error) {
		p := s.pick()
		return []int64{p}, s.exec("UPDATE events SET position = %d WHERE position = %d; UPDATE evidence SET position = %[1]d WHERE position = %[2]d",
			s.count+3, p)
	}},
	{"a row where nobody reads", true, func(s scene) ([]int64, error) {
		return nil, s.exec(`INSERT INTO events SELECT %d, 'x', 0, id, type, data, meta, NULL, leaf FROM events WHERE position = %d`, -s.r.Int64N(9), s.pick())
	}},
	{"evidence exchanged", true, func(s scene) ([]int64, error) {
		return nil, s.exec("UPDATE evidence SET sealed = randomblob(length(sealed)) WHERE position = (SELECT position FROM evidence ORDER BY position LIMIT 1 OFFSET %d)",
			s.r.IntN(40))
	}},
	{"evidence of nothing", true, func(s scene) ([]int64, error) {
		return nil, s.exec("INSERT INTO evidence VALUES (%d, x'00')", s.count+1+s.r.Int64N(100))
	}},
	{"another type of value", true, func(s scene) ([]int64, error) {
		column := []string{"stream", "type", "data", "meta", "id", "leaf"}[s.r.IntN(6)]
		to := map[string]string{"stream": "BLOB", "type": "BLOB"}[column]
		if to == "" {
			to = "TEXT"
		}
		return nil, s.exec("UPDATE events SET %s = CAST(%[1]s AS %s) WHERE position = %d", column, to, s.pick())
	}},
	{"the schema", true, func(s scene) ([]int64, error) {
		return nil, s.exec("%s", []string{
			"CREATE TABLE more (x)", "CREATE INDEX more ON events (type)", "DROP INDEX events_stream",
			"CREATE TRIGGER more AFTER INSERT ON events BEGIN DELETE FROM probe; END",
			"ALTER TABLE evidence ADD COLUMN more", "PRAGMA user_version = 7", "PRAGMA application_id = 7",
		}[s.r.IntN(7)])
	}},
	{"a bit of the index", false, func(s scene) ([]int64, error) {
		var root int
		if err := s.sql(func(tx *sql.Tx) error {
			return tx.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'events_stream'").Scan(&root)
		}); err != nil {
			return nil, err
		}
		return nil, s.bytes(s.path, func(b []byte) []byte {
			s.flip(b[(root-1)*8192 : root*8192])
			return b
		})
	}},
	{"a bit", false, func(s scene) ([]int64, error) {
		return nil, s.bytes(s.path, func(b []byte) []byte { return s.flip(b) })
	}},
	{"a run of bytes", false, func(s scene) ([]int64, error) {
		return nil, s.bytes(s.path, func(b []byte) []byte {
			at := s.r.IntN(len(b))
			for i := at; i < min(len(b), at+1+s.r.IntN(64)); i++ {
				b[i] = byte(s.r.Uint32())
			}
			return b
		})
	}},
	{"a file cut short", true, func(s scene) ([]int64, error) {
		return nil, s.bytes(s.path, func(b []byte) []byte { return b[:len(b)-8192*(1+s.r.IntN(len(b)/8192-1))] })
	}},
	{"a page over another", false, func(s scene) ([]int64, error) {
		return nil, s.bytes(s.path, func(b []byte) []byte {
			n := len(b) / 8192
			from, to := s.r.IntN(n), s.r.IntN(n)
			copy(b[to*8192:(to+1)*8192], b[from*8192:(from+1)*8192])
			return b
		})
	}},
	{"a bit of the tree", false, func(s scene) ([]int64, error) {
		name := []string{"tile-0", "index", "checkpoint", "key"}[s.r.IntN(4)]
		return nil, s.bytes(filepath.Join(s.dir, "tree", name), func(b []byte) []byte { return s.flip(b) })
	}},
}

func (s scene) flip(b []byte) []byte {
	b[s.r.IntN(len(b))] ^= 1 << s.r.IntN(8)
	return b
}

func (s scene) bytes(path string, change func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(b), 0o600)
}

// exec runs SQL that is not guarded.
func (s scene) exec(format string, args ...any) error {
	return s.sql(func(tx *sql.Tx) error {
		_, err := tx.Exec(fmt.Sprintf(format, args...))
		return err
	})
}

// changeColumn changes one byte of one column of an event, the first one too.
func changeColumn(mend bool) func(s scene) ([]int64, error) {
	return func(s scene) ([]int64, error) {
		p := 1 + s.r.Int64N(s.count)
		told := []int64{p}
		if p == 1 { // it says whose log it is: without it there is no ledger to verify
			told = nil
		}
		return told, s.sql(func(tx *sql.Tx) error {
			var e eventstore.Recorded
			var id, hash, leaf []byte
			if err := tx.QueryRow("SELECT stream, revision, id, type, data, meta, sealed_hash, leaf FROM events WHERE position = ?", p).
				Scan(&e.Stream, &e.Revision, &id, &e.Type, &e.Data, &e.Meta, &hash, &leaf); err != nil {
				return err
			}
			if e.SealedHash = sha256.Sum256(nil); hash != nil {
				e.SealedHash = [32]byte(hash)
			}
			e.ID = [16]byte(id)
			switch s.r.IntN(6) {
			case 0:
				e.Stream += "0"
			case 1:
				e.Revision += 100
			case 2:
				e.ID[s.r.IntN(16)] ^= 1
			case 3:
				e.Type = strings.Replace(e.Type, "v1", "v2", 1)
			case 4:
				s.flip(e.Data)
			case 5:
				s.flip(e.Meta)
			}
			if mend {
				sum := eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
				leaf = sum[:]
			}
			_, err := tx.Exec("UPDATE events SET stream = ?, revision = ?, id = ?, type = ?, data = ?, meta = ?, leaf = ? WHERE position = ?",
				string(e.Stream), e.Revision, e.ID[:], e.Type, e.Data, e.Meta, leaf, p)
			return err
		})
	}
}
