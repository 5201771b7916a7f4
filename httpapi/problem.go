package httpapi

import (
	"errors"
	"log/slog"
	"net/http"

	"counterfoil/domain"
)

// answer is what a kind of error means to an API client. One row each: the
// table is the whole mapping.
type answer struct {
	status int
	level  slog.Level
	title  string
}

var answers = map[domain.Kind]answer{
	domain.KindInternal:    {http.StatusInternalServerError, slog.LevelError, "Something went wrong here"},
	domain.KindInvalid:     {http.StatusUnprocessableEntity, slog.LevelInfo, "The request is not right"},
	domain.KindForged:      {http.StatusUnauthorized, slog.LevelInfo, "Not authenticated"},
	domain.KindDenied:      {http.StatusForbidden, slog.LevelInfo, "Not allowed"},
	domain.KindNotFound:    {http.StatusNotFound, slog.LevelInfo, "Not found"},
	domain.KindMismatch:    {http.StatusUnprocessableEntity, slog.LevelInfo, "The value differs from what is on record"},
	domain.KindConflict:    {http.StatusConflict, slog.LevelInfo, "Conflict with the present state"},
	domain.KindTooLarge:    {http.StatusRequestEntityTooLarge, slog.LevelInfo, "Too large"},
	domain.KindLimited:     {http.StatusTooManyRequests, slog.LevelInfo, "Too many requests"},
	domain.KindUnavailable: {http.StatusServiceUnavailable, slog.LevelWarn, "Not available now; try again"},
	domain.KindUnknown:     {http.StatusServiceUnavailable, slog.LevelError, "Outcome unknown; repeat the same request"},
	domain.KindCorrupt:     {http.StatusInternalServerError, slog.LevelError, "Stored data is damaged"},
}

// Problem is an error as RFC 9457 writes it, with a stable code to branch on.
type Problem struct {
	Type      string  `json:"type" doc:"Stable address of this kind of problem"`
	Title     string  `json:"title" doc:"The kind of problem in words"`
	Status    int     `json:"status" doc:"HTTP status"`
	Code      string  `json:"code" doc:"Stable name of the kind: invalid, forged, denied, not_found, mismatch, conflict, too_large, limited, unavailable, unknown, corrupt, internal"`
	Detail    string  `json:"detail,omitempty" doc:"What happened here and what to do"`
	RequestID string  `json:"request_id,omitempty" doc:"Also in the log and in X-Request-Id"`
	Errors    []Fault `json:"errors,omitempty" doc:"The fields that are wrong"`
}

// Fault is one wrong field.
type Fault struct {
	Field   string `json:"field" doc:"Name of the field, with where it stands"`
	Message string `json:"message" doc:"What is wrong with it"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType marks the answer as a problem.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// inField names the input field an error lies in, where it does not say so
// itself.
func inField(field string, err error) error {
	if err == nil || domain.FieldOf(err) != "" {
		return err
	}
	return domain.EField(domain.KindOf(err), field, "%w", err)
}

func problemType(k domain.Kind) string { return "https://counterfoil.dev/problems/" + k.String() }

// problem is the answer for err. What is not ours to explain stays in the log.
func problem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	kind := domain.KindOf(err)
	a := answers[kind]
	p := &Problem{Type: problemType(kind), Title: a.title, Status: a.status, Code: kind.String(), Detail: err.Error()}
	if kind == domain.KindInternal {
		p.Detail = "the log has the cause under the request id"
	}
	if field := domain.FieldOf(err); field != "" {
		p.Errors = []Fault{{Field: field, Message: err.Error()}}
	}
	return p
}

// levelOf is the level at which a problem is logged.
func levelOf(p *Problem) slog.Level {
	for kind, a := range answers {
		if kind.String() == p.Code {
			return a.level
		}
	}
	return slog.LevelError
}

// kindOfStatus is the kind whose row has a status: for errors that the HTTP
// layer found before any handler ran.
func kindOfStatus(status int) domain.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType,
		http.StatusNotAcceptable, http.StatusRequestTimeout:
		return domain.KindInvalid
	case http.StatusUnauthorized:
		return domain.KindForged
	case http.StatusForbidden:
		return domain.KindDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return domain.KindNotFound
	case http.StatusConflict:
		return domain.KindConflict
	case http.StatusRequestEntityTooLarge:
		return domain.KindTooLarge
	case http.StatusTooManyRequests:
		return domain.KindLimited
	case http.StatusServiceUnavailable:
		return domain.KindUnavailable
	}
	return domain.KindInternal
}
