package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
)

// PolicyChange is a change of a channel's settings that loosens its policy.
type PolicyChange struct {
	ID          string     `json:"id" doc:"Names the change"`
	Channel     string     `json:"channel" doc:"Channel id"`
	State       string     `json:"state" doc:"waiting, approved (a daemon puts it in force at its next look), in_force or rejected"`
	Loosens     []string   `json:"loosens" doc:"What is not in force without two persons, in words"`
	Differences []string   `json:"differences" doc:"All that the change changes; secrets only by fingerprint"`
	Hash        string     `json:"hash" doc:"SHA-256 of the settings asked for"`
	Base        uint64     `json:"base" doc:"Revision of the settings it changes"`
	By          string     `json:"by" doc:"The process that was configured so"`
	AskedAt     time.Time  `json:"asked_at" doc:"When"`
	Approved    []Decision `json:"approved" doc:"The persons who said yes"`
	Rejected    *Decision  `json:"rejected,omitempty" doc:"The person who said no"`
}

// Decision is one person's word.
type Decision struct {
	By     string `json:"by" doc:"The person"`
	Reason string `json:"reason,omitempty" doc:"Why, in the person's words"`
}

type listPoliciesInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	State   string `query:"state" enum:"waiting,approved,in_force,rejected" doc:"Only in this state"`
}

type listPoliciesOutput struct {
	Body struct {
		Changes []PolicyChange `json:"changes" doc:"By channel, the newest first"`
	}
}

type approvePolicyInput struct {
	ID   string `path:"id" doc:"Id of the change"`
	Body struct {
		Reason    string     `json:"reason,omitempty" maxLength:"2000" doc:"Why"`
		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one the approval is your API key's word, and refused if you have a key"`
	}
}

type policyStatementInput struct {
	ID string `path:"id" doc:"Id of the change"`
}

type policyOutput struct{ Body PolicyChange }

func (s *Server) registerConfig(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-config", Method: http.MethodGet, Path: "/v1/config", Summary: "List changes that loosen a policy",
		Description: "A daemon that is configured with a looser policy of a channel goes on with the old one until two different " +
			"persons approved the change; here is what waits, and what became of the others.",
	}, operations.ScopeCorrections, s.listPolicies)
	operation(s, api, huma.Operation{
		OperationID: "approve-config", Method: http.MethodPost, Path: "/v1/config/{id}/approve", Summary: "Approve a looser policy",
		Description: "A person's yes, never a service's. With the second different person's it is in force, in this process when the " +
			"answer comes and in others within seconds. Approving again changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.approvePolicy)
	operation(s, api, huma.Operation{
		OperationID: "reject-config", Method: http.MethodPost, Path: "/v1/config/{id}/reject", Summary: "Reject a looser policy",
		Description: "Ends it: these settings are not in force, until they are asked for behind other ones. It takes a reason.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.rejectPolicy)
	operation(s, api, huma.Operation{
		OperationID: "config-statement", Method: http.MethodGet, Path: "/v1/config/{id}/statement", Summary: "What the approval of a looser policy signs",
		Description: "The parts of the statement that the change itself does not show. Make the statement yourself, out of what you saw and approve.",
		Errors:      []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.policyStatement)
}

func (s *Server) listPolicies(ctx context.Context, in *listPoliciesInput) (*listPoliciesOutput, error) {
	out := &listPoliciesOutput{}
	out.Body.Changes = []PolicyChange{}
	for _, ch := range slices.Sorted(maps.Keys(s.Channels)) {
		if in.Channel != "" && string(ch) != in.Channel || allowBooks(keyOf(ctx), ch) != nil {
			continue
		}
		all, err := s.Ledger.Policies(ctx, ch)
		if err != nil {
			return nil, err
		}
		for _, q := range slices.Backward(all) {
			if in.State == "" || string(q.State) == in.State {
				out.Body.Changes = append(out.Body.Changes, policyChange(q))
			}
		}
	}
	return out, nil
}

func (s *Server) approvePolicy(ctx context.Context, in *approvePolicyInput) (*policyOutput, error) {
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	return s.decidePolicy(ctx, in.ID, func(q asked, by ledger.By) (domain.PolicyProposal, error) {
		return s.Ledger.ApprovePolicy(ctx, q.channel, q.id, q.person, in.Body.Reason, sig, by)
	})
}

func (s *Server) rejectPolicy(ctx context.Context, in *decideInput) (*policyOutput, error) {
	return s.decidePolicy(ctx, in.ID, func(q asked, by ledger.By) (domain.PolicyProposal, error) {
		return s.Ledger.RejectPolicy(ctx, q.channel, q.id, q.person, in.Body.Reason, by)
	})
}

func (s *Server) policyStatement(ctx context.Context, in *policyStatementInput) (*statementOutput, error) {
	q, _, err := s.policyFor(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	_, leaf, err := s.Ledger.ProposedPolicy(ctx, q.channel, q.id)
	if err != nil {
		return nil, err
	}
	return s.parts(domain.PolicyStream(q.channel), leaf, q.person), nil
}

// policyFor is the change of an id, which a person may decide on.
func (s *Server) policyFor(ctx context.Context, id string) (q asked, by ledger.By, err error) {
	if q.person, by, err = person(ctx); err != nil {
		return q, by, err
	}
	if q.id, err = domain.ParseID(id); err != nil {
		return q, by, inField("id", err)
	}
	q.channel, err = s.channelOfPolicy(ctx, q.id)
	return q, by, err
}

func (s *Server) decidePolicy(
	ctx context.Context, id string, do func(q asked, by ledger.By) (domain.PolicyProposal, error),
) (*policyOutput, error) {
	q, by, err := s.policyFor(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := do(q, by)
	if err != nil {
		return nil, err
	}
	return &policyOutput{Body: policyChange(p)}, nil
}

// channelOfPolicy finds the channel of a change that the key may decide about.
func (s *Server) channelOfPolicy(ctx context.Context, id domain.ID) (domain.ChannelID, error) {
	for ch := range s.Channels {
		all, err := s.Ledger.Policies(ctx, ch)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(all, func(q domain.PolicyProposal) bool { return q.Ask.Proposal == id }) {
			return ch, allowBooks(keyOf(ctx), ch)
		}
	}
	return "", domain.E(domain.KindNotFound, "no settings wait under the id %s", id)
}

func policyChange(q domain.PolicyProposal) PolicyChange {
	out := PolicyChange{
		ID: q.Ask.Proposal.String(), Channel: string(q.Ask.Channel), State: string(q.State), Loosens: q.Ask.Loosens,
		Differences: q.Ask.Differences, Hash: q.Ask.Hash, Base: q.Ask.Base, By: q.Ask.By, AskedAt: q.AskedAt,
		Approved: make([]Decision, len(q.Approved)),
	}
	for i, a := range q.Approved {
		out.Approved[i] = Decision{By: a.By, Reason: a.Reason}
	}
	if q.State == domain.PolicyRejected {
		out.Rejected = &Decision{By: q.Rejected.By, Reason: q.Rejected.Reason}
	}
	return out
}
