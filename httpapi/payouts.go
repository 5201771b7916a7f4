package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Payout is money that left a provider's balance for the bank.
type Payout struct {
	Channel   string              `json:"channel" doc:"Channel id"`
	ID        string              `json:"id" doc:"The provider's number of the payout"`
	Amount    Money               `json:"amount" doc:"How much"`
	State     string              `json:"state" doc:"sent, arrived or failed"`
	SentAt    *time.Time          `json:"sent_at,omitempty" doc:"When it left the balance; absent where only its failure was on a bill"`
	ArrivedAt *time.Time          `json:"arrived_at,omitempty" doc:"When it stood on the bank account"`
	ArrivedBy string              `json:"arrived_by,omitempty" doc:"Who said so"`
	Reason    string              `json:"reason,omitempty" doc:"On what evidence, in that person's words"`
	Reference string              `json:"reference,omitempty" doc:"The bank's number of the credit"`
	Statement string              `json:"statement,omitempty" doc:"SHA-256 of the bank's statement"`
	FailedAt  *time.Time          `json:"failed_at,omitempty" doc:"When its money came back to the balance"`
	Run       string              `json:"run,omitempty" doc:"The comparison whose bill told of it"`
	Position  eventstore.Position `json:"position" doc:"Place of its first event in the log"`
}

type listPayoutsInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	State   string `query:"state" enum:"sent,arrived,failed" doc:"Only in this state: sent are those on the way"`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listPayoutsOutput struct {
	Body struct {
		Payouts    []Payout `json:"payouts" doc:"Newest first"`
		NextCursor string   `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool     `json:"has_more" doc:"There are older ones"`
	}
}

type payoutInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	ID      string `path:"id" doc:"The provider's number of the payout"`
}

type arriveInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	ID      string `path:"id" doc:"The provider's number of the payout"`
	Body    struct {
		Reason    string `json:"reason" minLength:"1" maxLength:"2000" doc:"What shows it, for auditors: e.g. which statement"`
		Amount    *Money `json:"amount,omitempty" doc:"As the bank has it; another amount than was sent is refused"`
		At        string `json:"at,omitempty" format:"date-time" doc:"When the bank credited it; without it now"`
		Reference string `json:"reference,omitempty" maxLength:"200" doc:"The bank's number of the credit"`
		Statement string `json:"statement,omitempty" maxLength:"64" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the bank's statement, hex"`
	}
}

type payoutOutput struct{ Body Payout }

func (s *Server) registerPayouts(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-payouts", Method: http.MethodGet, Path: "/v1/payouts", Summary: "List payouts",
		Description: "What left the providers' balances for the bank, by their bills, and what of it arrived. Newest first.",
	}, operations.ScopeReconcile, s.listPayouts)
	operation(s, api, huma.Operation{
		OperationID: "show-payout", Method: http.MethodGet, Path: "/v1/payouts/{channel}/{id}", Summary: "Show a payout",
		Description: "How far one payout has come: sent by a bill, arrived by a person's word, or failed.", Errors: []int{http.StatusNotFound},
	}, operations.ScopeReconcile, s.showPayout)
	operation(s, api, huma.Operation{
		OperationID: "arrive-payout", Method: http.MethodPost, Path: "/v1/payouts/{channel}/{id}/arrived", Summary: "Say that a payout arrived",
		Description: "Books a payout on the bank account, by the word of a person who saw it there: no provider can know that. It " +
			"needs a person's key, no service's. Saying it again changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.arrivePayout)
}

func (s *Server) listPayouts(ctx context.Context, in *listPayoutsInput) (*listPayoutsOutput, error) {
	if err := allowBooks(keyOf(ctx), domain.ChannelID(in.Channel)); err != nil {
		return nil, err
	}
	before, err := positionCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows.Payouts(ctx, projections.PayoutFilter{
		Channel: domain.ChannelID(in.Channel), State: projections.PayoutState(in.State), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listPayoutsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Payout) string { return r.Position.String() })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Payouts = rowsOf(rows, payoutRow)
	return out, nil
}

func (s *Server) showPayout(ctx context.Context, in *payoutInput) (*payoutOutput, error) {
	ch := domain.ChannelID(in.Channel)
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	row, err := s.Rows.Payout(ctx, ch, in.ID)
	if err != nil {
		return nil, err
	}
	return &payoutOutput{Body: payoutRow(row)}, nil
}

func (s *Server) arrivePayout(ctx context.Context, in *arriveInput) (*payoutOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	ch := domain.ChannelID(in.Channel)
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	a := domain.Arrival{Reason: in.Body.Reason, Reference: in.Body.Reference, Statement: in.Body.Statement, By: who}
	if in.Body.Amount != nil {
		if a.Amount, err = domain.ParseMoney(in.Body.Amount.Amount, domain.Currency(in.Body.Amount.Currency)); err != nil {
			return nil, inField("amount", err)
		}
	}
	if in.Body.At != "" {
		if a.At, err = time.Parse(time.RFC3339, in.Body.At); err != nil {
			return nil, domain.EField(domain.KindInvalid, "at", "%.40q is no RFC 3339 time", in.Body.At)
		}
	}
	p, at, err := s.Ledger.ArrivePayout(ctx, ch, in.ID, a, by)
	if err != nil {
		return nil, err
	}
	if at > 0 {
		if err := s.Rows.Wait(ctx, at); err != nil {
			return nil, err
		}
	}
	row, err := s.Rows.Payout(ctx, ch, in.ID)
	row.Payout = p // the stream's fold is never stale
	return &payoutOutput{Body: payoutRow(row)}, err
}

func payoutRow(p projections.Payout) Payout {
	out := Payout{Channel: string(p.Channel), ID: p.ID, Amount: moneyOf(p.Amount()), State: string(p.State()), Position: p.Position}
	if f := p.Sent; f != nil {
		out.SentAt, out.Run = &f.Dates.OccurredAt, f.Run
	}
	if f := p.Arrived; f != nil {
		out.ArrivedAt, out.ArrivedBy, out.Reason, out.Reference, out.Statement = &f.Dates.OccurredAt, f.By, f.Reason, f.Reference, f.Statement
	}
	if f := p.Failed; f != nil {
		out.FailedAt, out.Run = &f.Dates.OccurredAt, f.Run
	}
	return out
}
