package stripe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/providers"
)

const pathTransactions = "/v1/balance_transactions"

// readyAfter is how long after midnight the day's list is taken to be whole.
// Stripe writes transactions as they happen, so this is margin, not schedule.
const readyAfter = 2 * time.Hour

// finalAfter is how long after BillReady a list that is behind has surely caught
// up, fees that were estimates are known, and the next payouts are made.
const finalAfter = 12 * time.Hour

// maxRows bounds one day.
const maxRows = 10_000_000

// Bills are the movements on the balance: with their payments and refunds among
// them, they are the one bill that Stripe has at once.
func (c *Channel) Bills() []providers.BillKind { return []providers.BillKind{providers.BillFunds} }

// BillReady is two hours after the day's end in the channel's zone.
func (c *Channel) BillReady(day domain.Day) time.Time {
	return day.Add(1).Start(c.zone).Add(readyAfter)
}

// The members of a transaction that the bill leaves out: free text in which
// merchants put names.
const leftOut = "description"

// kept are the members of a transaction's source that the bill keeps: what ties
// it to a payment, and its own amount and currency. A charge has the payer's
// name, address and mail as well, which have no place in a bill that is kept
// for ten years.
var kept = []string{"id", "object", "payment_intent", "charge", "status", "amount", "amount_captured", "currency", "automatic", "arrival_date"}

// FetchBill writes the balance transactions that were made on the day, the
// oldest first, as one JSON object on a line, without white space: each as it
// came, but for personal data, with its source expanded and with the automatic
// payout that it has gone into by now. The last line is our own, because a list
// has no end that would tell a cut one from a whole one. A bill is final half a
// day after BillReady.
func (c *Channel) FetchBill(ctx context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	if q.Kind != providers.BillFunds {
		return providers.BillFile{}, domain.EField(domain.KindInvalid, "kind", "%q is not a bill of Stripe's", string(q.Kind))
	}
	if _, err := domain.ParseDay(string(q.Day)); err != nil {
		return providers.BillFile{}, err
	}
	ready := c.BillReady(q.Day)
	if q.At.Before(ready) {
		return providers.BillFile{}, domain.E(domain.KindNotFound, "the bill of %s is whole from %s on", q.Day, ready.UTC().Format(time.RFC3339))
	}
	from, to := q.Day.Start(c.zone).Unix(), q.Day.Add(1).Start(c.zone).Unix()
	f := providers.BillFile{
		Question: q, Name: "balance_transactions-" + string(q.Day) + ".jsonl", MediaType: "application/jsonl",
		Final: !q.At.Before(ready.Add(finalAfter)),
	}
	into, err := c.payouts(ctx, from, to, q.At.Unix())
	defer into.close()
	if err != nil {
		return providers.BillFile{}, err
	}
	b := biller{c: c, w: w, into: into}
	if err := c.ascending(ctx, pathTransactions, expand("data.source"), from, to, b.write); err != nil {
		return providers.BillFile{}, err
	}
	if b.rows == 0 {
		f.Empty = true
		return f, nil
	}
	return f, b.end(q.Day)
}

// biller writes lines.
type biller struct {
	c    *Channel
	w    io.Writer
	into *payouts
	rows int
}

func (b *biller) write(r row) error {
	if b.rows++; b.rows > maxRows {
		return b.c.unusable("has more than %d transactions on the day", maxRows)
	}
	o := within(r.raw)
	at, err := o.number("created")
	if err != nil {
		return b.c.unusable("lists a transaction without its time")
	}
	payout, err := b.into.of(o.text("id"), at)
	if err != nil {
		return err
	}
	line, err := b.c.line(o, payout)
	if err != nil {
		return err
	}
	return b.put(line)
}

func (b *biller) put(line []byte) error {
	if _, err := b.w.Write(append(line, '\n')); err != nil {
		return domain.E(domain.KindInternal, "keep the bill: %w", err)
	}
	return nil
}

// billEnd is the last line: how many rows there are, and whose day it was.
type billEnd struct {
	Object   string     `json:"object"`
	Rows     int        `json:"rows"`
	Day      domain.Day `json:"day"`
	Zone     string     `json:"zone"`
	Account  string     `json:"account"`
	Livemode bool       `json:"livemode"`
}

const objectEnd = "counterfoil.bill_end"

func (b *biller) end(day domain.Day) error {
	line, err := json.Marshal(b.c.billEnd(b.rows, day))
	if err != nil {
		return domain.E(domain.KindInternal, "end the bill: %w", err)
	}
	return b.put(line)
}

func (c *Channel) billEnd(rows int, day domain.Day) billEnd {
	return billEnd{Object: objectEnd, Rows: rows, Day: day, Zone: c.cfg.Zone, Account: c.cfg.Account, Livemode: c.cfg.Live}
}

// line is a transaction as the bill keeps it, with the payout that it went into,
// if that is known.
func (c *Channel) line(o object, payout string) ([]byte, error) {
	var b bytes.Buffer
	for _, m := range o {
		if m.Name == leftOut || m.Name == memberPayout {
			continue
		}
		if m.Name == "source" {
			if source := within(m.Value); source != nil {
				m.Value = strictjson.Value(c.source(source))
			}
		}
		value, err := compact(m.Value)
		if err != nil {
			return nil, err
		}
		appendMember(&b, m.Name, value)
	}
	if payout != "" {
		value, err := json.Marshal(payout)
		if err != nil {
			return nil, domain.E(domain.KindInternal, "write a payout's id: %w", err)
		}
		appendMember(&b, memberPayout, value)
	}
	return append(b.Bytes(), '}'), nil
}

// source is what the bill keeps of a source.
func (c *Channel) source(o object) string {
	var b bytes.Buffer
	for _, name := range kept {
		if v := o.value(name); v != "" {
			appendMember(&b, name, []byte(v))
		}
	}
	metadata := o.sub("metadata")
	var m bytes.Buffer
	for _, name := range []string{c.cfg.OrderKey, c.accountKey, refundNoKey} {
		if v := metadata.value(name); name != "" && v != "" {
			appendMember(&m, name, []byte(v))
		}
	}
	if m.Len() > 0 {
		appendMember(&b, "metadata", append(m.Bytes(), '}'))
	}
	return b.String() + "}"
}

// appendMember adds a member to an object that is not closed yet.
func appendMember(b *bytes.Buffer, name string, value []byte) {
	quotedName, _ := json.Marshal(name) // a string always has a form
	separator := byte(',')
	if b.Len() == 0 {
		separator = '{'
	}
	b.WriteByte(separator)
	b.Write(quotedName)
	b.WriteByte(':')
	b.Write(value)
}
