package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Receivables are what accounts owe.
type Receivables struct {
	Position eventstore.Position `json:"position" doc:"Place in the log that the answer holds for"`
	Count    int                 `json:"count" doc:"Accounts below zero, once for each currency"`
	Totals   []Money             `json:"totals" doc:"What all of them owe, by currency; positive"`
	Accounts []Owing             `json:"accounts" doc:"By currency, those that owe most first"`
}

// Owing is an account below zero.
type Owing struct {
	Account  string              `json:"account" doc:"The wallet"`
	Balance  Money               `json:"balance" doc:"What it has, below zero"`
	Position eventstore.Position `json:"position" doc:"Place of its last entry in the log"`
}

type receivablesInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most accounts in the answer; count and totals are of all"`
}

type receivablesOutput struct{ Body Receivables }

func (s *Server) registerReceivables(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-receivables", Method: http.MethodGet, Path: "/v1/receivables", Summary: "List accounts below zero",
		Description: "Accounts that were refunded after they had spent, or that spent more than they had: what they owe. Money that " +
			"tries a channel is left out. Looks at every account: for people, not for each request. The key must not be limited to " +
			"channels or accounts.",
	}, operations.ScopeBalancesRead, s.listReceivables)
}

func (s *Server) listReceivables(ctx context.Context, in *receivablesInput) (*receivablesOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	r, err := s.Rows.Receivables(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	return &receivablesOutput{Body: Receivables{
		Position: r.Position, Count: r.Count, Totals: rowsOf(r.Totals, moneyOf),
		Accounts: rowsOf(r.Accounts, func(b projections.Balance) Owing {
			return Owing{Account: string(b.Account), Balance: moneyOf(b.Amount), Position: b.Position}
		}),
	}}, nil
}
