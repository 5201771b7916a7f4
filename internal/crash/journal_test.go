package crash

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/assembly"
	"counterfoil/ledger"
	osqlite "counterfoil/operations/sqlite"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

// journal is what the log says, read from the file by nobody but the store's
// reader: every leaf hash was checked on the way, every sealed part opened. It
// grows with the log; chain tells whether what was read before stayed the same.
type journal struct {
	position eventstore.Position
	events   int
	chain    [sha256.Size]byte
	streams  map[domain.Stream]*history
	erases   bool // evidence may be erased: an old one that opens no more is no wonder
}

// history is one stream.
type history struct {
	next     uint64                   // revision due
	notified int                      // callbacks kept as events
	kept     map[string]int           // of them, by token
	credited []domain.PaymentCredited // each credit
	other    []string                 // types of all else but the placing
}

func newJournal() *journal { return &journal{streams: map[domain.Stream]*history{}} }

// of is the history of a stream, empty for one that is not in the log.
func (j *journal) of(s domain.Stream) *history {
	h := j.streams[s]
	if h == nil {
		h = &history{kept: map[string]int{}}
		j.streams[s] = h
	}
	return h
}

// read reads what the log has gained. No connection stays open: while one is,
// the next process has nothing to recover after a kill.
func (j *journal) read(t testing.TB, s *site) {
	t.Helper()
	s.open(t, func(events eventstore.Store, book *ledger.Ledger) {
		for b, err := range events.Follow(t.Context(), j.position, eventstore.FollowOptions{Sealed: true}) {
			must(t, err)
			for _, r := range b.Events {
				j.add(t, book, r)
			}
			j.position = b.Position
			if b.CaughtUp {
				return
			}
		}
	})
}

// open opens the site's files for reading, beside whoever has them open.
func (s *site) open(t testing.TB, use func(eventstore.Store, *ledger.Ledger)) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	ops, err := osqlite.Open(ctx, s.path(assembly.OperationsFile), osqlite.Options{Clock: time.Now})
	must(t, err)
	defer func() { must(t, ops.Close()) }()
	events, err := s.events(ctx)
	must(t, err)
	defer func() { must(t, events.Close()) }()
	book, err := ledger.Open(ctx, events, ops, ledger.Config{Software: "crash", Clock: time.Now})
	must(t, err)
	use(events, book)
}

// events opens the site's event store, whatever room its disk has.
func (s *site) events(ctx context.Context) (eventstore.Store, error) {
	if s.config.Remote() {
		return assembly.OpenEvents(ctx, s.config, assembly.StoreOptions{})
	}
	return esqlite.Open(ctx, s.path(assembly.EventsFile), esqlite.Options{MinFree: -1})
}

func (j *journal) add(t testing.TB, book *ledger.Ledger, r eventstore.Recorded) {
	t.Helper()
	h := j.of(r.Stream)
	if r.Revision != h.next {
		t.Errorf("%s has revision %d where %d belongs", r.Stream, r.Revision, h.next)
	}
	if r.Position <= j.position && j.position > 0 {
		t.Errorf("position %s comes after %s", r.Position, j.position)
	}
	h.next = r.Revision + 1
	leaf := eventstore.LeafHash(r.Stream, r.Revision, r.Event)
	j.chain = sha256.Sum256(append(j.chain[:], leaf[:]...))
	j.events++
	e, err := ledger.Decode(r)
	must(t, err)
	if err := domain.CheckPostings(domain.PostingsOf(e.Fact)); err != nil {
		t.Errorf("%s at %s: %v", r.Type, r.Position, err)
	}
	switch f := e.Fact.(type) {
	case domain.PaymentCredited:
		h.credited = append(h.credited, f)
	case domain.PaymentNotified:
		if f.Source == domain.SourceCallback {
			h.notified++
			h.kept[j.token(t, book, r)]++
		}
	case domain.PaymentPlaced:
	case domain.EvidenceErased:
		if !j.erases {
			h.other = append(h.other, r.Type)
		}
	default:
		h.other = append(h.other, r.Type)
	}
}

// token opens a kept callback's evidence: which of the sent ones was it?
func (j *journal) token(t testing.TB, book *ledger.Ledger, r eventstore.Recorded) string {
	t.Helper()
	e, err := book.Evidence(context.WithoutCancel(t.Context()), r)
	if err != nil && j.erases && domain.KindOf(err) == domain.KindNotFound {
		return "" // whether that may be is for who knows the erasures
	}
	if err != nil {
		t.Errorf("evidence at position %s: %v", r.Position, err)
		return ""
	}
	form := string(e.Body)
	if e.Method == http.MethodGet {
		_, form, _ = strings.Cut(e.Target, "?")
	}
	fields, err := url.ParseQuery(form)
	must(t, err)
	return fields.Get("param")
}

// balances are the credited sums by account.
func (j *journal) balances(t testing.TB) map[domain.AccountID]domain.Money {
	t.Helper()
	out := map[domain.AccountID]domain.Money{}
	for _, h := range j.streams {
		for _, c := range h.credited {
			sum, ok := out[c.Account]
			if !ok {
				out[c.Account] = c.Amount
				continue
			}
			sum, err := sum.Add(c.Amount)
			must(t, err)
			out[c.Account] = sum
		}
	}
	return out
}

// checkBalances compares the API's balances with the journal's, once its
// projections have caught up.
func (s *site) checkBalances(t testing.TB, j *journal) {
	t.Helper()
	for account, want := range j.balances(t) {
		var got struct {
			Balances []struct{ Amount, Currency string } `json:"balances"`
		}
		path := fmt.Sprintf("/v1/accounts/%s/balances?min_position=%s", account, j.position)
		if _, err := s.call(t.Context(), http.MethodGet, path, nil, &got); err != nil {
			t.Errorf("balance of %s: %v", account, err)
			continue
		}
		if len(got.Balances) != 1 || got.Balances[0].Amount != want.Amount() {
			t.Errorf("account %s has %v, a replay gives %s", account, got.Balances, want)
		}
	}
}

// checkStore checks the files of a stopped site whole: SQLite's own check,
// every event once more from the first (it must be what was read while the log
// grew), the books sum to zero, and the rows equal a fold of the log.
func (s *site) checkStore(t testing.TB, j *journal) {
	t.Helper()
	for _, name := range []string{assembly.EventsFile, assembly.OperationsFile, assembly.ProjectionsFile} {
		if name == assembly.EventsFile && s.config.Remote() {
			continue
		}
		if found := s.integrity(t, name); found != "ok" {
			t.Errorf("integrity of %s: %s", name, found)
		}
	}
	whole := newJournal()
	whole.erases = j.erases
	whole.read(t, s)
	j.read(t, s)
	if whole.events != j.events || whole.chain != j.chain || whole.position != j.position {
		t.Errorf("read at one go the log has %d events up to %s, while it grew it had %d up to %s, or they differ",
			whole.events, whole.position, j.events, j.position)
	}
	s.checkRows(t)
}

// integrity is what SQLite finds wrong with a file, "ok" for nothing.
func (s *site) integrity(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(s.path(name))
	must(t, err)
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	var found string
	must(t, db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&found))
	return found
}

// checkRows catches the projections up and compares them with a fold from
// nothing.
func (s *site) checkRows(t testing.TB) {
	t.Helper()
	s.open(t, func(events eventstore.Store, _ *ledger.Ledger) {
		used := fold(t, events, s.path(assembly.ProjectionsFile))
		fresh := fold(t, events, filepath.Join(t.TempDir(), assembly.ProjectionsFile))
		if used != fresh {
			t.Errorf("the projections differ from a fold of the log: %+v, %+v", used, fresh)
		}
	})
}

// fold is the digest of rows at path after they caught up with the log.
func fold(t testing.TB, events eventstore.Store, path string) projections.Digest {
	t.Helper()
	rows, err := psqlite.Open(path, psqlite.Config{})
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	must(t, projections.NewRunner(events, rows, projections.Config{Pace: -1}).CatchUp(t.Context(), 0))
	books, err := rows.TrialBalance(t.Context())
	must(t, err)
	var total domain.Totals
	for _, sums := range books {
		for _, m := range sums {
			must(t, total.Add(m))
		}
	}
	if !total.IsZero() {
		t.Errorf("the trial balance of %s is %s", path, &total)
	}
	d, err := rows.Digest(t.Context())
	must(t, err)
	return d
}
