package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// OpeningWallet is what an account had before these books.
type OpeningWallet struct {
	Account string `json:"account" doc:"The account"`
	Amount  Money  `json:"amount" doc:"What it had"`
}

// Opening is what a channel and its accounts had before these books, as
// proposed, and what became of it.
type Opening struct {
	ID         string          `json:"id" doc:"Names the proposal"`
	Channel    string          `json:"channel" doc:"Channel id"`
	Day        string          `json:"day" doc:"At whose end they had it, YYYY-MM-DD in the channel's zone"`
	Balance    []Money         `json:"balance" doc:"At the provider, one amount a currency"`
	Wallets    []OpeningWallet `json:"wallets" doc:"What accounts had"`
	State      string          `json:"state" doc:"proposed, issued or rejected"`
	ProposedBy string          `json:"proposed_by" doc:"The person who asks"`
	Reason     string          `json:"reason" doc:"Why, in the proposer's words"`
	DecidedBy  string          `json:"decided_by,omitempty" doc:"The other person, who approved or rejected it"`
	Decision   string          `json:"decision,omitempty" doc:"Why, in that person's words"`
}

type proposeOpeningInput struct {
	Body struct {
		Channel string          `json:"channel" doc:"Channel id"`
		Day     string          `json:"day" doc:"At whose end they had it, YYYY-MM-DD in the channel's zone"`
		Balance []Money         `json:"balance,omitempty" maxItems:"50" doc:"What the provider held, one amount a currency"`
		Wallets []OpeningWallet `json:"wallets,omitempty" maxItems:"400" doc:"What accounts had; more take several openings"`
		Reason  string          `json:"reason" minLength:"1" maxLength:"2000" doc:"Where the figures come from, for the one who approves and for auditors"`
	}
}

type listOpeningsInput struct {
	Channel string `query:"channel" required:"true" doc:"The channel"`
}

type listOpeningsOutput struct {
	Body struct {
		Openings []Opening `json:"openings" doc:"Newest first; there are few"`
	}
}

type decideOpeningInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	ID      string `path:"id" doc:"Id of the opening"`
	Body    struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why; a rejection needs it"`
	}
}

type approveOpeningInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	ID      string `path:"id" doc:"Id of the opening"`
	Body    struct {
		Reason    string     `json:"reason,omitempty" maxLength:"2000" doc:"Why"`
		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one the approval is your API key's word, and refused if you have a key"`
	}
}

type openingStatementInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	ID      string `path:"id" doc:"Id of the opening"`
}

type openingOutput struct{ Body Opening }

func (s *Server) registerOpenings(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "propose-opening", Method: http.MethodPost, Path: "/v1/openings", Summary: "Propose an opening balance",
		Description: "Asks for a second person's approval of what a channel and its accounts had before these books. Nothing is " +
			"booked yet. Proposing the same again changes nothing; what is booked already is a conflict.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.proposeOpening)
	operation(s, api, huma.Operation{
		OperationID: "list-openings", Method: http.MethodGet, Path: "/v1/openings", Summary: "List a channel's opening balances",
		Description: "What people proposed that a channel began with, and what became of it. Newest first.",
	}, operations.ScopeCorrections, s.listOpenings)
	operation(s, api, huma.Operation{
		OperationID: "approve-opening", Method: http.MethodPost, Path: "/v1/openings/{channel}/{id}/approve", Summary: "Book an opening balance",
		Description: "The second person's yes: the balance at the provider and the accounts' money are booked, the rest in " +
			"equity:opening. It must be another person than the proposer, and no service's key. Approving again changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.approveOpening)
	operation(s, api, huma.Operation{
		OperationID: "reject-opening", Method: http.MethodPost, Path: "/v1/openings/{channel}/{id}/reject", Summary: "Reject an opening balance",
		Description: "Ends a proposal: the second person's no, or the proposer's own withdrawal.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.rejectOpening)
	operation(s, api, huma.Operation{
		OperationID: "opening-statement", Method: http.MethodGet, Path: "/v1/openings/{channel}/{id}/statement",
		Summary:     "What the approval of an opening balance signs",
		Description: "The parts of the statement that the opening itself does not show. Make the statement yourself, out of what you saw and approve.",
		Errors:      []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.openingStatement)
}

func (s *Server) proposeOpening(ctx context.Context, in *proposeOpeningInput) (*openingOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	ch, _, err := s.allowedChannel(keyOf(ctx), in.Body.Channel)
	if err != nil {
		return nil, err
	}
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	q := domain.OpeningAsk{Day: domain.Day(in.Body.Day), Reason: in.Body.Reason, By: who}
	for _, m := range in.Body.Balance {
		amount, err := domain.ParseMoney(m.Amount, domain.Currency(m.Currency))
		if err != nil {
			return nil, inField("balance", err)
		}
		q.Balance = append(q.Balance, amount)
	}
	for _, w := range in.Body.Wallets {
		amount, err := domain.ParseMoney(w.Amount.Amount, domain.Currency(w.Amount.Currency))
		if err != nil {
			return nil, inField("wallets", err)
		}
		q.Wallets = append(q.Wallets, domain.OpeningWallet{Account: domain.AccountID(w.Account), Amount: amount})
	}
	p, _, err := s.Ledger.ProposeOpening(ctx, ch, q, by)
	if err != nil {
		return nil, err
	}
	return &openingOutput{Body: openingRow(p)}, nil
}

func (s *Server) listOpenings(ctx context.Context, in *listOpeningsInput) (*listOpeningsOutput, error) {
	ch, _, err := s.allowedChannel(keyOf(ctx), in.Channel)
	if err != nil {
		return nil, err
	}
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	o, err := s.Ledger.Openings(ctx, ch)
	if err != nil {
		return nil, err
	}
	out := &listOpeningsOutput{}
	out.Body.Openings = []Opening{}
	for _, p := range slices.Backward(o.Proposals) {
		out.Body.Openings = append(out.Body.Openings, openingRow(p))
	}
	return out, nil
}

func (s *Server) approveOpening(ctx context.Context, in *approveOpeningInput) (*openingOutput, error) {
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	return s.decideOpening(ctx, in.Channel, in.ID, func(q asked, by ledger.By) (eventstore.Position, error) {
		return s.Ledger.ApproveOpening(ctx, q.channel, q.id, q.person, in.Body.Reason, sig, by)
	})
}

func (s *Server) rejectOpening(ctx context.Context, in *decideOpeningInput) (*openingOutput, error) {
	return s.decideOpening(ctx, in.Channel, in.ID, func(q asked, by ledger.By) (eventstore.Position, error) {
		return s.Ledger.RejectOpening(ctx, q.channel, q.id, q.person, in.Body.Reason, by)
	})
}

func (s *Server) openingStatement(ctx context.Context, in *openingStatementInput) (*statementOutput, error) {
	q, _, err := s.openingFor(ctx, in.Channel, in.ID)
	if err != nil {
		return nil, err
	}
	_, leaf, err := s.Ledger.ProposedOpening(ctx, q.channel, q.id)
	if err != nil {
		return nil, err
	}
	return s.parts(domain.OpeningStream(q.channel), leaf, q.person), nil
}

// asked is a proposal on a channel that a person may decide on.
type asked struct {
	channel domain.ChannelID
	id      domain.ID
	person  string
}

func (s *Server) openingFor(ctx context.Context, channel, id string) (q asked, by ledger.By, err error) {
	if q.person, by, err = person(ctx); err != nil {
		return q, by, err
	}
	if q.channel, _, err = s.allowedChannel(keyOf(ctx), channel); err != nil {
		return q, by, err
	}
	if err := allowBooks(keyOf(ctx), q.channel); err != nil {
		return q, by, err
	}
	if q.id, err = domain.ParseID(id); err != nil {
		return q, by, inField("id", err)
	}
	return q, by, nil
}

func (s *Server) decideOpening(
	ctx context.Context, channel, id string, do func(q asked, by ledger.By) (eventstore.Position, error),
) (*openingOutput, error) {
	q, by, err := s.openingFor(ctx, channel, id)
	if err != nil {
		return nil, err
	}
	at, err := do(q, by)
	if err != nil {
		return nil, err
	}
	if at > 0 {
		if err := s.Rows.Wait(ctx, at); err != nil {
			return nil, err
		}
	}
	o, err := s.Ledger.Openings(ctx, q.channel)
	for _, p := range o.Proposals {
		if p.Ask.Proposal == q.id {
			return &openingOutput{Body: openingRow(p)}, err
		}
	}
	return nil, err
}

func openingRow(p domain.OpeningProposal) Opening {
	out := Opening{
		ID: p.Ask.Proposal.String(), Channel: string(p.Ask.Channel), Day: string(p.Ask.Day), Balance: make([]Money, len(p.Ask.Balance)),
		Wallets: make([]OpeningWallet, len(p.Ask.Wallets)), State: string(p.State), ProposedBy: p.Ask.By, Reason: p.Ask.Reason,
		DecidedBy: p.DecidedBy, Decision: p.Reason,
	}
	for i, m := range p.Ask.Balance {
		out.Balance[i] = moneyOf(m)
	}
	for i, w := range p.Ask.Wallets {
		out.Wallets[i] = OpeningWallet{Account: string(w.Account), Amount: moneyOf(w.Amount)}
	}
	return out
}
