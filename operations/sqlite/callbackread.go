package sqlite

import (
	"context"
	"database/sql"
	"math"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// maxPage is how many rows of the callback log are read at once.
const maxPage = 1000

const callbackColumns = `c.seq, c.delivery, c.channel, c.received_at, c.took_ns, c.remote, c.method, c.outcome,
  c.reason, c.order_no, c.trade_no, c.amount, c.currency, c.reply_status, c.reply_type, c.reply_body,
  c.body_sha256, c.error`

// Callbacks is the rows that a filter selects, newest first, without their
// requests. A row is seen about 100 ms after it was logged.
func (s *Store) Callbacks(ctx context.Context, f operations.CallbackFilter) ([]operations.Callback, error) {
	if f.Limit < 1 || f.Limit > maxPage {
		return nil, domain.EField(domain.KindInvalid, "limit", "%d is not 1 to %d", f.Limit, maxPage)
	}
	if f.Before < 0 {
		return nil, domain.EField(domain.KindInvalid, "before", "%d is negative", f.Before)
	}
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	var rows []operations.Callback
	var err error
	if f.OrderNo == "" {
		rows, err = collect(ctx, s.read, scanCallback, selectCallbacks(f, ""), filterArgs(f)...)
	} else {
		rows, err = s.callbacksOfOrder(ctx, f)
	}
	return rows, classify("read callback log", err)
}

// selectCallbacks is the query of a filter; extra is one more condition.
func selectCallbacks(f operations.CallbackFilter, extra string) string {
	query := `SELECT ` + callbackColumns + ` FROM callbacks c WHERE c.seq < ? AND c.seq >= ? AND c.received_at >= ?`
	if f.Channel != "" {
		query += ` AND c.channel = ?`
	}
	if f.Outcome != "" {
		query += ` AND c.outcome = ?`
	}
	switch f.Outcome {
	case "", domain.OutcomeCredited, domain.OutcomeRepeated: // most rows: found on the way
	default:
		query += ` AND c.outcome <> 'credited' AND c.outcome <> 'repeated'` // lets the partial index be used
	}
	return query + extra + ` ORDER BY c.seq DESC LIMIT ?`
}

func filterArgs(f operations.CallbackFilter, extra ...any) []any {
	args := []any{f.Before, micros(f.Since), micros(f.Since)}
	if f.Channel != "" {
		args = append(args, f.Channel)
	}
	if f.Outcome != "" {
		args = append(args, string(f.Outcome))
	}
	return append(append(args, extra...), f.Limit)
}

// callbacksOfOrder asks the buckets from the newest to the oldest, in one
// snapshot of the log.
func (s *Store) callbacksOfOrder(ctx context.Context, f operations.CallbackFilter) ([]operations.Callback, error) {
	snapshot, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer snapshot.Rollback()
	var oldest, newest sql.NullInt64
	err = snapshot.QueryRowContext(ctx, `SELECT (SELECT min(slot) FROM callbacks WHERE slot IS NOT NULL),
  (SELECT max(slot) FROM callbacks WHERE slot IS NOT NULL)`).Scan(&oldest, &newest)
	if err != nil || !newest.Valid {
		return nil, err
	}
	ask, err := snapshot.PrepareContext(ctx, selectCallbacks(f, ` AND c.slot = ? AND c.order_no = ?`))
	if err != nil {
		return nil, err
	}
	defer ask.Close()
	var found []operations.Callback
	for bucket := newest.Int64 >> slotShift; bucket >= oldest.Int64>>slotShift && f.Limit > 0; bucket-- {
		rows, err := collect(ctx, prepared{ask}, scanCallback, "", filterArgs(f, slotOf(bucket, f.OrderNo), f.OrderNo)...)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
		f.Limit -= len(rows)
	}
	return found, nil
}

// prepared is a queryer with one query.
type prepared struct{ stmt *sql.Stmt }

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}

// RefusedCallbacks is the refused callbacks of a channel ("" for all) received
// at since or later whose requests are still kept, with them, oldest first.
// What is kept is bounded, so that all of it fits in memory.
func (s *Store) RefusedCallbacks(ctx context.Context, channel string, since time.Time) ([]operations.Callback, error) {
	scan := func(rows *sql.Rows) (operations.Callback, error) {
		var request []byte
		c, err := scanCallbackAnd(rows, &request)
		c.Request = request
		return c, err
	}
	rows, err := collect(ctx, s.read, scan, `SELECT `+callbackColumns+`, r.request
FROM refused r CROSS JOIN callbacks c ON c.seq = r.seq
WHERE r.size > 0 AND r.seq >= ? AND c.received_at >= ? AND (? = '' OR c.channel = ?) ORDER BY r.seq`,
		micros(since), micros(since), channel, channel)
	return rows, classify("read refused callbacks", err)
}

func scanCallback(rows *sql.Rows) (operations.Callback, error) { return scanCallbackAnd(rows) }

func scanCallbackAnd(rows *sql.Rows, more ...any) (operations.Callback, error) {
	var c operations.Callback
	var delivery []byte
	var received, took, minor int64
	var currency domain.Currency
	dest := []any{
		&c.Seq, &delivery, &c.Channel, &received, &took, &c.Remote, &c.Method, &c.Outcome, &c.Reason,
		&c.OrderNo, &c.TradeNo, &minor, (*string)(&currency), &c.Reply.Status, &c.Reply.ContentType, &c.Reply.Body,
		&c.BodySHA256, &c.Error,
	}
	if err := rows.Scan(append(dest, more...)...); err != nil {
		return c, err
	}
	if copy(c.Delivery[:], delivery) != len(c.Delivery) || minor == math.MinInt64 {
		return c, domain.E(domain.KindCorrupt, "row %d of the callback log is damaged", c.Seq)
	}
	c.ReceivedAt, c.Took = instant(received), time.Duration(took)
	c.Amount = domain.NewMoney(minor, currency)
	return c, nil
}
