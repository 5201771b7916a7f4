package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"counterfoil/domain"
	"counterfoil/operations"
)

const runColumns = `id, kind, holder, state, started_at, ended_at, asked, paid, healed, confirmed, closed,
  unknown, unanswered, differing, note, cursor`

// PutRun inserts or replaces a run by its id. The newest 10,000 are kept.
func (s *Store) PutRun(ctx context.Context, r operations.Run) error {
	if err := checkNames("id", r.ID, r.Kind); err != nil {
		return err
	}
	err := s.normal.do(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT OR REPLACE INTO runs (`+runColumns+`)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, r.Kind, r.Holder, string(r.State), micros(r.StartedAt), micros(r.EndedAt), r.Asked, r.Paid, r.Healed,
			r.Confirmed, r.Closed, r.Unknown, r.Unanswered, r.Differing, r.Note, r.Cursor)
		return err
	})
	return classify("put run", err)
}

// Run is a run by its id, or KindNotFound.
func (s *Store) Run(ctx context.Context, id string) (operations.Run, error) {
	runs, err := collect(ctx, s.read, scanRun, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
	if err != nil {
		return operations.Run{}, classify("read run", err)
	}
	if len(runs) == 0 {
		return operations.Run{}, domain.E(domain.KindNotFound, "there is no run %.64q", id)
	}
	return runs[0], nil
}

// Runs is the newest runs of a kind, or of every kind for "", newest first.
func (s *Store) Runs(ctx context.Context, kind string, limit int) ([]operations.Run, error) {
	if limit < 1 {
		return nil, domain.EField(domain.KindInvalid, "limit", "%d is less than 1", limit)
	}
	query, args := `SELECT `+runColumns+` FROM runs`, []any{}
	if kind != "" {
		query, args = query+` WHERE kind = ?`, append(args, kind)
	}
	runs, err := collect(ctx, s.read, scanRun, query+` ORDER BY started_at DESC, id DESC LIMIT ?`, append(args, limit)...)
	return runs, classify("list runs", err)
}

func scanRun(rows *sql.Rows) (operations.Run, error) {
	var r operations.Run
	var started, ended int64
	err := rows.Scan(&r.ID, &r.Kind, &r.Holder, &r.State, &started, &ended, &r.Asked, &r.Paid, &r.Healed,
		&r.Confirmed, &r.Closed, &r.Unknown, &r.Unanswered, &r.Differing, &r.Note, &r.Cursor)
	r.StartedAt, r.EndedAt = instant(started), instant(ended)
	return r, err
}

// Cursor is a named position, 0 when it was never set.
func (s *Store) Cursor(ctx context.Context, name string) (uint64, error) {
	var v int64
	err := s.read.QueryRowContext(ctx, `SELECT value FROM cursors WHERE name = ?`, name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return uint64(v), classify("read cursor", err)
}

// PutCursor sets a named position, forward or back.
func (s *Store) PutCursor(ctx context.Context, name string, v uint64) error {
	if err := checkNames("cursor", name); err != nil {
		return err
	}
	err := s.normal.do(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)`, name, int64(v))
		return err
	})
	return classify("put cursor", err)
}
