package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// Draw is what an account has spent, as the application reported it.
type Draw struct {
	Number    string              `json:"number" doc:"The application's own number: one number is one draw"`
	Account   string              `json:"account" doc:"The wallet"`
	Amount    Money               `json:"amount" doc:"What was spent"`
	At        time.Time           `json:"at" doc:"When it was spent; when it was reported where nobody said"`
	ValueDate string              `json:"value_date" doc:"Day of that in the configured zone (draws.zone)"`
	Period    string              `json:"period" doc:"Month it is booked in: that of the day, or the oldest one that is open"`
	Reversed  *DrawReversal       `json:"reversed,omitempty" doc:"Absent while it was not taken back"`
	Existed   bool                `json:"existed" doc:"The same had been said before: nothing was booked now"`
	Position  eventstore.Position `json:"position" doc:"Position of its newest event; min_position waits for a balance with it"`
}

// DrawReversal says that a draw was taken back.
type DrawReversal struct {
	Reason    string    `json:"reason" doc:"Why, in the first words that were given"`
	At        time.Time `json:"at" doc:"When"`
	ValueDate string    `json:"value_date" doc:"Day of that"`
	Period    string    `json:"period" doc:"Month it is booked in"`
}

type reportDrawInput struct {
	Account string `path:"account" doc:"The wallet"`
	Body    struct {
		Number string     `json:"number" minLength:"1" maxLength:"200" doc:"The application's own number of the draw, unique over all accounts: printable ASCII without space" example:"log-8812"`
		Amount Money      `json:"amount" doc:"What was spent, positive"`
		At     *time.Time `json:"at,omitempty" doc:"When it was spent; now when absent. At most five minutes ahead of this server's clock"`
	}
}

type reverseDrawInput struct {
	Account string `path:"account" doc:"The wallet"`
	Number  string `path:"number" doc:"The application's own number of the draw"`
	Body    struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for auditors; no personal data"`
	}
}

type drawOutput struct {
	Status int
	Body   Draw
}

func (s *Server) registerDraws(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "report-draw", Method: http.MethodPost, Path: "/v1/accounts/{account}/draws", Summary: "Report what an account has spent",
		Description: "The account has less from here on. What is reported was spent already, so nothing is refused for want of a " +
			"balance: an account below zero owes. The same number with the same content changes nothing, however often it is sent; " +
			"with another account, amount or time it is a conflict.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
		Responses: map[string]*huma.Response{
			"200": {Description: "The same draw had been reported before", Content: shapeOf[Draw](api)},
			"201": {Description: "Booked", Content: shapeOf[Draw](api)},
		},
	}, operations.ScopeDrawsWrite, s.reportDraw)
	operation(s, api, huma.Operation{
		OperationID: "reverse-draw", Method: http.MethodPost, Path: "/v1/accounts/{account}/draws/{number}/reverse", Summary: "Take a draw back",
		Description: "Gives the account back what the draw took, whole and once. Taking it back again changes nothing. " +
			"What is drawn anew has a number of its own.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound},
		Responses: map[string]*huma.Response{
			"200": {Description: "It had been taken back before", Content: shapeOf[Draw](api)},
			"201": {Description: "Taken back", Content: shapeOf[Draw](api)},
		},
	}, operations.ScopeDrawsWrite, s.reverseDraw)
}

func (s *Server) reportDraw(ctx context.Context, in *reportDrawInput) (*drawOutput, error) {
	account, err := allowedAccount(keyOf(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	q := domain.DrawAsk{Number: domain.DrawNo(in.Body.Number), Account: account}
	currency, err := domain.ParseCurrency(in.Body.Amount.Currency)
	if err != nil {
		return nil, inField("amount", err)
	}
	if q.Amount, err = domain.ParseMoney(in.Body.Amount.Amount, currency); err != nil {
		return nil, inField("amount", err)
	}
	if in.Body.At != nil {
		q.At = *in.Body.At
	}
	return drawAnswer(s.Ledger.Draw(ctx, q, by(ctx)))
}

func (s *Server) reverseDraw(ctx context.Context, in *reverseDrawInput) (*drawOutput, error) {
	account, err := allowedAccount(keyOf(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	no, err := domain.ParseDrawNo(in.Number)
	if err != nil {
		return nil, err
	}
	return drawAnswer(s.Ledger.ReverseDraw(ctx, account, no, in.Body.Reason, by(ctx)))
}

func drawAnswer(d ledger.Drawn, existed bool, err error) (*drawOutput, error) {
	if err != nil {
		return nil, err
	}
	f := d.Drawn
	out := &drawOutput{Status: http.StatusCreated, Body: Draw{
		Number: string(f.Number), Account: string(f.Account), Amount: moneyOf(f.Amount), At: f.Dates.OccurredAt, ValueDate: f.Dates.ValueDate,
		Period: f.Dates.Period, Existed: existed, Position: d.Position,
	}}
	if r := d.Reversed; r != nil {
		out.Body.Reversed = &DrawReversal{Reason: r.Reason, At: r.Dates.OccurredAt, ValueDate: r.Dates.ValueDate, Period: r.Dates.Period}
	}
	if existed {
		out.Status = http.StatusOK
	}
	return out, nil
}
