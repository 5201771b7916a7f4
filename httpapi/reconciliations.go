package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Run is one pass of the reconciler.
type Run struct {
	ID         string     `json:"id" doc:"Id of the run"`
	Kind       string     `json:"kind" doc:"sweep; or bill, a comparison with a bill, which /v1/reconciliations/bills shows whole"`
	State      string     `json:"state" doc:"running, complete, or incomplete when a provider did not answer"`
	StartedAt  time.Time  `json:"started_at" doc:"When it began"`
	EndedAt    *time.Time `json:"ended_at,omitempty" doc:"When it ended; absent while it runs"`
	Asked      int        `json:"asked" doc:"Questions put to providers"`
	Paid       int        `json:"paid" doc:"Answers that say paid"`
	Healed     int        `json:"healed" doc:"Credited though no callback had come"`
	Confirmed  int        `json:"confirmed" doc:"Held money that the provider confirmed"`
	Closed     int        `json:"closed" doc:"Payments closed because of the answers"`
	Unknown    int        `json:"unknown" doc:"Orders the provider does not know now; never taken for unpaid"`
	Unanswered int        `json:"unanswered" doc:"Questions without an answer"`
	Differing  int        `json:"differing" doc:"Differences found, other than heals"`
	Note       string     `json:"note,omitempty" doc:"For people"`
	Rows       int64      `json:"rows,omitempty" doc:"Lines of the bill read so far"`
	Progress   *Progress  `json:"progress,omitempty" doc:"How far a comparison has come, while it runs"`
}

type listRunsInput struct {
	Kind  string `query:"kind" enum:"sweep" doc:"Only of this kind"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows"`
}

type listRunsOutput struct {
	Body struct {
		Runs []Run `json:"runs" doc:"Newest first"`
	}
}

type runInput struct {
	ID string `path:"id" doc:"Id of the run"`
}

type runOutput struct{ Body Run }

func (s *Server) registerReconciliations(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-reconciliations", Method: http.MethodGet, Path: "/v1/reconciliations",
		Summary: "List reconciliation runs", Description: "The newest runs with what they asked, found and healed. Newest first.",
	}, operations.ScopeReconcile, s.listRuns)
	operation(s, api, huma.Operation{
		OperationID: "show-reconciliation", Method: http.MethodGet, Path: "/v1/reconciliations/{id}",
		Summary: "Show a reconciliation run", Description: "What one run asked, found and healed, and whether it is complete.",
		Errors: []int{http.StatusNotFound},
	}, operations.ScopeReconcile, s.showRun)
	operation(s, api, huma.Operation{
		OperationID: "run-reconciliation", Method: http.MethodPost, Path: "/v1/reconciliations",
		Summary:       "Sweep now",
		Description:   "Asks the providers about every payment that is due, and answers when the run has ended.",
		DefaultStatus: http.StatusCreated,
	}, operations.ScopeReconcile, s.runSweep)
}

func (s *Server) listRuns(ctx context.Context, in *listRunsInput) (*listRunsOutput, error) {
	rows, err := s.Ops.Runs(ctx, in.Kind, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listRunsOutput{}
	out.Body.Runs = make([]Run, len(rows))
	for i, r := range rows {
		out.Body.Runs[i] = runRow(r)
	}
	return out, nil
}

func (s *Server) showRun(ctx context.Context, in *runInput) (*runOutput, error) {
	if strings.HasPrefix(in.ID, "bill-") {
		b, err := s.showBill(ctx, in)
		if err != nil {
			return nil, err
		}
		return &runOutput{Body: runOfBill(b.Body)}, nil
	}
	r, err := s.Ops.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &runOutput{Body: runRow(r)}, nil
}

// runOfBill is a comparison with a bill in the form of every run.
func runOfBill(b BillRun) Run {
	return Run{
		ID: b.ID, Kind: "bill", State: b.State, StartedAt: b.StartedAt, EndedAt: b.EndedAt, Asked: int(b.Asked), Healed: int(b.Healed),
		Unanswered: int(b.Unanswered), Differing: int(b.Differing), Note: b.Note, Rows: b.Rows, Progress: b.Progress,
	}
}

func (s *Server) runSweep(ctx context.Context, _ *struct{}) (*runOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	if s.Sweep == nil {
		return nil, domain.E(domain.KindUnavailable, "this server has no reconciler")
	}
	r, err := s.Sweep(ctx)
	if err != nil {
		return nil, err
	}
	return &runOutput{Body: runRow(r)}, nil
}

func runRow(r operations.Run) Run {
	out := Run{
		ID: r.ID, Kind: r.Kind, State: string(r.State), StartedAt: r.StartedAt, Asked: r.Asked, Paid: r.Paid,
		Healed: r.Healed, Confirmed: r.Confirmed, Closed: r.Closed, Unknown: r.Unknown, Unanswered: r.Unanswered,
		Differing: r.Differing, Note: r.Note,
	}
	if !r.EndedAt.IsZero() {
		out.EndedAt = &r.EndedAt
	}
	return out
}
