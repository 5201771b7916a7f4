package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Version is the version of the API's description.
const Version = "1.0.0"

// maxBody is the longest body of a request to /v1 (R10).
const maxBody = 64 << 10

type requestContext struct{}

// registerAPI puts /v1 and its description on mux, behind the keys.
func (s *Server) registerAPI(mux *http.ServeMux) {
	inner := http.NewServeMux()
	s.describe(inner)
	mux.Handle("/v1/", s.guard(inner))
	mux.Handle("/openapi.json", s.guard(inner))
}

// describe registers every operation and returns the description.
func (s *Server) describe(mux *http.ServeMux) *huma.OpenAPI {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return foreignProblem(status, msg, errs)
	}
	cfg := huma.DefaultConfig("Counterfoil", Version)
	cfg.Info.Description = "An event-sourced ledger for payment callbacks. Amounts are decimal strings at the " +
		"currency's places; positions are decimal strings; times are RFC 3339 in UTC."
	cfg.DocsPath, cfg.SchemasPath, cfg.CreateHooks = "", "", nil
	cfg.RejectUnknownQueryParameters = true
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

// foreignProblem is a Problem for what the HTTP layer refused.
func foreignProblem(status int, msg string, errs []error) *Problem {
	kind := kindOfStatus(status)
	p := &Problem{
		Type: "https://counterfoil.dev/problems/" + kind.String(), Title: answers[kind].title, Status: status,
		Code: kind.String(), Detail: msg,
	}
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

// guard lets requests with a good key pass, gives each an id and bounds it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := domain.NewRandom(rand.Reader)
		if err != nil {
			s.refuse(w, r, "", err)
			return
		}
		w.Header().Set("X-Request-Id", id.String())
		w.Header().Set("Cache-Control", "no-store")
		in, err := s.authenticate(r)
		if err != nil {
			s.refuse(w, r, id.String(), err)
			return
		}
		in.Body = http.MaxBytesReader(w, in.Body, maxBody)
		next.ServeHTTP(w, in.WithContext(context.WithValue(in.Context(), requestContext{}, id.String())))
	})
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestContext{}).(string)
	return id
}

// refuse answers with a problem outside of any operation.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	p := problem(err)
	p.RequestID = id
	s.metrics.requests.WithLabelValues("none", class(p.Status)).Inc()
	s.Logger.LogAttrs(r.Context(), answers[domain.KindOf(err)].level, "request refused",
		slog.String("request_id", id), slog.String("path", clip(r.URL.Path, 200)), slog.String("kind", p.Code),
		slog.String("error", err.Error()), slog.String("remote", s.proxies.client(r)))
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// operation registers one operation behind its scope.
func operation[I, O any](
	s *Server, api huma.API, op huma.Operation, scope operations.Scope, h func(context.Context, *I) (*O, error),
) {
	op.Security = []map[string][]string{{"key": {}}}
	op.Description += "\n\nScope: `" + string(scope) + "`."
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusInternalServerError, http.StatusServiceUnavailable)
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		err := allow(keyOf(ctx), scope)
		var out *O
		if err == nil {
			out, err = h(ctx, in)
		}
		if err != nil {
			return nil, s.failed(ctx, op.OperationID, err)
		}
		s.metrics.requests.WithLabelValues(op.OperationID, "2xx").Inc()
		return out, nil
	})
}

// failed turns an error into its problem and logs it once.
func (s *Server) failed(ctx context.Context, op string, err error) error {
	var se huma.StatusError
	if errors.As(err, &se) {
		s.metrics.requests.WithLabelValues(op, class(se.GetStatus())).Inc()
		return err
	}
	p := problem(err)
	p.RequestID = requestID(ctx)
	s.metrics.requests.WithLabelValues(op, class(p.Status)).Inc()
	s.Logger.LogAttrs(ctx, answers[domain.KindOf(err)].level, "request failed", slog.String("request_id", p.RequestID),
		slog.String("operation", op), slog.String("key", keyOf(ctx).ID), slog.String("kind", p.Code),
		slog.String("error", err.Error()))
	return p
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
