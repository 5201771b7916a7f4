package stripe

import (
	"encoding/json"
	"strings"
)

// fields is an object of the API.
type fields map[string]any

// expansion are the paths that a question wants whole instead of as ids.
type expansion []string

// into is what is left of the paths through a member, and whether it is wanted
// whole.
func (e expansion) into(member string) (rest expansion, whole bool) {
	for _, path := range e {
		first, behind, more := strings.Cut(path, ".")
		if first != member {
			continue
		}
		whole = true
		if more {
			rest = append(rest, behind)
		}
	}
	return rest, whole
}

// listOf is the list object in a member.
func listOf(data []fields, address string) fields {
	if data == nil {
		data = []fields{}
	}
	return fields{"object": "list", "data": data, "has_more": false, "url": address}
}

// orNull is null for nothing.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (o *order) intent(e expansion) fields {
	received := int64(0)
	if o.state == succeeded {
		received = o.paid.count
	}
	v := fields{
		"id": o.id, "object": "payment_intent", "amount": o.amount().count, "amount_capturable": 0, "amount_received": received,
		"canceled_at": nil, "capture_method": "automatic_async", "client_secret": o.id + "_secret_sandbox", "created": o.openedAt.Unix(),
		"currency": o.placed.code, "description": orNull(o.goods), "last_payment_error": nil, "latest_charge": orNull(o.charge),
		"livemode": false, "metadata": o.intentMD, "payment_method_types": []string{"card", "alipay"}, "status": o.state,
	}
	if rest, whole := e.into("latest_charge"); whole && o.charge != "" {
		v["latest_charge"] = o.chargeObject(rest)
	}
	return v
}

// amount is what the intent asks for: after another amount was paid, that.
func (o *order) amount() sum {
	if o.wasPaid() {
		return o.paid
	}
	return o.placed
}

func (o *order) chargeObject(e expansion) fields {
	paid := o.state == succeeded
	captured, status := int64(0), pending
	if paid {
		captured, status = o.paid.count, succeeded
	}
	v := fields{
		"id": o.charge, "object": "charge", "amount": o.amount().count, "amount_captured": captured, "amount_refunded": o.back(),
		"balance_transaction": nil, "billing_details": fields{"email": "payer@example.com", "name": "王小明", "phone": nil},
		"captured": paid, "created": o.paidAt.Unix(), "currency": o.placed.code, "disputed": len(o.disputes) > 0, "livemode": false,
		"metadata": o.intentMD, "paid": paid, "payment_intent": o.id, "refunded": paid && o.back() == o.paid.count, "status": status,
	}
	if _, whole := e.into("refunds"); whole {
		var data []fields
		for i := len(o.refunds) - 1; i >= 0 && len(data) < 10; i-- {
			data = append(data, o.refunds[i].object())
		}
		list := listOf(data, "/v1/charges/"+o.charge+"/refunds")
		list["has_more"] = len(o.refunds) > 10
		v["refunds"] = list
	}
	return v
}

func (o *order) sessionObject(e expansion) fields {
	payment, status := "unpaid", "open"
	switch {
	case o.expired:
		status = "expired"
	case o.state == succeeded:
		payment, status = "paid", "complete"
	case o.state == processing:
		status = "complete"
	}
	v := fields{
		"id": o.session, "object": "checkout.session", "amount_subtotal": o.amount().count, "amount_total": o.amount().count,
		"client_reference_id": orNull(o.reference), "created": o.openedAt.Unix(), "currency": o.placed.code,
		"customer_details": fields{"email": "payer@example.com"}, "expires_at": o.openedAt.Unix() + 86400, "livemode": false,
		"metadata": o.metadata, "mode": "payment", "payment_intent": nil, "payment_status": payment, "status": status,
		"success_url": orNull(o.returnURL), "url": nil,
	}
	if o.state != unpaid {
		v["payment_intent"] = o.id
	}
	if rest, whole := e.into("payment_intent"); whole && o.state != unpaid {
		v["payment_intent"] = o.intent(rest)
	}
	return v
}

func (r *refund) object() fields {
	metadata := map[string]string{}
	if r.no != "" {
		metadata["refund_no"] = r.no
	}
	v := fields{
		"id": r.id, "object": "refund", "amount": r.amount.count, "charge": r.o.charge, "created": r.at.Unix(),
		"currency": r.amount.code, "metadata": metadata, "payment_intent": r.o.id, "reason": nil, "status": r.state,
	}
	if r.state == failed {
		v["failure_reason"] = "lost_or_stolen_card"
	}
	return v
}

func (d *dispute) object(e expansion) fields {
	moved := []fields{}
	for _, t := range d.txns {
		moved = append(moved, t.object(nil))
	}
	v := fields{
		"id": d.id, "object": "dispute", "amount": d.amount.count, "balance_transactions": moved, "charge": d.o.charge,
		"created": d.at.Unix(), "currency": d.amount.code, "is_charge_refundable": false, "livemode": false,
		"metadata": map[string]string{}, "payment_intent": d.o.id, "reason": "fraudulent", "status": d.state,
	}
	if rest, whole := e.into("payment_intent"); whole {
		v["payment_intent"] = d.o.intent(rest)
	}
	return v
}

func (p *payout) object() fields {
	v := fields{
		"id": p.id, "object": "payout", "amount": p.amount.count, "arrival_date": p.at.Add(payoutArrives).Unix(), "automatic": p.automatic,
		"created": p.at.Unix(), "currency": p.amount.code, "failure_code": nil, "livemode": false, "metadata": map[string]string{},
		"method": "standard", "reconciliation_status": "not_applicable", "status": p.state, "type": "bank_account",
	}
	switch {
	case p.automatic && p.reconciled:
		v["reconciliation_status"] = "completed"
	case p.automatic:
		v["reconciliation_status"] = "in_progress"
	}
	if p.state == failed {
		v["failure_code"] = "account_closed"
	}
	return v
}

func (t *txn) object(e expansion) fields {
	details := []fields{}
	for _, part := range [...]int64{t.fee - t.fx, t.fx} {
		if part != 0 {
			details = append(details, fields{"amount": part, "currency": t.amount.code, "type": "stripe_fee"})
		}
	}
	v := fields{
		"id": t.id, "object": "balance_transaction", "balance_type": "payments", "amount": t.amount.count, "available_on": t.at.Add(settling).Unix(),
		"created": t.at.Unix(), "currency": t.amount.code, "description": "for payer@example.com", "exchange_rate": nil, "fee": t.fee,
		"fee_details": details, "net": t.amount.count - t.fee, "reporting_category": t.category, "source": orNull(t.origin()), "status": "available",
		"type": t.kind,
	}
	if t.rate != "" {
		v["exchange_rate"] = json.Number(t.rate)
	}
	if _, wanted := e.into("source"); wanted && t.source != nil {
		v["source"] = t.whole()
	}
	return v
}

// origin is the id of what a movement comes from, "" for nothing.
func (t *txn) origin() string {
	switch s := t.source.(type) {
	case *order:
		return s.charge
	case *refund:
		return s.id
	case *dispute:
		return s.id
	case *payout:
		return s.id
	}
	return ""
}

// whole is what a movement comes from.
func (t *txn) whole() fields {
	switch s := t.source.(type) {
	case *order:
		return s.chargeObject(nil)
	case *refund:
		return s.object()
	case *dispute:
		return s.object(nil)
	case *payout:
		return s.object()
	}
	return nil
}
