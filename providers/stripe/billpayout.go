package stripe

import (
	"context"
	"errors"
	"iter"
	"net/url"

	"counterfoil/domain"
)

const pathPayouts = "/v1/payouts"

const (
	payoutsAfter = 31 // days after the day whose payouts may hold what happened on it
	maxPayouts   = 100
)

// memberPayout is the one member that a line of the bill has beside Stripe's:
// the automatic payout that the transaction went into. No transaction names it;
// the list of a payout's transactions does.
const memberPayout = "counterfoil.payout"

// walk is what ascending tells, one after another; its last may be an error.
func (c *Channel) walk(ctx context.Context, path string, query url.Values, from, to int64) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		err := c.ascending(ctx, path, query, from, to, func(r row) error {
			if !yield(r, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(row{}, err)
		}
	}
}

// payouts knows, row after row of a day, which automatic payout each went into.
// It holds no more of any payout than the next transaction.
type payouts struct {
	each []*inPayout
}

// inPayout are the transactions of the day that went into one payout.
type inPayout struct {
	id   string
	next func() (row, error, bool)
	stop func()
	head string // the next transaction's id; empty when there is no more
	at   int64
}

// payouts finds the automatic payouts that may hold what happened in [from, to)
// by the time until. A key that may not read payouts learns nothing of them.
func (c *Channel) payouts(ctx context.Context, from, to, until int64) (*payouts, error) {
	p := &payouts{}
	until = min(until, to+payoutsAfter*24*60*60)
	for r, err := range c.walk(ctx, pathPayouts, url.Values{}, from, max(until, from+1)) {
		if domain.KindOf(err) == domain.KindDenied && err != nil {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		o := within(r.raw)
		if id := o.text("id"); names(o) && isID(id) && len(p.each) < maxPayouts {
			next, stop := iter.Pull2(c.walk(ctx, pathTransactions, url.Values{"payout": {id}}, from, to))
			p.each = append(p.each, &inPayout{id: id, next: next, stop: stop})
		}
	}
	for _, in := range p.each {
		if err := in.advance(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// names reports a payout that names its transactions, all of them by now: a list
// that is not complete yet would leave some out.
func names(payout object) bool {
	automatic, _ := payout.flag("automatic")
	return automatic && payout.text("reconciliation_status") == "completed"
}

// close lets the lists go.
func (p *payouts) close() {
	for _, in := range p.each {
		in.stop()
	}
}

func (in *inPayout) advance() error {
	r, err, more := in.next()
	if !more || err != nil {
		in.head = ""
		return err
	}
	o := within(r.raw)
	in.head, in.at = o.text("id"), o.at("created").Unix()
	return nil
}

// of is the payout that a transaction went into, empty for none. Rows come in
// the order of the lists; what a list shows and the day does not is passed over.
func (p *payouts) of(id string, at int64) (payout string, err error) {
	for _, in := range p.each {
		for in.head != "" && in.at < at {
			if err := in.advance(); err != nil {
				return "", err
			}
		}
		if in.head == id && id != "" {
			payout = in.id
			if err := in.advance(); err != nil {
				return "", err
			}
		}
	}
	return payout, nil
}
