package sqlite

import (
	"cmp"
	"context"
	"slices"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// Payment implements projections.Reader. KindNotFound for an order that no
// event names.
func (d *DB) Payment(ctx context.Context, ch domain.ChannelID, orderNo string) (projections.Payment, error) {
	_, ref, _ := projections.SplitPayment(domain.PaymentStreamRaw(ch, orderNo))
	var p *projections.PaymentRow
	err := d.read(ctx, func(_ *readers, c *conn) error {
		id, err := nameID(c, string(ch))
		if err != nil {
			return err
		}
		_, err = c.one(context.Background(), paymentSQL+" WHERE p.channel = ? AND p.ref = ?", []any{id, ref},
			func(r row) (err error) { p, err = scanPayment(r); return err })
		return err
	})
	if err != nil {
		return projections.Payment{}, err
	}
	if p == nil {
		return projections.Payment{}, domain.E(domain.KindNotFound, "no payment %s on channel %s", orderNo, ch)
	}
	return p.Payment, nil
}

// Payments implements projections.Reader.
func (d *DB) Payments(ctx context.Context, f projections.PaymentFilter) ([]projections.Payment, error) {
	var out []projections.Payment
	err := d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		if f.Account != "" {
			out, err = accountPayments(c, f)
			return err
		}
		q := seek{
			kind: groupPayments, channel: string(f.Channel), word: string(f.State), newest: true,
			sql: "SELECT position, id FROM payments WHERE channel = ? AND state = ? AND position < ? ORDER BY position DESC LIMIT ?",
			at:  upTo(f.Before), limit: limited(f.Limit),
		}
		out, err = seekPayments(c, q)
		return err
	})
	return out, err
}

// Changed implements projections.Reader.
func (d *DB) Changed(ctx context.Context, after eventstore.Position, limit int) ([]projections.Payment, error) {
	var out []projections.Payment
	err := d.snapshot(ctx, func(_ *readers, c *conn) (err error) {
		out, err = seekPayments(c, seek{
			kind: groupPayments,
			sql:  "SELECT position, id FROM payments WHERE channel = ? AND state = ? AND position > ? ORDER BY position LIMIT ?",
			at:   signed(after), limit: limited(limit),
		})
		return err
	})
	return out, err
}

// accountPayments goes along the account's own index; few accounts have many
// payments, so channel and state are looked at on the way.
func accountPayments(c *conn, f projections.PaymentFilter) ([]projections.Payment, error) {
	var out []projections.Payment
	err := c.query(context.Background(), paymentSQL+` WHERE p.account = ?1 AND p.position < ?2
		AND (?3 = '' OR ch.name = ?3) AND (?4 = '' OR st.name = ?4) ORDER BY p.position DESC LIMIT ?5`,
		[]any{string(f.Account), upTo(f.Before), string(f.Channel), string(f.State), int64(limited(f.Limit))},
		appendPayment(&out))
	return out, err
}

func appendPayment(out *[]projections.Payment) func(row) error {
	return func(r row) error {
		p, err := scanPayment(r)
		if err == nil {
			*out = append(*out, p.Payment)
		}
		return err
	}
}

// seek asks the index by (channel, word, position) for one page: in each group
// that fits for as much as the page holds, then merges.
type seek struct {
	kind          int64
	channel, word string // empty for any
	sql           string // position and row number of a group's rows beyond at, at most limit
	at            int64
	limit         int
	newest        bool
}

// found is a row's place in the order and its number.
type found struct{ position, id int64 }

func (s seek) run(c *conn) ([]found, error) {
	groups, err := s.groups(c)
	if err != nil {
		return nil, err
	}
	var out []found
	for _, g := range groups {
		err := c.query(context.Background(), s.sql, []any{g.channel, g.word, s.at, int64(s.limit)}, func(r row) error {
			out = append(out, found{r.num(0), r.num(1)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b found) int {
		if s.newest {
			a, b = b, a
		}
		return cmp.Compare(a.position, b.position)
	})
	return out[:min(len(out), s.limit)], nil
}

// groups are the groups that fit.
func (s seek) groups(c *conn) ([]group, error) {
	var out []group
	err := c.query(context.Background(), `SELECT g.channel, g.word FROM groups g JOIN names ch ON ch.id = g.channel
		JOIN names wd ON wd.id = g.word WHERE g.kind = ?1 AND (?2 = '' OR ch.name = ?2) AND (?3 = '' OR wd.name = ?3)`,
		[]any{s.kind, s.channel, s.word}, func(r row) error {
			out = append(out, group{s.kind, r.num(0), r.num(1)})
			return nil
		})
	return out, err
}

func seekPayments(c *conn, s seek) ([]projections.Payment, error) {
	rows, err := s.run(c)
	if err != nil {
		return nil, err
	}
	out := make([]projections.Payment, 0, len(rows))
	for _, f := range rows {
		if _, err := c.one(context.Background(), paymentSQL+" WHERE p.id = ?", []any{f.id}, appendPayment(&out)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Duplicates implements projections.Reader.
func (d *DB) Duplicates(ctx context.Context) ([]projections.Duplicate, error) {
	var out []projections.Duplicate
	err := d.read(ctx, func(_ *readers, c *conn) error {
		return c.query(ctx, `SELECT ch.name, d.trade_no, coalesce(nullif(p.order_no, ''), p.ref) AS order_no FROM duplicates d
			JOIN names ch ON ch.id = d.channel JOIN payments p ON p.id = d.payment
			ORDER BY ch.name, d.trade_no, order_no`, nil, func(r row) error {
			ch, trade := domain.ChannelID(r.str(0)), r.str(1)
			if n := len(out); n == 0 || out[n-1].Channel != ch || out[n-1].TradeNo != trade {
				out = append(out, projections.Duplicate{Channel: ch, TradeNo: trade})
			}
			last := &out[len(out)-1]
			last.Orders = append(last.Orders, r.str(2))
			return nil
		})
	})
	return out, err
}

// OrdersOf implements projections.Reader.
func (d *DB) OrdersOf(ctx context.Context, ch domain.ChannelID, tradeNo string) ([]string, error) {
	var out []string
	err := d.read(ctx, func(_ *readers, c *conn) error {
		id, err := nameID(c, string(ch))
		if err != nil {
			return err
		}
		return c.query(ctx, `SELECT coalesce(p.order_no, p.ref) AS order_no FROM payments p WHERE p.id IN (
			SELECT payment FROM trades WHERE channel = ?1 AND trade_no = ?2
			UNION SELECT payment FROM duplicates WHERE channel = ?1 AND trade_no = ?2) ORDER BY order_no`,
			[]any{id, tradeNo}, func(r row) error { out = append(out, r.str(0)); return nil })
	})
	return out, err
}

// OrderOf is the order whose money a provider's trade number moved; empty for
// money without an order. KindNotFound while no payment has it.
func (d *DB) OrderOf(ctx context.Context, ch domain.ChannelID, tradeNo string) (orderNo string, err error) {
	var found bool
	err = d.read(ctx, func(_ *readers, c *conn) error {
		id, err := nameID(c, string(ch))
		if err != nil {
			return err
		}
		found, err = c.one(ctx, `SELECT coalesce(p.order_no, p.ref) FROM trades t JOIN payments p ON p.id = t.payment
			WHERE t.channel = ? AND t.trade_no = ?`, []any{id, tradeNo}, func(r row) error { orderNo = r.str(0); return nil })
		return err
	})
	if err == nil && !found {
		err = domain.E(domain.KindNotFound, "no payment of channel %s has trade %q", ch, tradeNo)
	}
	return orderNo, err
}

// Callbacks implements projections.Reader.
func (d *DB) Callbacks(ctx context.Context, f projections.CallbackFilter) ([]projections.Callback, error) {
	var out []projections.Callback
	err := d.snapshot(ctx, func(r *readers, c *conn) (err error) {
		switch {
		case f.OrderNo != "":
			out, err = orderCallbacks(r, c, f)
		case f.Channel != "" || f.Outcome != "":
			out, err = groupCallbackRows(r, c, f)
		default:
			out, err = callbackRows(r, c, " WHERE cb.position < ? ORDER BY cb.position DESC LIMIT ?",
				upTo(f.Before), int64(limited(f.Limit)))
		}
		return err
	})
	return out, err
}

// groupCallbackRows goes by channel and outcome.
func groupCallbackRows(r *readers, c *conn, f projections.CallbackFilter) ([]projections.Callback, error) {
	rows, err := seek{
		kind: groupCallbacks, channel: string(f.Channel), word: string(f.Outcome), newest: true,
		sql: "SELECT position, position FROM callbacks WHERE channel = ? AND outcome = ? AND position < ? ORDER BY position DESC LIMIT ?",
		at:  upTo(f.Before), limit: limited(f.Limit),
	}.run(c)
	if err != nil {
		return nil, err
	}
	out := make([]projections.Callback, 0, len(rows))
	for _, at := range rows {
		cb, err := callbackRows(r, c, " WHERE cb.position = ?", at.position)
		if err != nil {
			return nil, err
		}
		out = append(out, cb...)
	}
	return out, nil
}

// orderCallbacks goes by payment: the order of one channel, or of each.
func orderCallbacks(r *readers, c *conn, f projections.CallbackFilter) ([]projections.Callback, error) {
	channels := []string{string(f.Channel)}
	if f.Channel == "" {
		var err error
		if channels, err = knownChannels(c); err != nil {
			return nil, err
		}
	}
	var out []projections.Callback
	for _, ch := range channels {
		_, ref, _ := projections.SplitPayment(domain.PaymentStreamRaw(domain.ChannelID(ch), f.OrderNo))
		cbs, err := callbackRows(r, c, ` WHERE cb.payment = (SELECT id FROM payments
			WHERE channel = (SELECT id FROM names WHERE name = ?1) AND ref = ?2) AND cb.position < ?3
			AND (?4 = '' OR cb.outcome = (SELECT id FROM names WHERE name = ?4)) ORDER BY cb.position DESC LIMIT ?5`,
			ch, ref, upTo(f.Before), string(f.Outcome), int64(limited(f.Limit)))
		if err != nil {
			return nil, err
		}
		out = append(out, cbs...)
	}
	slices.SortFunc(out, func(a, b projections.Callback) int { return cmp.Compare(b.Position, a.Position) })
	return out[:min(len(out), limited(f.Limit))], nil
}

func knownChannels(c *conn) ([]string, error) {
	var out []string
	err := c.query(context.Background(), `SELECT DISTINCT ch.name FROM groups g JOIN names ch ON ch.id = g.channel
		WHERE g.kind = ? ORDER BY 1`, []any{int64(groupPayments)}, func(r row) error {
		out = append(out, r.str(0))
		return nil
	})
	return out, err
}

// callbackRows reads callbacks with their words.
func callbackRows(rs *readers, c *conn, where string, args ...any) ([]projections.Callback, error) {
	var out []projections.Callback
	err := c.query(context.Background(), `SELECT cb.position, cb.delivery, cb.source, cb.channel, cb.status, cb.outcome,
		cb.reason, cb.about, cb.currency, cb.amount, cb.trade_no, cb.received, coalesce(p.order_no, p.ref)
		FROM callbacks cb JOIN payments p ON p.id = cb.payment`+where, args, func(r row) error {
		var words [6]string
		for i := range words {
			var err error
			if words[i], err = rs.name(c, r.num(2+i)); err != nil {
				return err
			}
		}
		out = append(out, projections.Callback{
			Position: position(r.num(0)), Delivery: r.id(1), Source: domain.Source(words[0]),
			Channel: domain.ChannelID(words[1]), OrderNo: r.str(12), TradeNo: r.str(10),
			Amount: money(r.num(9), r.str(8)), Status: domain.Status(words[2]), About: domain.About(words[5]),
			Outcome: domain.Outcome(words[3]), Reason: domain.Reason(words[4]), ReceivedAt: instant(r.num(11)),
		})
		return nil
	})
	return out, err
}
