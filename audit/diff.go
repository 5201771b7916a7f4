package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/projections"
)

// Change is what became of one balance between two positions.
type Change struct {
	Book   string           `json:"book"`
	Wallet domain.AccountID `json:"wallet,omitempty"`
	From   domain.Money     `json:"from"` // + debit, − credit, as the books count
	To     domain.Money     `json:"to"`
	Change domain.Money     `json:"change"`
}

// Difference is what happened behind one position, up to and with another.
type Difference struct {
	From    eventstore.Position `json:"from"`
	To      eventstore.Position `json:"to"`
	Events  int64               `json:"events"`
	Types   map[string]int64    `json:"types"`
	Changes []Change            `json:"changes"` // books first, then wallets
}

// Diff folds the log up to both positions and tells what changed between them:
// by the log alone, so it holds whatever the projections say. Memory is one sum
// for each account. A position beyond the log's head means its head.
func Diff(ctx context.Context, log eventstore.Reader, from, to eventstore.Position) (Difference, error) {
	if from > to {
		return Difference{}, domain.EField(domain.KindInvalid, "from", "position %s comes behind %s", from, to)
	}
	head, err := log.Head(ctx)
	if err != nil {
		return Difference{}, fmt.Errorf("read the head of the log: %w", err)
	}
	d := Difference{From: from, To: min(to, head), Types: map[string]int64{}, Changes: []Change{}}
	now, then, err := d.fold(ctx, log)
	if err != nil {
		return d, err
	}
	for k, m := range now {
		if err := d.add(k, then[k], m); err != nil {
			return d, err
		}
	}
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(strings.Compare(string(a.Wallet), string(b.Wallet)), strings.Compare(a.Book, b.Book),
			strings.Compare(string(a.To.Currency()), string(b.To.Currency())))
	})
	return d, nil
}

// fold gives the books at both positions.
func (d *Difference) fold(ctx context.Context, log eventstore.Reader) (now, then books, err error) {
	now = books{}
	if d.To == 0 {
		return now, books{}, nil
	}
	for b, err := range log.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			return nil, nil, fmt.Errorf("read the log: %w", err)
		}
		for _, r := range b.Events {
			if r.Position > d.From && then == nil {
				then = now.clone()
			}
			if r.Position > d.To {
				return now, then, nil
			}
			if err := d.take(now, r, then != nil); err != nil {
				return nil, nil, err
			}
		}
		if b.CaughtUp {
			break
		}
	}
	if then == nil {
		then = maps.Clone(now)
	}
	return now, then, ctx.Err()
}

func (d *Difference) take(now books, r eventstore.Recorded, between bool) error {
	e, err := ledger.Decode(r)
	if err != nil {
		return err
	}
	if between {
		d.Events++
		d.Types[r.Type]++
	}
	return now.post(e.Fact)
}

func (d *Difference) add(k projections.LedgerKey, from, to domain.Money) error {
	if from.Currency() == "" {
		from = domain.NewMoney(0, to.Currency())
	}
	change, err := to.Sub(from)
	if err != nil {
		return fmt.Errorf("change of %s %s: %w", k.Book, k.Wallet, err)
	}
	if !change.IsZero() {
		d.Changes = append(d.Changes, Change{k.Book, k.Wallet, from, to, change})
	}
	return nil
}
