package reconcile

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// answers stands in for the bill of a provider that makes none, as Epay
// gateways do: it asks about each payment of the day and keeps the answers, one
// a line, so that there is a file with a hash to come back to. What only the
// provider has cannot be seen this way; the sweep asks about every order that is
// not paid.
type answers struct {
	ch        providers.Channel
	c         *Comparer
	elsewhere map[string]bool // trade numbers that the provider says are other orders', by wrongly
}

// wrongly names what stands, or stood, in our books under a number of another
// order's.
func wrongly(orderNo, tradeNo string) string { return orderNo + "\x00" + tradeNo }

// answered is one line of the file. It holds no personal data.
type answered struct {
	Kind     domain.LineKind `json:"kind"`
	OrderNo  string          `json:"order_no"`
	TradeNo  string          `json:"trade_no"`
	RefundID string          `json:"refund_id,omitempty"`
	RefundNo string          `json:"refund_no,omitempty"`
	Amount   domain.Money    `json:"amount,omitzero"`
	Status   domain.Status   `json:"status"`
	Word     string          `json:"provider_status,omitempty"`
	Another  bool            `json:"another_order,omitempty"` // the number is another order's: no payment of this one
	At       time.Time       `json:"at,omitzero"`
}

func (a answers) channel() providers.Channel { return a.ch }

// fetch asks about every payment of the day. A question without an answer makes
// the file useless: it would show the payment as missing.
func (a answers) fetch(ctx context.Context, run *operations.BillRun, w io.Writer) (providers.BillFile, error) {
	f := providers.BillFile{
		Question: providers.BillQuestion{Kind: BillAnswers, Day: run.Day, At: run.StartedAt}, MediaType: "application/x-ndjson",
	}
	if err := a.c.catchUpRows(ctx, run); err != nil {
		return f, because(operations.CauseOurs, err)
	}
	out := json.NewEncoder(w)
	window := projections.LineFilter{Channel: run.Channel, From: run.Day, To: run.Day, Until: eventstore.Position(run.Position)}
	for line, err := range a.c.Lines.Lines(ctx, window) {
		if err != nil {
			return f, because(operations.CauseOurs, err)
		}
		if line.Kind != domain.LinePayment {
			continue
		}
		if err := a.one(ctx, run, line, out); err != nil {
			return f, err
		}
	}
	return f, nil
}

// one asks about one payment, lets the answer into the books and writes it down.
func (a answers) one(ctx context.Context, run *operations.BillRun, line domain.OurLine, out *json.Encoder) error {
	run.Asked++
	answer, err := a.c.asks.ask(ctx, a.ch, providers.Question{
		OrderNo: line.OrderNo, TradeNo: line.TradeNo, Run: run.ID, At: a.c.Clock(),
	})
	switch {
	case ctx.Err() != nil:
		return because(operations.CauseStopped, ctx.Err())
	case errors.Is(err, providers.ErrOther):
		a.elsewhere[wrongly(line.OrderNo, line.TradeNo)] = true
		said := answered{Kind: line.Kind, OrderNo: line.OrderNo, TradeNo: line.TradeNo, Status: domain.StatusOther, Another: true}
		return because(operations.CauseOurs, out.Encode(said))
	case err != nil && refused(err):
		return nil // no number of the provider's: it stands nowhere
	case err != nil:
		run.Unanswered++
		return because(operations.CauseUnanswered, err)
	case !answer.Found:
		return nil
	}
	if _, _, _, err := a.c.asks.take(ctx, answer); err != nil {
		return because(operations.CauseOurs, err)
	}
	for _, n := range append([]domain.Notice{answer.Notice}, answer.Also...) {
		said, ok := answeredOf(n)
		if !ok {
			continue
		}
		if err := out.Encode(said); err != nil {
			return because(operations.CauseOurs, err)
		}
	}
	return nil
}

// name tells what waits for a later answer, though the provider has said already
// that it is another order's.
func (a answers) name(run *operations.BillRun, ds []domain.Difference) {
	for i, d := range ds {
		if d.State == domain.DifferenceWaiting && d.Ours != nil && a.elsewhere[wrongly(d.Ours.OrderNo, d.Ours.TradeNo)] {
			ds[i] = anothers(d)
			run.Waiting--
		}
	}
}

func answeredOf(n domain.Notice) (answered, bool) {
	said := answered{
		Kind: domain.LinePayment, OrderNo: n.OrderNo, TradeNo: n.TradeNo, Amount: n.Amount, Status: n.Status,
		Word: n.ProviderStatus, At: n.OccurredAt,
	}
	switch {
	case n.About == domain.AboutRefund && n.RefundID != "":
		said.Kind, said.RefundID, said.RefundNo = domain.LineRefund, n.RefundID, n.RefundNo
	case n.About != domain.AboutPayment:
		return answered{}, false
	}
	return said, true
}

// maxAnswer bounds one line of the file.
const maxAnswer = 64 << 10

// read yields what fetch wrote.
func (a answers) read(r io.Reader, _ providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(nil, maxAnswer)
		for row := 1; in.Scan(); row++ {
			var said answered
			if err := json.Unmarshal(in.Bytes(), &said); err != nil {
				yield(domain.BillLine{}, domain.E(domain.KindCorrupt, "answer %d cannot be read: %w", row, err))
				return
			}
			if said.Another {
				continue
			}
			line := domain.BillLine{
				Row: row, Kind: said.Kind, OrderNo: said.OrderNo, TradeNo: said.TradeNo, RefundID: said.RefundID,
				RefundNo: said.RefundNo, Amount: said.Amount, Status: said.Status, ProviderStatus: said.Word, At: said.At,
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			yield(domain.BillLine{}, domain.E(domain.KindCorrupt, "read the answers: %w", err))
		}
	}
}
