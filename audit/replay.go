package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// ReplayFilter says which part of the history is wanted; what is empty lets
// everything through.
type ReplayFilter struct {
	Types    []string         // stored names, e.g. payment.credited.v1
	Stream   domain.Stream    // one stream
	Category string           // streams whose name begins so, before the first "-"
	Channel  domain.ChannelID // streams of one channel: payments, settings, books, payouts, reconciliations
	// Account lets a payment through from the first event on that names the
	// account: as the one it was placed for, or as the wallet money moved in.
	Account domain.AccountID

	After eventstore.Position // begin behind it
	To    eventstore.Position // end with it; 0 means the head when the replay begins
	// Since and Until bound the instants at which events were recorded. As for
	// balances as of an instant, an event counts as recorded no earlier than
	// those before it.
	Since, Until time.Time
	Sealed       bool // load sealed parts, too
}

// Replayed is what a replay has passed.
type Replayed struct {
	Read     int64               `json:"read"`     // events of the log
	Matched  int64               `json:"matched"`  // that the filter let through
	Types    map[string]int64    `json:"types"`    // of those
	Position eventstore.Position `json:"position"` // of the last event read
	Head     eventstore.Position `json:"head"`     // where it ends
}

// replayPage is how many events are read at once.
const replayPage = 4000

// Replay hands the events that pass the filter to visit, in the order of the
// log, up to the head as it stands now. seen is called after each page; either
// may be nil. Memory is one page, and with an account its payments' names.
func Replay(
	ctx context.Context, log eventstore.Reader, f ReplayFilter, visit func(eventstore.Recorded) error, seen func(Replayed),
) (Replayed, error) {
	r := replay{filter: f, out: Replayed{Types: map[string]int64{}, Position: f.After}, streams: map[domain.Stream]bool{}, visit: visit}
	head, err := log.Head(ctx)
	if err != nil {
		return r.out, fmt.Errorf("read the head of the log: %w", err)
	}
	if r.out.Head = head; f.To != 0 {
		r.out.Head = min(head, f.To)
	}
	if f.After >= r.out.Head {
		return r.out, nil
	}
	for b, err := range log.Follow(ctx, r.start(), eventstore.FollowOptions{Sealed: f.Sealed, Batch: replayPage}) {
		if err != nil {
			return r.out, fmt.Errorf("read the log: %w", err)
		}
		done, err := r.page(b.Events)
		if seen != nil {
			seen(r.out)
		}
		if err != nil || done || b.CaughtUp {
			return r.out, err
		}
	}
	return r.out, context.Cause(ctx)
}

// replay is one pass.
type replay struct {
	filter  ReplayFilter
	out     Replayed
	clock   time.Time              // the latest instant of recording so far
	streams map[domain.Stream]bool // that have named the account
	visit   func(eventstore.Recorded) error
}

// start is where the pass begins: an account's payments and the instants of
// recording are known from the first event on only.
func (r *replay) start() eventstore.Position {
	if r.filter.Account != "" || !r.filter.Since.IsZero() || !r.filter.Until.IsZero() {
		return 0
	}
	return r.filter.After
}

func (r *replay) page(events []eventstore.Recorded) (done bool, err error) {
	for i := range events {
		e := &events[i]
		if e.Position > r.out.Head {
			return true, nil
		}
		r.out.Read++
		r.out.Position = e.Position
		wanted, over, err := r.wanted(e)
		if err != nil || over {
			return true, err
		}
		if !wanted || e.Position <= r.filter.After {
			continue
		}
		r.out.Matched++
		r.out.Types[e.Type]++
		if r.visit != nil {
			if err := r.visit(*e); err != nil {
				return true, err
			}
		}
	}
	return r.out.Position >= r.out.Head, nil
}

// wanted tells whether the filter lets e through, and whether everything behind
// it is too late.
func (r *replay) wanted(e *eventstore.Recorded) (wanted, over bool, err error) {
	in, over, err := r.inTime(e)
	if err != nil || over {
		return false, over, err
	}
	f := &r.filter
	named := true
	if f.Account != "" {
		if named, err = r.named(e); err != nil {
			return false, false, err
		}
	}
	return in && named && (len(f.Types) == 0 || slices.Contains(f.Types, e.Type)) && f.has(e.Stream), false, nil
}

// has tells whether a stream is one of those asked for.
func (f *ReplayFilter) has(s domain.Stream) bool {
	if f.Stream != "" && s != f.Stream {
		return false
	}
	if f.Category == "" && f.Channel == "" {
		return true
	}
	category, rest, _ := strings.Cut(string(s), "-")
	channel, _, _ := strings.Cut(rest, ":")
	return (f.Category == "" || category == f.Category) && (f.Channel == "" || channel == string(f.Channel))
}

// named tells whether e's stream has named the account, up to e.
func (r *replay) named(e *eventstore.Recorded) (bool, error) {
	if r.streams[e.Stream] {
		return true, nil
	}
	entry, err := ledger.Decode(*e)
	if err != nil {
		return false, err
	}
	if !(Subject{Kind: SubjectAccount, Name: string(r.filter.Account)}).covers(entry.Fact) {
		return false, nil
	}
	r.streams[e.Stream] = true
	return true, nil
}

// inTime tells whether e was recorded in the time asked for, or after it.
func (r *replay) inTime(e *eventstore.Recorded) (in, over bool, err error) {
	f := &r.filter
	if f.Since.IsZero() && f.Until.IsZero() {
		return true, false, nil
	}
	m, err := domain.DecodeMeta(e.Meta)
	if err != nil {
		return false, false, fmt.Errorf("meta of the event at position %s: %w", e.Position, err)
	}
	if m.RecordedAt.After(r.clock) {
		r.clock = m.RecordedAt
	}
	return !r.clock.Before(f.Since), !f.Until.IsZero() && r.clock.After(f.Until), nil
}
