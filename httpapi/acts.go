package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Act is something a person did.
type Act struct {
	Position eventstore.Position `json:"position" doc:"Place in the log"`
	Event    string              `json:"event" doc:"Id of the event that tells it"`
	At       time.Time           `json:"at" doc:"When it was recorded"`
	Person   string              `json:"person" doc:"Who; the process for changes of configuration"`
	What     string              `json:"what" doc:"login, export, api_key_made, ..., or the fact that was decided, e.g. correction.approved"`
	From     string              `json:"from,omitempty" doc:"api, cli or process"`
	Key      string              `json:"key,omitempty" doc:"Id of the API key"`
	Subject  string              `json:"subject" doc:"What it was done to"`
	Why      string              `json:"why,omitempty" doc:"In the person's words"`
	Fact     json.RawMessage     `json:"fact" doc:"The whole fact"`
}

type listActsInput struct {
	Person string    `query:"person" doc:"Only of this person"`
	What   string    `query:"what" doc:"Only acts of this kind"`
	Since  time.Time `query:"since" doc:"Recorded at this time or later"`
	Until  time.Time `query:"until" doc:"Recorded before this time"`
	Cursor string    `query:"cursor" doc:"next_cursor of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Most rows on a page"`
}

type listActsOutput struct {
	Body struct {
		Acts       []Act  `json:"acts" doc:"Newest first"`
		NextCursor string `json:"next_cursor,omitempty" doc:"Where the next page begins"`
		HasMore    bool   `json:"has_more" doc:"There are older ones"`
	}
}

type actInput struct {
	Body struct {
		What    string            `json:"what" enum:"export,evidence_viewed,bundle_made" doc:"What was done"`
		Subject string            `json:"subject" minLength:"1" maxLength:"2000" doc:"What it was done to"`
		Why     string            `json:"why,omitempty" maxLength:"2000" doc:"Why, in your words"`
		Detail  map[string]string `json:"detail,omitempty" doc:"More, by name; nothing personal and no secret"`
	}
}

type actOutput struct {
	Body struct {
		Recorded bool `json:"recorded" doc:"Always true"`
	}
}

func (s *Server) registerActs(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-acts", Method: http.MethodGet, Path: "/v1/acts", Summary: "List what people did",
		Description: "Who did what, when, from where and why: logins (the first use of a key on a day), exports, proposals, approvals, " +
			"keys, changes of policy, erasures. Newest first.",
	}, operations.ScopeAdmin, s.listActs)
	operation(s, api, huma.Operation{
		OperationID: "record-act", Method: http.MethodPost, Path: "/v1/acts", Summary: "Record an act of your own",
		Description: "What the key's owner did with data that left the system, as the command line tells it.", DefaultStatus: http.StatusCreated,
	}, operations.ScopeEventsRead, s.recordAct)
}

func (s *Server) listActs(ctx context.Context, in *listActsInput) (*listActsOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	before, err := positionCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows.Acts(ctx, projections.ActFilter{
		Person: in.Person, What: in.What, Since: in.Since, Until: in.Until, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &listActsOutput{}
	rows, out.Body.NextCursor = page(rows, in.Limit, func(r projections.Act) string { return r.Position.String() })
	out.Body.HasMore = out.Body.NextCursor != ""
	out.Body.Acts = make([]Act, len(rows))
	for i, r := range rows {
		if out.Body.Acts[i], err = actRow(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func actRow(r projections.Act) (Act, error) {
	_, data, err := domain.EncodeFact(r.Fact)
	if err != nil {
		return Act{}, err
	}
	a := Act{
		Position: r.Position, Event: r.Event.String(), At: r.Recorded, Person: r.Person, What: r.What, Subject: string(r.Stream),
		Fact: data,
	}
	var said struct {
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(data, &said); err == nil {
		a.Why = said.Reason
	}
	switch f := r.Fact.(type) {
	case domain.PersonActed:
		a.From, a.Key, a.Subject, a.Why = f.From, f.Key, f.Subject, f.Why
	case domain.ReconciliationDiffered:
		a.Why = f.How
	default:
	}
	return a, nil
}

func (s *Server) recordAct(ctx context.Context, in *actInput) (*actOutput, error) {
	b := in.Body
	out := &actOutput{}
	out.Body.Recorded = true
	return out, s.act(ctx, domain.Act{What: domain.ActKind(b.What), Subject: b.Subject, Why: b.Why, Detail: b.Detail})
}

// act records what the owner of the request's key does. What it stands for must
// not happen when it cannot be recorded.
func (s *Server) act(ctx context.Context, a domain.Act) error {
	if s.Acts == nil {
		return nil
	}
	c := callerOf(ctx)
	a.Person, a.Key, a.From, a.Remote = c.key.Person, c.key.ID, "api", c.remote
	if domain.CheckPerson(a.Person) != nil {
		a.Person = "key " + c.key.ID // keys of old installations may have no owner that reads well
	}
	return s.Acts(ctx, a, ledger.By{Actor: "key:" + c.key.ID, Cause: c.request})
}

// logins remembers which keys were used today, or took something.
type logins struct {
	mu  sync.Mutex
	day string
	of  map[string]bool
}

// first reports whether a key was not used yet on the day of t, as far as this
// process knows.
func (l *logins) first(key string, t time.Time) bool {
	day := t.UTC().Format(time.DateOnly)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day != day || l.of == nil {
		l.day, l.of = day, map[string]bool{}
	}
	seen := l.of[key]
	l.of[key] = true
	return !seen
}

func (l *logins) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, key)
}

// login records the first use of a key on a day. A request is not refused
// because that fails: the next one tries again, and the log says so.
func (s *Server) login(ctx context.Context, c *caller) {
	if s.Acts == nil || !s.logins.first(c.key.ID, s.Clock()) {
		return
	}
	ctx = context.WithValue(ctx, callerContext{}, c)
	if err := s.act(ctx, domain.Act{What: domain.ActLogin}); err != nil {
		s.logins.forget(c.key.ID)
		s.Logger.ErrorContext(ctx, "the first use of a key today could not be recorded", slog.String("key", c.key.ID),
			slog.String("error", err.Error()))
	}
}
