package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// Checkpoint implements projections.Reader.
func (d *DB) Checkpoint(context.Context) (eventstore.Position, error) {
	return d.view.position(), nil
}

// Balances implements projections.Reader. Current balances that were asked for
// before come from memory: see view. The slice is shared, callers do not change
// it.
func (d *DB) Balances(ctx context.Context, account domain.AccountID, at projections.AsOf) ([]projections.Balance, eventstore.Position, error) {
	switch {
	case at.ValueDate != "":
		return d.balancesOfDay(ctx, account, at)
	case !at.Time.IsZero():
		return d.balancesAtTime(ctx, account, at.Time)
	case at.Position != 0:
		bs, err := d.balancesAt(ctx, account, at.Position)
		return bs, at.Position, err
	case at.Min != 0:
		if err := d.Wait(ctx, at.Min); err != nil {
			return nil, 0, err
		}
	}
	return d.balancesNow(ctx, account)
}

// Wanted implements projections.Hurrier.
func (d *DB) Wanted() <-chan struct{} { return d.view.wanted }

// Wait returns once the rows go up to position p, after two seconds at most:
// then it is KindUnavailable. A Runner of this process is hurried; one of
// another process comes at its own pace.
func (d *DB) Wait(ctx context.Context, p eventstore.Position) error {
	if d.view.position() >= p {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := d.view.wait(ctx, p); err != nil {
		return domain.E(domain.KindUnavailable, "the projections stand at position %s and do not reach %s yet: %w",
			d.view.position(), p, err)
	}
	return nil
}

func (d *DB) balancesNow(ctx context.Context, account domain.AccountID) ([]projections.Balance, eventstore.Position, error) {
	k, at, epoch, ok := d.view.get(account)
	if ok {
		return k.balances, at, nil
	}
	err := d.read(ctx, func(_ *readers, c *conn) (err error) {
		k, err = loadBalances(c, account)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	d.view.keep(account, k, epoch)
	return k.balances, k.since, nil
}

// loadBalances reads balances and checkpoint in one statement, so that they
// are of one commit.
func loadBalances(c *conn, account domain.AccountID) (kept, error) {
	var k kept
	err := c.query(context.Background(), `SELECT c.position, l.currency, `+lastAfter+`, `+lastPosition+` FROM checkpoint c
		LEFT JOIN ledgers l ON l.wallet = ? AND l.book = ? ORDER BY l.currency`,
		[]any{string(account), domain.BookWallet}, func(r row) error {
			k.since = position(r.num(0))
			if r[1] != nil {
				k.balances = append(k.balances, balance(account, r.str(1), r.num(2), r.num(3)))
			}
			return nil
		})
	return k, err
}

// balance turns what the books owe a wallet into what the wallet has.
func balance(account domain.AccountID, currency string, minor, at int64) projections.Balance {
	return projections.Balance{
		Account: account, Amount: domain.NewMoney(minor, domain.Currency(currency)).Neg(), Position: position(at),
	}
}

// balancesAt reads balances as of a position: one index seek per currency.
// What stands at or below the checkpoint never changes.
func (d *DB) balancesAt(ctx context.Context, account domain.AccountID, p eventstore.Position) ([]projections.Balance, error) {
	if err := d.Wait(ctx, p); err != nil {
		return nil, err
	}
	var out []projections.Balance
	err := d.read(ctx, func(_ *readers, c *conn) (err error) {
		out, err = loadBalancesAt(c, account, p)
		return err
	})
	return out, err
}

func loadBalancesAt(c *conn, account domain.AccountID, p eventstore.Position) ([]projections.Balance, error) {
	var out []projections.Balance
	ledgers, err := walletLedgers(c, domain.BookWallet, account, "")
	if err != nil {
		return nil, err
	}
	for _, l := range ledgers {
		_, err := c.one(context.Background(), `SELECT after, position FROM entries WHERE ledger = ? AND position <= ?
			ORDER BY position DESC, leg DESC LIMIT 1`, []any{l.id, signed(p)}, func(r row) error {
			out = append(out, balance(account, l.currency, r.num(0), r.num(1)))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ledger is a running balance's number and currency.
type ledger struct {
	id       int64
	currency string
}

// walletLedgers are the ledgers of a book and wallet in order of currency; all
// currencies when none is named.
func walletLedgers(c *conn, book string, wallet domain.AccountID, cur domain.Currency) ([]ledger, error) {
	var out []ledger
	err := c.query(context.Background(), "SELECT id, currency FROM ledgers WHERE wallet = ? AND book = ? ORDER BY currency",
		[]any{string(wallet), book}, func(r row) error {
			if cur == "" || string(cur) == r.str(1) {
				out = append(out, ledger{r.num(0), r.str(1)})
			}
			return nil
		})
	return out, err
}

// balancesAtTime reads balances at the last position before the running maximum
// of recorded_at passes t. When nothing passed it yet that is the checkpoint,
// and later events may still be recorded at or before t.
func (d *DB) balancesAtTime(ctx context.Context, account domain.AccountID, t time.Time) ([]projections.Balance, eventstore.Position, error) {
	var out []projections.Balance
	var p eventstore.Position
	err := d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		if p, err = positionAt(c, t); err == nil {
			out, err = loadBalancesAt(c, account, p)
		}
		return err
	})
	return out, p, err
}

// PositionAt is the last position before the running maximum of recorded_at
// passes t, the checkpoint when it has not passed t. It may lie between events.
func (d *DB) PositionAt(ctx context.Context, t time.Time) (p eventstore.Position, err error) {
	err = d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		p, err = positionAt(c, t)
		return err
	})
	return p, err
}

func positionAt(c *conn, t time.Time) (eventstore.Position, error) {
	us := t.UnixMicro() // rounds down, and events are recorded in whole microseconds
	var steps []byte
	found, err := c.one(context.Background(), "SELECT steps FROM clock WHERE last > ? ORDER BY last LIMIT 1", []any{us},
		func(r row) error { steps, _ = r[0].([]byte); return nil })
	if err != nil {
		return 0, err
	}
	if !found {
		return readPosition(c)
	}
	p, above, err := firstAfter(steps, us)
	if err != nil || !above || p < 1 {
		return 0, errors.Join(err, errSteps)
	}
	return position(p) - 1, nil
}

// TrialBalance implements projections.Reader.
func (d *DB) TrialBalance(ctx context.Context) (map[string][]domain.Money, error) {
	books := make(map[string]*domain.Totals)
	err := d.read(ctx, func(_ *readers, c *conn) error {
		return c.query(ctx, ledgerSQL, nil, func(r row) error {
			book := r.str(1)
			if books[book] == nil {
				books[book] = new(domain.Totals)
			}
			if err := books[book].Add(money(r.num(4), r.str(3))); err != nil {
				return domain.E(domain.KindCorrupt, "sum of book %s: %w", book, err)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string][]domain.Money, len(books))
	for book, t := range books {
		out[book] = slices.Collect(t.All())
	}
	return out, nil
}
