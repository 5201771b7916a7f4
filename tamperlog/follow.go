package tamperlog

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

const (
	tailLeaves  = 1000    // compared with the log before anything is added
	againLeaves = 256     // compared again before each signing
	roundLeaves = 2000    // compared at each round, so that the whole log comes by in turn
	maxUnsaved  = 1 << 16 // leaves that wait for the disk
)

// session is one stretch of sealing under the lock.
type session struct {
	*Sealer
	w       *writer
	share   float64       // of one processor
	spent   time.Duration // processor time of this thread up to the last rest
	private string
	public  string
	signed  uint64              // size of the head on the disk
	last    eventstore.Position // of the last leaf
	streams recent
	turn    uint64 // where the comparison in rounds goes on
}

// seal opens the tree, holds its end against the log, and follows.
func (s *Sealer) seal(ctx context.Context) error {
	w, err := openWriter(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	run := &session{Sealer: s, w: w, share: s.cfg.Share}
	if err := run.begin(ctx); err != nil {
		return err
	}
	s.set(func(st *Status) { st.Active, st.Err = true, nil })
	return run.follow(ctx)
}

// once seals up to the head of the log.
func (s *Sealer) once(ctx context.Context) error {
	w, err := openWriter(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	run := &session{Sealer: s, w: w, share: 1}
	if err := run.begin(ctx); err != nil {
		return err
	}
	for b, err := range run.log.Follow(ctx, run.last, eventstore.FollowOptions{Hashes: true}) {
		if err := run.take(ctx, news{batch: b, err: err}); err != nil {
			return err
		}
		if b.CaughtUp {
			return run.head(ctx)
		}
	}
	return domain.E(domain.KindUnavailable, "the log could not be read to its end")
}

func (r *session) begin(ctx context.Context) (err error) {
	if r.private, err = ReadKey(r.cfg.KeyFile); err != nil {
		return fmt.Errorf("read the log's private key: %w", err)
	}
	if r.public, err = r.w.Key(); err != nil {
		return fmt.Errorf("read the log's public key: %w", err)
	}
	head, err := r.w.Checkpoint()
	if err != nil {
		return err
	}
	if head.Origin != r.cfg.Origin {
		return domain.E(domain.KindMismatch, "the tree in %s is that of %s, this is %s", r.cfg.Dir, head.Origin, r.cfg.Origin)
	}
	r.signed = head.Size
	if r.w.size > 0 {
		l, err := r.w.Leaf(r.w.size-1, r.w.size)
		if err != nil {
			return err
		}
		r.last = l.Position
	}
	r.note()
	return r.compareTail(ctx, tailLeaves)
}

// note publishes how far sealing has come.
func (r *session) note() {
	r.set(func(st *Status) { st.Size, st.Signed, st.Position = r.w.size, r.signed, r.last })
}

// news is a batch and the processor time that reading it took, or why there are
// no more.
type news struct {
	batch eventstore.Batch
	read  time.Duration
	err   error
}

// follow adds what comes and signs in time.
func (r *session) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runtime.LockOSThread() // its processor time is this session's
	defer runtime.UnlockOSThread()
	r.spent = used()
	feed := make(chan news)
	go r.feed(ctx, feed)
	sign, round := time.NewTimer(time.Hour), time.NewTicker(r.cfg.Every)
	defer sign.Stop()
	defer round.Stop()
	due := r.cfg.Clock().Add(r.cfg.Every) // the latest instant for the next head
	for {
		select {
		case <-ctx.Done():
			return r.head(context.WithoutCancel(ctx)) // the last head before a stop
		case n := <-feed:
			if err := r.take(ctx, n); err != nil {
				return err
			}
			sign.Reset(max(0, min(r.cfg.Quiet, due.Sub(r.cfg.Clock()))))
		case <-sign.C:
			if err := r.head(ctx); err != nil {
				return err
			}
			due = r.cfg.Clock().Add(r.cfg.Every)
		case <-round.C:
			if err := r.compareRound(ctx); err != nil {
				return err
			}
		}
	}
}

// feed hands on what the log has behind the last leaf, until ctx ends.
func (r *session) feed(ctx context.Context, out chan<- news) {
	put := func(n news) bool {
		select {
		case out <- n:
			return true
		case <-ctx.Done():
			return false
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := used()
	for b, err := range r.log.Follow(ctx, r.last, eventstore.FollowOptions{Hashes: true}) {
		now := used()
		if !put(news{b, now - before, err}) || err != nil {
			return
		}
		before = now
	}
	if ctx.Err() == nil {
		put(news{err: domain.E(domain.KindUnavailable, "the log can no longer be followed")})
	}
}

// take adds a batch, and rests in proportion to the work it was.
func (r *session) take(ctx context.Context, n news) error {
	if n.err != nil {
		return logError(n.err)
	}
	for i := range n.batch.Events {
		e := &n.batch.Events[i]
		if err := r.place(ctx, e); err != nil {
			return err
		}
		r.w.add(e, leafIn(n.batch, i))
		r.last = e.Position
	}
	if n.batch.CaughtUp && r.w.size < r.signed {
		return domain.E(domain.KindCorrupt, "the log ends after %d events, and %d were sealed: its end was cut off, or it is another log",
			r.w.size, r.signed)
	}
	if r.w.unsaved() > maxUnsaved {
		if err := r.w.flush(); err != nil {
			return err
		}
	}
	r.note()
	r.rest(ctx, n)
	return nil
}

// logError is an error of the log in words of the tree. A log that does not
// reach as far as the tree was cut off, or restored from an older copy.
func logError(err error) error {
	switch domain.KindOf(err) { //nolint:exhaustive // the others say enough
	case domain.KindMismatch, domain.KindCorrupt:
		return domain.E(domain.KindCorrupt, "the log does not go on behind the sealed events: %w", err)
	}
	return fmt.Errorf("follow the log: %w", err)
}

// place checks that e follows what was sealed: behind the last position, and
// right behind the event before it in its stream.
func (r *session) place(ctx context.Context, e *eventstore.Recorded) error {
	if e.Position <= r.last {
		return domain.E(domain.KindCorrupt, "event at position %s (%s, revision %d) comes behind position %s: the log was reordered",
			e.Position, e.Stream, e.Revision, r.last)
	}
	next, met := r.streams.next(e.Stream)
	if !met && e.Revision > 0 {
		sealed, err := r.follows(ctx, e)
		if err != nil {
			return err
		}
		if sealed {
			next = e.Revision
		}
	}
	if e.Revision != next {
		return domain.E(domain.KindCorrupt, "event at position %s has revision %d of %s, where %d must stand: events are missing or inserted",
			e.Position, e.Revision, e.Stream, next)
	}
	r.streams.seen(e.Stream, e.Revision)
	return nil
}

// follows tells whether the event before e in its stream is in the tree.
func (r *session) follows(ctx context.Context, e *eventstore.Recorded) (bool, error) {
	before, err := r.log.ReadStream(ctx, e.Stream, eventstore.ReadOptions{From: e.Revision - 1, Limit: 1})
	if err != nil {
		return false, logError(err)
	}
	if len(before) == 0 {
		return false, nil
	}
	return r.w.has(before[0].Position)
}

// recent remembers the revisions of streams that were met lately, in two
// generations.
type recent struct{ young, old map[domain.Stream]uint64 }

const recentStreams = 1 << 15

func (m *recent) next(s domain.Stream) (uint64, bool) {
	if n, ok := m.young[s]; ok {
		return n, true
	}
	n, ok := m.old[s]
	return n, ok
}

func (m *recent) seen(s domain.Stream, revision uint64) {
	if m.young == nil || len(m.young) >= recentStreams {
		m.old, m.young = m.young, make(map[domain.Stream]uint64, 64)
	}
	m.young[s] = revision + 1
}
