package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"counterfoil/domain"
	"counterfoil/internal/strictjson"
	"counterfoil/operations"
)

// Version is the version of the API's description.
const Version = "1.0.0"

// maxBody is the longest body of a request to /v1 (R10).
const maxBody = 64 << 10

// api is /v1 and its description, without the keys before it.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	s.describe(mux)
	return s.routed(mux)
}

// describe registers every operation and returns the description.
func (s *Server) describe(mux *http.ServeMux) *huma.OpenAPI {
	foreignProblems()
	cfg := huma.DefaultConfig("Counterfoil", Version)
	cfg.Info.Description = "An event-sourced ledger for payment callbacks. Amounts are decimal strings at the " +
		"currency's places; positions are decimal strings; times are RFC 3339 in UTC. Lists are newest first and " +
		"continue at next_cursor; new rows never shift a page."
	cfg.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", nil
	cfg.RejectUnknownQueryParameters = true
	cfg.Formats = map[string]huma.Format{"application/json": strictFormat, "json": strictFormat}
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "API key: cf_<id>_<secret>"},
	}
	api := humago.New(mux, cfg)
	s.registerPayments(api)
	s.registerAccounts(api)
	s.registerDraws(api)
	s.registerEvents(api)
	s.registerProofs(api)
	s.registerCallbacks(api)
	s.registerReconciliations(api)
	s.registerBills(api)
	s.registerDiscrepancies(api)
	s.registerCorrections(api)
	s.registerBooks(api)
	s.registerReceivables(api)
	s.registerPayouts(api)
	s.registerPeriods(api)
	s.registerOpenings(api)
	s.registerReports(api)
	s.registerRests(api)
	s.registerConfig(api)
	s.registerActs(api)
	s.registerErasures(api)
	s.registerSignKeys(api)
	return api.OpenAPI()
}

// strictFormat is JSON that says one thing only: no name twice or in another
// case, nothing behind the value.
var strictFormat = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := strictjson.Check(data, strictjson.Limits{MaxBytes: maxBody, ObjectOnly: true}); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}

// foreignProblems makes huma answer its own refusals as Problems, tell members'
// names by their case and never write a list as null. These are settings of the
// whole process.
var foreignProblems = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return foreignProblem(status, msg, errs)
	}
	huma.NewErrorWithContext = func(hc huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := foreignProblem(status, msg, errs)
		if c := callerOf(hc.Context()); c.server != nil {
			c.server.tell(hc.Context(), hc.Operation().OperationID, p, p)
		}
		return p
	}
})

// foreignProblem is a Problem for what the HTTP layer refused.
func foreignProblem(status int, msg string, errs []error) *Problem {
	kind := kindOfStatus(status)
	p := &Problem{Type: problemType(kind), Title: answers[kind].title, Status: status, Code: kind.String(), Detail: msg}
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			p.Errors = append(p.Errors, Fault{Field: d.ErrorDetail().Location, Message: d.ErrorDetail().Message})
		} else if err != nil {
			p.Errors = append(p.Errors, Fault{Message: err.Error()})
		}
	}
	return p
}

// operation registers one operation behind its scope.
func operation[I, O any](
	s *Server, api huma.API, op huma.Operation, scope operations.Scope, h func(context.Context, *I) (*O, error),
) {
	op.MaxBodyBytes = maxBody
	op.Security = []map[string][]string{{"key": {}}}
	op.Description += "\n\nScope: `" + string(scope) + "`."
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusInternalServerError, http.StatusServiceUnavailable)
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		err := allow(keyOf(r.Context()), scope)
		if err == nil {
			err = checkQuery(r.URL.RawQuery)
		}
		if err != nil {
			s.refuse(w, r, callerOf(r.Context()), op.OperationID, err)
			return
		}
		next(hc)
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			p := problem(err)
			s.tell(ctx, op.OperationID, p, err)
			return nil, p
		}
		s.metrics.requests.WithLabelValues(op.OperationID, "2xx").Inc()
		return out, nil
	})
}

// checkQuery refuses a query that does not say one thing: a name twice, a name
// without a value, broken escapes.
func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return domain.EField(domain.KindInvalid, "query", "the query cannot be read")
	}
	for name, values := range q {
		if len(values) > 1 {
			return domain.EField(domain.KindInvalid, "query."+name, "it is given %d times", len(values))
		}
		if values[0] == "" {
			return domain.EField(domain.KindInvalid, "query."+name, "it has no value: leave it out")
		}
	}
	return nil
}

// Money is an amount in the API.
type Money struct {
	Amount   string `json:"amount" doc:"Decimal at the currency's places, e.g. 7.30" example:"7.30"`
	Currency string `json:"currency" doc:"ISO 4217 code, or USDT, USDC, QUOTA" example:"CNY"`
}

func moneyOf(m domain.Money) Money { return Money{Amount: m.Amount(), Currency: string(m.Currency())} }

// optionalMoney is nil for no money at all.
func optionalMoney(m domain.Money) *Money {
	if m.Currency() == "" {
		return nil
	}
	v := moneyOf(m)
	return &v
}

// shapeOf describes an answer whose bytes are made elsewhere.
func shapeOf[T any](api huma.API) map[string]*huma.MediaType {
	t := reflect.TypeFor[T]()
	return map[string]*huma.MediaType{"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())}}
}
