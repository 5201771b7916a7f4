package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// maxWords is the longest reason of a person, in bytes: what the log keeps, the
// list must show.
const maxWords = 2000

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
	if d.Ask.IsZero() && d.State == operations.DiscrepancyOpen {
		d = unasked(d) // noted here by older software only: the log knows nothing of it
	}
	return d, nil
}

// unasked is d without a person's word.
func unasked(d operations.Discrepancy) operations.Discrepancy {
	d.Ask, d.AskedBy, d.Asked, d.AskedAt = domain.ID{}, "", "", time.Time{}
	return d
}

// asked is d with the word that stands in another row.
func asked(d, was operations.Discrepancy) operations.Discrepancy {
	d.Ask, d.AskedBy, d.Asked, d.AskedAt = was.Ask, was.AskedBy, was.Asked, was.AskedAt
	return d
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

// planned is a discrepancy as a run leaves it, and whether the run changed its
// state.
type planned struct {
	operations.Discrepancy
	changed bool
}

// plan is what a run does to discrepancies: what it saw is noted, what it did
// not see any more and what was only ours until this bill had it is resolved.
func plan(ctx context.Context, q queryer, r operations.BillResult) ([]planned, error) {
	seen := make(map[domain.ID]bool, len(r.Found))
	var out []planned
	for _, d := range r.Found {
		seen[d.ID] = true
		p, err := planSeen(ctx, q, d)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	gone, err := collect(ctx, q, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies
WHERE channel = ? AND bill = ? AND day = ? AND state = 'open'`, string(r.Run.Channel), r.Run.Bill, string(r.Run.Day))
	if err != nil {
		return nil, err
	}
	for _, d := range gone {
		if !seen[d.ID] {
			seen[d.ID] = true
			out = append(out, planResolved(d, r.Run, "the bill does not show it any more"))
		}
	}
	for _, c := range r.Carried {
		late, err := onlyOurs(ctx, q, c)
		if err != nil {
			return nil, err
		}
		for _, d := range late {
			if !seen[d.ID] {
				seen[d.ID] = true
				out = append(out, planResolved(d, r.Run, "stands on the bill of "+string(c.On)))
			}
		}
	}
	return out, nil
}

// planSeen notes on the row that is there that the run saw it again; there may
// be none.
func planSeen(ctx context.Context, q queryer, d operations.Discrepancy) (planned, error) {
	was, found, err := discrepancyByID(ctx, q, d.ID)
	if err != nil {
		return planned{}, err
	}
	if found {
		d.Day, d.Bill, d.FoundRun, d.FoundAt = was.Day, was.Bill, was.FoundRun, was.FoundAt
		same := was.Ours == d.Ours && was.Theirs == d.Theirs // of other amounts nobody has spoken
		if same && (was.ByPerson || was.State == operations.DiscrepancyOpen) {
			d = asked(d, was)
		}
		if same && was.ByPerson {
			d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution, d.ByPerson = was.State, was.ResolvedBy, was.ResolvedAt, was.Resolution, true
		}
	}
	return planned{d, !found || was.State != d.State}, nil
}

func planResolved(d operations.Discrepancy, run operations.BillRun, why string) planned {
	d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution = operations.DiscrepancyResolved, run.ID, run.EndedAt, why
	return planned{d, true}
}

// onlyOurs are the open discrepancies that a line found on a bill explains: it
// was only ours, or of two bills only one had it.
func onlyOurs(ctx context.Context, q queryer, c operations.Carried) ([]operations.Discrepancy, error) {
	if c.On == "" {
		return nil, nil
	}
	k := c.Line.Key()
	return collect(ctx, q, scanDiscrepancy, `SELECT `+discrepancyColumns+` FROM discrepancies
WHERE channel = ? AND bill = ? AND item = ? AND trade_no = ? AND ref = ? AND kind IN ('only_ours', 'refund_unknown', 'bill_total_mismatch')
AND state = 'open'`,
		string(c.Channel), strings.TrimSuffix(c.Bill, operations.TheirPool), string(k.Kind), k.TradeNo, k.Ref)
}

// closeDiscrepancies writes what a run does to discrepancies.
func closeDiscrepancies(t *tx, r operations.BillResult) error {
	rows, err := plan(background(), t.conn, r)
	if err != nil {
		return err
	}
	for _, p := range rows {
		if err := putDiscrepancy(t, p.Discrepancy); err != nil {
			return err
		}
	}
	return nil
}

// BillChanges is what CloseBill would find or resolve.
func (s *Store) BillChanges(ctx context.Context, r operations.BillResult) ([]operations.Discrepancy, error) {
	rows, err := plan(ctx, s.read, r)
	if err != nil {
		return nil, classify("plan bill", err)
	}
	var out []operations.Discrepancy
	for _, p := range rows {
		if p.changed {
			out = append(out, p.Discrepancy)
		}
	}
	return out, nil
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
AND (?5 = 0 OR seq < ?5) AND (?7 = '' OR bill = ?7) AND (?8 = '' OR day >= ?8) AND (?9 = '' OR day <= ?9)
AND (?10 = '' OR trade_no = ?10) AND (?11 = '' OR body ->> '$.order_no' = ?11) ORDER BY seq DESC LIMIT ?6`,
		string(f.Channel), string(f.Kind), string(f.State), string(f.Day), f.Before, f.Limit, f.Bill, string(f.From), string(f.To),
		f.TradeNo, f.OrderNo)
	return rows, classify("list discrepancies", err)
}

// AskDiscrepancy shows the first of two persons' words.
func (s *Store) AskDiscrepancy(ctx context.Context, id, ask domain.ID, by, why string, at time.Time) (operations.Discrepancy, error) {
	return s.say(ctx, id, by, why, func(d *operations.Discrepancy) {
		d.Ask, d.AskedBy, d.Asked, d.AskedAt = ask, by, why, domain.Instant(at)
	})
}

// PutDiscrepancy writes what an order shows, or what settled it.
func (s *Store) PutDiscrepancy(ctx context.Context, d operations.Discrepancy) error {
	err := s.normal.do(ctx, func(t *tx) error {
		was, found, err := discrepancyByID(background(), t.conn, d.ID)
		switch {
		case err != nil:
			return err
		case found && (was.State != operations.DiscrepancyOpen || d.State == operations.DiscrepancyOpen):
			return nil
		case found: // what people asked for meanwhile stays to be seen
			d = asked(d, was)
		}
		return putDiscrepancy(t, d)
	})
	return classify("write discrepancy", err)
}

// ResolveDiscrepancy is a person's act.
func (s *Store) ResolveDiscrepancy(ctx context.Context, id domain.ID, by, why string, at time.Time) (operations.Discrepancy, error) {
	return s.say(ctx, id, by, why, func(d *operations.Discrepancy) {
		d.State, d.ResolvedBy, d.ResolvedAt, d.Resolution, d.ByPerson = operations.DiscrepancyResolved, by, domain.Instant(at), why, true
	})
}

// say lets a person change an open discrepancy.
func (s *Store) say(
	ctx context.Context, id domain.ID, by, why string, change func(*operations.Discrepancy),
) (operations.Discrepancy, error) {
	if err := checkNames("by", by); err != nil {
		return operations.Discrepancy{}, err
	}
	if why == "" || len(why) > maxWords {
		return operations.Discrepancy{}, domain.EField(domain.KindInvalid, "reason", "must have 1 to %d bytes, not %d", maxWords, len(why))
	}
	var d operations.Discrepancy
	var refused error
	err := s.normal.do(ctx, func(t *tx) error {
		var found bool
		var err error
		d, found, err = discrepancyByID(background(), t.conn, id)
		switch {
		case err != nil:
			return err
		case !found:
			refused = domain.E(domain.KindNotFound, "there is no discrepancy %s", id)
		case d.State != operations.DiscrepancyOpen:
			refused = domain.E(domain.KindConflict, "discrepancy %s is resolved already, by %s", id, d.ResolvedBy)
		}
		if refused != nil {
			return nil
		}
		change(&d)
		return putDiscrepancy(t, d)
	})
	if err != nil {
		return d, classify("change discrepancy", err)
	}
	return d, refused
}
