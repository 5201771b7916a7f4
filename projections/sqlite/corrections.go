package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"counterfoil/domain"
	"counterfoil/projections"
)

// proposed inserts proposals. They are few: what was asked for stands in its
// stored form.
func (w *writer) proposed(c projections.Changes) error {
	asks := make([][]byte, len(c.Proposed))
	for i, p := range c.Proposed {
		var err error
		if _, asks[i], err = domain.EncodeFact(p.Ask); err != nil {
			return err
		}
		if _, err := w.intern(string(p.Channel)); err != nil {
			return err
		}
	}
	_, err := w.c.many("INSERT OR ROLLBACK INTO corrections(position, proposal, payment, channel, state, ask, proposed) VALUES ", 7, "",
		len(c.Proposed), func(i int, v []driver.NamedValue) {
			p := &c.Proposed[i]
			v[0].Value, v[1].Value, v[2].Value = signed(p.Position), p.Ask.Proposal[:], p.Payment.Row
			v[3].Value, v[4].Value = w.names[string(p.Channel)], string(p.State)
			v[5].Value, v[6].Value = string(asks[i]), stored(p.ProposedAt)
		})
	return err
}

// decided ends proposals.
func (w *writer) decided(c projections.Changes) error {
	for _, d := range c.Decided {
		if d.State == domain.ProposalOpen {
			if _, err := w.c.exec("UPDATE corrections SET seconded = ? WHERE proposal = ?", d.By, d.Proposal[:]); err != nil {
				return err
			}
			continue
		}
		_, err := w.c.exec("UPDATE corrections SET state = ?, by = ?, reason = ?, decided = ? WHERE proposal = ?",
			string(d.State), d.By, text(d.Reason), stored(d.At), d.Proposal[:])
		if err != nil {
			return err
		}
	}
	return nil
}

const correctionSQL = `SELECT c.position, ch.name, coalesce(p.order_no, p.ref), c.ask, c.state, c.proposed,
	coalesce(c.by, ''), coalesce(c.reason, ''), coalesce(c.decided, 0), coalesce(c.seconded, '')
	FROM corrections c JOIN names ch ON ch.id = c.channel JOIN payments p ON p.id = c.payment`

// corrections reads rows of correctionSQL.
func (d *DB) corrections(ctx context.Context, where string, args ...any) ([]projections.Correction, error) {
	var out []projections.Correction
	err := d.read(ctx, func(_ *readers, c *conn) error {
		return c.query(ctx, correctionSQL+where, args, func(r row) error {
			fact, err := domain.DecodeFact(domain.TypeCorrectionProposed, []byte(r.str(3)))
			if err != nil {
				return err
			}
			ask, _ := fact.(domain.CorrectionProposed)
			out = append(out, projections.Correction{
				Position: position(r.num(0)), Channel: domain.ChannelID(r.str(1)), OrderNo: r.str(2), Ask: ask,
				State: domain.ProposalState(r.str(4)), ProposedAt: instant(r.num(5)), DecidedBy: r.str(6), Reason: r.str(7),
				DecidedAt: instant(r.num(8)), SecondedBy: r.str(9),
			})
			return nil
		})
	})
	return out, err
}

// Corrections implements projections.Corrections.
func (d *DB) Corrections(ctx context.Context, f projections.CorrectionFilter) ([]projections.Correction, error) {
	return d.corrections(ctx, ` WHERE c.position < ?1 AND (?2 = '' OR ch.name = ?2) AND (?3 = '' OR c.state = ?3)
		ORDER BY c.position DESC LIMIT ?4`, upTo(f.Before), string(f.Channel), string(f.State), int64(limited(f.Limit)))
}

// Correction implements projections.Corrections.
func (d *DB) Correction(ctx context.Context, proposal domain.ID) (projections.Correction, error) {
	rows, err := d.corrections(ctx, " WHERE c.proposal = ?1", proposal[:])
	if err == nil && len(rows) == 0 {
		err = domain.EField(domain.KindNotFound, "id", "no correction %s was proposed", proposal)
	}
	if err != nil {
		return projections.Correction{}, err
	}
	return rows[0], nil
}

// ApprovedSince implements projections.Corrections.
func (d *DB) ApprovedSince(ctx context.Context, ch domain.ChannelID, t time.Time) ([]projections.Correction, error) {
	return d.corrections(ctx, " WHERE ch.name = ?1 AND c.state = ?2 AND c.decided >= ?3 ORDER BY c.position",
		string(ch), string(domain.ProposalIssued), stored(t))
}
