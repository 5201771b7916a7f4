package tamperlog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	"counterfoil/eventstore/eventstoredb/esdbtest"
	"counterfoil/eventstore/memory"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/tamperlog"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// One log in three stores has one root, and proofs for the same events, though
// no event has the same position.
func TestEveryStoreHasTheSameTree(t *testing.T) {
	t.Parallel()
	server, err := esdbtest.Start(esdbtest.Options{})
	must(t, err)
	t.Cleanup(server.Close)
	roots := map[string]string{}
	for name, open := range map[string]func(t *testing.T) eventstore.Store{
		"memory": func(*testing.T) eventstore.Store { return memory.New() },
		"sqlite": func(t *testing.T) eventstore.Store {
			path := filepath.Join(t.TempDir(), "events.db")
			must(t, esqlite.Create(path, esqlite.Options{}))
			s, err := esqlite.Open(t.Context(), path, esqlite.Options{MinFree: -1})
			must(t, err)
			return s
		},
		"eventstoredb": func(t *testing.T) eventstore.Store {
			s, err := eventstoredb.Open(t.Context(), eventstoredb.Options{Connection: server.ConnectionString(), Namespace: "tree"})
			must(t, err)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			roots[name] = sealed(t, open(t))
		})
	}
	if len(roots) != 3 || roots["memory"] != roots["sqlite"] || roots["memory"] != roots["eventstoredb"] {
		t.Errorf("roots %v", roots)
	}
}

// sealed writes a log, seals it while it grows, and returns the last root.
func sealed(t *testing.T, store eventstore.Store) string {
	t.Helper()
	defer func() { must(t, store.Close()) }()
	base, id := t.TempDir(), domain.ID{1, 2, 3}
	dir, key := filepath.Join(base, "tree"), filepath.Join(base, "tree.key")
	must(t, tamperlog.Create(dir, key, tamperlog.Origin(id)))
	sealer := tamperlog.NewSealer(store, tamperlog.Config{
		Dir: dir, KeyFile: key, Origin: tamperlog.Origin(id), Every: 20 * time.Millisecond, Quiet: 5 * time.Millisecond, Share: 1,
		Clock: time.Now,
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sealer.Run(ctx) }()
	const events = 300
	for n := range events {
		_, err := store.Append(t.Context(), domain.Stream(fmt.Sprintf("payment-a:%d", n/2)), eventstore.Expected(n%2)-1, []eventstore.Event{{
			ID: domain.NewV5(id, fmt.Sprint(n)), Type: "payment.test.v1", Data: fmt.Appendf(nil, `{"n":%d}`, n), Meta: []byte(`{}`),
			Sealed: fmt.Appendf(nil, "sealed %d", n),
		}})
		must(t, err)
	}
	for sealer.Status().Signed < events && t.Context().Err() == nil {
		if err := sealer.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	must(t, <-done)
	f := tamperlog.OpenFolder(dir)
	defer func() { must(t, f.Close()) }()
	head, err := f.Checkpoint()
	must(t, err)
	for b, err := range store.Follow(t.Context(), 0, eventstore.FollowOptions{}) {
		must(t, err)
		for _, e := range b.Events {
			l, err := f.ByPosition(e.Position, head.Size)
			must(t, err)
			p, err := f.Inclusion(head.Checkpoint, l.Index, head.Size)
			must(t, err)
			must(t, tamperlog.CheckInclusion(head.Checkpoint, l.Index,
				eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash), p))
		}
		if b.CaughtUp {
			break
		}
	}
	return head.Hex()
}
