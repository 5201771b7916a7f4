package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Bounds of the schedule.
const (
	asksPerCommit = 500  // a longer list is written in parts, so that others get in between
	maxClaim      = 1000 // asks handed out at once
)

const askColumns = `channel, order_no, trade_no, why, since, attempts, next_at, last_at, last_said, done`

// PutAsks inserts or replaces asks. When it fails a part may be written:
// putting them again is harmless.
func (s *Store) PutAsks(ctx context.Context, asks []operations.Ask) error {
	return s.writeAsks(ctx, asks, `INSERT OR REPLACE INTO asks (`+askColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
}

// AddAsks inserts those asks that are not there yet. When it fails a part may
// be written: adding them again is harmless.
func (s *Store) AddAsks(ctx context.Context, asks []operations.Ask) error {
	return s.writeAsks(ctx, asks, `INSERT OR IGNORE INTO asks (`+askColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
}

func (s *Store) writeAsks(ctx context.Context, asks []operations.Ask, query string) error {
	for part := range slices.Chunk(asks, asksPerCommit) {
		err := s.normal.do(ctx, func(t *tx) error {
			for _, a := range part {
				if _, err := t.exec(query, string(a.Channel), a.OrderNo, a.TradeNo, a.Why, micros(a.Since),
					a.Attempts, micros(a.NextAt), micros(a.LastAt), a.LastSaid, a.Done); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return classify("write asks", err)
		}
	}
	return nil
}

// ClaimAsks hands out up to limit (at most 1,000) open asks that are due, those
// about held money before the others, of each the longest due first, and moves
// them to until, so that nobody else gets them before. A quarter is left to the
// others while there are any. The returned NextAt is when they were due.
func (s *Store) ClaimAsks(ctx context.Context, now, until time.Time, limit int) ([]operations.Ask, error) {
	if limit < 1 {
		return nil, domain.EField(domain.KindInvalid, "limit", "%d is less than 1", limit)
	}
	if !until.After(now) {
		return nil, domain.EField(domain.KindInvalid, "until", "%s is not after now, %s", until, now)
	}
	var due []operations.Ask
	err := s.normal.do(ctx, func(t *tx) (err error) {
		due, err = claim(t, now, until, min(limit, maxClaim))
		return err
	})
	if err != nil {
		return nil, classify("claim asks", err)
	}
	return due, nil
}

// The two queues; each has an index of its own.
const (
	dueHeld   = `SELECT ` + askColumns + ` FROM asks WHERE done = 0 AND why = 'held'` + dueOrder
	dueOthers = `SELECT ` + askColumns + ` FROM asks WHERE done = 0 AND why <> 'held'` + dueOrder
	dueOrder  = ` AND next_at <= ? ORDER BY next_at, channel, order_no, trade_no, why LIMIT ?`
)

func claim(t *tx, now, until time.Time, limit int) ([]operations.Ask, error) {
	due, err := collect(background(), t.conn, scanAsk, dueHeld, micros(now), limit)
	if err != nil {
		return nil, err
	}
	others, err := collect(background(), t.conn, scanAsk, dueOthers, micros(now), max(limit-len(due), limit/4))
	if err != nil {
		return nil, err
	}
	due = append(due[:min(len(due), limit-len(others))], others...)
	for _, a := range due {
		if _, err := t.exec(`UPDATE asks SET next_at = ? WHERE channel = ? AND order_no = ? AND trade_no = ? AND why = ?`,
			micros(until), string(a.Channel), a.OrderNo, a.TradeNo, a.Why); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// Asks is everything asked about one order, done or not, in a stable order.
func (s *Store) Asks(ctx context.Context, channel domain.ChannelID, orderNo string) ([]operations.Ask, error) {
	asks, err := collect(ctx, s.read, scanAsk, `SELECT `+askColumns+` FROM asks
WHERE channel = ? AND order_no = ? ORDER BY trade_no, why`, string(channel), orderNo)
	return asks, classify("read asks", err)
}

// OpenAsks counts the asks that are not done.
func (s *Store) OpenAsks(ctx context.Context) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM asks WHERE done = 0`).Scan(&n)
	return n, classify("count asks", err)
}

func scanAsk(rows *sql.Rows) (operations.Ask, error) {
	var a operations.Ask
	var since, next, last int64
	err := rows.Scan(&a.Channel, &a.OrderNo, &a.TradeNo, &a.Why, &since, &a.Attempts, &next, &last, &a.LastSaid, &a.Done)
	a.Since, a.NextAt, a.LastAt = instant(since), instant(next), instant(last)
	return a, err
}
