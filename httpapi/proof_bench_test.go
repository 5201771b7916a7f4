package httpapi_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/tamperlog"
)

// tall is a made-up log of so many events. Only what a tree needs of them is
// there, and nothing is kept.
type tall uint64

func (t tall) at(n uint64) (e eventstore.Recorded, leaf [32]byte) {
	e.Stream, e.Revision, e.Position = "payment-a:1", n, eventstore.Position(10+7*n)
	leaf = sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
	copy(e.ID[:], leaf[8:])
	return e, leaf
}

func (t tall) Head(context.Context) (eventstore.Position, error) {
	e, _ := t.at(uint64(t) - 1)
	return e.Position, nil
}

func (t tall) ReadStream(_ context.Context, _ domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	e, _ := t.at(o.From)
	return []eventstore.Recorded{e}, nil
}

func (t tall) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	return func(yield func(eventstore.Batch, error) bool) {
		next := uint64(0)
		if after > 0 {
			next = uint64(after-10)/7 + 1
		}
		for ctx.Err() == nil {
			var b eventstore.Batch
			for n := 0; n < max(o.Batch, 1000) && next < uint64(t); n++ {
				e, leaf := t.at(next)
				b.Events, b.Leaves, b.Position = append(b.Events, e), append(b.Leaves, leaf), e.Position
				next++
			}
			if b.CaughtUp = next == uint64(t); !yield(b, nil) || b.CaughtUp {
				return
			}
		}
	}
}

// grown is a signed tree over a log of so many events.
func grown(b *testing.B, log tall) *tamperlog.Folder {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "tree")
	if err := tamperlog.Create(dir, dir+".key", "log"); err != nil {
		b.Fatal(err)
	}
	s := tamperlog.NewSealer(log, tamperlog.Config{Dir: dir, KeyFile: dir + ".key", Origin: "log", Clock: time.Now})
	if err := s.CatchUp(b.Context(), time.Second); err != nil {
		b.Fatal(err)
	}
	f := tamperlog.OpenFolder(dir)
	b.Cleanup(func() { _ = f.Close() })
	return f
}

// BenchmarkProof asks for inclusion proofs over the wire, one after another on
// one connection, by the id and by the position of events all over a tree of
// ten million leaves (COUNTERFOIL_TREE_LEAVES of them, where it is set). Each
// answer is looked up, proven and checked against the signed head.
func BenchmarkProof(b *testing.B) {
	leaves := 10_000_000
	if n, err := strconv.Atoi(os.Getenv("COUNTERFOIL_TREE_LEAVES")); err == nil {
		leaves = n
	}
	log := tall(leaves)
	tree := grown(b, log)
	s := newSite(b, quiet, func(d *httpapi.Deps, _ *httpapi.Config) { d.Tree = tree })
	srv := httptest.NewServer(s.handler)
	defer srv.Close()
	for _, by := range []string{"event", "position"} {
		b.Run(by, func(b *testing.B) {
			c, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", srv.Listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			in := bufio.NewReader(c)
			var times []time.Duration
			for n := uint64(0); b.Loop(); n++ {
				e, _ := log.at(n * 7_919_777 % uint64(leaves))
				what := e.Position.String()
				if by == "event" {
					what = e.ID.String()
				}
				began := time.Now()
				prove(b, c, in, fmt.Sprintf("/v1/proofs/inclusion?%s=%s", by, what), s.tokens["admin"])
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(leaves), "leaves")
		})
	}
}

// prove sends a request and reads the answer, which must be good.
func prove(b *testing.B, c net.Conn, in *bufio.Reader, target, token string) {
	b.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", target, token); err != nil {
		b.Fatal(err)
	}
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %s %v", target, r.Status, body, err)
	}
}
