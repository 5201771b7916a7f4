package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// DefaultRetention is how long evidence is kept where nobody says otherwise.
const DefaultRetention = domain.MinRetention

type eraseInput struct {
	Body struct {
		Channel string `json:"channel" doc:"Channel id"`
		OrderNo string `json:"order_no,omitempty" maxLength:"1024" doc:"The merchant's order number"`
		TradeNo string `json:"trade_no,omitempty" maxLength:"1024" doc:"The provider's number, for money without an order"`
		Reason  string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for auditors"`
		DryRun  bool   `json:"dry_run,omitempty" doc:"Verify, and say what would be erased; erase nothing"`
	}
}

// Erasure is what became of a payment's evidence.
type Erasure struct {
	Channel       string       `json:"channel" doc:"Channel id"`
	OrderNo       string       `json:"order_no" doc:"The merchant's order number"`
	Erased        bool         `json:"erased" doc:"False in a dry run, and where nothing was sealed any more"`
	Parts         []ErasedPart `json:"parts" doc:"The sealed parts, by revision of their events"`
	RetainedUntil *time.Time   `json:"retained_until,omitempty" doc:"When the retention period ended"`
}

// ErasedPart is one sealed part with the verdict of the last verification.
type ErasedPart struct {
	Revision uint64 `json:"revision" doc:"Of the event in the payment's stream"`
	SHA256   string `json:"sha256,omitempty" doc:"Of the evidence that was in it"`
	Grade    string `json:"grade,omitempty" doc:"Of that evidence"`
	Verdict  string `json:"verdict" doc:"verified, unverifiable or personal"`
	Why      string `json:"why,omitempty" doc:"Why it could not be verified"`
}

type erasureOutput struct{ Body Erasure }

type finishErasuresOutput struct {
	Body struct {
		Erasures int `json:"erasures" doc:"Erasures on record whose keys are gone now"`
	}
}

func (s *Server) registerErasures(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "erase-evidence", Method: http.MethodPost, Path: "/v1/erasures", Summary: "Erase a payment's evidence",
		Description: "Verifies every sealed part once more, records the erasure, and destroys the key. Hashes, amounts, proofs and " +
			"balances stay. Refused within the retention period, while anything about the payment is open, and where the evidence does not verify.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeAdmin, s.erase)
	operation(s, api, huma.Operation{
		OperationID: "finish-erasures", Method: http.MethodPost, Path: "/v1/erasures/finish", Summary: "Destroy keys that came back",
		Description: "Goes through all erasures on record and destroys keys that are there against them, as after keys were restored from a backup.",
	}, operations.ScopeAdmin, s.finishErasures)
}

func (s *Server) erase(ctx context.Context, in *eraseInput) (*erasureOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	ch, channel, err := s.allowedChannel(keyOf(ctx), b.Channel)
	if err != nil {
		return nil, err
	}
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	if b.OrderNo == "" && b.TradeNo == "" {
		return nil, domain.EField(domain.KindInvalid, "order_no", "name the order, or the trade of money without one")
	}
	f, err := s.Ledger.Erase(ctx, ch, b.OrderNo, b.TradeNo, ledger.Erasure{
		Person: who, Reason: b.Reason, Retention: s.cfg.Retention, Check: reverify(channel), Dry: b.DryRun,
	}, by)
	if err != nil {
		return nil, err
	}
	out := Erasure{Channel: string(ch), OrderNo: b.OrderNo, Erased: f != nil && !b.DryRun, Parts: []ErasedPart{}}
	if f != nil {
		out.RetainedUntil = &f.RetainedUntil
		for _, p := range f.Parts {
			out.Parts = append(out.Parts, ErasedPart{
				Revision: p.Revision, SHA256: p.SHA256, Grade: string(p.Grade), Verdict: string(p.Verdict), Why: p.Why,
			})
		}
	}
	return &erasureOutput{Body: out}, nil
}

// reverify verifies kept evidence with the channel's keys and holds what it says
// against what was kept.
func reverify(ch providers.Channel) func(context.Context, domain.PaymentNotified, domain.Evidence) (string, error) {
	return func(_ context.Context, f domain.PaymentNotified, e domain.Evidence) (why string, err error) {
		notices, err := ch.Reverify(e)
		switch {
		case err != nil && domain.KindOf(err) == domain.KindNotFound:
			return "the channel has another key now", nil
		case err != nil && domain.KindOf(err) == domain.KindDenied:
			return "its signature holds over what is encrypted", nil
		case err != nil:
			return "", domain.E(domain.KindCorrupt, "its evidence does not verify: %w", err)
		}
		was := f.Notice()
		same := func(n domain.Notice) bool {
			if n.OrderNo == "" {
				n.OrderNo = was.OrderNo
			}
			return providers.SameContent(n, was)
		}
		if !slices.ContainsFunc(notices, same) {
			return "", domain.E(domain.KindCorrupt, "its evidence says something else than the event")
		}
		return "", nil
	}
}

func (s *Server) finishErasures(ctx context.Context, _ *struct{}) (*finishErasuresOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	out := &finishErasuresOutput{}
	for after := eventstore.Position(0); ; {
		rows, err := s.Rows.Erasures(ctx, after, 200)
		if err != nil || len(rows) == 0 {
			return out, err
		}
		for _, r := range rows {
			f, ok := r.Fact.(domain.EvidenceErased)
			if !ok {
				return nil, domain.E(domain.KindCorrupt, "%s is listed as an erasure", r.Type)
			}
			if err := s.Ledger.FinishErasure(ctx, r.Stream, f); err != nil {
				return nil, err
			}
			after = r.Position
			out.Body.Erasures++
		}
	}
}
