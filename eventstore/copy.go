package eventstore

import (
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
)

// Copier makes one log the same as another: ids, order and bytes, the sealed
// ones too. Only positions differ, which belong to the store.
//
// Everything is appended in the order of the source's log, one append after the
// other: two at once could change places. Events that follow each other within
// one stream go in one append. Where the target stands is found by reading it,
// so a Copier that was killed at any point is followed by another that goes on;
// an append that was still on its way then is recognised by its ids. Nothing is
// ever written twice.
type Copier struct {
	o      CopyOptions
	from   Reader
	source *cursor // on from
	target CopyTarget
	done   Copied
	tree   Tree
}

// CopyTarget is where a log is copied to.
type CopyTarget interface {
	Appender
	Reader
}

// CopyOptions shape a Copier. The zero value is the default for each.
type CopyOptions struct {
	// Patience is how long an append is repeated while the target cannot take
	// it. Default 1 minute.
	Patience time.Duration

	// Progress is called after every page, from the caller's goroutine.
	Progress func(Copied)
}

// Copied says how far a copy or a comparison has come.
type Copied struct {
	Events   uint64   // that stand in both logs
	Appended uint64   // of them, appended by this Copier
	Root     [32]byte // of the tree over their leaf hashes
	Source   Position // of the last of them
	Target   Position
}

// NewCopier reads target from its beginning and compares it with source: it
// must hold the same events so far, or none.
//
// KindMismatch: it holds others, or more of them, and nothing was changed.
func NewCopier(ctx context.Context, source Reader, target CopyTarget, o CopyOptions) (*Copier, error) {
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(Copied) {}
	}
	c := &Copier{o: o, from: source, target: target, source: follow(ctx, source, FollowOptions{Sealed: true})}
	if err := c.resume(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the reading of the source.
func (c *Copier) Close() { c.source.stop() }

// OnProgress replaces CopyOptions.Progress from here on.
func (c *Copier) OnProgress(f func(Copied)) { c.o.Progress = f }

// Done is how far the copy has come.
func (c *Copier) Done() Copied {
	c.done.Root = c.tree.Root()
	return c.done
}

// resume goes along both logs to the end of the target.
func (c *Copier) resume(ctx context.Context) error {
	there := follow(ctx, c.target, FollowOptions{})
	defer there.stop()
	return alongside(ctx, c.source, there, func(a, b Recorded) {
		c.count(a)
		c.done.Target = b.Position
	}, func() { c.o.Progress(c.done) })
}

// CatchUp appends what the target lacks, up to the source's head as it then is.
// It can be called again when the source has grown.
//
// Errors: those of both stores. KindConflict means that somebody else writes to
// the target; a new Copier finds out what.
func (c *Copier) CatchUp(ctx context.Context) error {
	head, err := c.from.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the log to copy: %w", err)
	}
	c.source.grown(head)
	for {
		events, err := c.source.page(ctx)
		if err != nil {
			return fmt.Errorf("read the log to copy: %w", err)
		}
		if len(events) == 0 {
			return nil
		}
		for len(events) > 0 {
			n := together(events)
			if err := c.put(ctx, events[:n]); err != nil {
				return fmt.Errorf("copy event %d: %w", c.done.Events+1, err)
			}
			for _, r := range events[:n] {
				c.count(r)
			}
			c.done.Appended += uint64(n)
			events = events[n:]
			c.source.skip(n)
		}
		c.o.Progress(c.done)
	}
}

func (c *Copier) count(r Recorded) {
	c.tree.Add(leafOf(r))
	c.done.Events++
	c.done.Source = r.Position
}

// together is how many of the first events go in one append: they follow each
// other in one stream, within the limits of an append.
func together(events []Recorded) int {
	size := 0
	for i, r := range events {
		size += len(r.Data) + len(r.Meta) + len(r.Sealed)
		if r.Stream != events[0].Stream || i == MaxEvents || (i > 0 && size > MaxAppend) {
			return i
		}
	}
	return len(events)
}

// put appends events of one stream behind each other, with patience for a
// target that is away: the identical call is safe however the last one ended.
func (c *Copier) put(ctx context.Context, events []Recorded) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Patience)
	defer cancel()
	batch := make([]Event, len(events))
	for i, r := range events {
		batch[i] = r.Event
	}
	first := events[0]
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		got, err := c.target.Append(ctx, first.Stream, Expected(first.Revision)-1, batch)
		if err == nil {
			c.done.Target = got.Position
			return nil
		}
		if k := domain.KindOf(err); k != domain.KindUnavailable && k != domain.KindUnknown {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Compare goes along two logs and wants them the same: the leaf hash of each
// event, in the same order, up to the end of the second. It returns how far
// that is, with the root of each.
//
// KindMismatch names the first event that differs.
func Compare(ctx context.Context, a, b Reader, progress func(Copied)) (done Copied, roots [2][32]byte, err error) {
	first, second := follow(ctx, a, FollowOptions{}), follow(ctx, b, FollowOptions{})
	defer first.stop()
	defer second.stop()
	var trees [2]Tree
	err = alongside(ctx, first, second, func(x, y Recorded) {
		trees[0].Add(leafOf(x))
		trees[1].Add(leafOf(y))
		done.Events++
		done.Source, done.Target = x.Position, y.Position
	}, func() { progress(done) })
	done.Root = trees[1].Root()
	return done, [2][32]byte{trees[0].Root(), trees[1].Root()}, err
}

// alongside calls same for each event of b with the one of a in its place, which
// must be the same, and page after every page of b.
func alongside(ctx context.Context, a, b *cursor, same func(a, b Recorded), page func()) error {
	for n := uint64(1); ; {
		theirs, err := b.page(ctx)
		if err != nil {
			return fmt.Errorf("read the target: %w", err)
		}
		if len(theirs) == 0 {
			return nil
		}
		for _, y := range theirs {
			ours, err := a.page(ctx)
			if err != nil {
				return fmt.Errorf("read the log to copy: %w", err)
			}
			if len(ours) == 0 {
				return domain.E(domain.KindMismatch, "the target has more: its event %d (%s of %s) comes behind the end of the log to copy", n, y.Type, y.Stream)
			}
			if x := ours[0]; leafOf(x) != leafOf(y) {
				return domain.E(domain.KindMismatch, "event %d differs: %s at revision %d of %s in the log to copy, %s at revision %d of %s in the target",
					n, x.Type, x.Revision, x.Stream, y.Type, y.Revision, y.Stream)
			}
			same(ours[0], y)
			a.skip(1)
			b.skip(1)
			n++
		}
		page()
	}
}

func leafOf(r Recorded) [32]byte { return LeafHashSealed(r.Stream, r.Revision, r.Event, r.SealedHash) }
