package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

// How old rows go: a little at a time, so that nobody waits for it.
const (
	pruneEvery = time.Minute
	pruneRows  = 500
)

// prune removes what is too old, now and every minute, until ctx ends.
func (s *Store) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := s.pruneAll(ctx); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "old rows of the operations store cannot be removed", slog.Any("error", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pruneAll removes in steps of pruneRows until nothing is left to remove, and
// within the hour takes what they held out of the journal, too: these rows tell
// of payers. A step is a transaction of its own.
func (s *Store) pruneAll(ctx context.Context) error {
	now := s.clock()
	steps := []func(*tx) (int64, error){
		func(t *tx) (int64, error) { return dropOldCallbacks(t, now.Add(-s.limits.callbacks)) },
		func(t *tx) (int64, error) { return dropOldRefused(t, now.Add(-s.limits.refused)) },
		func(t *tx) (int64, error) { return dropOldAnswers(t, now.Add(-s.limits.idempotency)) },
		func(t *tx) (int64, error) { return dropOldRuns(t, s.limits.runs) },
	}
	removed := false
	for _, step := range steps {
		for gone := int64(1); gone > 0; removed = removed || gone > 0 {
			err := s.normal.do(ctx, func(t *tx) (err error) {
				gone, err = step(t)
				return err
			})
			if err != nil {
				return classify("remove old rows", err)
			}
		}
	}
	if !s.left.due(now, removed) {
		return nil
	}
	return classify("remove old rows", s.emptyJournal(ctx))
}

// A row's seq is its time of receipt or later, so that old rows come first.
func dropOldCallbacks(t *tx, before time.Time) (int64, error) {
	return dropThrough(t, `SELECT max(seq) FROM (SELECT seq FROM callbacks WHERE seq < ? ORDER BY seq LIMIT ?)`, dropCallbacks,
		micros(before), pruneRows)
}

func dropOldRefused(t *tx, before time.Time) (int64, error) {
	return dropThrough(t, `SELECT max(seq) FROM (SELECT seq FROM refused WHERE seq < ? ORDER BY seq LIMIT ?)`, dropRefused,
		micros(before), pruneRows)
}

// dropThrough drops up to the seq that a query finds, if any.
func dropThrough(t *tx, query string, drop func(*tx, int64) (int64, error), args ...any) (int64, error) {
	var last sql.NullInt64
	if err := t.row(query, args, &last); err != nil || !last.Valid {
		return 0, err
	}
	return drop(t, last.Int64)
}

// dropCallbacks removes all rows up to seq and says how many those were.
func dropCallbacks(t *tx, seq int64) (int64, error) {
	refused, err := dropRefused(t, seq)
	if err != nil {
		return 0, err
	}
	others, err := t.exec(`DELETE FROM callbacks WHERE seq <= ?`, seq)
	if err != nil {
		return 0, err
	}
	return refused + others, addCounters(t, tally{callbacks: -others})
}

// dropRefused removes the refused rows up to seq and says how many those were.
func dropRefused(t *tx, seq int64) (int64, error) {
	var sum tally
	err := t.row(`SELECT count(*), coalesce(sum(size), 0) FROM refused WHERE seq <= ?`, []any{seq}, &sum.refused, &sum.refusedBytes)
	if err != nil || sum.refused == 0 {
		return 0, err
	}
	rows, err := t.exec(`DELETE FROM callbacks WHERE seq IN (SELECT seq FROM refused WHERE seq <= ?)`, seq)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`DELETE FROM refused WHERE seq <= ?`, seq); err != nil {
		return 0, err
	}
	return sum.refused, addCounters(t, tally{callbacks: -rows, refused: -sum.refused, refusedBytes: -sum.refusedBytes})
}

// boundCallbacks drops the oldest rows beyond the bounds, in the transaction
// that added new ones: a flood never gets beyond them.
func (s *Store) boundCallbacks(t *tx) error {
	sum, err := readCounters(t)
	if err != nil {
		return err
	}
	if over := sum.callbacks - s.limits.callbackRows; over > 0 {
		// At most two batches: a lowered bound is reached in steps.
		if _, err := dropThrough(t, `SELECT max(seq) FROM (SELECT seq FROM callbacks ORDER BY seq LIMIT ?)`, dropCallbacks,
			min(over, 2*callbackBatch)); err != nil {
			return err
		}
	}
	if sum.refused > s.limits.refusedRows || sum.refusedBytes > s.limits.refusedBytes {
		return s.boundRefused(t)
	}
	return nil
}

func (s *Store) boundRefused(t *tx) error {
	sum, err := readCounters(t)
	if err != nil {
		return err
	}
	type kept struct{ seq, size int64 }
	oldest, err := collect(background(), t.conn, func(rows *sql.Rows) (kept, error) {
		var k kept
		err := rows.Scan(&k.seq, &k.size)
		return k, err
	}, `SELECT seq, size FROM refused ORDER BY seq LIMIT ?`, 2*callbackBatch)
	if err != nil {
		return err
	}
	var last int64
	for _, k := range oldest {
		if sum.refused <= s.limits.refusedRows && sum.refusedBytes <= s.limits.refusedBytes {
			break
		}
		last = k.seq
		sum.refused--
		sum.refusedBytes -= k.size
	}
	if _, err := dropRefused(t, last); err != nil {
		return err
	}
	return nil
}

func dropOldAnswers(t *tx, before time.Time) (int64, error) {
	return t.exec(`DELETE FROM idempotency WHERE claimed_at < ? AND rowid IN
  (SELECT rowid FROM idempotency ORDER BY rowid LIMIT ?)`, micros(before), pruneRows)
}

func dropOldRuns(t *tx, keep int64) (int64, error) {
	return t.exec(`DELETE FROM runs WHERE id IN
  (SELECT id FROM runs ORDER BY started_at DESC, id DESC LIMIT ? OFFSET ?)`, pruneRows, keep)
}
