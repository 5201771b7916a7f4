package reports

import (
	"context"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
)

// StageDate says when a payment's money came to a stage, or why it did not.
type StageDate struct {
	Stage Stage
	At    time.Time  // zero while it is open
	Day   domain.Day // of the bill, with StageInBill and StageSettled
	Run   string     // the comparison that found it there
	Open  string     // why it is open, empty when it is not; "" with a zero At where nothing is known
}

// Stages are the dates of a payment's way, in the order of the stages. A
// payment whose day was compared is on the bill unless it waits for a later one
// or differs.
func (t Tracker) Stages(ctx context.Context, p projections.Payment) ([]StageDate, error) {
	out := []StageDate{{Stage: StageNotified, At: p.Stages.NotifiedAt}, {Stage: StageCredited, At: p.Stages.CreditedAt}}
	if p.Stages.CreditedAt.IsZero() {
		out[1].Open = string(p.State)
	}
	if p.Stages.NotifiedAt.IsZero() {
		out[0].Open = "no callback"
	}
	for _, stage := range []Stage{StageInBill, StageSettled} {
		d := StageDate{Stage: stage}
		if p.Stages.BookedOn != "" {
			if err := t.onBill(ctx, p, &d); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// onBill looks for the bill that has the payment.
func (t Tracker) onBill(ctx context.Context, p projections.Payment, d *StageDate) error {
	day := p.Stages.BookedOn
	runs, err := t.Bills.BillRuns(ctx, operations.BillRunFilter{Channel: p.Channel, From: day, To: day, Limit: restPage})
	if err != nil {
		return err
	}
	var run operations.BillRun
	for _, r := range runs { // newest first
		if stageOf(r.Bill) != d.Stage || run.State == operations.RunComplete {
			continue
		}
		if r.State == operations.RunComplete || run.ID == "" {
			run = r
		}
	}
	switch {
	case run.ID == "":
		return nil
	case run.State != operations.RunComplete:
		d.Open = "bill " + string(run.State) + " " + string(run.Cause)
		return nil
	}
	key := domain.ItemKey{Kind: domain.LinePayment, TradeNo: p.TradeNo}
	if d.Open, err = t.differs(ctx, p.Channel, key, d.Stage, day); err != nil || d.Open != "" {
		return err
	}
	d.At, d.Day, d.Run = run.EndedAt, day, run.ID
	return t.carried(ctx, run, key, d)
}

// differs is the kind of the open discrepancy of an item; empty for none.
func (t Tracker) differs(ctx context.Context, ch domain.ChannelID, k domain.ItemKey, stage Stage, day domain.Day) (string, error) {
	f := operations.DiscrepancyFilter{Channel: ch, State: operations.DiscrepancyOpen, Limit: restPage}
	for {
		rows, err := t.Bills.Discrepancies(ctx, f)
		if err != nil {
			return "", err
		}
		for _, d := range rows {
			if d.Item == k && stageOf(d.Bill) == stage && d.Day >= day {
				return string(d.Kind), nil
			}
		}
		if len(rows) < f.Limit {
			return "", nil
		}
		f.Before = rows[len(rows)-1].Seq
	}
}

// carried corrects d where the bill of another day has the payment, or none yet.
func (t Tracker) carried(ctx context.Context, run operations.BillRun, k domain.ItemKey, d *StageDate) error {
	pool, err := t.Bills.Carried(ctx, run.Channel, run.Bill, run.Day)
	if err != nil {
		return err
	}
	for _, c := range pool {
		if c.Line.Key() != k {
			continue
		}
		d.Day = c.On
		if c.On == "" {
			*d = StageDate{Stage: d.Stage, Open: "waits for a later bill"}
		}
	}
	return nil
}
