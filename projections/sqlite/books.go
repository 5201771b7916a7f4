package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"maps"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// LoadTurnovers implements projections.Writer.
func (d *DB) LoadTurnovers(ctx context.Context) ([]*projections.TurnoverRow, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if d.writer == nil {
		return nil, errNotLoaded
	}
	return loadTurnovers(ctx, d.writer.c)
}

func loadTurnovers(ctx context.Context, c *conn) ([]*projections.TurnoverRow, error) {
	var out []*projections.TurnoverRow
	err := c.query(ctx, `SELECT book, currency, period, debit, credit, wallet, channel, first, last FROM turnover
		ORDER BY book, wallet, channel, currency, period`, nil, func(r row) error {
		out = append(out, &projections.TurnoverRow{
			TurnoverKey: projections.TurnoverKey{
				Book: r.str(0), Wallet: domain.AccountID(r.str(5)), Channel: domain.ChannelID(r.str(6)), Currency: domain.Currency(r.str(1)),
				Period: r.str(2),
			},
			Debit: money(r.num(3), r.str(1)), Credit: money(r.num(4), r.str(1)), First: position(r.num(7)), Last: position(r.num(8)),
		})
		return nil
	})
	return out, err
}

// turnovers writes what periods moved: a few rows a page of the log.
func (w *writer) turnovers(c projections.Changes) error {
	_, err := w.c.many("INSERT OR REPLACE INTO turnover(book, currency, period, debit, credit, wallet, channel, first, last) VALUES ", 9, "",
		len(c.Turnovers), func(i int, v []driver.NamedValue) {
			t := c.Turnovers[i]
			v[0].Value, v[1].Value, v[2].Value = t.Book, string(t.Currency), t.Period
			v[3].Value, v[4].Value, v[5].Value = t.Debit.Minor(), t.Credit.Minor(), string(t.Wallet)
			v[6].Value, v[7].Value, v[8].Value = string(t.Channel), signed(t.First), signed(t.Last)
		})
	return err
}

// Trial implements projections.Books.
func (d *DB) Trial(ctx context.Context, f projections.TrialFilter) (projections.Trial, error) {
	var t projections.Trial
	if f.AsOf != 0 {
		if err := d.Wait(ctx, f.AsOf); err != nil {
			return t, err
		}
	}
	sums := turnovers{}
	err := d.snapshot(ctx, func(_ *readers, c *conn) error {
		cp, err := readCheckpoint(ctx, c)
		if err != nil {
			return err
		}
		t.Position, t.Events = cp.Position, cp.Events
		rows, err := loadTurnovers(ctx, c)
		if err != nil {
			return err
		}
		if err := sums.merge(rows, f.Apart); err != nil {
			return err
		}
		if f.AsOf == 0 || f.AsOf >= t.Position {
			return nil
		}
		t.Position, t.Events = f.AsOf, 0
		return sums.backTo(ctx, c, f.AsOf, f.Apart)
	})
	if err != nil {
		return t, err
	}
	t.First = sums.first()
	t.Rows, err = sums.trial(f.Period)
	return t, err
}

// turnovers are sums by book, currency and period, whatever channel, and whatever
// wallet unless the test account's is apart.
type turnovers map[projections.TurnoverKey]projections.TurnoverRow

// merge adds rows up.
func (s turnovers) merge(rows []*projections.TurnoverRow, apart bool) error {
	for _, r := range rows {
		k := r.TurnoverKey
		if k.Channel = ""; !apart {
			k.Wallet = ""
		}
		sum, ok := s[k]
		if !ok {
			zero := domain.NewMoney(0, k.Currency)
			sum = projections.TurnoverRow{TurnoverKey: k, Debit: zero, Credit: zero}
		}
		var err error
		if sum.Debit, err = sum.Debit.Add(r.Debit); err == nil {
			sum.Credit, err = sum.Credit.Add(r.Credit)
		}
		if err != nil {
			return domain.E(domain.KindCorrupt, "what %s moved in %s: %w", k.Book, k.Period, err)
		}
		s[k] = sum
	}
	return nil
}

// backTo takes out what was booked behind position p.
func (s turnovers) backTo(ctx context.Context, c *conn, p eventstore.Position, apart bool) error {
	err := c.query(ctx, `SELECT l.book, l.currency, n.name, sum(max(e.amount, 0)), sum(max(-e.amount, 0)),
			CASE WHEN ?2 AND l.wallet = ?3 THEN l.wallet ELSE '' END
		FROM ledgers l CROSS JOIN entries e ON e.ledger = l.id AND e.position > ?1
		CROSS JOIN posted p ON p.position = e.position CROSS JOIN names n ON n.id = p.period GROUP BY 1, 2, 3, 6`,
		[]any{signed(p), flag(apart), string(domain.TestAccount)}, func(r row) error {
			k := projections.TurnoverKey{Book: r.str(0), Currency: domain.Currency(r.str(1)), Period: r.str(2), Wallet: domain.AccountID(r.str(5))}
			t := s[k]
			debit, err := t.Debit.Sub(money(r.num(3), r.str(1)))
			if err != nil {
				return domain.E(domain.KindCorrupt, "what %s moved in %s: %w", k.Book, k.Period, err)
			}
			credit, err := t.Credit.Sub(money(r.num(4), r.str(1)))
			if err != nil {
				return domain.E(domain.KindCorrupt, "what %s moved in %s: %w", k.Book, k.Period, err)
			}
			t.Debit, t.Credit = debit, credit
			s[k] = t
			return nil
		})
	maps.DeleteFunc(s, func(_ projections.TurnoverKey, t projections.TurnoverRow) bool {
		return t.Debit.IsZero() && t.Credit.IsZero()
	})
	return err
}

// first is the earliest period that moved anything.
func (s turnovers) first() string {
	first := ""
	for k := range s {
		if first == "" || k.Period < first {
			first = k.Period
		}
	}
	return first
}

// trial is the trial balance of a period, of all of time where it is empty.
func (s turnovers) trial(period string) ([]projections.TrialRow, error) {
	type book struct {
		name     string
		wallet   domain.AccountID
		currency domain.Currency
	}
	rows := map[book]projections.TrialRow{}
	for _, k := range slices.SortedFunc(maps.Keys(s), func(a, b projections.TurnoverKey) int { return cmp.Compare(a.Period, b.Period) }) {
		if period != "" && k.Period > period {
			continue
		}
		of, zero := book{k.Book, k.Wallet, k.Currency}, domain.NewMoney(0, k.Currency)
		r, ok := rows[of]
		if !ok {
			r = projections.TrialRow{Book: k.Book, Test: k.Wallet != "", Opening: zero, Debit: zero, Credit: zero, Closing: zero}
		}
		if err := addTurnover(&r, s[k], period != "" && k.Period < period); err != nil {
			return nil, domain.E(domain.KindCorrupt, "sum of book %s: %w", k.Book, err)
		}
		rows[of] = r
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b projections.TrialRow) int {
		return cmp.Or(cmp.Compare(a.Book, b.Book), cmp.Compare(flag(a.Test), flag(b.Test)), cmp.Compare(a.Closing.Currency(), b.Closing.Currency()))
	}), nil
}

// addTurnover adds a period's turnover to r: before the period it opens it.
func addTurnover(r *projections.TrialRow, t projections.TurnoverRow, before bool) (err error) {
	net, err := t.Debit.Sub(t.Credit)
	if err != nil {
		return err
	}
	if r.Closing, err = r.Closing.Add(net); err != nil {
		return err
	}
	if before {
		r.Opening, err = r.Opening.Add(net)
		return err
	}
	if r.Debit, err = r.Debit.Add(t.Debit); err != nil {
		return err
	}
	r.Credit, err = r.Credit.Add(t.Credit)
	return err
}
