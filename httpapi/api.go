package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"strconv"
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
	s.registerEvents(api)
	s.registerCallbacks(api)
	s.registerReconciliations(api)
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

// caller is who makes a request, and as which one.
type caller struct {
	server  *Server
	key     operations.APIKey
	request string // its id
}

type callerContext struct{}

// callerOf is the caller of a request behind the guard, an empty one elsewhere.
func callerOf(ctx context.Context) *caller {
	c, ok := ctx.Value(callerContext{}).(*caller)
	if !ok {
		return &caller{}
	}
	return c
}

// keyOf is the key a request was let in with.
func keyOf(ctx context.Context) operations.APIKey { return callerOf(ctx).key }

func requestID(ctx context.Context) string { return callerOf(ctx).request }

// guard lets requests with a good key pass, gives each an id and bounds it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &caller{server: s}
		defer s.rescue(w, r, c)
		var err error
		if c.request, err = newRequestID(); err != nil {
			s.refuse(w, r, c, "none", err)
			return
		}
		w.Header().Set("X-Request-Id", c.request)
		w.Header().Set("Cache-Control", "no-store")
		if c.key, err = s.keys.check(r.Context(), r.Header.Get("Authorization")); err != nil {
			s.refuse(w, r, c, "none", err)
			return
		}
		if account, ok := plainBalances(r); ok {
			s.serveBalances(w, r, c, account)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerContext{}, c)))
	})
}

func newRequestID() (string, error) {
	id, err := domain.NewRandom(rand.Reader)
	return id.String(), err
}

// rescue answers a request whose handler panicked. A stream that was broken off
// on purpose stays so, and a client that left gets nothing.
func (s *Server) rescue(w http.ResponseWriter, r *http.Request, c *caller) {
	p := recover()
	switch {
	case p == nil:
	case p == http.ErrAbortHandler: //nolint:errorlint // the value itself is the signal
		panic(p)
	case r.Context().Err() != nil:
	default:
		s.refuse(w, r, c, "none", domain.E(domain.KindInternal, "panic, report this as a bug: %v", p),
			slog.String("stack", string(debug.Stack())))
	}
}

// routed answers what no operation has as problems.
func (s *Server) routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		n := notes{header: http.Header{}}
		h.ServeHTTP(&n, r)
		err := domain.E(domain.KindNotFound, "there is nothing at this path")
		if n.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", n.header.Get("Allow"))
			err = foreignProblem(n.status, "this path takes other methods, see Allow", nil)
		}
		s.refuse(w, r, callerOf(r.Context()), "none", err)
	})
}

// notes keeps status and header of an answer that is not sent.
type notes struct {
	header http.Header
	status int
}

func (n *notes) Header() http.Header         { return n.header }
func (n *notes) WriteHeader(status int)      { n.status = status }
func (n *notes) Write(b []byte) (int, error) { return len(b), nil }

// refuse answers with the problem for err, outside of any operation's handler.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c *caller, op string, err error, more ...slog.Attr) {
	p := problem(err)
	more = append(more, slog.String("path", plain(clip(r.URL.Path, 200))), slog.String("remote", s.proxies.client(r)))
	s.tell(context.WithValue(r.Context(), callerContext{}, c), op, p, err, more...)
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// tell counts and logs a request that failed, once, and names it in p.
func (s *Server) tell(ctx context.Context, op string, p *Problem, err error, more ...slog.Attr) {
	p.RequestID = requestID(ctx)
	s.metrics.requests.WithLabelValues(op, class(p.Status)).Inc()
	attrs := append([]slog.Attr{
		slog.String("request_id", p.RequestID), slog.String("operation", op), slog.String("key", keyOf(ctx).ID),
		slog.Int("status", p.Status), slog.String("kind", p.Code), slog.String("error", plain(err.Error())),
	}, more...)
	for _, f := range p.Errors {
		attrs = append(attrs, slog.String("field", plain(f.Field)))
	}
	s.Logger.LogAttrs(ctx, levelOf(p), "request refused", attrs...)
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

func class(status int) string { return strconv.Itoa(status/100) + "xx" }

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
