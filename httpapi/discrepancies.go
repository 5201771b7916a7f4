package httpapi

import (
	"context"
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
		Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"Why it needs nothing more, for people"`
	}
}

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
		Description: "A person's word that it needs nothing more. It moves no money, and seeing the difference again does not " +
			"open it. Keys of services cannot do it. A difference that may stand for money takes two persons: the first one's " +
			"word is kept as `asked_by`, and it stays open until another person says the same.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, operations.ScopeReconcile, s.resolveDiscrepancy)
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
	d, err := s.allowedDiscrepancy(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	key := keyOf(ctx)
	if key.Service || key.Person == "" {
		return nil, domain.E(domain.KindDenied, "only a person can set a discrepancy aside; this is a service's key")
	}
	if d, err = s.setAside(ctx, d, key, in.Body.Reason); err != nil {
		return nil, err
	}
	return &discrepancyOutput{Body: discrepancyRow(d)}, nil
}

// setAside takes a person's word on a difference. One that may stand for money
// is open until a second person says the same.
func (s *Server) setAside(ctx context.Context, d operations.Discrepancy, key operations.APIKey, why string) (operations.Discrepancy, error) {
	switch {
	case d.State != operations.DiscrepancyOpen || !d.Kind.NeedsTwo():
	case d.AskedBy == "":
		return s.Bills.AskDiscrepancy(ctx, d.ID, key.Person, why, s.Clock())
	case d.AskedBy == key.Person:
		return d, domain.EField(domain.KindDenied, "by", "%s asked for it: another person must say so, too", key.Person)
	}
	return s.resolved(ctx, d, word{by: key.Person, askedBy: d.AskedBy, why: why})
}

// word is what people say about a difference.
type word struct{ by, askedBy, why string }

// resolved tells the log first: what the list shows, the log knows.
func (s *Server) resolved(ctx context.Context, d operations.Discrepancy, w word) (operations.Discrepancy, error) {
	if d.State == operations.DiscrepancyOpen {
		told := d
		told.State, told.ResolvedBy, told.Resolution, told.AskedBy = operations.DiscrepancyResolved, w.by, w.why, w.askedBy
		err := s.Ledger.Reconciled(ctx, d.Channel, d.Day, []domain.Fact{reconcile.DifferedFact(told)},
			ledger.By{Actor: "person:" + w.by, Cause: requestID(ctx)})
		if err != nil {
			return d, err
		}
	}
	return s.Bills.ResolveDiscrepancy(ctx, d.ID, w.by, w.why, s.Clock())
}

func discrepancyRow(d operations.Discrepancy) Discrepancy {
	return Discrepancy{
		ID: d.ID.String(), Channel: string(d.Channel), Day: string(d.Day), Bill: d.Bill, Kind: string(d.Kind), State: string(d.State),
		Item: string(d.Item.Kind), OrderNo: d.OrderNo, TradeNo: d.Item.TradeNo, Ref: d.Item.Ref,
		Ours: optionalMoney(d.Ours), Theirs: optionalMoney(d.Theirs), Delta: optionalMoney(d.Delta), OurState: d.OurState,
		TheirState: d.TheirState, OurDay: string(d.OurDay), At: optionalTime(d.At), Row: d.Row, Note: d.Note,
		FoundRun: d.FoundRun, FoundAt: d.FoundAt, SeenRun: d.SeenRun,
		AskedBy: d.AskedBy, Asked: d.Asked, ResolvedBy: d.ResolvedBy, ResolvedAt: optionalTime(d.ResolvedAt), Resolution: d.Resolution,
	}
}

// optionalTime is nil for no time at all.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
