package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"

	"counterfoil/domain"
	"counterfoil/operations"
)

// caller is who makes a request, and as which one.
type caller struct {
	server  *Server
	key     operations.APIKey
	request string // its id
	remote  string // address it comes from
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
		c.remote = s.proxies.client(r)
		s.login(r.Context(), c)
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

// class is a status as metrics count it, e.g. 4xx.
func class(status int) string { return strconv.Itoa(status/100) + "xx" }
