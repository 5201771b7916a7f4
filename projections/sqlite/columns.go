package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// stored is an instant in microseconds since 1970; 0 is no time.
func stored(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the inverse of stored.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// signed is a position as SQLite holds it. One beyond 2^63 can be asked for but
// never stored; it stands behind everything.
func signed(p eventstore.Position) int64 {
	return int64(min(p, math.MaxInt64)) // bounded on this line
}

func position(n int64) eventstore.Position { return eventstore.Position(n) } // stored from a position

// text is NULL for the empty string.
func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// money is an amount whose currency may be absent.
func money(minor int64, currency string) domain.Money {
	if currency == "" {
		return domain.Money{}
	}
	return domain.NewMoney(minor, domain.Currency(currency))
}

// packSteps writes rises of the running maximum as differences: position and
// time of each to the one before.
func packSteps(steps []projections.Step) []byte {
	b := make([]byte, 0, 6*len(steps)+16)
	var at, us int64
	for _, s := range steps {
		p, t := signed(s.Position), stored(s.Recorded)
		b = binary.AppendUvarint(b, uint64(p-at)) // positions grow
		b = binary.AppendVarint(b, t-us)
		at, us = p, t
	}
	return b
}

// errSteps is a clock row that does not decode.
var errSteps = domain.E(domain.KindCorrupt, "the projection's clock is damaged, rebuild it")

// unpackSteps is the inverse of packSteps.
func unpackSteps(b []byte) (steps []projections.Step, err error) {
	err = eachStep(b, func(p, us int64) bool {
		steps = append(steps, projections.Step{Position: position(p), Recorded: instant(us)})
		return true
	})
	return steps, err
}

// firstAfter is the position of the first packed step above a time; found is
// false when there is none.
func firstAfter(b []byte, us int64) (p int64, found bool, err error) {
	err = eachStep(b, func(at, t int64) bool {
		if found = t > us; found {
			p = at
		}
		return !found
	})
	return p, found, err
}

// eachStep calls do with position and time of each packed step until it has had
// enough.
func eachStep(b []byte, do func(at, us int64) bool) error {
	var at, t int64
	for len(b) > 0 {
		dp, n := binary.Uvarint(b)
		if n <= 0 {
			return errSteps
		}
		dt, m := binary.Varint(b[n:])
		if m <= 0 {
			return errSteps
		}
		at, t, b = at+int64(dp), t+dt, b[n+m:] // written from int64
		if !do(at, t) {
			return nil
		}
	}
	return nil
}

// readCheckpoint reads the whole checkpoint.
func readCheckpoint(ctx context.Context, c *conn) (projections.Checkpoint, error) {
	var cp projections.Checkpoint
	found, err := c.one(ctx, `SELECT position, stream, revision, event, ledger, recorded, events, ledgers, payments,
		entries, callbacks, trades FROM checkpoint WHERE id = 1`, nil, func(r row) error {
		cp = projections.Checkpoint{
			Position: position(r.num(0)), Stream: domain.Stream(r.str(1)), Revision: uint64(r.num(2)), // stored from one
			Event: r.id(3), Ledger: r.id(4), Recorded: instant(r.num(5)), Events: r.num(6), Ledgers: r.num(7),
			Payments: r.num(8), Entries: r.num(9), Callbacks: r.num(10), Trades: r.num(11),
		}
		return nil
	})
	if err != nil || !found {
		return cp, errors.Join(err, missing(found))
	}
	return cp, nil
}

// readPosition reads the checkpoint's position.
func readPosition(c *conn) (p eventstore.Position, err error) {
	found, err := c.one(context.Background(), "SELECT position FROM checkpoint WHERE id = 1", nil,
		func(r row) error { p = position(r.num(0)); return nil })
	return p, errors.Join(err, missing(found || err != nil))
}

func missing(found bool) error {
	if found {
		return nil
	}
	return domain.E(domain.KindCorrupt, "the projections have no checkpoint, rebuild them")
}

// ledgerSQL reads ledgers: number, book, wallet, currency, and balance and
// position of the last entry.
const ledgerSQL = `SELECT l.id, l.book, l.wallet, l.currency, ` + lastAfter + `, ` + lastPosition + ` FROM ledgers l`

// The balance and position of ledger l's last entry. Every ledger has one: it
// begins with its first.
const (
	lastAfter    = `(SELECT after FROM entries WHERE ledger = l.id ORDER BY position DESC, leg DESC LIMIT 1)`
	lastPosition = `(SELECT position FROM entries WHERE ledger = l.id ORDER BY position DESC, leg DESC LIMIT 1)`
)

// paymentColumns are the columns of payments that scanRow knows, behind two
// that say channel and state.
const paymentColumns = `, p.id, p.ref, p.order_no, p.account, p.currency, p.amount, p.trade_no, p.notices, p.placed_at,
	p.expires_at, p.first_at, p.updated_at, p.position, p.closed, p.open, p.notified, p.credited, p.booked FROM payments p`

// paymentSQL reads payments with their words.
const paymentSQL = `SELECT ch.name, st.name` + paymentColumns + ` JOIN names ch ON ch.id = p.channel JOIN names st ON st.id = p.state`

// ownPaymentSQL reads payments with their words' numbers, for the writer, which
// knows the words.
const ownPaymentSQL = `SELECT p.channel, p.state` + paymentColumns

// scanPayment reads a row of paymentSQL.
func scanPayment(r row) (*projections.PaymentRow, error) {
	return scanRow(r, domain.ChannelID(r.str(0)), domain.State(r.str(1)))
}

// scanPayment reads a row of ownPaymentSQL.
func (w *writer) scanPayment(r row, ch domain.ChannelID) (*projections.PaymentRow, error) {
	return scanRow(r, ch, domain.State(w.words[r.num(1)]))
}

func scanRow(r row, ch domain.ChannelID, state domain.State) (*projections.PaymentRow, error) {
	p := &projections.PaymentRow{Row: r.num(2), Ref: r.str(3), Closed: domain.CloseCause(r.str(15))}
	p.Channel, p.State, p.OrderNo = ch, state, r.str(4)
	if r[4] == nil {
		p.OrderNo = p.Ref
	}
	p.Account, p.Amount = domain.AccountID(r.str(5)), money(r.num(7), r.str(6))
	p.TradeNo, p.Notices = r.str(8), int(r.num(9))
	p.PlacedAt, p.ExpiresAt = instant(r.num(10)), instant(r.num(11))
	p.FirstAt, p.UpdatedAt, p.Position = instant(r.num(12)), instant(r.num(13)), position(r.num(14))
	p.Stages = projections.Stages{NotifiedAt: instant(r.num(17)), CreditedAt: instant(r.num(18)), BookedOn: domain.Day(r.str(19))}
	open, err := projections.ParseMarks(r.str(16))
	p.Open, p.Refunded = open, projections.RefundedOf(open, p.Amount.Currency())
	return p, err
}
