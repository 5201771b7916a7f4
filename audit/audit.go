// Package audit checks a ledger from its first event to its last and trusts
// nothing that can be derived again: bytes against hashes, ids against content,
// decisions against the rules that made them, notices against the evidence they
// came from, balances against a replay.
//
// The log is read once, in order, in bounded memory: each payment's fold is
// kept while its events are near, and read again from the log when a late one
// comes. Only the sums of the books are held whole, one number for each account
// and currency.
//
// Every event is held against the leaf that was sealed for it in the
// tamper-evident log, and the log's root against signed checkpoints. Without
// one that the auditor brings, it cannot see a hand that rewrote the log, the
// tree and the key that signs it together.
package audit

import (
	"context"
	"fmt"
	"runtime"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/projections"
	"counterfoil/providers"
	"counterfoil/tamperlog"
)

// Deps is what is checked, and with what.
type Deps struct {
	Log    eventstore.Reader
	Ledger *ledger.Ledger // opens sealed parts; nothing is appended through it
	// Keys are those that Ledger opens with, to have many read at once; nil to
	// have each asked for when it is needed.
	Keys *Remembered
	// Channels have the keys by which evidence is verified again. Evidence of a
	// channel that is missing here counts as unverifiable.
	Channels map[domain.ChannelID]providers.Channel
	// Stranger says that nobody here is meant to have secrets: evidence that only
	// they could prove is counted as such, and not as unverifiable.
	Stranger bool
	// NoPolicies says that the log is a bundle that was made before bundles held
	// who agreed to looser settings: that is not looked for.
	NoPolicies bool
	// Tree is the tamper-evident log, to hold every event against what was
	// sealed; nil when there is none.
	Tree *tamperlog.Folder
	// Brought are checkpoints that the auditor brings.
	Brought []Brought
	// Inspect looks at the store's file itself; nil where there is none. See
	// Inspect of the embedded store.
	Inspect func(ctx context.Context) ([]string, error)
	// Opened gives sealed parts that were opened before, as a bundle holds them;
	// nil to open them with the ledger's keys.
	Opened func(ctx context.Context, r eventstore.Recorded) ([]byte, error)
	// Rows are the projections in use; nil when there are none to compare.
	Rows projections.Reader
	// Scratch takes a fold of the whole log, to compare every row with it; nil
	// to compare balances only. It must be empty.
	Scratch Scratch
}

// unseal opens the sealed part of r; KindNotFound when it was erased.
func (d Deps) unseal(ctx context.Context, r eventstore.Recorded) ([]byte, error) {
	if d.Opened != nil {
		return d.Opened(ctx, r)
	}
	if d.Keys != nil && d.Keys.gone(r.Stream) {
		return nil, errKeyGone
	}
	return d.Ledger.Open(ctx, r)
}

// Scratch is an empty set of rows.
type Scratch interface {
	projections.Reader
	projections.Writer
}

// Progress says how far a check has come: position Done of Total.
type Progress struct {
	Stage       string
	Done, Total eventstore.Position
}

// Verify checks the log as it stands now, and the projections. An error means
// that it could not be carried out (KindUnavailable, or the end of ctx); what
// is wrong with the books stands in the Report.
func Verify(ctx context.Context, d Deps, progress func(Progress)) (Report, error) {
	return verify(ctx, d, progress, near)
}

// near is how many streams each worker keeps folded in each of two
// generations. A stream in neither is read again when it goes on.
const near = 8 << 10

func verify(ctx context.Context, d Deps, progress func(Progress), near int) (Report, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	rep := Report{
		Ledger: d.Ledger.ID(), Mode: d.Ledger.Mode(), Checks: map[Check]Tally{}, Types: map[string]int64{},
		Evidence: Evidence{Unverifiable: map[string]int64{}}, Rows: Rows{Asked: d.Scratch != nil},
	}
	var rowsAt eventstore.Position
	var err error
	if d.Rows != nil { // before the head: rows are never ahead of a whole log
		if rowsAt, err = d.Rows.Checkpoint(ctx); err != nil {
			return rep, fmt.Errorf("read the projections' checkpoint: %w", err)
		}
	}
	seals, err := newSeals(d, &rep)
	if err != nil {
		return rep, err
	}
	if rep.Head, err = d.Log.Head(ctx); err != nil {
		return rep, fmt.Errorf("read the head of the log: %w", err)
	}
	w := &walk{
		deps: d, head: rep.Head, mark: rowsAt, progress: progress, near: near, seals: seals,
		workers: max(2, min(8, runtime.GOMAXPROCS(0))),
	}
	w.tree.made = seals.node
	inspection := startInspection(ctx, d)
	defer inspection.end()
	if w.closings, err = readClosings(ctx, d.Log, rep.Head); err != nil {
		return rep, err
	}
	if w.signers, err = peopleBefore(ctx, d.Log, rep.Head+1); err != nil && domain.KindOf(err) != domain.KindCorrupt {
		return rep, fmt.Errorf("read %s: %w", domain.PeopleStream, err)
	}
	if err := w.run(ctx); err != nil {
		return rep, err
	}
	if err := seals.end(&w.tree); err != nil {
		return rep, err
	}
	w.report(&rep)
	w.closedTotals(&rep)
	w.endedAsides(&rep)
	if err := compareRows(ctx, d, w, &rep); err != nil {
		return rep, err
	}
	if err := compareScratch(ctx, d, w, &rep); err != nil {
		return rep, err
	}
	if err := inspection.report(progress, &rep); err != nil {
		return rep, err
	}
	rep.finish()
	return rep, nil
}
