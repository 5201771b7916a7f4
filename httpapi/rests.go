package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/reports"
)

// Rest is money that has not gone all of its way.
type Rest struct {
	Channel string         `json:"channel" doc:"Channel id"`
	Stage   string         `json:"stage" doc:"Whose event is missing, late or wrong: notified, credited, in_bill, settled or paid_out"`
	Fault   string         `json:"fault" doc:"late: it may still come by itself; missing: it is overdue; wrong: it came and does not agree"`
	Kind    string         `json:"kind" doc:"Why: a state of the payment, a kind of discrepancy, or what keeps the bill from being compared"`
	Line    string         `json:"line" doc:"payment, refund, payout and so on"`
	Count   int            `json:"count" doc:"How many"`
	Amounts []Amount       `json:"amounts" doc:"How much, in each currency"`
	Ages    map[string]int `json:"ages" doc:"How many of each age: 0-1h, 1-24h, 1-3d, 3-7d, >7d"`
	Oldest  RestItem       `json:"oldest" doc:"The oldest of them"`
	Next    string         `json:"next" doc:"What to do"`
	NextZh  string         `json:"next_zh" doc:"The same in Chinese"`
}

// Amount is money in one currency.
type Amount struct {
	Amount   string `json:"amount" doc:"Decimal at the currency's places"`
	Currency string `json:"currency" doc:"ISO 4217 code, or USDT, USDC, QUOTA"`
}

// RestItem is one payment, refund or payout of a rest.
type RestItem struct {
	OrderNo  string    `json:"order_no,omitempty" doc:"Merchant's order number"`
	TradeNo  string    `json:"trade_no,omitempty" doc:"Provider's number"`
	Ref      string    `json:"ref,omitempty" doc:"Number of the refund, dispute or payout"`
	Amount   string    `json:"amount,omitempty" doc:"Decimal at the currency's places"`
	Currency string    `json:"currency,omitempty" doc:"Its currency"`
	Since    time.Time `json:"since" doc:"When the stage before it was reached"`
}

// StageDate says when a payment's money came to a stage.
type StageDate struct {
	Stage string     `json:"stage" doc:"notified, credited, in_bill or settled"`
	At    *time.Time `json:"at,omitempty" doc:"When it was reached; absent while it is open or unknown"`
	Day   string     `json:"day,omitempty" doc:"The day of the bill that has it"`
	Run   string     `json:"run,omitempty" doc:"The comparison that found it there"`
	Open  string     `json:"open,omitempty" doc:"Why it is open; absent where nothing is known, e.g. of a fund flow that the provider does not make"`
}

type restsInput struct {
	Channel   string `query:"channel" doc:"Only of this channel"`
	OlderThan string `query:"older_than" default:"0s" doc:"Leave out what is younger, e.g. 24h"`
}

type restsOutput struct {
	Body struct {
		Rests []Rest `json:"rests" doc:"In the order of the stages"`
	}
}

type stagesInput struct {
	Channel string `path:"channel" doc:"Channel id"`
	OrderNo string `path:"order_no" doc:"Merchant's order number"`
}

type stagesOutput struct {
	Body struct {
		Channel  string      `json:"channel" doc:"Channel id"`
		OrderNo  string      `json:"order_no" doc:"Merchant's order number"`
		State    string      `json:"state" doc:"Of the payment"`
		PlacedAt *time.Time  `json:"placed_at,omitempty" doc:"When it was placed"`
		BookedOn string      `json:"booked_on,omitempty" doc:"Value date of its money: the bill that must have it"`
		Stages   []StageDate `json:"stages" doc:"In their order"`
	}
}

func (s *Server) registerRests(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-rests", Method: http.MethodGet, Path: "/v1/rests", Summary: "List open rests by stage, age and amount",
		Description: "Money that has not gone all of its way, and the event that is missing, late or wrong: the callback, the credit, " +
			"the line of the bill, the fund flow, the payout's arrival. Channels whose bills are not compared have no rests behind the credit.",
	}, operations.ScopeReconcile, s.listRests)
	operation(s, api, huma.Operation{
		OperationID: "show-stages", Method: http.MethodGet, Path: "/v1/payments/{channel}/{order_no}/stages", Summary: "Show the stages of a payment",
		Description: "When it was placed, notified, credited, found on the provider's bill and settled.", Errors: []int{http.StatusNotFound},
	}, operations.ScopePaymentsRead, s.showStages)
}

// tracker finds rests and stages.
func (s *Server) tracker() (reports.Tracker, error) {
	rows, ok := s.Rows.(reports.RestRows)
	if !ok || s.Bills == nil {
		return reports.Tracker{}, domain.E(domain.KindUnavailable, "this server knows of no bills")
	}
	return reports.Tracker{Rows: rows, Bills: s.Bills, Clock: s.Clock, Zone: func(ch domain.ChannelID) *time.Location {
		if c, known := s.Channels[ch]; known {
			return reports.BookZone([]string{c.Config().Zone})
		}
		return time.UTC
	}}, nil
}

func (s *Server) listRests(ctx context.Context, in *restsInput) (*restsOutput, error) {
	ch := domain.ChannelID(in.Channel)
	if err := allowBooks(keyOf(ctx), ch); err != nil {
		return nil, err
	}
	older, err := time.ParseDuration(in.OlderThan)
	if err != nil || older < 0 {
		return nil, domain.EField(domain.KindInvalid, "older_than", "%.20q is no length of time such as 90m or 24h", in.OlderThan)
	}
	t, err := s.tracker()
	if err != nil {
		return nil, err
	}
	f := reports.RestFilter{Channels: []domain.ChannelID{ch}, OlderThan: older}
	if ch == "" {
		f.Channels = slices.Sorted(maps.Keys(s.Channels))
	}
	rests, err := t.Rests(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &restsOutput{}
	out.Body.Rests = make([]Rest, len(rests))
	for i, r := range rests {
		out.Body.Rests[i] = restRow(r)
	}
	return out, nil
}

func restRow(r reports.Rest) Rest {
	out := Rest{
		Channel: string(r.Channel), Stage: string(r.Stage), Fault: string(r.Fault), Kind: r.Kind, Line: string(r.Line), Count: r.Count,
		Amounts: make([]Amount, len(r.Amounts)), Ages: make(map[string]int, len(r.Ages)), Next: r.Next, NextZh: r.NextZh,
		Oldest: RestItem{OrderNo: r.Oldest.OrderNo, TradeNo: r.Oldest.TradeNo, Ref: r.Oldest.Ref, Since: r.Oldest.Since},
	}
	for i, m := range r.Amounts {
		out.Amounts[i] = Amount{m.Amount(), string(m.Currency())}
	}
	for i, n := range r.Ages {
		out.Ages[string(reports.Ages()[i])] = n
	}
	if m := r.Oldest.Amount; m.Currency() != "" {
		out.Oldest.Amount, out.Oldest.Currency = m.Amount(), string(m.Currency())
	}
	return out
}

func (s *Server) showStages(ctx context.Context, in *stagesInput) (*stagesOutput, error) {
	key, ch := keyOf(ctx), domain.ChannelID(in.Channel)
	if err := allowChannel(key, ch); err != nil {
		return nil, err
	}
	p, err := s.Rows.Payment(ctx, ch, in.OrderNo)
	if err != nil {
		return nil, err
	}
	if err := allowAccount(key, p.Account); err != nil {
		return nil, err
	}
	t, err := s.tracker()
	if err != nil {
		return nil, err
	}
	dates, err := t.Stages(ctx, p)
	if err != nil {
		return nil, err
	}
	return stagesOf(p, dates), nil
}

func stagesOf(p projections.Payment, dates []reports.StageDate) *stagesOutput {
	out := &stagesOutput{}
	b := &out.Body
	b.Channel, b.OrderNo, b.State, b.BookedOn = string(p.Channel), p.OrderNo, string(p.State), string(p.Stages.BookedOn)
	b.PlacedAt = present(p.PlacedAt)
	b.Stages = make([]StageDate, len(dates))
	for i, d := range dates {
		b.Stages[i] = StageDate{Stage: string(d.Stage), At: present(d.At), Day: string(d.Day), Run: d.Run, Open: d.Open}
	}
	return out
}

// present is a time, or nil for none.
func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
