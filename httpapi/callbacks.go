package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

type listCallbacksInput struct {
	Channel string    `query:"channel" doc:"Only at the address of this channel"`
	OrderNo string    `query:"order_no" doc:"Only of this order; of refused ones, as they claim"`
	Outcome string    `query:"outcome" enum:"credited,repeated,held,parked,noted,refused,failed" doc:"Only with this outcome"`
	Since   time.Time `query:"since" doc:"Only received then or later"`
	Cursor  string    `query:"cursor" doc:"next_cursor of the page before"`
	Limit   int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

// Callback is a row of the callback log: did it come, and what did we say?
type Callback struct {
	Seq        string    `json:"seq" doc:"Number of the row"`
	Delivery   string    `json:"delivery" doc:"Id of the request"`
	Channel    string    `json:"channel" doc:"As in the address; may be unknown"`
	ReceivedAt time.Time `json:"received_at" doc:"When its first bytes were read"`
	TookMicros int64     `json:"took_us" doc:"Microseconds to the answer"`
	Remote     string    `json:"remote" doc:"Address it came from, behind trusted proxies"`
	Method     string    `json:"method" doc:"HTTP method"`
	Outcome    string    `json:"outcome" doc:"credited, repeated, held, parked, noted, refused or failed"`
	Reason     string    `json:"reason,omitempty" doc:"Why the outcome is what it is"`
	OrderNo    string    `json:"order_no,omitempty" doc:"The order it names; of refused ones only a claim"`
	TradeNo    string    `json:"trade_no,omitempty" doc:"The provider's number"`
	Amount     *Money    `json:"amount,omitempty" doc:"The amount it names"`
	Reply      Reply     `json:"reply" doc:"What was answered"`
	BodySHA256 string    `json:"body_sha256,omitempty" doc:"SHA-256 of the body, when there was one"`
	Error      string    `json:"error,omitempty" doc:"Why it was refused or failed"`
}

// Reply is the answer a provider got.
type Reply struct {
	Status int    `json:"status" doc:"HTTP status"`
	Body   string `json:"body" doc:"The whole body"`
}

type listCallbacksOutput struct {
	Body struct {
		Callbacks  []Callback `json:"callbacks" doc:"Newest first"`
		NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool       `json:"has_more" doc:"There are older ones"`
	}
}

type recheckInput struct {
	Body struct {
		Channel string     `json:"channel" doc:"Channel whose key was mended"`
		Since   *time.Time `json:"since,omitempty" doc:"Only callbacks refused since then"`
		DryRun  bool       `json:"dry_run,omitempty" doc:"Only say what would verify"`
	}
}

// Rechecked is what became of refused callbacks that were verified again.
type Rechecked struct {
	Refused  int            `json:"refused" doc:"Refused callbacks that are kept"`
	Verified int            `json:"verified" doc:"Those that verify now"`
	Known    int            `json:"known" doc:"Those that were taken in before"`
	Outcomes map[string]int `json:"outcomes" doc:"What those taken in now came to"`
}

type recheckOutput struct{ Body Rechecked }

func (s *Server) registerCallbacks(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-callbacks", Method: http.MethodGet, Path: "/v1/callbacks", Summary: "List received callbacks",
		Description: "Every request at a callback address, also the refused ones, with the answer given. Newest first.",
	}, operations.ScopeCallbacksRead, s.listCallbacks)
	operation(s, api, huma.Operation{
		OperationID: "recheck-callbacks", Method: http.MethodPost, Path: "/v1/callbacks/recheck",
		Summary:     "Verify refused callbacks again",
		Description: "After a key was mended: refused callbacks of the last 30 days that verify now are taken in, each once.",
	}, operations.ScopePaymentsWrite, s.recheckCallbacks)
}

func (s *Server) listCallbacks(ctx context.Context, in *listCallbacksInput) (*listCallbacksOutput, error) {
	if err := allowChannel(keyOf(ctx), domain.ChannelID(in.Channel)); err != nil {
		return nil, err
	}
	if err := allowAccount(keyOf(ctx), ""); err != nil { // rows name orders, not accounts
		return nil, err
	}
	before, err := seqCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Ops.Callbacks(ctx, operations.CallbackFilter{
		Channel: in.Channel, OrderNo: in.OrderNo, Outcome: domain.Outcome(in.Outcome), Since: in.Since, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listCallbacksOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r operations.Callback) string { return seqText(r.Seq) })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Callbacks = rowsOf(rows, callbackRow)
	return out, nil
}

func callbackRow(r operations.Callback) Callback {
	return Callback{
		Seq: strconv.FormatInt(r.Seq, 10), Delivery: r.Delivery.String(), Channel: r.Channel, ReceivedAt: r.ReceivedAt,
		TookMicros: r.Took.Microseconds(), Remote: r.Remote, Method: r.Method, Outcome: string(r.Outcome),
		Reason: string(r.Reason), OrderNo: r.OrderNo, TradeNo: r.TradeNo, Amount: optionalMoney(r.Amount),
		Reply: Reply{Status: r.Reply.Status, Body: r.Reply.Body}, BodySHA256: r.BodySHA256, Error: r.Error,
	}
}

func (s *Server) recheckCallbacks(ctx context.Context, in *recheckInput) (*recheckOutput, error) {
	_, ch, err := s.allowedChannel(keyOf(ctx), in.Body.Channel)
	if err != nil {
		return nil, err
	}
	if err := allowAccount(keyOf(ctx), ""); err != nil {
		return nil, err
	}
	var since time.Time
	if in.Body.Since != nil {
		since = *in.Body.Since
	}
	rows, err := s.Ops.RefusedCallbacks(ctx, in.Body.Channel, since)
	if err != nil {
		return nil, err
	}
	out := &recheckOutput{Body: Rechecked{Refused: len(rows), Outcomes: map[string]int{}}}
	for _, r := range rows {
		if err := s.recheck(ctx, ch, r, in.Body.DryRun, &out.Body); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// recheck verifies one refused callback again. Under its delivery id it is kept
// once, however often it is rechecked.
func (s *Server) recheck(
	ctx context.Context, ch providers.Channel, r operations.Callback, dryRun bool, sum *Rechecked,
) error {
	e, err := domain.DecodeEvidence(r.Request)
	if err != nil {
		return err
	}
	got, _, err := ch.Read(providers.RequestOf(e, r.Delivery))
	if err != nil {
		return nil //nolint:nilerr // it is refused again: that is the answer
	}
	sum.Verified++
	if dryRun {
		return nil
	}
	for _, n := range got.Notices {
		res, kept, err := s.Ledger.NotifyOnce(ctx, n, got.Evidence, ch.Reply)
		if err != nil {
			return err
		}
		if !kept {
			sum.Known++
			continue
		}
		sum.Outcomes[string(res.Verdict.Outcome)]++
	}
	return nil
}
