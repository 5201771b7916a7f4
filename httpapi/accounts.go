package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

type balancesInput struct {
	Account     string    `path:"account"`
	AsOf        string    `query:"as_of_position" doc:"The balance as the log stood at this position"`
	AsOfTime    time.Time `query:"as_of_time" doc:"The balance as the log stood at this instant"`
	MinPosition string    `query:"min_position" doc:"Wait (2 s at most) until the projection has reached this position"`
	IfNoneMatch string    `header:"If-None-Match"`
}

// Balances are what an account has.
type Balances struct {
	Account  string              `json:"account"`
	Position eventstore.Position `json:"position" doc:"The position the answer holds for"`
	Balances []Money             `json:"balances" doc:"One per currency; empty for an account that never received money"`
}

type balancesOutput struct {
	ETag string `header:"ETag"`
	Body Balances
}

type entriesInput struct {
	Account  string `path:"account"`
	Currency string `query:"currency"`
	AsOf     string `query:"as_of_position"`
	Cursor   string `query:"cursor"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// Entry is one movement of an account.
type Entry struct {
	Position  eventstore.Position `json:"position"`
	EventID   string              `json:"event_id"`
	Type      string              `json:"type"`
	Payment   string              `json:"payment" doc:"Stream of the payment"`
	Amount    Money               `json:"amount" doc:"Positive: the account has more"`
	After     Money               `json:"after" doc:"Balance after it"`
	ValueDate string              `json:"value_date"`
	Recorded  time.Time           `json:"recorded_at"`
}

type entriesOutput struct {
	Body struct {
		Entries    []Entry `json:"entries"`
		NextCursor string  `json:"next_cursor,omitempty"`
		HasMore    bool    `json:"has_more"`
	}
}

func (s *Server) registerAccounts(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "show-balances", Method: http.MethodGet, Path: "/v1/accounts/{account}/balances",
		Summary:     "Show an account's balances",
		Description: "Money received for the account less refunds, disputes and corrections, per currency, now or as of a moment.",
	}, operations.ScopeBalancesRead, s.showBalances)
	operation(s, api, huma.Operation{
		OperationID: "list-entries", Method: http.MethodGet, Path: "/v1/accounts/{account}/entries",
		Summary: "List an account's movements", Description: "Newest first, with the balance after each.",
	}, operations.ScopeBalancesRead, s.listEntries)
}

// asOf reads the moment a query names; at most one may be given.
func asOf(position, minimum string, at time.Time) (projections.AsOf, error) {
	a := projections.AsOf{Time: at}
	given := 0
	for _, q := range []struct {
		name, value string
		into        *eventstore.Position
	}{{"as_of_position", position, &a.Position}, {"min_position", minimum, &a.Min}} {
		if q.value == "" {
			continue
		}
		p, err := eventstore.ParsePosition(q.value)
		if err != nil {
			return a, domain.EField(domain.KindInvalid, q.name, "%q is no position", q.value)
		}
		*q.into = p
		given++
	}
	if !at.IsZero() {
		given++
	}
	if given > 1 {
		return a, domain.EField(domain.KindInvalid, "as_of_position", "give one of as_of_position, as_of_time, min_position")
	}
	return a, nil
}

func (s *Server) account(ctx context.Context, text string) (domain.AccountID, error) {
	a, err := domain.ParseAccountID(text)
	if err != nil {
		return a, err
	}
	return a, allowAccount(keyOf(ctx), a)
}

func (s *Server) showBalances(ctx context.Context, in *balancesInput) (*balancesOutput, error) {
	account, err := s.account(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	at, err := asOf(in.AsOf, in.MinPosition, in.AsOfTime)
	if err != nil {
		return nil, err
	}
	rows, position, err := s.Rows.Balances(ctx, account, at)
	if err != nil {
		return nil, err
	}
	tag := etag(position)
	if in.IfNoneMatch == tag {
		return nil, huma.Status304NotModified()
	}
	out := &balancesOutput{ETag: tag, Body: Balances{
		Account: string(account), Position: position, Balances: make([]Money, len(rows)),
	}}
	for i, r := range rows {
		out.Body.Balances[i] = moneyOf(r.Amount)
	}
	return out, nil
}

func (s *Server) listEntries(ctx context.Context, in *entriesInput) (*entriesOutput, error) {
	account, err := s.account(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	f := projections.EntryFilter{Wallet: account, Limit: in.Limit + 1}
	if in.Currency != "" {
		if f.Currency, err = domain.ParseCurrency(in.Currency); err != nil {
			return nil, err
		}
	}
	at, err := asOf(in.AsOf, "", time.Time{})
	if err != nil {
		return nil, err
	}
	f.AsOf = at.Position
	if f.Before, err = parseCursor(in.Cursor); err != nil {
		return nil, err
	}
	rows, err := s.Rows.Entries(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &entriesOutput{}
	out.Body.Entries = []Entry{}
	if out.Body.HasMore = len(rows) > in.Limit; out.Body.HasMore {
		rows = rows[:in.Limit]
		last := rows[len(rows)-1]
		out.Body.NextCursor = last.Position.String() + "-" + strconv.Itoa(last.Leg)
	}
	for _, r := range rows {
		out.Body.Entries = append(out.Body.Entries, entry(r))
	}
	return out, nil
}

// entry shows a wallet's side: a wallet is a liability, so what the books
// credit the account has more.
func entry(r projections.Entry) Entry {
	return Entry{
		Position: r.Position, EventID: r.EventID.String(), Type: r.Type, Payment: string(r.Stream),
		Amount: moneyOf(r.Amount.Neg()), After: moneyOf(r.After.Neg()), ValueDate: r.ValueDate, Recorded: r.Recorded,
	}
}

// parseCursor reads "<position>-<leg>".
func parseCursor(s string) (projections.Cursor, error) {
	if s == "" {
		return projections.Cursor{}, nil
	}
	bad := domain.EField(domain.KindInvalid, "cursor", "%q was not given out by this API", s)
	position, leg, ok := strings.Cut(s, "-")
	if !ok {
		return projections.Cursor{}, bad
	}
	p, err := eventstore.ParsePosition(position)
	n, err2 := strconv.Atoi(leg)
	if err != nil || err2 != nil || n < 0 {
		return projections.Cursor{}, bad
	}
	return projections.Cursor{Position: p, Leg: n}, nil
}
