package httpapi_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/operations"
	"counterfoil/tamperlog"
)

// forest is a site whose log is sealed.
type forest struct {
	*site
	dir string
}

func newForest(t *testing.T, options ...option) *forest {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	tree := tamperlog.OpenFolder(dir)
	t.Cleanup(func() { _ = tree.Close() })
	f := &forest{dir: dir}
	f.site = newSite(t, append(options, func(d *httpapi.Deps, _ *httpapi.Config) { d.Tree = tree })...)
	f.ok(tamperlog.Create(dir, dir+".key", tamperlog.Origin(f.ledger.ID())))
	return f
}

// seal signs everything that is in the log.
func (f *forest) seal() {
	f.tb.Helper()
	s := tamperlog.NewSealer(f.store, tamperlog.Config{
		Dir: f.dir, KeyFile: f.dir + ".key", Origin: tamperlog.Origin(f.ledger.ID()), Quiet: time.Millisecond, Share: 1, Clock: f.clock.now,
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	want := uint64(len(f.events()))
	f.eventually("the tree is signed", func() bool { return s.Status().Signed == want })
	stop()
	f.ok(<-done)
}

func (f *forest) head() tamperlog.Signed {
	f.tb.Helper()
	a := f.call("admin", http.MethodGet, "/checkpoint", "")
	key := f.call("admin", http.MethodGet, "/v1/proofs/key", "").text("key")
	head, err := tamperlog.OpenCheckpoint(a.body, key)
	f.ok(err)
	return head
}

func unhex(t *testing.T, a answer, path string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(a.text(path))
	if err != nil || len(b) != 32 {
		t.Fatalf("%s of %s: %v", path, a.body, err)
	}
	return [32]byte(b)
}

func pathOf(t *testing.T, a answer) tamperlog.Proof {
	t.Helper()
	list, _ := a.field("path").([]any)
	out := make(tamperlog.Proof, len(list))
	for i := range list {
		out[i] = unhex(t, a, "path."+strconv.Itoa(i))
	}
	return out
}

// TestProofsOverHTTP: every event is proven under the served head, by what
// strangers get and nothing else.
func TestProofsOverHTTP(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	for i := range 5 {
		f.place(now, fmt.Sprintf("A%d", i), "7.30")
	}
	f.seal()
	old := f.head()
	f.place(now, "B1", "7.30")
	late := f.events()[len(f.events())-1]
	if a := f.call("admin", http.MethodGet, "/v1/proofs/inclusion?event="+late.ID.String(), ""); a.status != http.StatusNotFound {
		t.Errorf("an event that is not sealed yet: %d %s", a.status, a.body)
	}
	f.seal()
	head := f.head()
	for n, e := range f.events() {
		leaf := eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
		for _, query := range []string{"event=" + e.ID.String(), "position=" + e.Position.String()} {
			a := f.call("admin", http.MethodGet, "/v1/proofs/inclusion?"+query, "")
			if a.status != http.StatusOK || a.text("index") != strconv.Itoa(n) || unhex(t, a, "leaf") != leaf {
				t.Fatalf("%s: %d %s", query, a.status, a.body)
			}
			f.ok(tamperlog.CheckInclusion(head.Checkpoint, uint64(n), leaf, pathOf(t, a)))
		}
		if n < int(old.Size) {
			a := f.call("admin", http.MethodGet, fmt.Sprintf("/v1/proofs/inclusion?position=%s&size=%d", e.Position, old.Size), "")
			f.ok(tamperlog.CheckInclusion(old.Checkpoint, uint64(n), leaf, pathOf(t, a)))
			if unhex(t, a, "root") != old.Root {
				t.Errorf("root at %d: %s", old.Size, a.body)
			}
		}
	}
	a := f.call("admin", http.MethodGet, fmt.Sprintf("/v1/proofs/consistency?from=%d", old.Size), "")
	f.ok(tamperlog.CheckConsistency(head.Checkpoint, old.Checkpoint, pathOf(t, a)))
	if unhex(t, a, "from_root") != old.Root || unhex(t, a, "to_root") != head.Root {
		t.Errorf("%s", a.body)
	}
}

func TestTilesOverHTTP(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	for i := range 3 {
		f.place(now, fmt.Sprintf("A%d", i), "7.30")
	}
	f.seal()
	events := f.events()
	path := fmt.Sprintf("/tile/0/000.p/%d", len(events))
	a := f.call("admin", http.MethodGet, path, "")
	var want strings.Builder
	for _, e := range events {
		leaf := eventstore.LeafHashSealed(e.Stream, e.Revision, e.Event, e.SealedHash)
		want.Write(leaf[:])
	}
	if a.status != http.StatusOK || string(a.body) != want.String() || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%s: %d %v %x", path, a.status, a.header, a.body)
	}
	for _, path := range []string{
		"/tile/0/000", fmt.Sprintf("/tile/0/000.p/%d", len(events)+1), "/tile/1/000.p/1", "/tile/entries/000", "/tile/8/0/000", "/tile/",
	} {
		if a := f.call("admin", http.MethodGet, path, ""); a.status != http.StatusNotFound || a.header.Get("Cache-Control") != "no-store" && a.header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.call("admin", http.MethodPost, "/checkpoint", "{}"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.status)
	}
}

// TestWhoMayReadTheTree: keys that may replay the log, or everybody when the
// configuration says so; proofs name events and always need a key.
func TestWhoMayReadTheTree(t *testing.T) {
	t.Parallel()
	paths := []string{"/checkpoint", "/tile/0/000.p/1"}
	for _, public := range []bool{false, true} {
		f := newForest(t, func(_ *httpapi.Deps, c *httpapi.Config) { c.TreePublic = public })
		f.seal()
		f.key("auditor", operations.ScopeEventsRead)
		f.key("shop", operations.ScopePaymentsWrite)
		f.limitedKey("branch", []string{string(now)}, nil, operations.ScopeEventsRead)
		for _, path := range paths {
			for key, closed := range map[string]int{
				"": http.StatusUnauthorized, "shop": http.StatusForbidden, "branch": http.StatusForbidden, "auditor": http.StatusOK,
			} {
				want := closed
				if public {
					want = http.StatusOK
				}
				if a := f.call(key, http.MethodGet, path, ""); a.status != want {
					t.Errorf("public %t, %s with key %q: %d %s", public, path, key, a.status, a.body)
				}
			}
		}
		for _, path := range []string{"/v1/proofs/inclusion?position=1", "/v1/proofs/consistency?from=1", "/v1/proofs/key"} {
			for key, want := range map[string]int{"": http.StatusUnauthorized, "branch": http.StatusForbidden} {
				if a := f.call(key, http.MethodGet, path, ""); a.status != want {
					t.Errorf("%s with key %q: %d", path, key, a.status)
				}
			}
		}
	}
}

func TestWrongQuestionsForProofs(t *testing.T) {
	t.Parallel()
	f := newForest(t)
	f.seal()
	for query, want := range map[string]int{
		"inclusion":                               http.StatusUnprocessableEntity,
		"inclusion?position=1&event=x":            http.StatusUnprocessableEntity,
		"inclusion?event=x":                       http.StatusUnprocessableEntity,
		"inclusion?position=-1":                   http.StatusUnprocessableEntity,
		"inclusion?position=99999":                http.StatusNotFound,
		"inclusion?position=1&size=99":            http.StatusNotFound,
		"consistency":                             http.StatusUnprocessableEntity,
		"consistency?from=0":                      http.StatusUnprocessableEntity,
		"consistency?from=9&to=1":                 http.StatusUnprocessableEntity,
		"consistency?from=1&to=99":                http.StatusNotFound,
		"consistency?from=9223372036854775807":    http.StatusUnprocessableEntity,
		"inclusion?position=18446744073709551615": http.StatusNotFound,
	} {
		if a := f.call("admin", http.MethodGet, "/v1/proofs/"+query, ""); a.status != want {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	bare := newSite(t)
	if a := bare.call("admin", http.MethodGet, "/v1/proofs/key", ""); a.status != http.StatusNotFound {
		t.Errorf("without a tree: %d", a.status)
	}
}
