package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
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

// Placed is the answer to placing.
type Placed struct {
	Payment Payment         `json:"payment"`
	Existed bool            `json:"existed" doc:"The same order had been placed before"`
	Form    *providers.Form `json:"form,omitempty" doc:"The signed order: POST the fields to action, or open url. Absent once it was paid or cancelled"`
}

type placeInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"128" doc:"Required. The same key with the same body gets the first answer again, for 7 days"`
	Body           Order
}

type placeOutput struct {
	Status int
	Body   json.RawMessage `contentType:"application/json"`
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
	placed := Placed{Payment: p, Existed: existed}
	if !r.Payment.IsSettled() && r.Payment.Closed != domain.ClosedMerchant {
		placed.Form = &form
	}
	body, err := json.Marshal(placed)
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
	return providers.NotifyURL(s.cfg.PublicURL, ch)
}

func by(ctx context.Context) ledger.By {
	return ledger.By{Actor: "key:" + keyOf(ctx).ID, Cause: requestID(ctx)}
}
