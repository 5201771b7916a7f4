package sqlite

import (
	"database/sql/driver"
	"slices"

	"counterfoil/domain"
	"counterfoil/projections"
)

func (w *writer) checkpoint(c projections.Changes) error {
	t := c.To
	n, err := w.c.exec(`UPDATE checkpoint SET position = ?, stream = ?, revision = ?, event = ?, ledger = ?,
		recorded = ?, events = ?, ledgers = ?, payments = ?, entries = ?, callbacks = ?, trades = ?
		WHERE id = 1 AND position = ?`,
		signed(t.Position), string(t.Stream), int64(t.Revision), t.Event[:], t.Ledger[:], // small
		stored(t.Recorded), t.Events, t.Ledgers, t.Payments, t.Entries, t.Callbacks, t.Trades,
		signed(c.From.Position))
	if err != nil {
		return err
	}
	if n != 1 {
		return domain.E(domain.KindConflict, "the rows are not at position %s any more: somebody else folds them", c.From.Position)
	}
	return nil
}

// ledgers inserts new ones; their balances are those of their last entries.
func (w *writer) ledgers(c projections.Changes) error {
	fresh := slices.DeleteFunc(slices.Clone(c.Ledgers), func(l *projections.LedgerRow) bool { return !l.Fresh })
	_, err := w.c.many("INSERT OR ROLLBACK INTO ledgers(id, book, wallet, currency) VALUES ", 4, "",
		len(fresh), func(i int, v []driver.NamedValue) {
			l := fresh[i]
			v[0].Value, v[1].Value, v[2].Value, v[3].Value = l.Row, l.Book, string(l.Wallet), string(l.Currency)
		})
	return err
}

func (w *writer) posted(c projections.Changes) error {
	words := make([][4]driver.Value, len(c.Posted)) // type, kind of line, state, period
	for i, p := range c.Posted {
		for j, word := range [4]string{p.Type, string(p.Line.Kind), string(p.Line.State), p.Period} {
			if word == "" {
				continue
			}
			id, err := w.intern(word)
			if err != nil {
				return err
			}
			words[i][j] = id
		}
	}
	_, err := w.c.many(`INSERT OR ROLLBACK INTO posted(position, event, type, stream, value_date, recorded,
		line, state, trade_no, ref, ref_no, gross, occurred, period) VALUES `, 14, "",
		len(c.Posted), func(i int, v []driver.NamedValue) {
			p := &c.Posted[i]
			v[0].Value, v[1].Value, v[2].Value = signed(p.Position), p.EventID[:], words[i][0]
			v[3].Value, v[4].Value, v[5].Value = string(p.Stream), p.ValueDate, stored(p.Recorded)
			v[6].Value, v[7].Value, v[8].Value = words[i][1], words[i][2], text(p.Line.TradeNo)
			v[9].Value, v[10].Value = text(refOf(p.Line)), text(p.Line.RefundNo)
			v[11].Value, v[12].Value, v[13].Value = p.Line.Amount.Minor(), stored(p.Line.At), words[i][3]
		})
	return err
}

func (w *writer) entries(c projections.Changes) error {
	_, err := w.c.many("INSERT OR ROLLBACK INTO entries(ledger, position, leg, amount, after) VALUES ", 5, "",
		len(c.Entries), func(i int, v []driver.NamedValue) {
			e := &c.Entries[i]
			v[0].Value, v[1].Value, v[2].Value = e.Ledger.Row, signed(e.Position), int64(e.Leg)
			v[3].Value, v[4].Value = e.Amount.Minor(), e.After.Minor()
		})
	return err
}

// payments inserts new rows and moves the others.
func (w *writer) payments(c projections.Changes) error {
	var fresh, moved []paymentValues
	for _, p := range c.Payments {
		v := paymentValues{p: p}
		var err error
		if v.channel, v.state, err = w.group(groupPayments, string(p.Channel), string(p.State)); err != nil {
			return err
		}
		if p.Fresh {
			fresh = append(fresh, v)
		} else {
			moved = append(moved, v)
		}
	}
	if err := w.putPayments("", fresh); err != nil {
		return err
	}
	return w.putPayments(` ON CONFLICT(id) DO UPDATE SET order_no = excluded.order_no, account = excluded.account,
		currency = excluded.currency, amount = excluded.amount, state = excluded.state, trade_no = excluded.trade_no,
		notices = excluded.notices, placed_at = excluded.placed_at, expires_at = excluded.expires_at,
		updated_at = excluded.updated_at, position = excluded.position, closed = excluded.closed, open = excluded.open,
		notified = excluded.notified, credited = excluded.credited, booked = excluded.booked`, moved)
}

// group numbers a channel and a word and enrols the pair.
func (w *writer) group(kind int64, channel, word string) (ch, wd int64, err error) {
	if ch, err = w.intern(channel); err != nil {
		return 0, 0, err
	}
	if wd, err = w.intern(word); err != nil {
		return 0, 0, err
	}
	return ch, wd, w.enrol(group{kind, ch, wd})
}

// paymentValues is a row with its words numbered.
type paymentValues struct {
	p              *projections.PaymentRow
	channel, state int64
}

func (w *writer) putPayments(tail string, ps []paymentValues) error {
	_, err := w.c.many(`INSERT OR ROLLBACK INTO payments(id, channel, ref, order_no, account, currency, amount, state, trade_no,
		notices, placed_at, expires_at, first_at, updated_at, position, closed, open, notified, credited, booked) VALUES `, 20, tail,
		len(ps), func(i int, v []driver.NamedValue) {
			p := ps[i].p
			v[0].Value, v[1].Value, v[2].Value, v[3].Value = p.Row, ps[i].channel, p.Ref, orderNo(p)
			v[4].Value, v[5].Value, v[6].Value = text(string(p.Account)), text(string(p.Amount.Currency())), p.Amount.Minor()
			v[7].Value, v[8].Value, v[9].Value = ps[i].state, text(p.TradeNo), int64(p.Notices)
			v[10].Value, v[11].Value, v[12].Value = stored(p.PlacedAt), stored(p.ExpiresAt), stored(p.FirstAt)
			v[13].Value, v[14].Value = stored(p.UpdatedAt), signed(p.Position)
			v[15].Value, v[16].Value = text(string(p.Closed)), text(projections.MarksText(p.Open))
			v[17].Value, v[18].Value = stored(p.Stages.NotifiedAt), stored(p.Stages.CreditedAt)
			v[19].Value = text(string(p.Stages.BookedOn))
		})
	return err
}

// orderNo is NULL where the ref says it already.
func orderNo(p *projections.PaymentRow) driver.Value {
	if p.OrderNo == p.Ref {
		return nil
	}
	return p.OrderNo
}

func (w *writer) callbacks(c projections.Changes) error {
	type words struct{ source, channel, about, status, outcome, reason int64 }
	ws := make([]words, len(c.Callbacks))
	for i := range c.Callbacks {
		cb := &c.Callbacks[i]
		var err error
		ws[i].channel, ws[i].outcome, err = w.group(groupCallbacks, string(cb.Channel), string(cb.Outcome))
		for _, n := range []struct {
			to   *int64
			word string
		}{
			{&ws[i].source, string(cb.Source)},
			{&ws[i].about, string(cb.About)},
			{&ws[i].status, string(cb.Status)},
			{&ws[i].reason, string(cb.Reason)},
		} {
			if err == nil {
				*n.to, err = w.intern(n.word)
			}
		}
		if err != nil {
			return err
		}
	}
	_, err := w.c.many(`INSERT OR ROLLBACK INTO callbacks(position, payment, delivery, source, channel, status, outcome, reason,
		currency, amount, trade_no, received, about) VALUES `, 13, "", len(c.Callbacks), func(i int, v []driver.NamedValue) {
		cb := &c.Callbacks[i]
		v[0].Value, v[1].Value, v[2].Value = signed(cb.Position), cb.Payment.Row, cb.Delivery[:]
		v[3].Value, v[4].Value, v[5].Value = ws[i].source, ws[i].channel, ws[i].status
		v[6].Value, v[7].Value, v[8].Value = ws[i].outcome, ws[i].reason, text(string(cb.Amount.Currency()))
		v[9].Value, v[10].Value, v[11].Value = cb.Amount.Minor(), text(cb.TradeNo), stored(cb.ReceivedAt)
		v[12].Value = ws[i].about
	})
	return err
}

// trades notes which payment a trade number decided money on. Numbers that
// stand already, nearly always of the same payment, are looked at one by one;
// all of a page's are where money was taken back in it, because their order
// counts.
func (w *writer) trades(c projections.Changes) error {
	if !slices.ContainsFunc(c.Trades, func(t projections.TradeRow) bool { return t.TakenBack }) {
		n, err := w.c.many("INSERT OR IGNORE INTO trades(channel, trade_no, payment) VALUES ", 3, "",
			len(c.Trades), func(i int, v []driver.NamedValue) {
				t := &c.Trades[i]
				v[0].Value, v[1].Value, v[2].Value = w.names[string(t.Payment.Channel)], t.TradeNo, t.Payment.Row
			})
		if err != nil || n == int64(len(c.Trades)) {
			return err
		}
	}
	for _, t := range c.Trades {
		steps := tradeDecided
		if t.TakenBack {
			steps = tradeTakenBack
		}
		for _, step := range steps {
			if _, err := w.c.exec(step, w.names[string(t.Payment.Channel)], t.TradeNo, t.Payment.Row); err != nil {
				return err
			}
		}
	}
	return nil
}

// tradeDecided takes the place of money that was taken back; beside other money
// it is a duplicate of that.
var tradeDecided = []string{
	`UPDATE trades SET payment = ?3, back = 0 WHERE channel = ?1 AND trade_no = ?2 AND back = 1`,
	`INSERT OR IGNORE INTO trades(channel, trade_no, payment) VALUES(?1, ?2, ?3)`,
	`INSERT OR IGNORE INTO duplicates(channel, trade_no, payment)
		SELECT channel, trade_no, payment FROM trades WHERE channel = ?1 AND trade_no = ?2 AND payment <> ?3
		UNION ALL
		SELECT channel, trade_no, ?3 FROM trades WHERE channel = ?1 AND trade_no = ?2 AND payment <> ?3`,
}

// tradeTakenBack leaves the number to another payment that has money of it, if
// there is one: where the money was taken back from is remembered else, because
// a refund may name no order.
var tradeTakenBack = []string{
	`DELETE FROM duplicates WHERE channel = ?1 AND trade_no = ?2 AND payment = ?3`,
	`UPDATE trades SET back = 1 WHERE channel = ?1 AND trade_no = ?2 AND payment = ?3`,
	`UPDATE trades SET payment = (SELECT min(payment) FROM duplicates WHERE channel = ?1 AND trade_no = ?2), back = 0
		WHERE channel = ?1 AND trade_no = ?2 AND back = 1
		AND EXISTS (SELECT 1 FROM duplicates WHERE channel = ?1 AND trade_no = ?2)`,
	`DELETE FROM duplicates WHERE channel = ?1 AND trade_no = ?2
		AND (SELECT count(*) FROM duplicates WHERE channel = ?1 AND trade_no = ?2) = 1`,
}

func (w *writer) clock(c projections.Changes) error {
	if len(c.Steps) == 0 {
		return nil
	}
	last := c.Steps[len(c.Steps)-1]
	_, err := w.c.exec("INSERT OR ROLLBACK INTO clock(last, steps) VALUES(?, ?)", stored(last.Recorded), packSteps(c.Steps))
	return err
}
