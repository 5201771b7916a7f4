package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/ledger"
)

// A log of every released format, frozen, with what its books came to when it
// was written. They are never made anew: what comes later must read them to the
// same balances.
var frozenLogs = []string{"log-v1"}

// frozenEvent is a line of a frozen log.
type frozenEvent struct {
	Stream   domain.Stream `json:"stream"`
	Revision uint64        `json:"revision"`
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Data     string        `json:"data"` // the stored bytes, as a string
	Meta     string        `json:"meta"`
	Sealed   []byte        `json:"sealed,omitempty"`
}

// frozenBooks is what a frozen log comes to.
type frozenBooks struct {
	Events   int               `json:"events"`
	Root     string            `json:"root"`
	Types    map[string]int64  `json:"types"`
	Balances map[string]string `json:"balances"` // by book, wallet and currency: + debit, − credit
}

// TestFreezeLog writes a new frozen log when asked to; an old one stays.
func TestFreezeLog(t *testing.T) {
	name := filepath.Join("testdata", "log-v1.ndjson")
	if _, err := os.Stat(name); !*update || err == nil {
		t.Skip("a frozen log is written with -update only, and never again")
	}
	w := cardWorld(t)
	w.aftermath()
	w.live()
	var lines bytes.Buffer
	for b, err := range w.events.Follow(t.Context(), 0, eventstore.FollowOptions{Sealed: true}) {
		must(t, err)
		for _, r := range b.Events {
			line, err := json.Marshal(frozenEvent{r.Stream, r.Revision, r.ID.String(), r.Type, string(r.Data), string(r.Meta), r.Sealed})
			must(t, err)
			lines.Write(append(line, '\n'))
		}
		if b.CaughtUp {
			break
		}
	}
	must(t, os.WriteFile(name, lines.Bytes(), 0o644))
	sums, err := json.MarshalIndent(booksOf(t, thaw(t, "log-v1")), "", "  ")
	must(t, err)
	must(t, os.WriteFile(filepath.Join("testdata", "log-v1.books.json"), append(sums, '\n'), 0o644))
}

// thaw is a frozen log in a store.
func thaw(t *testing.T, name string) *memory.Store {
	t.Helper()
	s, last := memory.New(), map[domain.Stream]uint64{}
	lines := bufio.NewScanner(bytes.NewReader(golden(t, name+".ndjson")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e frozenEvent
		must(t, json.Unmarshal(lines.Bytes(), &e))
		id, err := domain.ParseID(e.ID)
		must(t, err)
		if e.Revision != last[e.Stream] {
			t.Fatalf("%s has revision %d where %d belongs", e.Stream, e.Revision, last[e.Stream])
		}
		last[e.Stream]++
		_, err = s.Append(t.Context(), e.Stream, eventstore.Expected(e.Revision)-1, []eventstore.Event{
			{ID: id, Type: e.Type, Data: []byte(e.Data), Meta: []byte(e.Meta), Sealed: e.Sealed},
		})
		must(t, err)
	}
	must(t, lines.Err())
	return s
}

// booksOf replays a log by today's code: every decision again, and its books.
func booksOf(t *testing.T, log *memory.Store) frozenBooks {
	t.Helper()
	l, err := ledger.Open(t.Context(), log, noKeys{}, ledger.Config{Software: "test/1", Clock: time.Now})
	must(t, err)
	d := audit.Deps{Log: log, Ledger: l}
	withheld(&d)
	rep, err := audit.Verify(t.Context(), d, nil)
	must(t, err)
	for _, f := range rep.Findings {
		t.Errorf("position %s (%s): %s: %s", f.Position, f.Stream, f.Check, f.Text)
	}
	diff, err := audit.Diff(t.Context(), log, 0, rep.Head)
	must(t, err)
	out := frozenBooks{Events: int(rep.Events), Root: rep.Root, Types: rep.Types, Balances: map[string]string{}}
	for _, c := range diff.Changes {
		out.Balances[c.Book+"|"+string(c.Wallet)+"|"+string(c.To.Currency())] = c.To.String()
	}
	return out
}

// noKeys are data keys that are all gone.
type noKeys struct{}

func (noKeys) EnsureDataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{}, domain.E(domain.KindDenied, "nothing is appended to a frozen log")
}

func (noKeys) DataKey(context.Context, domain.Stream) (domain.DataKey, error) {
	return domain.DataKey{}, domain.E(domain.KindNotFound, "gone")
}

// Today's code replays every older log to the same balances, finds every
// decision right, and hashes it to the same root.
func TestOldLogsReplayToTheSameBalances(t *testing.T) {
	t.Parallel()
	for _, name := range frozenLogs {
		var want frozenBooks
		must(t, json.Unmarshal(golden(t, name+".books.json"), &want))
		got, err := json.Marshal(booksOf(t, thaw(t, name)))
		must(t, err)
		frozen, err := json.Marshal(want)
		must(t, err)
		if !bytes.Equal(got, frozen) {
			t.Errorf("%s:\n%s\nit was written with\n%s", name, got, frozen)
		}
		if len(want.Balances) < 10 || want.Events < 80 || len(want.Types) < 12 {
			t.Errorf("%s shows too little: %d balances, %d events, %d types", name, len(want.Balances), want.Events, len(want.Types))
		}
	}
}
