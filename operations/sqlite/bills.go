package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"counterfoil/domain"
	"counterfoil/operations"
)

var _ operations.Bills = (*Store)(nil)

func checkPage(limit int) error {
	if limit < 1 || limit > maxPage {
		return domain.EField(domain.KindInvalid, "limit", "%d is not 1 to %d", limit, maxPage)
	}
	return nil
}

// PutBillRun inserts or replaces a run by its id.
func (s *Store) PutBillRun(ctx context.Context, r operations.BillRun) error {
	if err := checkNames("id", r.ID, string(r.Channel), string(r.Day), r.Bill); err != nil {
		return err
	}
	err := s.normal.do(ctx, func(t *tx) error { return putBillRun(t, r) })
	return classify("put bill run", err)
}

func putBillRun(t *tx, r operations.BillRun) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode bill run %s: %w", r.ID, err)
	}
	_, err = t.exec(`INSERT INTO bill_runs (id, channel, bill, day, state, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
		r.ID, string(r.Channel), r.Bill, string(r.Day), string(r.State), body)
	return err
}

func scanBillRun(rows *sql.Rows) (operations.BillRun, error) {
	var r operations.BillRun
	var seq int64
	var body []byte
	if err := rows.Scan(&seq, &body); err != nil {
		return r, err
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, domain.E(domain.KindCorrupt, "bill run %d cannot be read: %w", seq, err)
	}
	r.Seq = seq
	return r, nil
}

// BillRun is a run by its id, or KindNotFound.
func (s *Store) BillRun(ctx context.Context, id string) (operations.BillRun, error) {
	runs, err := collect(ctx, s.read, scanBillRun, `SELECT seq, body FROM bill_runs WHERE id = ?`, id)
	if err != nil {
		return operations.BillRun{}, classify("read bill run", err)
	}
	if len(runs) == 0 {
		return operations.BillRun{}, domain.E(domain.KindNotFound, "there is no bill run %.64q", id)
	}
	return runs[0], nil
}

// BillRuns lists runs, newest first.
func (s *Store) BillRuns(ctx context.Context, f operations.BillRunFilter) ([]operations.BillRun, error) {
	if err := checkPage(f.Limit); err != nil {
		return nil, err
	}
	runs, err := collect(ctx, s.read, scanBillRun, `SELECT seq, body FROM bill_runs
WHERE (?1 = '' OR channel = ?1) AND (?2 = '' OR bill = ?2) AND (?3 = '' OR day >= ?3) AND (?4 = '' OR day <= ?4)
AND (?5 = '' OR state = ?5) AND (?6 = 0 OR seq < ?6) ORDER BY seq DESC LIMIT ?7`,
		string(f.Channel), f.Bill, string(f.From), string(f.To), string(f.State), f.Before, f.Limit)
	return runs, classify("list bill runs", err)
}

// CloseBill writes a complete run with all it found.
func (s *Store) CloseBill(ctx context.Context, r operations.BillResult) error {
	run := r.Run
	if err := checkNames("id", run.ID, string(run.Channel), string(run.Day), run.Bill); err != nil {
		return err
	}
	err := s.normal.do(ctx, func(t *tx) error {
		return errors.Join(putBillRun(t, run), closeDiscrepancies(t, r), closePool(t, r))
	})
	return classify("close bill", err)
}

// closePool brings the carry-over pool to what the run says: what this bill had
// before waits again unless it has it now.
func closePool(t *tx, r operations.BillResult) error {
	run := r.Run
	for _, pool := range []string{run.Bill, run.Bill + operations.TheirPool} {
		if _, err := t.exec(`DELETE FROM carried WHERE channel = ? AND bill = ? AND on_day = ? AND since = ''`,
			string(run.Channel), pool, string(run.Day)); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE carried SET on_day = '' WHERE channel = ? AND bill = ? AND on_day = ?`,
			string(run.Channel), pool, string(run.Day)); err != nil {
			return err
		}
	}
	for _, c := range r.Carried {
		line, err := json.Marshal(c.Line)
		if err != nil {
			return fmt.Errorf("encode carried line %s: %w", c.Line.TradeNo, err)
		}
		k := c.Line.Key()
		if _, err := t.exec(`INSERT INTO carried (channel, bill, kind, trade_no, ref, our_day, since, on_day, line)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, bill, kind, trade_no, ref) DO UPDATE SET on_day = excluded.on_day`,
			string(c.Channel), c.Bill, string(k.Kind), k.TradeNo, k.Ref, string(c.Line.ValueDate), string(c.Line.Since),
			string(c.On), line); err != nil {
			return err
		}
	}
	return nil
}

// undated is how many days around a bill the line that it took can have been of,
// where the line's own day is not known.
const undated = 60

// Carried is the pool as a run of this day's bill must see it.
func (s *Store) Carried(ctx context.Context, ch domain.ChannelID, bill string, day domain.Day) ([]operations.Carried, error) {
	scan := func(rows *sql.Rows) (operations.Carried, error) {
		c := operations.Carried{Channel: ch, Bill: bill}
		var line []byte
		var since domain.Day
		if err := rows.Scan(&since, &c.On, &line); err != nil {
			return c, err
		}
		if err := json.Unmarshal(line, &c.Line); err != nil {
			return c, domain.E(domain.KindCorrupt, "carried line cannot be read: %w", err)
		}
		c.Line.Since = since
		return c, nil
	}
	rows, err := collect(ctx, s.read, scan, `SELECT since, on_day, line FROM carried WHERE channel = ?1 AND bill = ?2
AND ((on_day IN ('', ?3) AND our_day <= ?4) OR (on_day NOT IN ('', ?3) AND (our_day BETWEEN ?5 AND ?4
  OR our_day = '' AND on_day BETWEEN ?6 AND ?7)))
ORDER BY kind, trade_no, ref`,
		string(ch), bill, string(day), string(day.Add(1)), string(day.Add(-1)), string(day.Add(-undated)), string(day.Add(undated)))
	return rows, classify("read the carry-over pool", err)
}
