package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

const discrepancyColumns = `seq, id, body`

func scanDiscrepancy(rows *sql.Rows) (operations.Discrepancy, error) {
	var d operations.Discrepancy
	var seq int64
	var id, body []byte
	if err := rows.Scan(&seq, &id, &body); err != nil {
		return d, err
	}
	if err := json.Unmarshal(body, &d); err != nil || len(id) != len(d.ID) {
		return d, domain.E(domain.KindCorrupt, "discrepancy %d cannot be read: %w", seq, err)
	}
	d.Seq, d.ID = seq, domain.ID(id)
	return d, nil
}

func putDiscrepancy(t *tx, d operations.Discrepancy) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode discrepancy %s: %w", d.ID, err)
	}
	_, err = t.exec(`INSERT INTO discrepancies (id, channel, bill, day, kind, state, item, trade_no, ref, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
		d.ID[:], string(d.Channel), d.Bill, string(d.Day), string(d.Kind), string(d.State), string(d.Item.Kind),
		d.Item.TradeNo, d.Item.Ref, body)
	return err
}

func discrepancyByID(ctx context.Context, q queryer, id domain.ID) (d operations.Discrepancy, found bool, err error) {
	rows, err := collect(ctx, q, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies WHERE id = ?`, id[:])
	if err != nil || len(rows) == 0 {
		return d, false, err
	}
	return rows[0], true, nil
}

// closeDiscrepancies writes what a run saw and resolves what it did not see any
// more.
func closeDiscrepancies(t *tx, r operations.BillResult) error {
	seen := make(map[domain.ID]bool, len(r.Found))
	for _, d := range r.Found {
		seen[d.ID] = true
		if err := seeDiscrepancy(t, d); err != nil {
			return err
		}
	}
	gone, err := collect(background(), t.conn, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies
WHERE channel = ? AND bill = ? AND day = ? AND state = 'open'`, string(r.Run.Channel), r.Run.Bill, string(r.Run.Day))
	if err != nil {
		return err
	}
	for _, d := range gone {
		if !seen[d.ID] {
			if err := resolveByRun(t, d, r.Run, "the bill does not show it any more"); err != nil {
				return err
			}
		}
	}
	return closeOnlyOurs(t, r)
}

// seeDiscrepancy inserts d, or notes on the row that is there that it was seen
// again.
func seeDiscrepancy(t *tx, d operations.Discrepancy) error {
	was, found, err := discrepancyByID(background(), t.conn, d.ID)
	if err != nil {
		return err
	}
	if found {
		d.Day, d.Bill, d.FoundRun, d.FoundAt = was.Day, was.Bill, was.FoundRun, was.FoundAt
		if was.ByPerson {
			d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution, d.ByPerson = was.State, was.ResolvedBy, was.ResolvedAt, was.Resolution, true
		}
	}
	return putDiscrepancy(t, d)
}

func resolveByRun(t *tx, d operations.Discrepancy, run operations.BillRun, why string) error {
	d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution = operations.DiscrepancyResolved, run.ID, run.EndedAt, why
	return putDiscrepancy(t, d)
}

// closeOnlyOurs resolves what was only ours until this bill had it.
func closeOnlyOurs(t *tx, r operations.BillResult) error {
	for _, c := range r.Carried {
		if c.On == "" {
			continue
		}
		k := c.Line.Key()
		late, err := collect(background(), t.conn, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies
WHERE channel = ? AND bill = ? AND item = ? AND trade_no = ? AND ref = ? AND kind IN ('only_ours', 'refund_unknown') AND state = 'open'`,
			string(c.Channel), c.Bill, string(k.Kind), k.TradeNo, k.Ref)
		if err != nil {
			return err
		}
		for _, d := range late {
			if err := resolveByRun(t, d, r.Run, "stands on the bill of "+string(c.On)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Discrepancy is one by its id, or KindNotFound.
func (s *Store) Discrepancy(ctx context.Context, id domain.ID) (operations.Discrepancy, error) {
	d, found, err := discrepancyByID(ctx, s.read, id)
	if err != nil {
		return d, classify("read discrepancy", err)
	}
	if !found {
		return d, domain.E(domain.KindNotFound, "there is no discrepancy %s", id)
	}
	return d, nil
}

// Discrepancies lists them, newest first.
func (s *Store) Discrepancies(ctx context.Context, f operations.DiscrepancyFilter) ([]operations.Discrepancy, error) {
	if err := checkPage(f.Limit); err != nil {
		return nil, err
	}
	rows, err := collect(ctx, s.read, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies
WHERE (?1 = '' OR channel = ?1) AND (?2 = '' OR kind = ?2) AND (?3 = '' OR state = ?3) AND (?4 = '' OR day = ?4)
AND (?5 = 0 OR seq < ?5) ORDER BY seq DESC LIMIT ?6`,
		string(f.Channel), string(f.Kind), string(f.State), string(f.Day), f.Before, f.Limit)
	return rows, classify("list discrepancies", err)
}

// ResolveDiscrepancy is a person's act.
func (s *Store) ResolveDiscrepancy(ctx context.Context, id domain.ID, by, why string, at time.Time) (operations.Discrepancy, error) {
	if err := checkNames("by", by, why); err != nil {
		return operations.Discrepancy{}, err
	}
	var d operations.Discrepancy
	var found, done bool
	err := s.normal.do(ctx, func(t *tx) (err error) {
		if d, found, err = discrepancyByID(background(), t.conn, id); err != nil || !found {
			return err
		}
		if done = d.State != operations.DiscrepancyOpen; done {
			return nil
		}
		d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution, d.ByPerson = operations.DiscrepancyResolved, by, domain.Instant(at), why, true
		return putDiscrepancy(t, d)
	})
	switch {
	case err != nil:
		return d, classify("resolve discrepancy", err)
	case !found:
		return d, domain.E(domain.KindNotFound, "there is no discrepancy %s", id)
	case done:
		return d, domain.E(domain.KindConflict, "discrepancy %s is resolved already, by %s", id, d.ResolvedBy)
	}
	return d, nil
}
