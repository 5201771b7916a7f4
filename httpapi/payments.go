package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// Order is a payment to be placed.
type Order struct {
	Channel   string     `json:"channel" doc:"Channel id" example:"epay-main"`
	OrderNo   string     `json:"order_no" maxLength:"200" doc:"The merchant's order number: printable ASCII without space" example:"USR1NO0001"`
	Account   string     `json:"account" doc:"The wallet to credit; opaque, no personal data" example:"user:42"`
	Amount    string     `json:"amount" doc:"Decimal string" example:"7.30"`
	Currency  string     `json:"currency" example:"CNY" doc:"ISO 4217 code of the channel's currency"`
	Method    string     `json:"method,omitempty" doc:"The provider's pay method, e.g. alipay, wxpay; empty lets the provider ask"`
	Subject   string     `json:"subject,omitempty" maxLength:"256" doc:"Goods name the payer sees; kept sealed"`
	ReturnURL string     `json:"return_url,omitempty" doc:"Where the browser goes after paying; proves nothing. Epay wants one"`
	ClientIP  string     `json:"client_ip,omitempty" doc:"The payer's address; kept sealed"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Until when it can be paid; the configured time when absent"`
}

// Payment is a payment as the API shows it.
type Payment struct {
	Channel     string              `json:"channel" doc:"Channel id"`
	OrderNo     string              `json:"order_no" doc:"The merchant's order number; of a payment nobody placed, as the provider gave it"`
	Account     string              `json:"account,omitempty" doc:"The wallet it was placed for; absent while nobody placed it"`
	Amount      *Money              `json:"amount,omitempty" doc:"The placed amount; of a payment nobody placed, the noticed one"`
	State       string              `json:"state" doc:"noticed, placed, held, credited, parked, expired, closed or cancelled"`
	TradeNo     string              `json:"trade_no,omitempty" doc:"The provider's number of the trade that settled it"`
	PlacedAt    *time.Time          `json:"placed_at,omitempty" doc:"When it was placed"`
	ExpiresAt   *time.Time          `json:"expires_at,omitempty" doc:"Until when it can be paid; later money is credited all the same"`
	Notices     int                 `json:"notices" doc:"Deliveries kept as events"`
	CallbackURL string              `json:"callback_url,omitempty" doc:"The derived callback address"`
	Trades      []Trade             `json:"trades,omitempty" doc:"The money that came for it, by trade number"`
	Timeline    []Moment            `json:"timeline,omitempty" doc:"Its events, oldest first; only where one payment is shown"`
	Position    eventstore.Position `json:"position" doc:"Position of its last event"`
}

// Trade is the money under one trade_no.
type Trade struct {
	TradeNo string    `json:"trade_no" doc:"The provider's number"`
	State   string    `json:"state" doc:"seen, held, suspect, parked, credited or allocated"`
	Amount  *Money    `json:"amount,omitempty" doc:"The amount noticed"`
	Reason  string    `json:"reason,omitempty" doc:"Why it is held or parked"`
	FirstAt time.Time `json:"first_at" doc:"When its first notice came"`
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

// Placed is the answer to placing.
type Placed struct {
	Payment Payment         `json:"payment"`
	Existed bool            `json:"existed" doc:"The same order had been placed before"`
	Form    *providers.Form `json:"form" doc:"The signed order for the payer's browser"`
}

type placeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"128" doc:"Required. The same key with the same body gets the first answer again, for 7 days"`
	Body           Order
}

type placeOutput struct {
	Status int
	Body   json.RawMessage `contentType:"application/json"`
}

type paymentInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	OrderNo string `path:"order_no" doc:"The merchant's order number, escaped"`
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
	State   string `query:"state" enum:"noticed,placed,held,credited,parked,expired,closed,cancelled" doc:"Only in this state"`
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
		Summary: "Show a payment with its history", Description: "Folded from the log itself: never stale.",
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

// describeForm adds the words that providers.Form, which knows no HTTP, does not
// have.
func describeForm(form *huma.Schema) {
	for name, text := range map[string]string{
		"action": "Address at the provider", "method": "HTTP method to post the fields with",
		"fields": "What to post, signature included", "url": "The same as one address to open",
	} {
		form.Properties[name].Description = text
	}
}

// placePayment answers a repeated Idempotency-Key from what was kept.
func (s *Server) placePayment(ctx context.Context, in *placeInput) (*placeOutput, error) {
	if in.IdempotencyKey == "" {
		return nil, &Problem{
			Type: "https://counterfoil.dev/problems/invalid", Title: answers[domain.KindInvalid].title, Status: http.StatusBadRequest,
			Code: "invalid", Detail: "the header Idempotency-Key is missing: send a new random one for each order",
			RequestID: requestID(ctx), Errors: []Fault{{Field: "Idempotency-Key", Message: "missing"}},
		}
	}
	raw, err := json.Marshal(in.Body)
	if err != nil {
		return nil, err
	}
	owner := keyOf(ctx).ID
	saved, fresh, err := s.Ops.Begin(ctx, owner, in.IdempotencyKey, sha256.Sum256(raw), s.Clock())
	switch {
	case err != nil:
		return nil, err
	case !fresh && saved.RequestHash != sha256.Sum256(raw):
		return nil, domain.EField(domain.KindMismatch, "Idempotency-Key", "this key was used with another body")
	case !fresh && saved.Status == 0:
		return nil, domain.EField(domain.KindConflict, "Idempotency-Key", "the first request with this key is still running")
	case !fresh:
		return &placeOutput{Status: saved.Status, Body: saved.Body}, nil
	}
	out, err := s.place(ctx, in.Body)
	if err != nil {
		if ferr := s.Ops.Forget(ctx, owner, in.IdempotencyKey); ferr != nil {
			s.Logger.WarnContext(ctx, "idempotency key not released", slog.String("error", ferr.Error()))
		}
		return nil, err
	}
	if err := s.Ops.Finish(ctx, owner, in.IdempotencyKey, out.Status, out.Body); err != nil {
		s.Logger.WarnContext(ctx, "idempotent answer not kept", slog.String("error", err.Error()))
	}
	return out, nil
}

func (s *Server) place(ctx context.Context, b Order) (*placeOutput, error) {
	o, ch, err := s.order(ctx, b)
	if err != nil {
		return nil, err
	}
	form, err := ch.Form(providers.Order{
		OrderNo: o.OrderNo, Amount: o.Amount, Subject: b.Subject, Method: b.Method, NotifyURL: s.callbackURL(o.Channel),
		ReturnURL: b.ReturnURL, ClientIP: b.ClientIP, At: s.Clock(),
	})
	if err != nil {
		return nil, err
	}
	r, existed, err := s.Ledger.Place(ctx, o,
		ledger.Personal{Subject: b.Subject, ClientIP: b.ClientIP, ReturnURL: b.ReturnURL}, by(ctx))
	if err != nil {
		return nil, err
	}
	p := s.payment(o.Channel, string(o.OrderNo), r.Payment)
	if p.Position = r.Position; existed {
		v, err := s.Ledger.Payment(ctx, o.Channel, string(o.OrderNo))
		if err != nil {
			return nil, err
		}
		p.Position = v.Events[len(v.Events)-1].Position
	}
	body, err := json.Marshal(Placed{Payment: p, Existed: existed, Form: &form})
	if err != nil {
		return nil, fmt.Errorf("encode payment: %w", err)
	}
	status := http.StatusCreated
	if existed {
		status = http.StatusOK
	}
	return &placeOutput{Status: status, Body: body}, nil
}

// order checks a request's fields; the first wrong one is named.
func (s *Server) order(ctx context.Context, b Order) (o domain.Order, ch providers.Channel, err error) {
	if o.Channel, ch, err = s.allowedChannel(keyOf(ctx), b.Channel); err != nil {
		return o, nil, err
	}
	if o.OrderNo, err = domain.ParseOrderNo(b.OrderNo); err != nil {
		return o, nil, inField("order_no", err)
	}
	if o.Account, err = allowedAccount(keyOf(ctx), b.Account); err != nil {
		return o, nil, err
	}
	currency, err := domain.ParseCurrency(b.Currency)
	if err != nil {
		return o, nil, inField("currency", err)
	}
	if o.Amount, err = domain.ParseMoney(b.Amount, currency); err != nil {
		return o, nil, inField("amount", err)
	}
	if _, err := netip.ParseAddr(b.ClientIP); b.ClientIP != "" && err != nil {
		return o, nil, domain.EField(domain.KindInvalid, "client_ip", "%q is no address", clip(b.ClientIP, 64))
	}
	o.Method = b.Method
	o.ExpireAfter = s.cfg.ExpireAfter
	if b.ExpiresAt != nil {
		o.ExpiresAt = *b.ExpiresAt
	}
	if s.cfg.PublicURL == "" {
		return o, nil, domain.E(domain.KindUnavailable, "public_url is not configured: no callback address can be derived")
	}
	return o, ch, nil
}

// allowedChannel is a configured channel by its id, if the key may use it.
func (s *Server) allowedChannel(key operations.APIKey, text string) (domain.ChannelID, providers.Channel, error) {
	id, err := domain.ParseChannelID(text)
	if err != nil {
		return id, nil, inField("channel", err)
	}
	if err := allowChannel(key, id); err != nil {
		return id, nil, err
	}
	ch, ok := s.Channels[id]
	if !ok {
		return id, nil, domain.EField(domain.KindNotFound, "channel", "%q is not configured here", text)
	}
	return id, ch, nil
}

// callbackURL is where the provider calls: derived, never typed.
func (s *Server) callbackURL(ch domain.ChannelID) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/callbacks/" + string(ch)
}

func by(ctx context.Context) ledger.By {
	return ledger.By{Actor: "key:" + keyOf(ctx).ID, Cause: requestID(ctx)}
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
	if err == nil {
		err = allowAccount(keyOf(ctx), v.Payment.Placed.Account)
	}
	return ch, v, err
}

func (s *Server) showPayment(ctx context.Context, in *paymentInput) (*paymentOutput, error) {
	ch, v, err := s.allowedPayment(ctx, in.Channel, in.OrderNo)
	if err != nil {
		return nil, err
	}
	p := s.payment(ch, in.OrderNo, v.Payment)
	for _, e := range v.Events {
		p.Position = e.Position
		p.Timeline = append(p.Timeline, Moment{
			Position: e.Position, Revision: e.Revision, ID: e.ID.String(), Type: e.Type, At: e.Meta.RecordedAt,
			Actor: e.Meta.Actor, Fact: e.Data,
		})
	}
	return &paymentOutput{ETag: etag(p.Position), Body: p}, nil
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
			TradeNo: t.TradeNo, State: string(t.State), Amount: optionalMoney(t.Amount), Reason: string(t.Reason), FirstAt: t.FirstAt,
		})
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
	return s.showPayment(ctx, &paymentInput{Channel: in.Channel, OrderNo: in.OrderNo})
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
	if in.Cursor != "" {
		if f.Before, err = eventstore.ParsePosition(in.Cursor); err != nil {
			return f, domain.EField(domain.KindInvalid, "cursor", "%q was not given out by this API", in.Cursor)
		}
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
	out.Body.Payments = []Payment{}
	if out.Body.HasMore = len(rows) > in.Limit; out.Body.HasMore {
		rows = rows[:in.Limit]
	}
	for _, r := range rows {
		out.Body.Payments = append(out.Body.Payments, row(r))
		out.Body.NextCursor = r.Position.String()
	}
	if !out.Body.HasMore {
		out.Body.NextCursor = ""
	}
	return out, nil
}

func row(r projections.Payment) Payment {
	p := Payment{
		Channel: string(r.Channel), OrderNo: r.OrderNo, Account: string(r.Account), Amount: optionalMoney(r.Amount),
		State: string(r.State), TradeNo: r.TradeNo, Notices: r.Notices, Position: r.Position,
	}
	if !r.PlacedAt.IsZero() {
		p.PlacedAt, p.ExpiresAt = &r.PlacedAt, &r.ExpiresAt
	}
	return p
}
