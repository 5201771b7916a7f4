package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
)

// BillRun is one comparison of a provider's bill with the books.
type BillRun struct {
	ID         string              `json:"id" doc:"Id of the run"`
	Channel    string              `json:"channel" doc:"Channel id"`
	Day        string              `json:"day" doc:"The bill's day, in the channel's zone"`
	Bill       string              `json:"bill" doc:"trade, fund_flow, or answers where the provider makes no bill"`
	State      string              `json:"state" doc:"running, complete, or incomplete: then nothing was concluded from it"`
	Cause      string              `json:"cause,omitempty" doc:"Why it is incomplete: provider_down, bill_missing, bill_broken, bill_doubled, too_large, too_many, unanswered, stopped or ours"`
	Note       string              `json:"note,omitempty" doc:"The cause in words"`
	StartedAt  time.Time           `json:"started_at" doc:"When it began"`
	EndedAt    *time.Time          `json:"ended_at,omitempty" doc:"When it ended; absent while it runs"`
	Import     int                 `json:"import" doc:"Which different bill of its day this is, from 1; 0 when none was had"`
	SHA256     string              `json:"sha256,omitempty" doc:"Hash of the bill's bytes, by which the archive keeps it"`
	Size       int64               `json:"size" doc:"Bytes of the bill"`
	Final      bool                `json:"final" doc:"The provider will not change it any more"`
	Position   eventstore.Position `json:"position" doc:"Place in the log up to which the books were compared"`
	Rows       int64               `json:"rows" doc:"Lines of the bill read so far"`
	Progress   *Progress           `json:"progress,omitempty" doc:"How far it has come, while it runs"`
	Ours       int64               `json:"our_lines" doc:"Movements of the day in our books"`
	Theirs     int64               `json:"their_lines" doc:"Lines of the bill"`
	Matched    int64               `json:"matched" doc:"Movements on which both agree"`
	Waiting    int64               `json:"waiting" doc:"Movements of ours that a later bill may list"`
	Settled    int64               `json:"settled" doc:"Movements of ours found on the bill of another day than their own"`
	Noted      int64               `json:"noted" doc:"Lines that move no money, or have no counterpart in payments"`
	Tolerated  int64               `json:"tolerated" doc:"Fees and times that differ within the tolerance"`
	Differing  int64               `json:"differing" doc:"Differences left open"`
	Healed     int64               `json:"healed" doc:"Payments credited on the provider's answer after the bill named them"`
	Asked      int64               `json:"asked" doc:"Questions about single payments"`
	Unanswered int64               `json:"unanswered" doc:"Of these, without an answer"`
	Proposed   int64               `json:"proposed" doc:"Corrections that it proposed to people"`
	Against    string              `json:"against,omitempty" doc:"Of a fund flow: hash of the trade bill it was compared with, which stands for our side then"`
	Balances   []BillBalance       `json:"balances" doc:"What the bill says of the balance at the provider, and what our book of it held; what is off moves nothing and is no difference of its own"`
	Kinds      map[string]int64    `json:"kinds" doc:"Differences seen, by kind; those that were mended on the way among them"`
	Totals     []BillTotal         `json:"totals" doc:"What each currency came to on both sides"`
}

// Progress is how far a running comparison has come.
type Progress struct {
	Phase   string    `json:"phase" doc:"fetching, reading, comparing, asking or booking"`
	Done    int64     `json:"done" doc:"Bytes fetched or read, lines compared, questions asked"`
	Of      int64     `json:"of" doc:"Of so many; 0 where nobody knows"`
	Rate    float64   `json:"lines_per_second" doc:"Lines of the bill a second, the last that was measured"`
	Left    *float64  `json:"seconds_left,omitempty" doc:"Until the phase ends, at its speed so far"`
	NotedAt time.Time `json:"noted_at" doc:"When this was noted"`
}

// BillBalance is what a bill says of the balance in one currency.
type BillBalance struct {
	Currency string `json:"currency" doc:"ISO 4217 code, or USDT, USDC, QUOTA"`
	Opening  string `json:"opening" doc:"At the day's beginning"`
	In       string `json:"in" doc:"All that came"`
	Out      string `json:"out" doc:"All that went"`
	Closing  string `json:"closing" doc:"At the day's end: opening and in, less out"`

	Book   string        `json:"book,omitempty" doc:"What our book of the account held at the day's end, when the bill was booked; absent where the two were not held against one another"`
	Off    string        `json:"off,omitempty" doc:"Closing less book: what was off before, and the parts"`
	Before string        `json:"before,omitempty" doc:"By how much more the bill began with than our book; absent where they were equal"`
	Parts  []BalancePart `json:"parts,omitempty" doc:"What moved differently in the day, by kind"`
}

// BalancePart is what one kind of movement did to a balance in a day.
type BalancePart struct {
	What string `json:"what" doc:"A kind of line: payment (less discounts), refund, refund_failed, fee, dispute_withdrawn, dispute_reinstated, payout, payout_failed, other; or exchange, opening, correction"`
	Bill string `json:"bill" doc:"By the bill; what came is positive"`
	Book string `json:"book" doc:"In our book, by value date"`
}

// BillTotal is what one currency came to on both sides.
type BillTotal struct {
	Currency      string `json:"currency" doc:"ISO 4217 code, or USDT, USDC, QUOTA"`
	OurPayments   string `json:"our_payments" doc:"Payments of the day in our books"`
	TheirPayments string `json:"their_payments" doc:"Payments on the bill"`
	OurRefunds    string `json:"our_refunds" doc:"Refunds and disputes in our books, less what came back"`
	TheirRefunds  string `json:"their_refunds" doc:"The same on the bill"`
	Fees          string `json:"fees" doc:"Fees on the bill, positive when we pay"`
	Tolerated     string `json:"tolerated_fees" doc:"By how much fees were off the rate within the tolerance, with their signs"`
}

type listBillsInput struct {
	Channel string `query:"channel" doc:"Only of this channel"`
	Bill    string `query:"bill" enum:"trade,fund_flow,answers" doc:"Only of this kind"`
	State   string `query:"state" enum:"running,complete,incomplete" doc:"Only in this state"`
	From    string `query:"from" doc:"Only of this day and later, YYYY-MM-DD"`
	To      string `query:"to" doc:"Only of this day and earlier, YYYY-MM-DD"`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listBillsOutput struct {
	Body struct {
		Bills      []BillRun `json:"bills" doc:"Newest first"`
		NextCursor string    `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool      `json:"has_more" doc:"There are older ones"`
	}
}

type billOutput struct{ Body BillRun }

type compareBillInput struct {
	Body struct {
		Channel string `json:"channel" doc:"Channel id"`
		Day     string `json:"day" doc:"The bill's day, YYYY-MM-DD"`
	}
}

type compareBillOutput struct {
	Body struct {
		Bills []BillRun `json:"bills" doc:"One for each kind of bill the provider makes; without those that another process works at"`
	}
}

func (s *Server) registerBills(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-bills", Method: http.MethodGet, Path: "/v1/reconciliations/bills", Summary: "List comparisons with bills",
		Description: "Each comparison of a provider's bill with the books. A bill that changed is compared again, as a new row. Newest first.",
	}, operations.ScopeReconcile, s.listBills)
	operation(s, api, huma.Operation{
		OperationID: "show-bill", Method: http.MethodGet, Path: "/v1/reconciliations/bills/{id}", Summary: "Show a comparison with a bill",
		Description: "What it counted and found, or why it is incomplete.", Errors: []int{http.StatusNotFound},
	}, operations.ScopeReconcile, s.showBill)
	operation(s, api, huma.Operation{
		OperationID: "compare-bill", Method: http.MethodPost, Path: "/v1/reconciliations/bills", Summary: "Compare the bills of a day now",
		Description: "Fetches the provider's bills of one day and compares them with the books, whether or not that was done " +
			"before, and answers when it is done. What the bill raises is asked of the provider; nothing is ever taken.",
		DefaultStatus: http.StatusCreated,
	}, operations.ScopeReconcile, s.compareBill)
}

// allowBooks checks that a key may see a channel's differences: they name
// payments of every account.
func allowBooks(key operations.APIKey, ch domain.ChannelID) error {
	if ch == "" || len(key.Accounts) > 0 {
		return allowAll(key)
	}
	return allowChannel(key, ch)
}

func (s *Server) listBills(ctx context.Context, in *listBillsInput) (*listBillsOutput, error) {
	if err := allowBooks(keyOf(ctx), domain.ChannelID(in.Channel)); err != nil {
		return nil, err
	}
	before, err := seqCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Bills.BillRuns(ctx, operations.BillRunFilter{
		Channel: domain.ChannelID(in.Channel), Bill: in.Bill, From: domain.Day(in.From), To: domain.Day(in.To),
		State: operations.RunState(in.State), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listBillsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r operations.BillRun) string { return seqText(r.Seq) })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Bills = rowsOf(rows, billRow)
	return out, nil
}

func (s *Server) showBill(ctx context.Context, in *runInput) (*billOutput, error) {
	r, err := s.Bills.BillRun(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := allowBooks(keyOf(ctx), r.Channel); err != nil {
		return nil, err
	}
	return &billOutput{Body: billRow(r)}, nil
}

func (s *Server) compareBill(ctx context.Context, in *compareBillInput) (*compareBillOutput, error) {
	ch, err := domain.ParseChannelID(in.Body.Channel)
	if err != nil {
		return nil, inField("channel", err)
	}
	day, err := domain.ParseDay(in.Body.Day)
	if err != nil {
		return nil, inField("day", err)
	}
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	if s.CompareBills == nil {
		return nil, domain.E(domain.KindUnavailable, "this server compares no bills")
	}
	runs, err := s.CompareBills(ctx, ch, day)
	if err != nil {
		return nil, err
	}
	out := &compareBillOutput{}
	out.Body.Bills = rowsOf(runs, billRow)
	return out, nil
}

func billRow(r operations.BillRun) BillRun {
	out := BillRun{
		ID: r.ID, Channel: string(r.Channel), Day: string(r.Day), Bill: r.Bill, State: string(r.State), Cause: string(r.Cause),
		Note: r.Note, StartedAt: r.StartedAt, Import: r.Import, SHA256: r.SHA256, Size: r.Size, Final: r.Final,
		Position: eventstore.Position(r.Position), Rows: r.Rows, Ours: r.OurLines, Theirs: r.TheirLines, Matched: r.Matched,
		Waiting: r.Waiting, Settled: r.Settled, Noted: r.Noted, Tolerated: r.ToleratedTimes + r.ToleratedFees,
		Differing: r.Differing, Healed: r.Healed, Asked: r.Asked, Unanswered: r.Unanswered,
		Kinds: make(map[string]int64, len(r.Kinds)), Totals: make([]BillTotal, len(r.Totals)),
		Proposed: r.Proposed, Against: r.Against, Balances: make([]BillBalance, len(r.Balances)), Progress: progressOf(r),
	}
	if !r.EndedAt.IsZero() {
		out.EndedAt = &r.EndedAt
	}
	for k, n := range r.Kinds {
		out.Kinds[string(k)] = n
	}
	for i, b := range r.Balances {
		out.Balances[i] = balanceRow(b)
	}
	for i, t := range r.Totals {
		out.Totals[i] = BillTotal{
			Currency: string(t.Currency), OurPayments: t.OurPayments.Amount(), TheirPayments: t.TheirPayments.Amount(),
			OurRefunds: t.OurRefunds.Amount(), TheirRefunds: t.TheirRefunds.Amount(), Fees: t.Fees, Tolerated: t.Tolerated,
		}
	}
	return out
}

func balanceRow(b domain.BillBalance) BillBalance {
	out := BillBalance{
		Currency: string(b.Currency), Opening: b.Opening.Amount(), In: b.In.Amount(), Out: b.Out.Amount(), Closing: b.Closing.Amount(),
		Parts: rowsOf(b.Parts, func(p domain.BalancePart) BalancePart {
			return BalancePart{What: string(p.What), Bill: p.Bill.Amount(), Book: p.Book.Amount()}
		}),
	}
	for text, m := range map[*string]domain.Money{&out.Book: b.InBook(), &out.Off: b.Off(), &out.Before: b.Before} {
		if m.Currency() != "" {
			*text = m.Amount()
		}
	}
	return out
}

// progressOf is nil for a run that has ended or has not noted anything yet.
func progressOf(r operations.BillRun) *Progress {
	p := r.Progress
	if r.State != operations.RunRunning || p.Phase == "" {
		return nil
	}
	out := &Progress{Phase: string(p.Phase), Done: p.Done, Of: p.Of, Rate: p.Rate, NotedAt: p.At}
	if left, ok := p.Left(); ok {
		seconds := left.Seconds()
		out.Left = &seconds
	}
	return out
}
