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
//
// log-v1 has payments, log-v2 every type of event there was then, log-v3 also
// people's words that set a difference aside, log-v4 what customers spent; one
// that is new goes into the next log.
var frozenLogs = []string{"log-v1", "log-v2", "log-v3", "log-v4"}

// stories are what the logs tell.
var stories = map[string]func(t *testing.T) *world{
	"log-v1": func(t *testing.T) *world {
		w := cardWorld(t)
		w.aftermath()
		w.live()
		return w
	},
	"log-v3": everything,
	"log-v4": month,
}

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

// TestFreezeLogs writes new frozen logs when asked to; an old one stays.
func TestFreezeLogs(t *testing.T) {
	for _, name := range frozenLogs {
		path := filepath.Join("testdata", name)
		if _, err := os.Stat(path + ".ndjson"); !*update || err == nil {
			continue // it is written with -update only, and never again
		}
		must(t, os.WriteFile(path+".ndjson", frozen(t, stories[name](t)), 0o644))
		sums, err := json.MarshalIndent(booksOf(t, thaw(t, name)), "", "  ")
		must(t, err)
		must(t, os.WriteFile(path+".books.json", append(sums, '\n'), 0o644))
	}
}

// frozen is a log as lines.
func frozen(t *testing.T, w *world) []byte {
	t.Helper()
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
	return lines.Bytes()
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
	d := audit.Deps{Log: log, Ledger: l, Stranger: true} // the keys of its evidence are gone
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
		then, err := json.Marshal(want)
		must(t, err)
		if !bytes.Equal(got, then) {
			t.Errorf("%s:\n%s\nit was written with\n%s", name, got, then)
		}
		if len(want.Balances) < 10 || want.Events < 80 || len(want.Types) < 12 {
			t.Errorf("%s shows too little: %d balances, %d events, %d types", name, len(want.Balances), want.Events, len(want.Types))
		}
	}
}

// Every type and version that is registered stands in a frozen log, so that
// nothing is ever read by new code only.
func TestEveryTypeIsInAFrozenLog(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, name := range frozenLogs {
		var b frozenBooks
		must(t, json.Unmarshal(golden(t, name+".books.json"), &b))
		for typ, n := range b.Types {
			have[typ] = have[typ] || n > 0
		}
	}
	for _, typ := range domain.Types() {
		if !have[typ] {
			t.Errorf("no frozen log has a %s: tell it in the story of a new log, and run go test ./audit -run TestFreezeLogs -update", typ)
		}
	}
}
