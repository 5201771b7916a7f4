package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"strconv"
	"strings"

	"counterfoil/projections"
)

// storedTable is a table as it is compared: its columns, with a star behind
// those that hold the number of a word, and an order that does not hang on such
// numbers, which follow the pages of a fold.
type storedTable struct {
	name, columns, order string
}

var storedTables = []storedTable{
	{"checkpoint", "position stream revision event ledger recorded events ledgers payments entries callbacks trades", "id"},
	{"ledgers", "id book wallet currency", "id"},
	{"entries", "position ledger leg amount after", "ledger, position, leg"},
	{"posted", "position event type* stream value_date period* recorded line* state* trade_no ref ref_no gross occurred", "position"},
	{"payments", "position id channel* ref order_no account currency amount state* trade_no notices placed_at expires_at first_at " +
		"updated_at closed open notified credited booked", "id"},
	{"callbacks", "position payment delivery source* channel* about* status* outcome* reason* currency amount trade_no received", "position"},
	{"corrections", "position proposal payment channel* state ask proposed by reason decided seconded", "position"},
	{"turnover", "book wallet channel currency period debit credit first last", "book, wallet, channel, currency, period"},
	{"findings", "item day stream open first last", "item"},
	{"compared", "day stream", "day, stream"},
	{"payouts", "position channel* payout_id updated sent arrived failed", "position"},
	{"periods", "position proposal period state ask proposed decision decided", "position"},
	{"acts", "position event stream type what person recorded fact", "position"},
}

// byChannel are the tables whose key begins with the number of a channel. They
// are read along the channels' names, without a sort, and counted: a row of no
// channel is not met on the way.
var byChannel = []storedTable{
	{"trades", "trade_no payment back", "trade_no"},
	{"duplicates", "trade_no payment", "trade_no, t.payment"},
	{"arrivals", "hour n last", "hour"},
}

// groupsSQL says of the pairs of channel and word that occur whether they are
// enrolled. Those that occurred only within a page of some fold may be, too.
const groupsSQL = `SELECT DISTINCT 1, ` + channelWord + `, coalesce((SELECT name FROM names WHERE id = state), state),
	(channel, state) IN (SELECT channel, word FROM groups WHERE kind = 1) FROM payments
	UNION SELECT DISTINCT 2, ` + channelWord + `, coalesce((SELECT name FROM names WHERE id = outcome), outcome),
	(channel, outcome) IN (SELECT channel, word FROM groups WHERE kind = 2) FROM callbacks ORDER BY 1, 2, 3`

const channelWord = `coalesce((SELECT name FROM names WHERE id = channel), channel)`

func (t storedTable) sql() string {
	var columns []string
	for _, column := range strings.Fields(t.columns) {
		if word, numbered := strings.CutSuffix(column, "*"); numbered {
			column = "coalesce((SELECT name FROM names WHERE id = " + word + "), " + word + ")"
		}
		columns = append(columns, column)
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + t.name + " ORDER BY " + t.order
}

func (t storedTable) sqlByChannel() string {
	return "SELECT n.name, t." + strings.Join(strings.Fields(t.columns), ", t.") + " FROM names n CROSS JOIN " + t.name +
		" t ON t.channel = n.id ORDER BY n.name, t." + t.order
}

// Everything implements projections.Everything: every column of every table, the
// schema, what SQLite itself finds wrong with the file, and the clock step by
// step.
func (d *DB) Everything(ctx context.Context, do func(projections.Checkpoint, iter.Seq2[projections.StoredRow, error]) error) error {
	return d.snapshot(ctx, func(_ *readers, c *conn) error {
		at, err := readCheckpoint(ctx, c)
		if err != nil {
			return err
		}
		return do(at, func(yield func(projections.StoredRow, error) bool) {
			e := everything{ctx: ctx, c: c, yield: yield}
			if err := e.all(); err != nil && !errors.Is(err, errEnough) {
				yield(projections.StoredRow{}, err)
			}
		})
	})
}

// errEnough ends the reading when nobody wants more.
var errEnough = errors.New("enough")

type everything struct {
	ctx   context.Context
	c     *conn
	yield func(projections.StoredRow, error) bool
}

func (e *everything) all() error {
	if err := e.rows("file", "integrity", "PRAGMA integrity_check"); err != nil {
		return err
	}
	if err := e.rows("schema", "type name of sql", "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"); err != nil {
		return err
	}
	for _, t := range storedTables {
		if err := e.rows(t.name, t.columns, t.sql()); err != nil {
			return err
		}
	}
	for _, t := range byChannel {
		if err := e.rows(t.name, "channel "+t.columns, t.sqlByChannel()); err != nil {
			return err
		}
		if err := e.rows(t.name, "stored", "SELECT count(*) FROM "+t.name); err != nil {
			return err
		}
	}
	if err := e.rows("groups", "kind channel word enrolled", groupsSQL); err != nil {
		return err
	}
	return e.clock()
}

// rows hands out the rows of a query, and how many there are.
func (e *everything) rows(table, columns, sql string) error {
	names := strings.Fields(strings.ReplaceAll(columns, "*", ""))
	var text []byte
	n := 0
	err := e.c.query(e.ctx, sql, nil, func(r row) error {
		out := projections.StoredRow{Table: table}
		if names[0] == "position" {
			out.Position = position(r.num(0))
		}
		text = text[:0]
		for i, name := range names {
			text = append(append(append(text, ' '), name...), '=')
			text = appendValue(text, r[i])
		}
		out.Text = string(text[1:])
		n++
		return e.give(out)
	})
	if err != nil {
		return err
	}
	return e.give(projections.StoredRow{Table: table, Text: "rows=" + strconv.Itoa(n)})
}

func (e *everything) give(r projections.StoredRow) error {
	if !e.yield(r, nil) {
		return errEnough
	}
	return nil
}

// appendValue writes a value so that values of two types never read alike.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "NULL"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(strconv.AppendFloat(b, v, 'g', -1, 64), 'f')
	case string:
		return strconv.AppendQuote(b, v)
	case []byte:
		return append(hex.AppendEncode(append(b, "x'"...), v), '\'')
	}
	return append(b, '?')
}

// clock hands out each step of the clock; how many stand in a row follows the
// pages of a fold, and each row is found by its last one.
func (e *everything) clock() error {
	return e.c.query(e.ctx, "SELECT last, steps FROM clock ORDER BY last", nil, func(r row) error {
		packed, _ := r[1].([]byte)
		steps, err := unpackSteps(packed)
		if err != nil {
			return err
		}
		for i, s := range steps {
			text := "position=" + s.Position.String() + " recorded=" + strconv.FormatInt(stored(s.Recorded), 10)
			if i == len(steps)-1 && stored(s.Recorded) != r.num(0) {
				text += " last=" + strconv.FormatInt(r.num(0), 10)
			}
			if err := e.give(projections.StoredRow{Table: "clock", Position: s.Position, Text: text}); err != nil {
				return err
			}
		}
		return nil
	})
}
