package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// PeriodException is something that is not as it should be when a period is
// closed.
type PeriodException struct {
	Name   string `json:"name" doc:"run:<channel>:<day>:<bill>, discrepancy:<id> or balance:<channel>:<currency>"`
	What   string `json:"what" doc:"Why the run is not complete, the kind of the difference, or what the provider's balance and our book of it are"`
	Amount *Money `json:"amount,omitempty" doc:"How much it is about"`
}

// Closing is a proposal to close a period, and what became of it.
type Closing struct {
	ID          string              `json:"id" doc:"Names the proposal"`
	Period      string              `json:"period" doc:"YYYY-MM"`
	State       string              `json:"state" doc:"proposed, superseded, rejected or closed"`
	ProposedBy  string              `json:"proposed_by" doc:"The person who asks"`
	ProposedAt  time.Time           `json:"proposed_at" doc:"When"`
	Reason      string              `json:"reason" doc:"Why, in the proposer's words"`
	EffectiveAt time.Time           `json:"effective_at" doc:"From then on nothing is dated into the period"`
	ApproveFrom time.Time           `json:"approve_from" doc:"From then on it can be approved: its totals stand"`
	DecidedBy   string              `json:"decided_by,omitempty" doc:"The other person, who approved or rejected it"`
	DecidedAt   *time.Time          `json:"decided_at,omitempty" doc:"When"`
	Decision    string              `json:"decision,omitempty" doc:"Why, in that person's words"`
	Events      uint64              `json:"events" doc:"How many events the log had that the totals count"`
	Root        string              `json:"root,omitempty" doc:"Root of the proof tree over the first tree_size events, hex"`
	TreeSize    uint64              `json:"tree_size,omitempty" doc:"See root"`
	Totals      []BookTotal         `json:"totals" doc:"In order of book and currency; they sum to zero"`
	Incomplete  []PeriodException   `json:"incomplete" doc:"Runs that were accepted as they are"`
	Exceptions  int                 `json:"exceptions" doc:"Differences that were open"`
	Open        []PeriodException   `json:"open" doc:"The first of them"`
	Position    eventstore.Position `json:"position" doc:"Place of the proposal in the log"`
}

// BookTotal is a book over a period.
type BookTotal struct {
	Book     string `json:"book" doc:"E.g. assets:psp:epay-main; all wallets are one book"`
	Currency string `json:"currency" doc:"ISO 4217 code"`
	Opening  string `json:"opening" doc:"What it held before: + debit, - credit"`
	Moved    string `json:"moved" doc:"Closing less opening"`
	Closing  string `json:"closing" doc:"What it held at the end"`
}

// PeriodStatus is a period as it stands now.
type PeriodStatus struct {
	Period     string            `json:"period" doc:"YYYY-MM"`
	State      string            `json:"state" doc:"open, proposed or closed"`
	Books      []BookRow         `json:"books" doc:"Its trial balance now, in order of book and currency"`
	Sums       []BookSum         `json:"sums" doc:"What all books come to, by currency"`
	Incomplete []PeriodException `json:"incomplete" doc:"Runs of its days that are not complete: finish them, or close with them by name"`
	Exceptions int               `json:"exceptions" doc:"Differences that are open"`
	Open       []PeriodException `json:"open" doc:"The first of them"`
	Closings   []Closing         `json:"closings" doc:"Proposals to close it, newest first"`
}

type listPeriodsInput struct {
	Period string `query:"period" doc:"Only about this period, YYYY-MM"`
	State  string `query:"state" enum:"proposed,superseded,rejected,closed" doc:"Only in this state"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listPeriodsOutput struct {
	Body struct {
		Closings   []Closing `json:"closings" doc:"Newest first"`
		NextCursor string    `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool      `json:"has_more" doc:"There are older ones"`
	}
}

type periodInput struct {
	Period string `path:"period" doc:"YYYY-MM"`
}

type periodOutput struct{ Body PeriodStatus }

type closingOutput struct{ Body Closing }

type proposeCloseInput struct {
	Period string `path:"period" doc:"YYYY-MM"`
	Body   struct {
		Reason string   `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for the one who approves and for auditors"`
		Accept []string `json:"accept,omitempty" maxItems:"200" doc:"Names of incomplete runs to close with; run:<channel> stands for all of a channel"`

		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one the proposal is your API key's word, and refused if you have a key"`
	}
}

type approveCloseInput struct {
	Period string `path:"period" doc:"YYYY-MM"`
	Body   struct {
		Reason    string     `json:"reason,omitempty" maxLength:"2000" doc:"Why"`
		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one the approval is your API key's word, and refused if you have a key"`
	}
}

type closeStatementInput struct {
	Period   string `path:"period" doc:"YYYY-MM"`
	Decision string `query:"decision" enum:"propose,approve" required:"true" doc:"What is to be signed"`
}

// CloseStatementParts is what binds a signature to one proposal.
type CloseStatementParts struct {
	Ledger   string `json:"ledger" doc:"Id of the ledger"`
	Proposal string `json:"proposal" doc:"Id of the proposal; of the next one, where it is to be proposed"`
	Leaf     string `json:"leaf,omitempty" doc:"Leaf hash of the proposal's event, hex; absent where it is to be proposed"`
	Person   string `json:"person" doc:"Who you are here"`
}

type closeStatementOutput struct{ Body CloseStatementParts }

type rejectCloseInput struct {
	Period string `path:"period" doc:"YYYY-MM"`
	Body   struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why; it needs one"`
	}
}

func (s *Server) registerPeriods(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-periods", Method: http.MethodGet, Path: "/v1/periods", Summary: "List proposals to close periods",
		Description: "Which periods people proposed to close, and what became of it. Newest first.",
	}, operations.ScopeReconcile, s.listPeriods)
	operation(s, api, huma.Operation{
		OperationID: "show-period", Method: http.MethodGet, Path: "/v1/periods/{period}", Summary: "Show a period",
		Description: "What a period opened with, moved and holds, what stands in the way of closing it, and who proposed what.",
	}, operations.ScopeReconcile, s.showPeriod)
	operation(s, api, huma.Operation{
		OperationID: "propose-period-close", Method: http.MethodPost, Path: "/v1/periods/{period}/propose", Summary: "Propose to close a period",
		Description: "Asks for a second person's approval. It is held against the rules at once: the period is over in every zone, " +
			"all before it are closed, its runs are complete or accepted by name, the books balance. Soon after, nothing is dated " +
			"into the period any more. Proposing the same again changes nothing; with newer totals it replaces one's own proposal.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, operations.ScopeCorrections, s.proposeClose)
	operation(s, api, huma.Operation{
		OperationID: "approve-period-close", Method: http.MethodPost, Path: "/v1/periods/{period}/approve", Summary: "Close a period",
		Description: "The second person's yes: the period is closed for ever, with the totals that were proposed. It must be another " +
			"person than the proposer, and no service's key. Approving again changes nothing.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.approveClose)
	operation(s, api, huma.Operation{
		OperationID: "reject-period-close", Method: http.MethodPost, Path: "/v1/periods/{period}/reject", Summary: "Reject a proposal to close a period",
		Description: "Ends a proposal: the second person's no, or the proposer's own withdrawal. The period stays open.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeCorrections, s.rejectClose)
	operation(s, api, huma.Operation{
		OperationID: "period-close-statement", Method: http.MethodGet, Path: "/v1/periods/{period}/statement", Summary: "What a close of a period signs",
		Description: "The parts of the statement that the period and its proposal do not show. Make the statement yourself, out of what you saw.",
		Errors:      []int{http.StatusNotFound},
	}, operations.ScopeCorrections, s.closeStatement)
}

func (s *Server) closeStatement(ctx context.Context, in *closeStatementInput) (*closeStatementOutput, error) {
	who, _, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	period, err := domain.ParsePeriod(in.Period)
	if err != nil {
		return nil, err
	}
	have, err := s.Ledger.Periods(ctx)
	if err != nil {
		return nil, err
	}
	out := CloseStatementParts{Ledger: s.Ledger.ID().String(), Proposal: have.NextClosing(s.Ledger.ID(), period).String(), Person: who}
	if in.Decision == "propose" {
		return &closeStatementOutput{Body: out}, nil
	}
	q, _ := have.Proposal(period)
	_, leaf, err := s.Ledger.ProposedClose(ctx, q.Ask.Proposal)
	out.Proposal, out.Leaf = q.Ask.Proposal.String(), hex.EncodeToString(leaf[:])
	return &closeStatementOutput{Body: out}, err
}

func (s *Server) listPeriods(ctx context.Context, in *listPeriodsInput) (*listPeriodsOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	before, err := positionCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows.Periods(ctx, projections.PeriodFilter{
		Period: in.Period, State: domain.PeriodState(in.State), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listPeriodsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Period) string { return r.Position.String() })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Closings = rowsOf(rows, closingRow)
	return out, nil
}

func (s *Server) showPeriod(ctx context.Context, in *periodInput) (*periodOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	period, err := domain.ParsePeriod(in.Period)
	if err != nil {
		return nil, err
	}
	t, err := s.Rows.Trial(ctx, projections.TrialFilter{Period: period})
	if err != nil {
		return nil, err
	}
	out := &periodOutput{Body: PeriodStatus{Period: period, State: "open", Books: bookRows(t.Rows)}}
	if out.Body.Sums, err = bookSums(t.Rows); err != nil {
		return nil, err
	}
	incomplete, err := s.incompleteRuns(ctx, period)
	if err != nil {
		return nil, err
	}
	count, open, err := s.exceptionsOf(ctx, period, t.Totals())
	if err != nil {
		return nil, err
	}
	out.Body.Incomplete, out.Body.Exceptions, out.Body.Open = exceptions(incomplete), count, exceptions(open)
	rows, err := s.Rows.Periods(ctx, projections.PeriodFilter{Period: period, Limit: maxNamed})
	out.Body.Closings = rowsOf(rows, closingRow)
	if len(rows) > 0 && (rows[0].State == domain.PeriodShut || rows[0].State == domain.PeriodProposed) {
		out.Body.State = string(rows[0].State)
	}
	return out, err
}

func (s *Server) proposeClose(ctx context.Context, in *proposeCloseInput) (*closingOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	period, err := domain.ParsePeriod(in.Period)
	if err != nil {
		return nil, err
	}
	q := domain.CloseAsk{Period: period, Reason: in.Body.Reason, By: who, Accept: in.Body.Accept}
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	_, at, err := s.Ledger.ProposeClose(ctx, q, sig, s.closeBasis(period), by)
	if err != nil {
		return nil, err
	}
	return s.newestClosing(ctx, period, at)
}

func (s *Server) approveClose(ctx context.Context, in *approveCloseInput) (*closingOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	period, err := domain.ParsePeriod(in.Period)
	if err != nil {
		return nil, err
	}
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	at, err := s.Ledger.ApproveClose(ctx, period, who, in.Body.Reason, sig, s.closeBasis(period), by)
	if err != nil {
		return nil, err
	}
	return s.newestClosing(ctx, period, at)
}

func (s *Server) rejectClose(ctx context.Context, in *rejectCloseInput) (*closingOutput, error) {
	who, by, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	at, err := s.Ledger.RejectClose(ctx, in.Period, who, in.Body.Reason, by)
	if err != nil {
		return nil, err
	}
	return s.newestClosing(ctx, in.Period, at)
}

// newestClosing is the newest proposal about a period, as of position at.
func (s *Server) newestClosing(ctx context.Context, period string, at eventstore.Position) (*closingOutput, error) {
	if at > 0 {
		if err := s.Rows.Wait(ctx, at); err != nil {
			return nil, err
		}
	}
	rows, err := s.Rows.Periods(ctx, projections.PeriodFilter{Period: period, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, domain.E(domain.KindUnavailable, "the proposal is kept, but not to be seen yet")
	}
	return &closingOutput{Body: closingRow(rows[0])}, nil
}

func closingRow(p projections.Period) Closing {
	b := p.Ask.Basis
	if p.Closed != nil {
		b = p.Closed.Basis
	}
	out := Closing{
		ID: p.Ask.Proposal.String(), Period: p.Ask.Period, State: string(p.State), ProposedBy: p.Ask.By, ProposedAt: p.ProposedAt,
		Reason: p.Ask.Reason, EffectiveAt: p.Ask.EffectiveAt, ApproveFrom: p.Ask.EffectiveAt.Add(domain.PeriodSettle),
		DecidedBy: p.DecidedBy, DecidedAt: optionalTime(p.DecidedAt), Decision: p.Reason, Events: b.Events, Root: b.Root, TreeSize: b.Tree,
		Totals: make([]BookTotal, len(b.Totals)), Incomplete: exceptions(b.Incomplete), Exceptions: b.Exceptions, Open: exceptions(b.Open),
		Position: p.Position,
	}
	for i, t := range b.Totals {
		moved, err := t.Closing.Sub(t.Opening)
		if err != nil { // beyond the range of money: the two sides say it
			moved = domain.NewMoney(0, t.Closing.Currency())
		}
		out.Totals[i] = BookTotal{
			Book: t.Book, Currency: string(t.Closing.Currency()), Opening: t.Opening.Amount(), Moved: moved.Amount(), Closing: t.Closing.Amount(),
		}
	}
	return out
}

func exceptions(xs []domain.PeriodException) []PeriodException {
	out := make([]PeriodException, len(xs))
	for i, x := range xs {
		out[i] = PeriodException{Name: x.Name, What: x.What, Amount: optionalMoney(x.Amount)}
	}
	return out
}
