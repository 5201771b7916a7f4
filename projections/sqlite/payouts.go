package sqlite

import (
	"context"

	"counterfoil/domain"
	"counterfoil/projections"
)

// payouts notes the stages of payouts. They are few: each stands in its stored
// form.
func (w *writer) payouts(c projections.Changes) error {
	for _, p := range c.Payouts {
		channel, err := w.intern(string(p.Channel))
		if err != nil {
			return err
		}
		var column string
		var fact domain.Fact
		switch {
		case p.Sent != nil:
			column, fact = "sent", *p.Sent
		case p.Arrived != nil:
			column, fact = "arrived", *p.Arrived
		default:
			column, fact = "failed", *p.Failed
		}
		_, data, err := domain.EncodeFact(fact)
		if err != nil {
			return err
		}
		_, err = w.c.exec("INSERT INTO payouts(position, channel, payout_id, updated, "+column+") VALUES(?, ?, ?, ?, ?)"+
			" ON CONFLICT(channel, payout_id) DO UPDATE SET updated = excluded.updated, "+column+" = excluded."+column,
			signed(p.Position), channel, p.ID, stored(p.At), string(data))
		if err != nil {
			return err
		}
	}
	return nil
}

// payoutState tells the state of a row as projections.Payout does.
const payoutState = `CASE WHEN p.failed IS NOT NULL THEN 'failed' WHEN p.arrived IS NOT NULL THEN 'arrived' ELSE 'sent' END`

const payoutSQL = `SELECT p.position, ch.name, p.payout_id, p.updated, p.sent, p.arrived, p.failed
	FROM payouts p JOIN names ch ON ch.id = p.channel`

// Payouts implements projections.Books.
func (d *DB) Payouts(ctx context.Context, f projections.PayoutFilter) (out []projections.Payout, err error) {
	err = d.read(ctx, func(_ *readers, c *conn) (err error) {
		out, err = queryPayouts(ctx, c, " WHERE p.position < ?1 AND (?2 = '' OR ch.name = ?2) AND (?3 = '' OR "+payoutState+` = ?3)
			ORDER BY p.position DESC LIMIT ?4`, upTo(f.Before), string(f.Channel), string(f.State), int64(limited(f.Limit)))
		return err
	})
	return out, err
}

// Payout implements projections.Books.
func (d *DB) Payout(ctx context.Context, ch domain.ChannelID, payoutID string) (p projections.Payout, err error) {
	var rows []projections.Payout
	err = d.read(ctx, func(_ *readers, c *conn) (err error) {
		rows, err = queryPayouts(ctx, c, " WHERE ch.name = ?1 AND p.payout_id = ?2", string(ch), payoutID)
		return err
	})
	if err != nil {
		return p, err
	}
	if len(rows) == 0 {
		return p, domain.EField(domain.KindNotFound, "payout", "no bill of channel %s tells of payout %.60q", ch, payoutID)
	}
	return rows[0], nil
}

func queryPayouts(ctx context.Context, c *conn, where string, args ...any) ([]projections.Payout, error) {
	var out []projections.Payout
	err := c.query(ctx, payoutSQL+where, args, func(r row) error {
		p := projections.Payout{
			Position: position(r.num(0)), Channel: domain.ChannelID(r.str(1)), ID: r.str(2), UpdatedAt: instant(r.num(3)),
		}
		for i, typ := range []string{domain.TypePayoutSent, domain.TypePayoutArrived, domain.TypePayoutFailed} {
			if r[4+i] == nil {
				continue
			}
			f, err := domain.DecodeFact(typ, []byte(r.str(4+i)))
			if err != nil {
				return err
			}
			if err := p.Apply(f); err != nil {
				return err
			}
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// periods notes what people decided about periods.
func (w *writer) periods(c projections.Changes) error {
	for _, p := range c.Periods {
		var err error
		switch {
		case p.Closing != nil:
			err = w.closing(p)
		case p.Rejected != nil:
			err = w.periodDecided(p.Rejected.Proposal, domain.PeriodDenied, *p.Rejected, p)
		default:
			err = w.periodDecided(p.Closed.Proposal, domain.PeriodShut, *p.Closed, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// closing inserts a proposal; one that waits is superseded by it.
func (w *writer) closing(p projections.PeriodStep) error {
	_, data, err := domain.EncodeFact(*p.Closing)
	if err != nil {
		return err
	}
	if _, err := w.c.exec("UPDATE periods SET state = ? WHERE state = ?", string(domain.PeriodSuperseded), string(domain.PeriodProposed)); err != nil {
		return err
	}
	_, err = w.c.exec("INSERT INTO periods(position, proposal, period, state, ask, proposed) VALUES(?, ?, ?, ?, ?, ?)",
		signed(p.Position), p.Closing.Proposal[:], p.Closing.Period, string(domain.PeriodProposed), string(data), stored(p.At))
	return err
}

func (w *writer) periodDecided(proposal domain.ID, s domain.PeriodState, f domain.Fact, p projections.PeriodStep) error {
	_, data, err := domain.EncodeFact(f)
	if err != nil {
		return err
	}
	_, err = w.c.exec("UPDATE periods SET state = ?, decision = ?, decided = ? WHERE proposal = ?",
		string(s), string(data), stored(p.At), proposal[:])
	return err
}

// Periods implements projections.Books.
func (d *DB) Periods(ctx context.Context, f projections.PeriodFilter) (out []projections.Period, err error) {
	err = d.read(ctx, func(_ *readers, c *conn) (err error) {
		out, err = queryPeriods(ctx, c, ` WHERE position < ?1 AND (?2 = '' OR period = ?2) AND (?3 = '' OR state = ?3)
			ORDER BY position DESC LIMIT ?4`, upTo(f.Before), f.Period, string(f.State), int64(limited(f.Limit)))
		return err
	})
	return out, err
}

func queryPeriods(ctx context.Context, c *conn, where string, args ...any) ([]projections.Period, error) {
	var out []projections.Period
	err := c.query(ctx, "SELECT position, state, ask, proposed, decision, coalesce(decided, 0) FROM periods"+where, args, func(r row) error {
		p := projections.Period{Position: position(r.num(0)), ProposedAt: instant(r.num(3)), DecidedAt: instant(r.num(5))}
		f, err := domain.DecodeFact(domain.TypePeriodClosing, []byte(r.str(2)))
		if err != nil {
			return err
		}
		p.Ask, _ = f.(domain.PeriodClosing)
		p.State = domain.PeriodState(r.str(1))
		if err := decidedPeriod(&p, r); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// decidedPeriod reads who decided on a proposal, where somebody did.
func decidedPeriod(p *projections.Period, r row) error {
	typ := domain.TypePeriodClosed
	switch p.State {
	case domain.PeriodProposed, domain.PeriodSuperseded:
		return nil
	case domain.PeriodDenied:
		typ = domain.TypePeriodRejected
	case domain.PeriodShut:
	}
	f, err := domain.DecodeFact(typ, []byte(r.str(4)))
	switch f := f.(type) {
	case domain.PeriodClosed:
		p.Closed, p.DecidedBy, p.Reason = &f, f.By, f.Reason
	case domain.PeriodRejected:
		p.DecidedBy, p.Reason = f.By, f.Reason
	default:
	}
	return err
}
