package tamperlog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
)

var testLedger = domain.ID{1, 2, 3}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// naive is the Merkle tree head as RFC 6962, section 2.1 writes it down.
func naive(leaves [][32]byte) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		left, right := naive(leaves[:k]), naive(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

// recorded is the n-th event of a made-up log.
func recorded(n int) eventstore.Recorded {
	return eventstore.Recorded{
		Stream: domain.Stream(fmt.Sprintf("payment-a:%d", n/3)), Revision: uint64(n % 3), Position: eventstore.Position(10 + 7*n),
		Event: event(n), SealedHash: emptyRoot,
	}
}

func event(n int) eventstore.Event {
	return eventstore.Event{
		ID: domain.NewV5(testLedger, fmt.Sprint(n)), Type: "payment.test.v1", Data: fmt.Appendf(nil, `{"n":%d}`, n), Meta: []byte(`{}`),
	}
}

// stand is a log and the folder of its tree.
type stand struct {
	t   testing.TB
	log *lying
	mem *memory.Store
	dir string
	key string
	n   int
}

func newStand(t testing.TB) *stand {
	t.Helper()
	base := t.TempDir()
	s := &stand{t: t, mem: memory.New(), dir: filepath.Join(base, "tree"), key: filepath.Join(base, "secrets", "tree.key")}
	s.log = &lying{Reader: s.mem}
	must(t, Create(s.dir, s.key, Origin(testLedger)))
	return s
}

// write appends n events, three to a stream.
func (s *stand) write(n int) {
	s.t.Helper()
	for range n {
		_, err := s.mem.Append(context.Background(), domain.Stream(fmt.Sprintf("payment-a:%d", s.n/3)),
			eventstore.Expected(s.n%3)-1, []eventstore.Event{event(s.n)})
		must(s.t, err)
		s.n++
	}
}

func (s *stand) sealer(change ...func(*Config)) *Sealer {
	cfg := Config{
		Dir: s.dir, KeyFile: s.key, Origin: Origin(testLedger), Every: 10 * time.Second, Quiet: time.Second, Share: 1, Clock: time.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	return NewSealer(s.log, cfg)
}

// run seals inside a synctest bubble until f returns.
func (s *stand) run(sealer *Sealer, f func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sealer.Run(ctx) }()
	f()
	cancel()
	must(s.t, <-done)
	synctest.Wait()
}

// settle lets everything written be sealed.
func settle() {
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

// leaves are the leaf hashes of the log as it truly is.
func (s *stand) leaves() [][32]byte {
	s.t.Helper()
	var out [][32]byte
	for b, err := range s.mem.Follow(context.Background(), 0, eventstore.FollowOptions{}) {
		must(s.t, err)
		for _, e := range b.Events {
			out = append(out, leafOf(e))
		}
		if b.CaughtUp {
			return out
		}
	}
	return nil
}

// sound checks the whole folder against the log, as a stranger would.
func (s *stand) sound() Signed {
	s.t.Helper()
	f := OpenFolder(s.dir)
	defer func() { must(s.t, f.Close()) }()
	head, err := f.Checkpoint()
	must(s.t, err)
	leaves := s.leaves()
	if int(head.Size) > len(leaves) || head.Root != naive(leaves[:head.Size]) {
		s.t.Fatalf("head %d %s is not that of the log's %d leaves", head.Size, head.Hex(), len(leaves))
	}
	for n := range head.Size {
		l, err := f.Leaf(n, head.Size)
		must(s.t, err)
		if l.Hash != leaves[n] {
			s.t.Fatalf("leaf %d is wrong", n)
		}
	}
	return head
}

// lying is a store whose reads say what a hand with SQL made of it.
type lying struct {
	eventstore.Reader
	mu  sync.Mutex
	lie func([]eventstore.Recorded) []eventstore.Recorded
}

func (l *lying) tell(lie func([]eventstore.Recorded) []eventstore.Recorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

// Follow reads the whole log, lets the lie change it, and goes on from there;
// behind the end it follows truly.
func (l *lying) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	l.mu.Lock()
	lie := l.lie
	l.mu.Unlock()
	if lie == nil {
		return l.Reader.Follow(ctx, after, o)
	}
	return func(yield func(eventstore.Batch, error) bool) {
		var all []eventstore.Recorded
		for b, err := range l.Reader.Follow(ctx, 0, eventstore.FollowOptions{}) {
			if err != nil {
				yield(b, err)
				return
			}
			if all = append(all, b.Events...); b.CaughtUp {
				break
			}
		}
		all = lie(all)
		all = slices.DeleteFunc(all, func(e eventstore.Recorded) bool { return e.Position <= after })
		at := after
		if len(all) > 0 {
			at = all[len(all)-1].Position
		}
		if yield(eventstore.Batch{Events: all, Position: at, CaughtUp: true}, nil) {
			<-ctx.Done()
		}
	}
}
