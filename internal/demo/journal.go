package demo

import (
	"encoding/json"
	"fmt"
	"strings"

	"counterfoil/domain"
)

// journal is what the log says, counted by hand from its events: no
// projection is believed here.
type journal struct {
	notified, repeats, queries int
	held, parked, healed       int
	refunds, bounced, disputes int
	parkedMoney                purse
	credits                    map[string][]credit // by channel/order_no
	trades                     map[string]*trade   // by channel/trade_no
	missing                    map[string]int      // refunds over unknown amounts that people were shown, by channel/order_no
}

type credit struct {
	account string
	amount  domain.Money
}

// trade is what became of the money of one payment after it came.
type trade struct {
	refunded, away, lost purse // away: disputed and neither won nor lost
}

func newJournal() *journal {
	return &journal{parkedMoney: purse{}, credits: map[string][]credit{}, trades: map[string]*trade{}, missing: map[string]int{}}
}

// trade is that of a payment of the same channel as the event's stream.
func (j *journal) trade(stream, tradeNo string) *trade {
	channel, _, _ := strings.Cut(nameOf(stream), "/")
	t := j.trades[channel+"/"+tradeNo]
	if t == nil {
		t = &trade{purse{}, purse{}, purse{}}
		j.trades[channel+"/"+tradeNo] = t
	}
	return t
}

func (j *journal) add(line []byte) error {
	var e struct {
		Stream string          `json:"stream"`
		Type   string          `json:"type"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	f, err := domain.DecodeFact(e.Type, e.Data)
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case domain.PaymentNotified:
		j.notice(f)
	case domain.PaymentHeld:
		j.held++
	case domain.PaymentCredited:
		name := nameOf(e.Stream)
		j.credits[name] = append(j.credits[name], credit{string(f.Account), f.Amount})
	case domain.PaymentParked:
		if f.Confirmed {
			j.parked++
			j.parkedMoney.add(f.Amount)
		}
	case domain.DiscrepancyFound:
		switch f.Kind {
		case domain.MissingCredit:
			j.healed++
		case domain.RefundMissing:
			j.missing[nameOf(e.Stream)]++
		default:
		}
	default:
		j.back(e.Stream, f)
	}
	return nil
}

// back counts money that left again.
func (j *journal) back(stream string, f domain.Fact) {
	switch f := f.(type) {
	case domain.PaymentRefunded:
		j.refunds++
		j.trade(stream, f.TradeNo).refunded.add(f.Amount)
	case domain.RefundFailed:
		j.bounced++
		j.trade(stream, f.TradeNo).refunded.take(f.Amount)
	case domain.DisputeWithdrawn:
		j.disputes++
		j.trade(stream, f.TradeNo).away.add(f.Amount)
	case domain.DisputeReinstated:
		j.trade(stream, f.TradeNo).away.take(f.Amount)
	case domain.DisputeLost:
		t := j.trade(stream, f.TradeNo)
		t.away.take(f.Amount)
		t.lost.add(f.Amount)
	default:
	}
}

func (j *journal) notice(f domain.PaymentNotified) {
	if f.Source == domain.SourceQuery {
		j.queries++
		return
	}
	j.notified++
	if f.Decision.Outcome == domain.OutcomeRepeated {
		j.repeats += 1 + f.Repeats
	}
}

// nameOf is channel/order_no of a payment's stream.
func nameOf(stream string) string {
	return strings.Replace(strings.TrimPrefix(stream, "payment-"), ":", "/", 1)
}
