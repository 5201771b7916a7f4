package reports

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
)

// stored is the author's log in a store.
func (a *author) stored(t testing.TB) eventstore.Reader {
	t.Helper()
	s := memory.New()
	next := map[domain.Stream]eventstore.Expected{}
	for _, e := range a.events {
		typ, data, err := domain.EncodeFact(e.Fact)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: e.Recorded, Actor: "test", Software: "test"})
		if err != nil {
			t.Fatal(err)
		}
		at, known := next[e.Stream]
		if !known {
			at = eventstore.NoStream
		}
		if _, err := s.Append(t.Context(), e.Stream, at, []eventstore.Event{{ID: e.ID, Type: typ, Data: data, Meta: meta}}); err != nil {
			t.Fatal(err)
		}
		next[e.Stream] = at + 1
	}
	return s
}

func source(t *testing.T) (Source, *osqlite.Store) {
	t.Helper()
	path := t.TempDir() + "/operations.db"
	if err := osqlite.Create(path); err != nil {
		t.Fatal(err)
	}
	ops, err := osqlite.Open(t.Context(), path, osqlite.Options{Clock: func() time.Time { return morning }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ops.Close() })
	a := newAuthor()
	a.at = time.Date(2026, 10, 2, 9, 0, 0, 0, shanghai)
	a.pay("epay-a", "O1", cny(730))
	a.compare("epay-a", "2026-10-02", 1, 0, cny(4))
	return Source{Log: a.stored(t), Bills: ops, Zone: shanghai, Software: "test"}, ops
}

// Every form of the same month, from a store.
func TestSourceWrites(t *testing.T) {
	t.Parallel()
	s, _ := source(t)
	for _, f := range formats {
		q := Query{Period: "2026-10", Format: f}
		scope, err := s.Scope(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := s.Write(t.Context(), q, scope, &out); err != nil {
			t.Fatal(err)
		}
		want := map[Format]string{FormatCSV: "liabilities:wallet,user:7,-7.30,CNY", FormatJSON: `"amount": "7.30"`, FormatHTML: "7.30"}[f]
		switch f {
		case FormatXLSX:
			if rows := rowsOf(t, read(t, out.Bytes()), "Movements"); len(rows) != 5 {
				t.Errorf("%d rows", len(rows))
			}
		case FormatHledger, FormatBeancount:
			z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
			if err != nil || len(z.File) != 3 {
				t.Errorf("%s: %v, %v", f, z, err)
			}
		default:
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %s", f, out.String())
			}
		}
		if err := s.Write(t.Context(), q, scope, failing{}); err == nil {
			t.Errorf("%s: a full disk is no error", f)
		}
		if !strings.HasPrefix(q.FileName(), "counterfoil-2026-10") || f.ContentType() == "application/octet-stream" {
			t.Errorf("%s is %s of %s", f, q.FileName(), f.ContentType())
		}
	}
	broken, cancel := context.WithCancel(t.Context())
	cancel()
	q := Query{Period: "2026-10", Format: FormatJSON}
	if err := s.Write(broken, q, Scope{Range: Period("2026-10").Range()}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a report that was given up: %v", err)
	}
}

// A comparison that never came to an end is told, one that was finished later is
// not; a run's report is that of a complete one.
func TestUnfinishedAreTold(t *testing.T) {
	t.Parallel()
	s, ops := source(t)
	put := func(id string, day domain.Day, state operations.RunState) {
		if err := ops.PutBillRun(t.Context(), operations.BillRun{
			ID: id, Channel: "epay-a", Day: day, Bill: "trade", State: state, Cause: operations.CauseBillMissing, StartedAt: morning,
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("a1", "2026-10-05", operations.RunIncomplete)
	put("b1", "2026-10-06", operations.RunIncomplete)
	put("a2", "2026-10-05", operations.RunComplete)
	put("b2", "2026-10-06", operations.RunIncomplete)
	put("c1", "2026-11-06", operations.RunIncomplete)
	r, err := s.Report(t.Context(), Scope{Period: "2026-10", Range: Period("2026-10").Range()}, nil)
	if err != nil || len(r.Unfinished) != 1 || r.Unfinished[0].ID != "b2" || r.Unfinished[0].Cause != "bill_missing" {
		t.Errorf("%+v, %v", r.Unfinished, err)
	}
	for run, kind := range map[string]domain.Kind{"b2": domain.KindConflict, "none": domain.KindNotFound} {
		if _, err := s.Scope(t.Context(), Query{Run: run, Format: FormatJSON}); domain.KindOf(err) != kind {
			t.Errorf("run %s: %v", run, err)
		}
	}
	if got, err := s.Scope(t.Context(), Query{Run: "a2", Format: FormatJSON}); err != nil || got.Channel != "epay-a" || got.From != "2026-10-05" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for _, q := range []Query{
		{Format: FormatJSON},
		{Period: "2026-10", Run: "x", Format: FormatJSON},
		{Period: "2026-10", Format: "exe"},
		{Period: "October", Format: FormatCSV},
		{Period: "2026-10", Format: FormatJSON, Table: "Books"},
		{Period: "2026-10", Format: FormatCSV, Table: "Secrets"},
		{Period: "2026-10", Format: FormatHTML, Lang: "fr"},
	} {
		if err := q.Check(); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for want, zones := range map[string][]string{
		"UTC": nil, "Asia/Shanghai": {"UTC", "Asia/Shanghai", "Asia/Shanghai"}, "Asia/Tokyo": {"UTC", "Asia/Tokyo"},
	} {
		if got := BookZone(zones).String(); got != want {
			t.Errorf("%v: %s, want %s", zones, got, want)
		}
	}
}
