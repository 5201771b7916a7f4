package sqlite

import (
	"database/sql"
	"hash/crc32"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Rows are found by order number through slots: a number of the 32-bit hash of
// the order number behind the number of a bucket, which is the next 32,768 rows
// of the log. An index on the order number itself would spread random numbers
// over all of its pages, so that each row written would change a page of its
// own; within a bucket they fall on some hundred pages that stay in memory. A
// search asks bucket after bucket, which for the whole log is still some
// milliseconds.
const (
	slotShift  = 32
	bucketRows = 32768
)

// slotState is the bucket being filled and what is in it. It is a hint: other
// processes write too.
type slotState struct {
	bucket int64
	rows   int64
}

// noSlots is the hint of a store that has not looked yet.
var noSlots = slotState{bucket: -1}

func slotOf(bucket int64, orderNo string) int64 {
	return bucket<<slotShift | int64(crc32.ChecksumIEEE([]byte(orderNo)))
}

// insertCallbacks writes a batch in one transaction and keeps the log within
// its bounds.
func (s *Store) insertCallbacks(batch []operations.Callback) error {
	var after slotState
	err := s.normal.do(background(), func(t *tx) (err error) {
		if after, err = currentSlots(t, s.slots); err != nil {
			return err
		}
		var tally tally
		if tally, err = insertRows(t, batch, &after); err != nil {
			return err
		}
		if err := addCounters(t, tally); err != nil {
			return err
		}
		return s.boundCallbacks(t)
	})
	if err != nil {
		return classify("write callback log", err)
	}
	s.slots = after
	return nil
}

// currentSlots is the newest bucket; hint saves counting what is in it.
func currentSlots(t *tx, hint slotState) (slotState, error) {
	var newest sql.NullInt64
	if err := t.row(`SELECT max(slot) FROM callbacks WHERE slot IS NOT NULL`, nil, &newest); err != nil {
		return hint, err
	}
	now := slotState{bucket: newest.Int64 >> slotShift}
	if now.bucket == hint.bucket {
		return hint, nil
	}
	err := t.row(`SELECT count(*) FROM callbacks WHERE slot >= ? AND slot < ?`,
		[]any{now.bucket << slotShift, (now.bucket + 1) << slotShift}, &now.rows)
	return now, err
}

// tally is what a transaction adds to the counters.
type tally struct {
	callbacks, refused, refusedBytes int64
}

func insertRows(t *tx, batch []operations.Callback, slots *slotState) (tally, error) {
	var sum tally
	var last int64
	if err := t.row(`SELECT coalesce(max(seq), 0) FROM callbacks`, nil, &last); err != nil {
		return sum, err
	}
	for i := range batch {
		c := &batch[i]
		// So that time is a range of rows, and needs no index of its own.
		last = max(last+1, micros(c.ReceivedAt))
		if err := insertRow(t, last, c, slots); err != nil {
			return sum, err
		}
		sum.callbacks++
		if c.Outcome != domain.OutcomeRefused {
			continue
		}
		if _, err := t.exec(`INSERT INTO refused (seq, size, request) VALUES (?, ?, ?)`, last, len(c.Request), c.Request); err != nil {
			return sum, err
		}
		sum.refused++
		sum.refusedBytes += int64(len(c.Request))
	}
	return sum, nil
}

func insertRow(t *tx, seq int64, c *operations.Callback, slots *slotState) error {
	var slot sql.NullInt64
	if c.OrderNo != "" {
		if slots.rows >= bucketRows {
			*slots = slotState{bucket: slots.bucket + 1}
		}
		slots.rows++
		slot = sql.NullInt64{Int64: slotOf(slots.bucket, c.OrderNo), Valid: true}
	}
	_, err := t.exec(`
INSERT INTO callbacks (seq, delivery, channel, received_at, took_ns, remote, method, outcome, reason, order_no,
  trade_no, amount, currency, reply_status, reply_type, reply_body, body_sha256, error, slot)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, c.Delivery[:], c.Channel, micros(c.ReceivedAt), int64(c.Took), c.Remote, c.Method, string(c.Outcome),
		string(c.Reason), c.OrderNo, c.TradeNo, c.Amount.Minor(), string(c.Amount.Currency()), c.Reply.Status,
		c.Reply.ContentType, c.Reply.Body, c.BodySHA256, c.Error, slot)
	return err
}

func addCounters(t *tx, sum tally) error {
	for name, n := range map[string]int64{
		"callbacks": sum.callbacks, "refused": sum.refused, "refused_bytes": sum.refusedBytes,
	} {
		if n == 0 {
			continue
		}
		if _, err := t.exec(`UPDATE counters SET value = value + ? WHERE name = ?`, n, name); err != nil {
			return err
		}
	}
	return nil
}

func readCounters(t *tx) (sum tally, err error) {
	err = t.row(`SELECT sum(iif(name = 'callbacks', value, 0)), sum(iif(name = 'refused', value, 0)),
  sum(iif(name = 'refused_bytes', value, 0)) FROM counters`, nil, &sum.callbacks, &sum.refused, &sum.refusedBytes)
	return sum, err
}
