package audit

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// page is how many events are read at once.
const page = 1000

// maxDamage bounds the search for readable events behind a damaged one.
const maxDamage = 1000

// walk reads the log once. The reader hashes leaves in order and deals events
// out by stream, so that each worker sees all of a stream, in order.
type walk struct {
	deps     Deps
	head     eventstore.Position // the last event to check
	mark     eventstore.Position // where the projections stand
	progress func(Progress)
	workers  int
	near     int
	seals    *seals
	closings closings
	signers  domain.People // all who ever had a key of their own

	seed   maphash.Seed
	shards []*shard
	tree   tree
	last   eventstore.Position // the last event dealt out
	behind int64               // events after mark
	marked bool                // an event stands at mark
	holed  atomic.Bool         // some events could not be read
	rep    Report              // what the reader itself finds
}

// task is work for one shard: those of a page's events that mine names. hashed
// tells that sealed parts were held against their hashes when they were read;
// mark asks for the sums of the books behind.
type task struct {
	page         []eventstore.Recorded
	mine         []int32
	hashed, mark bool
}

// events are those that the shard has to check.
func (t task) events() iter.Seq[*eventstore.Recorded] {
	return func(yield func(*eventstore.Recorded) bool) {
		for _, i := range t.mine {
			if !yield(&t.page[i]) {
				return
			}
		}
	}
}

func (w *walk) run(ctx context.Context) error {
	w.seed = maphash.MakeSeed()
	w.rep.Checks = map[Check]Tally{}
	g, ctx := errgroup.WithContext(ctx)
	queues := make([]chan task, w.workers)
	for i := range queues {
		queues[i] = make(chan task, 4)
		s := newShard(w)
		w.shards = append(w.shards, s)
		g.Go(func() error { return s.work(ctx, queues[i]) })
	}
	g.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		return w.read(ctx, queues)
	})
	return g.Wait()
}

// read deals out the log up to head. Around a damaged event it reads one by
// one, so that everything readable is checked.
func (w *walk) read(ctx context.Context, queues []chan task) error {
	batch := page
	for w.last < w.head {
		err := w.follow(ctx, queues, batch)
		switch {
		case err == nil:
			return nil
		case domain.KindOf(err) != domain.KindCorrupt:
			return fmt.Errorf("read the log behind position %s: %w", w.last, err)
		case batch > 1:
			batch = 1
			continue
		}
		ok, ferr := w.skip(ctx, err)
		if ferr != nil || !ok {
			return ferr
		}
		batch = page
	}
	return nil
}

// follow deals out batches until head or an error.
func (w *walk) follow(ctx context.Context, queues []chan task, batch int) error {
	for b, err := range w.deps.Log.Follow(ctx, w.last, eventstore.FollowOptions{Sealed: true, Batch: batch}) {
		if err != nil {
			return err
		}
		before := w.last
		for n := len(b.Events); n > 0 && b.Events[n-1].Position > w.head; n-- {
			b.Events = b.Events[:n-1]
		}
		if err := w.deal(ctx, queues, b.Events, b.Leaves); err != nil {
			return err
		}
		w.progress(Progress{Stage: "log", Done: w.last, Total: w.head})
		if len(b.Events) > 0 && w.last <= before {
			return domain.E(domain.KindCorrupt, "the log does not go on behind position %s", before)
		}
		if w.last >= w.head || b.CaughtUp {
			return nil
		}
	}
	return context.Cause(ctx)
}

// skip looks for the next position behind which the log can be read again. All
// it passes on the way is damaged.
func (w *walk) skip(ctx context.Context, cause error) (bool, error) {
	w.holed.Store(true)
	first := w.last + 1
	for range maxDamage {
		w.last++
		err := w.probe(ctx)
		if err == nil || w.last >= w.head {
			w.rep.add(Finding{Position: first, Check: CheckBytes, Text: damage(first, w.last, cause)})
			return err == nil, nil
		}
		if domain.KindOf(err) == domain.KindMismatch {
			break // a server, which reads on only from positions that it gave out
		}
		if domain.KindOf(err) != domain.KindCorrupt {
			return false, err
		}
	}
	w.rep.add(Finding{Position: first, Check: CheckBytes, Text: damage(first, w.head, cause)})
	return false, nil
}

func damage(first, last eventstore.Position, cause error) string {
	if first == last {
		return cause.Error()
	}
	return fmt.Sprintf("positions %s to %s cannot be read: %v", first, last, cause)
}

// probe reads one event behind last.
func (w *walk) probe(ctx context.Context) error {
	for _, err := range w.deps.Log.Follow(ctx, w.last, eventstore.FollowOptions{Sealed: true, Batch: 1}) {
		return err
	}
	return context.Cause(ctx)
}

// deal hands events out, stopping at the mark so that the books can be summed
// up there. leaves are their hashes, where the store reckoned them; else they
// are reckoned here.
func (w *walk) deal(ctx context.Context, queues []chan task, events []eventstore.Recorded, leaves [][32]byte) error {
	hashed := leaves != nil
	for len(events) > 0 {
		n, mark := len(events), false
		for i := range events {
			if err := w.take(&events[i], leafOf(&events[i], leaves, i)); err != nil {
				return err
			}
			if events[i].Position == w.mark {
				n, mark = i+1, true
				break
			}
		}
		if err := w.send(ctx, queues, events[:n], hashed, mark); err != nil {
			return err
		}
		if events = events[n:]; hashed {
			leaves = leaves[n:]
		}
	}
	return nil
}

func leafOf(r *eventstore.Recorded, leaves [][32]byte, i int) [32]byte {
	if leaves != nil {
		return leaves[i]
	}
	return eventstore.LeafHashSealed(r.Stream, r.Revision, r.Event, r.SealedHash)
}

// take notes what the reader knows of an event: its place in the whole log.
func (w *walk) take(r *eventstore.Recorded, leaf [32]byte) error {
	if w.rep.Events == 0 && (r.Type != domain.TypeLedgerOpened || r.Stream != domain.LedgerStream) {
		w.wrong(r, CheckSequence, "the log begins with "+r.Type+" where its opening, "+domain.TypeLedgerOpened+", belongs")
	}
	if r.Position <= w.last {
		w.wrong(r, CheckSequence, fmt.Sprintf("it comes behind position %s", w.last))
	}
	w.rep.Events++
	w.tree.add(leaf)
	w.closings.root(w)
	w.last = r.Position
	w.marked = w.marked || r.Position == w.mark
	if r.Position > w.mark {
		w.behind++
	}
	return w.seals.take(r, leaf, &w.tree)
}

func (w *walk) wrong(r *eventstore.Recorded, c Check, text string) {
	w.rep.add(Finding{Position: r.Position, Stream: r.Stream, Revision: r.Revision, Check: c, Text: text})
}

func (w *walk) send(ctx context.Context, queues []chan task, events []eventstore.Recorded, hashed, mark bool) error {
	parts := make([][]int32, len(queues))
	for i := range parts {
		parts[i] = make([]int32, 0, len(events)*9/8/len(queues)+16)
	}
	for i := range events {
		n := maphash.String(w.seed, string(events[i].Stream)) % uint64(len(queues))
		parts[n] = append(parts[n], int32(i))
	}
	for i, q := range queues {
		if len(parts[i]) == 0 && !mark {
			continue
		}
		select {
		case q <- task{events, parts[i], hashed, mark}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
