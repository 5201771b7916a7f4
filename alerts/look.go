package alerts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
)

const (
	pageSize = 200 // rows read at once
	maxPages = 10  // pages of one kind a check looks at

	// secondFor is how long a second payment is told again: what people did
	// about it is not seen from here.
	secondFor = 3 * 24 * time.Hour
)

// inState lists payments in a state, the newest first, a bounded number.
func (w *Watch) inState(ctx context.Context, state domain.State) ([]projections.Payment, error) {
	var out []projections.Payment
	f := projections.PaymentFilter{State: state, Limit: pageSize}
	for range maxPages {
		rows, err := w.Rows.Payments(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("find %s payments: %w", state, err)
		}
		out = append(out, rows...)
		if len(rows) < pageSize {
			break
		}
		f.Before = rows[len(rows)-1].Position
	}
	return out, nil
}

// held finds money that waits for confirmation too long. What counts is when
// its first notice came: a gateway that repeats it does not begin the wait anew.
func (w *Watch) held(ctx context.Context) ([]Alert, error) {
	rows, err := w.inState(ctx, domain.StateHeld)
	if err != nil {
		return nil, err
	}
	var out []Alert
	for _, r := range rows {
		since, err := w.heldSince(ctx, r)
		if err != nil {
			return nil, err
		}
		if w.Clock().Sub(since) < w.cfg.HeldAfter {
			continue
		}
		out = append(out, Alert{
			Kind: "held", Channel: string(r.Channel), OrderNo: r.OrderNo, TradeNo: r.TradeNo, Amount: r.Amount.String(), Since: since,
			Text: "A callback waits for the provider's confirmation; look at the provider's merchant page. 回调待查单确认过久：请到商户后台核对。",
		})
	}
	return out, nil
}

// heldSince is when the first held notice of a payment came.
func (w *Watch) heldSince(ctx context.Context, r projections.Payment) (time.Time, error) {
	if w.Clock().Sub(r.UpdatedAt) >= w.cfg.HeldAfter {
		return r.UpdatedAt, nil // long enough whenever it began
	}
	rows, err := w.Rows.Callbacks(ctx, projections.CallbackFilter{
		Channel: r.Channel, OrderNo: r.OrderNo, Outcome: domain.OutcomeHeld, Limit: pageSize,
	})
	if err != nil {
		return r.UpdatedAt, fmt.Errorf("find held notices: %w", err)
	}
	since := r.UpdatedAt
	for _, c := range rows {
		if c.ReceivedAt.Before(since) {
			since = c.ReceivedAt
		}
	}
	return since, nil
}

// parked finds real money that belongs to nobody yet.
func (w *Watch) parked(ctx context.Context) ([]Alert, error) {
	rows, err := w.inState(ctx, domain.StateParked)
	if err != nil {
		return nil, err
	}
	out := make([]Alert, len(rows))
	for i, r := range rows {
		out[i] = Alert{
			Kind: "parked", Channel: string(r.Channel), OrderNo: r.OrderNo, TradeNo: r.TradeNo,
			Amount: r.Amount.String(), Since: r.UpdatedAt,
			Text: "Real money that belongs to no account; look at the payment and allocate or refund it. 款项无法自动入账：请核对后入账或退款。",
		}
	}
	return out, nil
}

// second finds money that came for orders that were paid already.
func (w *Watch) second(ctx context.Context) ([]Alert, error) {
	rows, err := w.Rows.Callbacks(ctx, projections.CallbackFilter{Outcome: domain.OutcomeParked, Limit: pageSize})
	if err != nil {
		return nil, fmt.Errorf("find parked notices: %w", err)
	}
	var out []Alert
	for _, c := range rows {
		if c.Reason != domain.ReasonSecondPayment || w.Clock().Sub(c.ReceivedAt) > secondFor {
			continue
		}
		out = append(out, Alert{
			Kind: "second_payment", Channel: string(c.Channel), OrderNo: c.OrderNo, TradeNo: c.TradeNo,
			Amount: c.Amount.String(), Since: c.ReceivedAt,
			Text: "The order was paid a second time; the money is parked: refund or allocate it. 订单重复支付，款项已暂存：请退款或人工入账。",
		})
	}
	return out, nil
}

// failed finds callbacks that could not be kept within the last hour: one
// alert a channel, since the first of them.
func (w *Watch) failed(ctx context.Context) ([]Alert, error) {
	rows, err := w.Ops.Callbacks(ctx, operations.CallbackFilter{
		Outcome: domain.OutcomeFailed, Since: w.Clock().Add(-time.Hour), Limit: pageSize,
	})
	if err != nil {
		return nil, fmt.Errorf("find failed callbacks: %w", err)
	}
	at := map[string]int{}
	var out []Alert
	for _, r := range rows { // newest first
		i, known := at[r.Channel]
		if !known {
			i = len(out)
			at[r.Channel] = i
			out = append(out, Alert{
				Kind: "failed", Channel: r.Channel,
				Text: "Callbacks could not be kept and were asked to come again: check disk and store. 回调未能落库，已要求重发：请检查磁盘与存储。",
			})
		}
		out[i].Since = r.ReceivedAt
	}
	return out, nil
}

// silent finds channels whose callbacks stopped although orders go on being
// placed.
func (w *Watch) silent(ctx context.Context) ([]Alert, error) {
	if w.cfg.SilenceAfter == 0 {
		return nil, nil
	}
	var out []Alert
	for _, ch := range w.cfg.Channels {
		since, silent, err := w.silence(ctx, ch)
		if err != nil {
			return nil, err
		}
		if silent {
			out = append(out, Alert{
				Kind: "silence", Channel: string(ch), Since: since,
				Text: "Orders are placed but no callback has come: check the callback address at the provider. 有下单但长时间无回调：请检查回调地址。",
			})
		}
	}
	return out, nil
}

// silence reports whether a channel is silent: the first order since the last
// callback was placed too long ago, and the latest one not. since is when the
// wait began.
func (w *Watch) silence(ctx context.Context, ch domain.ChannelID) (since time.Time, silent bool, err error) {
	last, err := w.Ops.Callbacks(ctx, operations.CallbackFilter{Channel: string(ch), Limit: 1})
	if err != nil {
		return since, false, fmt.Errorf("find callbacks of %s: %w", ch, err)
	}
	rows, err := w.Rows.Payments(ctx, projections.PaymentFilter{Channel: ch, Limit: pageSize})
	if err != nil {
		return since, false, fmt.Errorf("find placed payments of %s: %w", ch, err)
	}
	var latest time.Time
	for _, r := range rows {
		if r.PlacedAt.IsZero() || (len(last) > 0 && !r.PlacedAt.After(last[0].ReceivedAt)) {
			continue
		}
		if since.IsZero() || r.PlacedAt.Before(since) {
			since = r.PlacedAt
		}
		if r.PlacedAt.After(latest) {
			latest = r.PlacedAt
		}
	}
	limit := w.Clock().Add(-w.cfg.SilenceAfter)
	return since, !since.IsZero() && !since.After(limit) && latest.After(limit), nil
}

// duplicates finds trade numbers decided on more than one order.
func (w *Watch) duplicates(ctx context.Context) ([]Alert, error) {
	rows, err := w.Rows.Duplicates(ctx)
	if err != nil {
		return nil, fmt.Errorf("find duplicate trade numbers: %w", err)
	}
	out := make([]Alert, len(rows))
	for i, r := range rows {
		out[i] = Alert{
			Kind: "duplicate_trade_no", Channel: string(r.Channel), TradeNo: r.TradeNo, Since: w.Clock(),
			Text: fmt.Sprintf("One trade_no was decided on %d orders: %v. 同一渠道单号对应多个订单：请人工核对。", len(r.Orders), r.Orders),
		}
	}
	return out, nil
}

// owedEvery is how often accounts below zero are looked for: each look goes
// through all of them.
const owedEvery = time.Hour

// owed finds accounts below zero. One alert for all of them. Between two looks
// what was found stands: a receiver may have missed it.
func (w *Watch) owed(ctx context.Context) ([]Alert, error) {
	now := w.Clock()
	if !w.looked.IsZero() && now.Sub(w.looked) < owedEvery {
		return w.owing, nil
	}
	r, err := w.Rows.Receivables(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("find accounts below zero: %w", err)
	}
	w.looked, w.owing = now, nil
	if r.Count == 0 {
		return nil, nil
	}
	sums := make([]string, len(r.Totals))
	for i, m := range r.Totals {
		sums[i] = m.String()
	}
	w.owing = []Alert{{
		Kind: "receivable", Amount: strings.Join(sums, ", "), Since: now,
		Text: fmt.Sprintf("%d accounts are below zero and owe %s: `counterfoil receivables` lists them. %[1]d 个账户余额为负，应收合计 %[2]s：请催收或冲销。",
			r.Count, strings.Join(sums, ", ")),
	}}
	return w.owing, nil
}

// unanswered finds reconciliation that gets nowhere: every run that ended for
// as long as money may be held was incomplete. One alert for all, since the
// first run of them.
func (w *Watch) unanswered(ctx context.Context) ([]Alert, error) {
	runs, err := w.Ops.Runs(ctx, "sweep", pageSize)
	if err != nil {
		return nil, fmt.Errorf("find runs: %w", err)
	}
	a := Alert{
		Kind: "unanswered",
		Text: "No reconciliation run has been complete: a provider does not answer, see `counterfoil reconcile show`. " +
			"对账长时间未能完成：渠道查单无响应，请检查网络、密钥与商户后台。",
	}
	for _, r := range runs { // newest first
		if r.State == operations.RunComplete {
			break
		}
		if r.State == operations.RunIncomplete {
			a.Since = r.StartedAt
		}
	}
	if a.Since.IsZero() || w.Clock().Sub(a.Since) < w.cfg.HeldAfter {
		return nil, nil
	}
	return []Alert{a}, nil
}
