package alerts

import (
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
)

// waiting finds money that is held too long or parked.
func (w *Watch) waiting(ctx context.Context) ([]Alert, error) {
	var out []Alert
	for _, state := range []domain.State{domain.StateHeld, domain.StateParked} {
		rows, err := w.Rows.Payments(ctx, projections.PaymentFilter{State: state, Limit: 200})
		if err != nil {
			return nil, fmt.Errorf("find %s payments: %w", state, err)
		}
		for _, r := range rows {
			if state == domain.StateHeld && w.Clock().Sub(r.UpdatedAt) < w.cfg.HeldAfter {
				continue
			}
			out = append(out, waitingAlert(r))
		}
	}
	second, err := w.Rows.Callbacks(ctx, projections.CallbackFilter{Outcome: domain.OutcomeParked, Limit: 200})
	if err != nil {
		return nil, fmt.Errorf("find parked notices: %w", err)
	}
	for _, c := range second {
		if c.Reason == domain.ReasonSecondPayment {
			out = append(out, Alert{
				Kind: "second_payment", Channel: string(c.Channel), OrderNo: c.OrderNo, TradeNo: c.TradeNo,
				Amount: c.Amount.String(), Since: c.ReceivedAt,
				Text: "The order was paid a second time; the money is parked: refund or allocate it. 订单重复支付，款项已暂存：请退款或人工入账。",
			})
		}
	}
	return out, nil
}

func waitingAlert(r projections.Payment) Alert {
	a := Alert{
		Kind: string(r.State), Channel: string(r.Channel), OrderNo: r.OrderNo, TradeNo: r.TradeNo,
		Amount: r.Amount.String(), Since: r.UpdatedAt,
		Text: "A callback waits for the provider's confirmation; look at the provider's merchant page. 回调待查单确认过久：请到商户后台核对。",
	}
	if r.State == domain.StateParked {
		a.Text = "Real money that belongs to no account; look at the payment and allocate or refund it. 款项无法自动入账：请核对后入账或退款。"
	}
	return a
}

// failed finds callbacks that could not be kept within the last hour.
func (w *Watch) failed(ctx context.Context) ([]Alert, error) {
	rows, err := w.Ops.Callbacks(ctx, operations.CallbackFilter{
		Outcome: domain.OutcomeFailed, Since: w.Clock().Add(-time.Hour), Limit: 200,
	})
	if err != nil {
		return nil, fmt.Errorf("find failed callbacks: %w", err)
	}
	first := map[string]bool{}
	var out []Alert
	for _, r := range rows {
		if first[r.Channel] {
			continue
		}
		first[r.Channel] = true
		out = append(out, Alert{
			Kind: "failed", Channel: r.Channel, Since: r.ReceivedAt,
			Text: "Callbacks could not be kept and were asked to come again: check disk and store. 回调未能落库，已要求重发：请检查磁盘与存储。",
		})
	}
	return out, nil
}

// silent finds channels whose callbacks stopped although orders were placed.
func (w *Watch) silent(ctx context.Context) ([]Alert, error) {
	if w.cfg.SilenceAfter == 0 {
		return nil, nil
	}
	var out []Alert
	limit := w.Clock().Add(-w.cfg.SilenceAfter)
	for _, ch := range w.cfg.Channels {
		placed, err := w.Rows.Payments(ctx, projections.PaymentFilter{Channel: ch, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("find placed payments of %s: %w", ch, err)
		}
		last, err := w.Ops.Callbacks(ctx, operations.CallbackFilter{Channel: string(ch), Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("find callbacks of %s: %w", ch, err)
		}
		if len(placed) == 0 || placed[0].FirstAt.Before(limit) || (len(last) > 0 && last[0].ReceivedAt.After(limit)) {
			continue
		}
		a := Alert{
			Kind: "silence", Channel: string(ch),
			Text: "Orders are placed but no callback has come: check the callback address at the provider. 有下单但长时间无回调：请检查回调地址。",
		}
		if len(last) > 0 {
			a.Since = last[0].ReceivedAt
		}
		out = append(out, a)
	}
	return out, nil
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
