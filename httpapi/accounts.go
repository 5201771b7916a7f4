package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

type balancesInput struct {
	Account     string `path:"account" doc:"The wallet"`
	AsOf        string `query:"as_of_position" doc:"The balance as the log stood at this position"`
	AsOfTime    string `query:"as_of_time" format:"date-time" doc:"The balance as the log stood at this instant"`
	MinPosition string `query:"min_position" doc:"Wait (2 s at most) until the projection has reached this position"`
	ValueDate   string `query:"value_date" format:"date" doc:"Only money that belongs to this day or an earlier one; with as_of_… what was believed then about that day"`
	IfNoneMatch string `header:"If-None-Match" doc:"An ETag of before: the answer is 304 when nothing was appended since"`
}

// Balances are what an account has.
type Balances struct {
	Account  string              `json:"account" doc:"The wallet"`
	Position eventstore.Position `json:"position" doc:"The position the answer holds for"`
	Balances []Money             `json:"balances" doc:"One per currency; empty for an account that never received money"`
}

type balancesOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The position, in quotes"`
	Body   Balances
}

type entriesInput struct {
	Account  string `path:"account" doc:"The wallet"`
	Currency string `query:"currency" doc:"Only of this currency"`
	AsOf     string `query:"as_of_position" doc:"Only entries up to this position"`
	AsOfTime string `query:"as_of_time" format:"date-time" doc:"Only entries that stood in the log at this instant"`
	Cursor   string `query:"cursor" doc:"next_cursor of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

// Entry is one movement of an account.
type Entry struct {
	Position  eventstore.Position `json:"position" doc:"Place in the log"`
	EventID   string              `json:"event_id" doc:"Id of the event that posted it"`
	Type      string              `json:"type" doc:"Name and version of the fact that posted it"`
	Payment   string              `json:"payment" doc:"Stream of the payment, of the draw or of the opening balance"`
	Amount    Money               `json:"amount" doc:"Positive: the account has more"`
	After     Money               `json:"after" doc:"Balance after it"`
	ValueDate string              `json:"value_date" doc:"Day in the channel's zone"`
	Recorded  time.Time           `json:"recorded_at" doc:"When it was recorded"`
}

type entriesOutput struct {
	Body struct {
		Entries    []Entry `json:"entries" doc:"Newest first"`
		NextCursor string  `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool    `json:"has_more" doc:"There are older ones"`
	}
}

func (s *Server) registerAccounts(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: showBalancesID, Method: http.MethodGet, Path: "/v1/accounts/{account}/balances",
		Summary:     "Show an account's balances",
		Description: "Money received for the account less refunds, disputes, corrections and what the application reported as spent, per currency, now, as of a moment, or as it was believed at a moment about a day.",
		Responses:   map[string]*huma.Response{"304": {Description: "Nothing was appended since the ETag given"}},
	}, operations.ScopeBalancesRead, s.showBalances)
	operation(s, api, huma.Operation{
		OperationID: "list-entries", Method: http.MethodGet, Path: "/v1/accounts/{account}/entries",
		Summary: "List an account's movements", Description: "Newest first, with the balance after each.",
	}, operations.ScopeBalancesRead, s.listEntries)
}

// moment is the part of the log a query asks for. Nothing is set for now;
// before means before the first event, which no position of a projection says.
type moment struct {
	projections.AsOf
	before bool
}

// momentOf reads the moment a query names; at most one may be given.
func momentOf(position, minimum, at string) (m moment, err error) {
	given := 0
	for _, q := range []struct {
		name, value string
		read        func(string) error
	}{
		{"as_of_position", position, func(v string) error {
			m.Position, err = eventstore.ParsePosition(v)
			m.before = m.Position == 0
			return err
		}},
		{"min_position", minimum, func(v string) error {
			m.Min, err = eventstore.ParsePosition(v)
			return err
		}},
		{"as_of_time", at, func(v string) error {
			m.Time, err = time.Parse(time.RFC3339Nano, v)
			m.before = m.before || m.Time.IsZero()
			return err
		}},
	} {
		if q.value == "" {
			continue
		}
		if q.read(q.value) != nil {
			return moment{}, domain.EField(domain.KindInvalid, q.name, "%q cannot be read", q.value)
		}
		given++
	}
	if given > 1 {
		return moment{}, domain.EField(domain.KindInvalid, "as_of_position", "give one of as_of_position, as_of_time, min_position")
	}
	return m, nil
}

// asOf is the position that as_of_position or as_of_time stands for, 0 for now;
// none where nothing was recorded by then.
func (s *Server) asOf(ctx context.Context, position, at string) (p eventstore.Position, none bool, err error) {
	m, err := momentOf(position, "", at)
	if err != nil || m.before {
		return 0, m.before, err
	}
	if m.Time.IsZero() {
		return m.Position, false, nil
	}
	p, err = s.Rows.PositionAt(ctx, m.Time)
	return p, p == 0, err
}

const showBalancesID = "show-balances"

// allowedAccount is an account by its text, if the key may read it.
func allowedAccount(key operations.APIKey, text string) (domain.AccountID, error) {
	a, err := domain.ParseAccountID(text)
	if err != nil {
		return a, inField("account", err)
	}
	return a, allowAccount(key, a)
}

func (s *Server) showBalances(ctx context.Context, in *balancesInput) (*balancesOutput, error) {
	account, err := allowedAccount(keyOf(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	at, err := momentOf(in.AsOf, in.MinPosition, in.AsOfTime)
	if err != nil {
		return nil, err
	}
	if in.ValueDate != "" {
		if at.ValueDate, err = domain.ParseDay(in.ValueDate); err != nil {
			return nil, inField("value_date", err)
		}
	}
	var rows []projections.Balance
	var position eventstore.Position
	if !at.before {
		if rows, position, err = s.Rows.Balances(ctx, account, at.AsOf); err != nil {
			return nil, err
		}
	}
	out := &balancesOutput{Status: http.StatusOK, ETag: etag(position), Body: Balances{
		Account: string(account), Position: position, Balances: make([]Money, len(rows)),
	}}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	for i, r := range rows {
		out.Body.Balances[i] = moneyOf(r.Amount)
	}
	return out, nil
}

func (s *Server) listEntries(ctx context.Context, in *entriesInput) (*entriesOutput, error) {
	account, err := allowedAccount(keyOf(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	f := projections.EntryFilter{Wallet: account, Limit: in.Limit + 1}
	if in.Currency != "" {
		if f.Currency, err = domain.ParseCurrency(in.Currency); err != nil {
			return nil, inField("currency", err)
		}
	}
	if f.Before, err = parseCursor(in.Cursor); err != nil {
		return nil, err
	}
	out := &entriesOutput{}
	out.Body.Entries = []Entry{}
	var none bool
	if f.AsOf, none, err = s.asOf(ctx, in.AsOf, in.AsOfTime); err != nil || none {
		return out, err
	}
	rows, err := s.Rows.Entries(ctx, f)
	if err != nil {
		return nil, err
	}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Entry) string {
		return r.Position.String() + "-" + strconv.Itoa(r.Leg)
	})
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Entries = rowsOf(rows, entry)
	return out, nil
}

// entry shows a wallet's side: a wallet is a liability, so what the books
// credit the account has more.
func entry(r projections.Entry) Entry {
	return Entry{
		Position: r.Position, EventID: r.EventID.String(), Type: r.Type, Payment: string(r.Stream),
		Amount: moneyOf(r.Amount.Neg()), After: moneyOf(r.After.Neg()), ValueDate: r.ValueDate, Recorded: r.Recorded,
	}
}

// parseCursor reads "<position>-<leg>".
func parseCursor(s string) (projections.Cursor, error) {
	if s == "" {
		return projections.Cursor{}, nil
	}
	bad := notGivenOut(s)
	position, leg, ok := strings.Cut(s, "-")
	if !ok {
		return projections.Cursor{}, bad
	}
	p, err := eventstore.ParsePosition(position)
	n, err2 := strconv.Atoi(leg)
	if err != nil || err2 != nil || n < 0 {
		return projections.Cursor{}, bad
	}
	return projections.Cursor{Position: p, Leg: n}, nil
}
