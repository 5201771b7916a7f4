package audit

import (
	"context"
	"fmt"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// beside is the fold of a stream that stands beside the payments: a book, a
// payout, a draw or the periods.
type beside struct {
	book    domain.Book
	payout  domain.Payout
	periods domain.Periods
	opening domain.Openings
	draw    domain.Draw
}

// apply folds a fact of such a stream; other streams are left alone.
func (b *beside) apply(s domain.Stream, f domain.Fact) (err error) {
	switch s.Category() {
	case "book":
		return b.book.Apply(f)
	case "payout":
		return b.payout.Apply(f)
	case "opening":
		return b.opening.Apply(f)
	case "draw":
		return b.draw.Apply(f)
	case domain.PeriodsStream.Category():
		b.periods, err = b.periods.Apply(f)
		return err
	}
	return nil
}

// again is what the rules lead to where f stands.
func (b *beside) again(c domain.Context, f domain.Fact) (domain.Fact, error) {
	switch c.Stream.Category() {
	case "book":
		return b.book.Again(c, f)
	case "payout":
		return b.payout.Again(c, f)
	case "opening":
		return b.opening.Again(c, f)
	case "draw":
		return b.draw.Again(c, f)
	}
	return b.periods.Again(c, f)
}

// besides are the categories of these streams.
var besides = []string{"book", "payout", "opening", "draw", domain.PeriodsStream.Category()}

// decideBeside takes the decision behind an event of a book, a payout, a draw or
// the periods again. Then it folds e.
func (s *shard) decideBeside(ctx context.Context, st *state, e ledger.Entry) error {
	_, ours := e.Fact.(domain.BookFact)
	if category := e.Stream.Category(); !ours && !slices.Contains(besides, category) {
		return nil
	}
	defer func() {
		if err := st.beside.apply(e.Stream, e.Fact); err != nil {
			st.broken = true
		}
	}()
	if st.broken {
		return nil
	}
	s.rep.checked(CheckDecisions, 1)
	problem, err := s.deriveBeside(ctx, st, e)
	if err != nil {
		return err
	}
	if problem != "" {
		s.wrong(e.Recorded, CheckDecisions, problem)
		st.broken = true
	}
	return nil
}

// deriveBeside tries each settings of the channel that were recorded before,
// the newest first: another process may have had the ones before still.
func (s *shard) deriveBeside(ctx context.Context, st *state, e ledger.Entry) (problem string, err error) {
	oldest := s.walk.closings.fold.OldestOpen(e.Meta.RecordedAt)
	c := domain.Context{Ledger: s.walk.deps.Ledger.ID(), Stream: e.Stream, Now: e.Meta.RecordedAt, OldestOpen: oldest}
	if e.Stream == domain.PeriodsStream || e.Stream.Category() == "draw" { // of no channel
		if problem = againDiffers(st.beside, c, e); problem != "" {
			return problem, nil
		}
		return s.signedBeside(ctx, e)
	}
	all, why, err := s.channel(ctx, besideChannel(e), 0)
	if why != "" || err != nil {
		return why, err
	}
	problem = "no settings of its channel were recorded before it"
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].at >= e.Position {
			continue
		}
		c := s.in(e, all[i])
		if problem = againDiffers(st.beside, c, e); problem == "" {
			return s.signedBeside(ctx, e)
		}
	}
	return problem, nil
}

func againDiffers(b *beside, c domain.Context, e ledger.Entry) string {
	want, err := b.again(c, e.Fact)
	if err != nil {
		return refusal(err)
	}
	return differs(want, e)
}

// besideChannel is the channel that a fact of a book, a payout or an opening is
// about.
func besideChannel(e ledger.Entry) domain.ChannelID {
	switch f := e.Fact.(type) {
	case domain.FeesBooked:
		return f.Channel
	case domain.DiscountBooked:
		return f.Channel
	case domain.FXBooked:
		return f.Channel
	case domain.MovementBooked:
		return f.Channel
	case domain.PayoutSent:
		return f.Channel
	case domain.PayoutArrived:
		return f.Channel
	case domain.PayoutFailed:
		return f.Channel
	default:
		return channelOf(e.Stream)
	}
}

// besideHome is the stream that a fact of the books belongs into.
func besideHome(e ledger.Entry, f domain.BookFact) domain.Stream {
	switch f := f.(type) {
	case domain.OpeningProposed:
		return domain.OpeningStream(f.Channel)
	case domain.OpeningRejected, domain.OpeningBooked:
		if e.Stream.Category() == "opening" {
			return e.Stream
		}
		return "opening-…"
	case domain.FeesBooked:
		return domain.BookStream(f.Channel, f.Day)
	case domain.DiscountBooked:
		return domain.BookStream(f.Channel, f.Day)
	case domain.FXBooked:
		return domain.BookStream(f.Channel, f.Day)
	case domain.MovementBooked:
		return domain.BookStream(f.Channel, f.Day)
	case domain.PayoutSent:
		return domain.PayoutStream(f.Channel, f.PayoutID)
	case domain.PayoutArrived:
		return domain.PayoutStream(f.Channel, f.PayoutID)
	case domain.PayoutFailed:
		return domain.PayoutStream(f.Channel, f.PayoutID)
	case domain.AccountDrawn:
		return domain.DrawStream(f.Number)
	case domain.DrawReversed:
		return domain.DrawStream(f.Number)
	case domain.PeriodClosing, domain.PeriodRejected, domain.PeriodClosed:
	}
	return domain.PeriodsStream
}

// closings are the decisions about periods, read before everything else: they
// say which period was open when each fact was decided.
type closings struct {
	fold   domain.Periods
	closed []closed
}

// closed is a period.closed in the log.
type closed struct {
	domain.PeriodClosed
	at eventstore.Recorded
}

// readClosings reads the periods' stream up to head, as far as it can be read:
// what is wrong with an event is told where it stands.
func readClosings(ctx context.Context, log eventstore.Reader, head eventstore.Position) (c closings, err error) {
	events, err := log.ReadStream(ctx, domain.PeriodsStream, eventstore.ReadOptions{})
	if k := domain.KindOf(err); err != nil && k != domain.KindNotFound && k != domain.KindCorrupt {
		return c, fmt.Errorf("read %s: %w", domain.PeriodsStream, err)
	}
	for _, r := range events {
		e, err := ledger.Decode(r)
		if err != nil || r.Position > head {
			break
		}
		next, err := c.fold.Apply(e.Fact)
		if err != nil {
			break
		}
		if f, ok := e.Fact.(domain.PeriodClosed); ok {
			c.closed = append(c.closed, closed{f, r})
		}
		c.fold = next
	}
	return c, nil
}

// root holds the tree over the first events against the roots that closed
// periods name for them.
func (c closings) root(w *walk) {
	if w.deps.Opened != nil {
		return // a bundle holds a part of the log
	}
	for _, f := range c.closed {
		if b := f.Basis; b.Root == "" || b.Tree != w.tree.size {
			continue
		} else if root := w.tree.root(); root != b.Root {
			w.wrong(&f.at, CheckTree, fmt.Sprintf("%s was closed with root %s over %d events, which hash to %s", f.Period, b.Root, b.Tree, root))
		}
	}
}
