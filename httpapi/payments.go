package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Payment is a payment as the API shows it.
type Payment struct {
	Channel     string              `json:"channel" doc:"Channel id"`
	OrderNo     string              `json:"order_no" doc:"The merchant's order number; of a payment nobody placed, as the provider gave it"`
	Account     string              `json:"account,omitempty" doc:"The wallet it was placed for; absent while nobody placed it"`
	Amount      *Money              `json:"amount,omitempty" doc:"The placed amount; of a payment nobody placed, the noticed one"`
	State       string              `json:"state" doc:"noticed, placed, held, credited, parked, expired, closed, cancelled, refunded, disputed or reversed"`
	Refunded    *Money              `json:"refunded,omitempty" doc:"What went back to its payer"`
	TradeNo     string              `json:"trade_no,omitempty" doc:"The provider's number of the trade that settled it"`
	PlacedAt    *time.Time          `json:"placed_at,omitempty" doc:"When it was placed"`
	ExpiresAt   *time.Time          `json:"expires_at,omitempty" doc:"Until when it can be paid; later money is credited all the same"`
	Notices     int                 `json:"notices" doc:"Deliveries kept as events"`
	CallbackURL string              `json:"callback_url,omitempty" doc:"The derived callback address"`
	Trades      []Trade             `json:"trades,omitempty" doc:"The money that came for it, by trade number"`
	Refunds     []Refund            `json:"refunds,omitempty" doc:"What went back of it, or is on its way; only where one payment is shown"`
	Disputes    []Dispute           `json:"disputes,omitempty" doc:"Disputes about it; only where one payment is shown"`
	Timeline    []Moment            `json:"timeline,omitempty" doc:"Its events, oldest first; only where one payment is shown"`
	Position    eventstore.Position `json:"position" doc:"Position of its last event"`
}

// Trade is the money under one trade_no.
type Trade struct {
	TradeNo string    `json:"trade_no" doc:"The provider's number"`
	State   string    `json:"state" doc:"seen, held, suspect, parked, credited, allocated, reversed or written_off"`
	Account string    `json:"account,omitempty" doc:"The wallet the money is in"`
	Amount  *Money    `json:"amount,omitempty" doc:"The amount noticed"`
	Reason  string    `json:"reason,omitempty" doc:"Why it is held or parked"`
	FirstAt time.Time `json:"first_at" doc:"When its first notice came"`
}

// Refund is one refund of a payment.
type Refund struct {
	RefundID string    `json:"refund_id,omitempty" doc:"The provider's number"`
	RefundNo string    `json:"refund_no,omitempty" doc:"The merchant's number"`
	TradeNo  string    `json:"trade_no" doc:"The money it was taken from"`
	State    string    `json:"state" doc:"waiting, held, pending, booked or failed"`
	Amount   *Money    `json:"amount,omitempty" doc:"As the provider says it"`
	Booked   *Money    `json:"booked,omitempty" doc:"What our books took for it"`
	FirstAt  time.Time `json:"first_at" doc:"When its first notice came"`
}

// Dispute is one dispute about a payment.
type Dispute struct {
	DisputeID string `json:"dispute_id" doc:"The provider's number"`
	TradeNo   string `json:"trade_no" doc:"The money it is about"`
	Open      *Money `json:"open,omitempty" doc:"What the provider keeps away until it is decided"`
}

// Moment is one event of a payment's history.
type Moment struct {
	Position eventstore.Position `json:"position" doc:"Place in the log"`
	Revision uint64              `json:"revision" doc:"Place in the payment's stream, from 0"`
	ID       string              `json:"id" doc:"Id of the event"`
	Type     string              `json:"type" doc:"Name and version of the fact"`
	At       time.Time           `json:"at" doc:"When it was recorded"`
	Actor    string              `json:"actor" doc:"Who: channel:<id>, key:<id>, reconciler, person:<id> or system"`
	Fact     json.RawMessage     `json:"fact" doc:"The stored fact"`
}

type paymentInput struct {
	Channel  string `path:"channel" doc:"Channel id"`
	OrderNo  string `path:"order_no" doc:"The merchant's order number, escaped"`
	AsOf     string `query:"as_of_position" doc:"The payment as the log stood at this position"`
	AsOfTime string `query:"as_of_time" format:"date-time" doc:"The payment as the log stood at this instant"`
}

type paymentOutput struct {
	ETag string `header:"ETag"`
	Body Payment
}

type cancelInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	OrderNo string `path:"order_no" doc:"The merchant's order number, escaped"`
	Body    struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"Why, for people"`
	}
}

type listPaymentsInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	Account string `query:"account" doc:"Only of this wallet"`
	State   string `query:"state" enum:"noticed,placed,held,credited,parked,expired,closed,cancelled,refunded,disputed,reversed" doc:"Only in this state"`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listPaymentsOutput struct {
	Body struct {
		Payments   []Payment `json:"payments" doc:"Newest first"`
		NextCursor string    `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool      `json:"has_more" doc:"There are older ones"`
	}
}

func (s *Server) registerPayments(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "place-payment", Method: http.MethodPost, Path: "/v1/payments", Summary: "Place a payment",
		Description: "Records what is to be paid and for whom, and returns the provider's signed form and the callback " +
			"address derived for it. Calls no provider. Placing the same order again changes nothing; with any other " +
			"field it is a conflict.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusBadRequest, http.StatusConflict},
		Responses: map[string]*huma.Response{
			"200": {Description: "The same order had been placed before", Content: shapeOf[Placed](api)},
			"201": {Description: "Placed", Content: shapeOf[Placed](api)},
		},
	}, operations.ScopePaymentsWrite, s.placePayment)
	describeForm(api.OpenAPI().Components.Schemas.Map()["Form"])
	for _, p := range api.OpenAPI().Paths["/v1/payments"].Post.Parameters {
		p.Required = p.Required || p.Name == "Idempotency-Key" // a missing one is a 400 of ours, see placePayment
	}
	operation(s, api, huma.Operation{
		OperationID: "show-payment", Method: http.MethodGet, Path: "/v1/payments/{channel}/{order_no}",
		Summary: "Show a payment with its history", Description: "Folded from the log itself, now or as of a moment: never stale.",
		Errors: []int{http.StatusNotFound},
	}, operations.ScopePaymentsRead, s.showPayment)
	operation(s, api, huma.Operation{
		OperationID: "cancel-payment", Method: http.MethodPost, Path: "/v1/payments/{channel}/{order_no}/cancel",
		Summary: "Cancel a payment", Description: "Money that still comes for it is parked.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopePaymentsWrite, s.cancelPayment)
	operation(s, api, huma.Operation{
		OperationID: "list-payments", Method: http.MethodGet, Path: "/v1/payments", Summary: "List payments",
		Description: "Newest first. New rows never shift a page.",
	}, operations.ScopePaymentsRead, s.listPayments)
}

// allowedPayment reads a payment, if the key may see it: one limited to accounts
// sees no money that is nobody's yet.
func (s *Server) allowedPayment(ctx context.Context, channel, orderNo string) (domain.ChannelID, ledger.View, error) {
	ch, err := domain.ParseChannelID(channel)
	if err != nil {
		return ch, ledger.View{}, inField("channel", err)
	}
	if err := allowChannel(keyOf(ctx), ch); err != nil {
		return ch, ledger.View{}, err
	}
	v, err := s.Ledger.Payment(ctx, ch, orderNo)
	switch {
	case err == nil:
		err = allowAccount(keyOf(ctx), v.Payment.Placed.Account)
	case domain.KindOf(err) == domain.KindNotFound && s.Channels[ch] == nil:
		err = domain.E(domain.KindNotFound, "nothing is known of an order %q in a channel %s, which is not configured here", orderNo, ch)
	case domain.KindOf(err) == domain.KindNotFound:
		err = domain.E(domain.KindNotFound, "nothing is known of an order %q in channel %s: it was not placed, and no callback named it", orderNo, ch)
	}
	return ch, v, err
}

func (s *Server) showPayment(ctx context.Context, in *paymentInput) (*paymentOutput, error) {
	ch, v, err := s.allowedPayment(ctx, in.Channel, in.OrderNo)
	if err != nil {
		return nil, err
	}
	at, none, err := s.asOf(ctx, in.AsOf, in.AsOfTime)
	if err != nil {
		return nil, err
	}
	if at > 0 {
		// Beyond the end of the log nothing stands yet, so nothing is said of it.
		if err := s.Rows.Wait(ctx, at); err != nil {
			return nil, err
		}
	}
	if at > 0 || none {
		if v, err = v.Until(at); err != nil {
			return nil, err
		}
	}
	return s.shownPayment(ch, in.OrderNo, v), nil
}

func (s *Server) shownPayment(ch domain.ChannelID, orderNo string, v ledger.View) *paymentOutput {
	p := s.payment(ch, orderNo, v.Payment)
	for _, e := range v.Events {
		p.Position = e.Position
		p.Timeline = append(p.Timeline, Moment{
			Position: e.Position, Revision: e.Revision, ID: e.ID.String(), Type: e.Type, At: e.Meta.RecordedAt,
			Actor: e.Meta.Actor, Fact: e.Data,
		})
	}
	return &paymentOutput{ETag: etag(p.Position), Body: p}
}

func etag(p eventstore.Position) string { return `"` + p.String() + `"` }

func (s *Server) payment(ch domain.ChannelID, orderNo string, v domain.Payment) Payment {
	p := Payment{
		Channel: string(ch), OrderNo: orderNo, State: string(v.State()), Notices: v.Notices, TradeNo: v.Settled,
	}
	if s.cfg.PublicURL != "" {
		p.CallbackURL = s.callbackURL(ch)
	}
	if v.IsPlaced() {
		p.Account, p.Amount = string(v.Placed.Account), optionalMoney(v.Placed.Amount)
		p.PlacedAt, p.ExpiresAt = &v.Placed.PlacedAt, &v.Placed.ExpiresAt
	}
	for _, t := range v.Trades {
		p.Trades = append(p.Trades, Trade{
			TradeNo: t.TradeNo, State: string(t.State), Account: string(t.Account), Amount: optionalMoney(t.Amount),
			Reason: string(t.Reason), FirstAt: t.FirstAt,
		})
		if t.TradeNo == v.Settled {
			p.Refunded = optionalMoney(t.Refunded)
		}
	}
	for _, r := range v.Refunds {
		p.Refunds = append(p.Refunds, Refund{
			RefundID: r.RefundID, RefundNo: r.RefundNo, TradeNo: r.TradeNo, State: string(r.State), Amount: optionalMoney(r.Amount),
			Booked: optionalMoney(r.Booked), FirstAt: r.FirstAt,
		})
	}
	for _, d := range v.Disputes {
		p.Disputes = append(p.Disputes, Dispute{DisputeID: d.DisputeID, TradeNo: d.TradeNo, Open: optionalMoney(d.Open)})
	}
	return p
}

func (s *Server) cancelPayment(ctx context.Context, in *cancelInput) (*paymentOutput, error) {
	no, err := domain.ParseOrderNo(in.OrderNo)
	if err != nil {
		return nil, inField("order_no", err)
	}
	ch, _, err := s.allowedPayment(ctx, in.Channel, in.OrderNo)
	if err != nil {
		return nil, err
	}
	if _, err := s.Ledger.Cancel(ctx, ch, no, in.Body.Reason, by(ctx)); err != nil {
		return nil, err
	}
	v, err := s.Ledger.Payment(ctx, ch, in.OrderNo)
	if err != nil {
		return nil, err
	}
	return s.shownPayment(ch, in.OrderNo, v), nil
}

// paymentFilter is a filter within what the key may see: a limited key names
// one of its channels or accounts.
func paymentFilter(key operations.APIKey, in *listPaymentsInput) (f projections.PaymentFilter, err error) {
	f.State, f.Limit = domain.State(in.State), in.Limit+1
	if in.Channel != "" {
		if f.Channel, err = domain.ParseChannelID(in.Channel); err != nil {
			return f, inField("channel", err)
		}
	}
	if in.Account != "" {
		if f.Account, err = domain.ParseAccountID(in.Account); err != nil {
			return f, inField("account", err)
		}
	}
	if f.Before, err = positionCursor(in.Cursor); err != nil {
		return f, err
	}
	if err := allowChannel(key, f.Channel); err != nil {
		return f, err
	}
	return f, allowAccount(key, f.Account)
}

func (s *Server) listPayments(ctx context.Context, in *listPaymentsInput) (*listPaymentsOutput, error) {
	f, err := paymentFilter(keyOf(ctx), in)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows.Payments(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listPaymentsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Payment) string { return r.Position.String() })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Payments = rowsOf(rows, row)
	return out, nil
}

func row(r projections.Payment) Payment {
	p := Payment{
		Channel: string(r.Channel), OrderNo: r.OrderNo, Account: string(r.Account), Amount: optionalMoney(r.Amount),
		State: string(r.State), TradeNo: r.TradeNo, Notices: r.Notices, Position: r.Position, Refunded: optionalMoney(r.Refunded),
	}
	if !r.PlacedAt.IsZero() {
		p.PlacedAt, p.ExpiresAt = &r.PlacedAt, &r.ExpiresAt
	}
	return p
}
