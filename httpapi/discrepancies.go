package httpapi

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/reconcile"
)

// Discrepancy is one item in which the books and a bill, or the provider's word
// on a single order, do not agree.
type Discrepancy struct {
	ID         string     `json:"id" doc:"The same difference found again has the same id"`
	Channel    string     `json:"channel" doc:"Channel id"`
	Day        string     `json:"day" doc:"Day of the bill that first showed it"`
	Bill       string     `json:"bill" doc:"Kind of that bill; order for what a single order shows, in its callbacks or the provider's answers"`
	Kind       string     `json:"kind" doc:"missing_credit, only_ours, only_theirs, amount_mismatch, …"`
	State      string     `json:"state" doc:"open or resolved"`
	Item       string     `json:"item" doc:"payment, refund, refund_failed, dispute_withdrawn, …"`
	OrderNo    string     `json:"order_no,omitempty" doc:"The merchant's order number"`
	TradeNo    string     `json:"trade_no,omitempty" doc:"The provider's number of the payment"`
	Ref        string     `json:"ref,omitempty" doc:"Number of the refund or dispute; of a line that names no payment, its own"`
	Ours       *Money     `json:"ours,omitempty" doc:"The amount in our books; absent where they have none"`
	Theirs     *Money     `json:"theirs,omitempty" doc:"The amount on the bill; absent where it has none"`
	Delta      *Money     `json:"delta,omitempty" doc:"What the bill has more than we"`
	OurState   string     `json:"our_state,omitempty" doc:"Where the money stands with us"`
	TheirState string     `json:"their_state,omitempty" doc:"The provider's own word"`
	OurDay     string     `json:"our_day,omitempty" doc:"Our book day"`
	At         *time.Time `json:"at,omitempty" doc:"When it happened"`
	Row        int        `json:"row,omitempty" doc:"Line in the bill"`
	Note       string     `json:"note,omitempty" doc:"For people"`
	FoundRun   string     `json:"found_run" doc:"The comparison that found it"`
	FoundAt    time.Time  `json:"found_at" doc:"When it was found"`
	SeenRun    string     `json:"seen_run" doc:"The last comparison that saw it"`
	AskedBy    string     `json:"asked_by,omitempty" doc:"The first of the two persons it takes to set it aside"`
	Asked      string     `json:"asked,omitempty" doc:"Why, in that person's words"`
	AskedAt    *time.Time `json:"asked_at,omitempty" doc:"When that was said"`
	ResolvedBy string     `json:"resolved_by,omitempty" doc:"A comparison, or a person"`
	ResolvedAt *time.Time `json:"resolved_at,omitempty" doc:"When it was resolved"`
	Resolution string     `json:"resolution,omitempty" doc:"How it was resolved"`
}

type listDiscrepanciesInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	Bill    string `query:"bill" enum:"trade,fund_flow,answers,order" doc:"Only first shown by this kind of bill; order: by a single order, in its callbacks or the provider's answers"`
	Kind    string `query:"kind" doc:"Only of this kind"`
	State   string `query:"state" enum:"open,resolved" doc:"Only in this state"`
	Day     string `query:"day" doc:"Only first shown by the bill of this day, YYYY-MM-DD"`
	From    string `query:"from" doc:"Only first shown by the bill of this day or a later one"`
	To      string `query:"to" doc:"Only first shown by the bill of this day or an earlier one"`
	OrderNo string `query:"order_no" doc:"Only about this order"`
	TradeNo string `query:"trade_no" doc:"Only about money under this number"`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listDiscrepanciesOutput struct {
	Body struct {
		Discrepancies []Discrepancy `json:"discrepancies" doc:"Newest first"`
		NextCursor    string        `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore       bool          `json:"has_more" doc:"There are older ones"`
	}
}

type discrepancyInput struct {
	ID string `path:"id" doc:"Id of the discrepancy"`
}

type resolveInput struct {
	ID   string `path:"id" doc:"Id of the discrepancy"`
	Body struct {
		Reason    string     `json:"reason" minLength:"1" maxLength:"200" doc:"Why it needs nothing more, for people"`
		Signature *Signature `json:"signature,omitempty" doc:"With your own key; without one it is your API key's word, and refused if you have a key"`
	}
}

// AsideStatementParts is what binds a person's word about a difference to that
// difference and to what was said of it before.
type AsideStatementParts struct {
	Ledger   string `json:"ledger" doc:"Id of the ledger"`
	Stream   string `json:"stream" doc:"Stream of the channel's book day"`
	Proposal string `json:"proposal" doc:"Id of the first person's word; of yours, if you are the first or the only one"`
	Leaf     string `json:"leaf,omitempty" doc:"Leaf hash of the first person's event, hex; absent if you are the first or the only one"`
	AskedBy  string `json:"asked_by,omitempty" doc:"The first person, if you are the second"`
	Person   string `json:"person" doc:"Who you are here"`
}

type asideStatementOutput struct{ Body AsideStatementParts }

type discrepancyOutput struct{ Body Discrepancy }

func (s *Server) registerDiscrepancies(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-discrepancies", Method: http.MethodGet, Path: "/v1/discrepancies", Summary: "List discrepancies",
		Description: "Items in which our books and a provider's bill, or its word on a single order, do not agree. Newest first.",
	}, operations.ScopeReconcile, s.listDiscrepancies)
	operation(s, api, huma.Operation{
		OperationID: "show-discrepancy", Method: http.MethodGet, Path: "/v1/discrepancies/{id}", Summary: "Show a discrepancy",
		Description: "What we have, what the bill has, and what became of it.", Errors: []int{http.StatusNotFound},
	}, operations.ScopeReconcile, s.showDiscrepancy)
	operation(s, api, huma.Operation{
		OperationID: "resolve-discrepancy", Method: http.MethodPost, Path: "/v1/discrepancies/{id}/resolve", Summary: "Set a discrepancy aside",
		Description: "A person's word that it needs nothing more. It moves no money, and a comparison that sees the same " +
			"difference again does not open it; one that sees other amounts does. Keys of services cannot do it. A difference " +
			"that may stand for money takes two persons: the first one's word is kept as `asked_by`, and it stays open until " +
			"another person says the same of it. If its amounts changed meanwhile, that is a first word again.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeReconcile, s.resolveDiscrepancy)
	operation(s, api, huma.Operation{
		OperationID: "discrepancy-statement", Method: http.MethodGet, Path: "/v1/discrepancies/{id}/statement", Summary: "What setting a discrepancy aside signs",
		Description: "The parts of the statement that the discrepancy itself does not show. Make the statement yourself, out of what you saw.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeReconcile, s.asideStatement)
}

func (s *Server) listDiscrepancies(ctx context.Context, in *listDiscrepanciesInput) (*listDiscrepanciesOutput, error) {
	if err := allowBooks(keyOf(ctx), domain.ChannelID(in.Channel)); err != nil {
		return nil, err
	}
	before, err := seqCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Bills.Discrepancies(ctx, operations.DiscrepancyFilter{
		Channel: domain.ChannelID(in.Channel), Bill: in.Bill, Kind: domain.DiscrepancyKind(in.Kind),
		State: operations.DiscrepancyState(in.State), Day: domain.Day(in.Day), From: domain.Day(in.From), To: domain.Day(in.To),
		OrderNo: in.OrderNo, TradeNo: in.TradeNo, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listDiscrepanciesOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r operations.Discrepancy) string { return seqText(r.Seq) })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Discrepancies = rowsOf(rows, discrepancyRow)
	return out, nil
}

// allowedDiscrepancy reads a discrepancy, if the key may see it.
func (s *Server) allowedDiscrepancy(ctx context.Context, text string) (operations.Discrepancy, error) {
	id, err := domain.ParseID(text)
	if err != nil {
		return operations.Discrepancy{}, inField("id", err)
	}
	d, err := s.Bills.Discrepancy(ctx, id)
	if err != nil {
		return d, err
	}
	return d, allowBooks(keyOf(ctx), d.Channel)
}

func (s *Server) showDiscrepancy(ctx context.Context, in *discrepancyInput) (*discrepancyOutput, error) {
	d, err := s.allowedDiscrepancy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &discrepancyOutput{Body: discrepancyRow(d)}, nil
}

func (s *Server) resolveDiscrepancy(ctx context.Context, in *resolveInput) (*discrepancyOutput, error) {
	d, who, by, err := s.whoSetsAside(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	sig, err := in.Body.Signature.domain()
	if err != nil {
		return nil, err
	}
	a, err := s.Ledger.SetAside(ctx, d.Channel, d.Day, reconcile.DifferedFact(d), who, in.Body.Reason, sig, by)
	if err != nil {
		return nil, err
	}
	if d, err = reconcile.ShowAside(ctx, s.Bills, d, a); err != nil {
		return nil, err
	}
	return &discrepancyOutput{Body: discrepancyRow(d)}, nil
}

// whoSetsAside is the person who says a word about an open discrepancy.
func (s *Server) whoSetsAside(ctx context.Context, id string) (d operations.Discrepancy, who string, by ledger.By, err error) {
	if d, err = s.allowedDiscrepancy(ctx, id); err != nil {
		return d, "", by, err
	}
	key := keyOf(ctx)
	switch {
	case key.Service || key.Person == "":
		return d, "", by, domain.E(domain.KindDenied, "only a person can set a discrepancy aside; this is a service's key")
	case d.State != operations.DiscrepancyOpen:
		return d, "", by, domain.E(domain.KindConflict, "discrepancy %s is resolved already, by %s", d.ID, d.ResolvedBy)
	}
	return d, key.Person, ledger.By{Actor: "person:" + key.Person, Cause: requestID(ctx)}, nil
}

func (s *Server) asideStatement(ctx context.Context, in *discrepancyInput) (*asideStatementOutput, error) {
	d, who, _, err := s.whoSetsAside(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	a, leaf, err := s.Ledger.Aside(ctx, d.Channel, d.Day, d.ID)
	if err != nil {
		return nil, err
	}
	stream := domain.ReconciliationStream(d.Channel, string(d.Day))
	f, err := a.Say(s.Ledger.ID(), stream, reconcile.DifferedFact(d), who, "to be signed")
	if err != nil {
		return nil, err
	}
	out := AsideStatementParts{Ledger: s.Ledger.ID().String(), Stream: string(stream), Person: who}
	switch f := f.(type) {
	case domain.ReconciliationAsked:
		out.Proposal = f.Proposal.String()
	case domain.ReconciliationDiffered:
		out.Proposal, out.AskedBy = f.Proposal.String(), f.AskedBy
		if f.AskedBy != "" {
			out.Leaf = hex.EncodeToString(leaf[:])
		}
	default:
	}
	return &asideStatementOutput{Body: out}, nil
}

// corrected ends a difference that an issued correction names: the log is told
// first.
func (s *Server) corrected(ctx context.Context, d operations.Discrepancy, correction domain.ID, proposer, who string) error {
	why := "corrected by " + correction.String()
	f := reconcile.DifferedFact(d)
	f.Resolved, f.How, f.By, f.AskedBy, f.Correction = true, why, who, proposer, correction
	err := s.Ledger.Reconciled(ctx, d.Channel, d.Day, []domain.Fact{f}, ledger.By{Actor: "person:" + who, Cause: requestID(ctx)})
	if err == nil {
		_, err = s.Bills.ResolveDiscrepancy(ctx, d.ID, who, why, s.Clock())
	}
	return err
}

func discrepancyRow(d operations.Discrepancy) Discrepancy {
	return Discrepancy{
		ID: d.ID.String(), Channel: string(d.Channel), Day: string(d.Day), Bill: d.Bill, Kind: string(d.Kind), State: string(d.State),
		Item: string(d.Item.Kind), OrderNo: d.OrderNo, TradeNo: d.Item.TradeNo, Ref: d.Item.Ref,
		Ours: optionalMoney(d.Ours), Theirs: optionalMoney(d.Theirs), Delta: optionalMoney(d.Delta), OurState: d.OurState,
		TheirState: d.TheirState, OurDay: string(d.OurDay), At: optionalTime(d.At), Row: d.Row, Note: d.Note,
		FoundRun: d.FoundRun, FoundAt: d.FoundAt, SeenRun: d.SeenRun,
		AskedBy: d.AskedBy, Asked: d.Asked, AskedAt: optionalTime(d.AskedAt), ResolvedBy: d.ResolvedBy, ResolvedAt: optionalTime(d.ResolvedAt), Resolution: d.Resolution,
	}
}

// optionalTime is nil for no time at all.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
