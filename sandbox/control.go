package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// controlRoutes is the control interface: JSON for programs, pages for people.
// It says the truth to whoever asks and has no login.
func (s *Sandbox) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/{$}", s.startPage)
	mux.HandleFunc("GET /sandbox/{face}/{$}", s.facePage)
	mux.HandleFunc("POST /sandbox/{face}/do", s.facePressed)
	mux.HandleFunc("GET /sandbox/style.css", styleSheet)
	mux.HandleFunc("POST /sandbox/do", s.pressed)

	mux.HandleFunc("GET /sandbox/merchants", answer0(func(*http.Request) (any, error) { return s.Credentials(), nil }))
	mux.HandleFunc("POST /sandbox/merchants", answer1(func(_ *http.Request, c MerchantConfig) (any, error) {
		return s.AddMerchant(c)
	}))
	mux.HandleFunc("GET /sandbox/books", answer0(func(*http.Request) (any, error) { return s.Books(), nil }))
	mux.HandleFunc("GET /sandbox/clock", answer0(func(*http.Request) (any, error) { return s.Clock(), nil }))
	mux.HandleFunc("POST /sandbox/clock", answer1(s.controlClock))
	mux.HandleFunc("GET /sandbox/rates", answer0(func(*http.Request) (any, error) { return s.Rates(), nil }))
	mux.HandleFunc("PUT /sandbox/rates", answer1(func(_ *http.Request, rates []Rate) (any, error) {
		if err := s.SetRates(rates); err != nil {
			return nil, err
		}
		return s.Rates(), nil
	}))
	mux.HandleFunc("POST /sandbox/outage", answer1(s.controlOutage))
	mux.HandleFunc("POST /sandbox/purge", answer1(s.controlPurge))
	mux.HandleFunc("POST /sandbox/next", answer1(s.controlNext))
	mux.HandleFunc("GET /sandbox/attempts", answer0(s.controlAttempts))
	s.orderRoutes(mux)
	s.faceControl(mux)
	return mux
}

// orderRoutes are the acts on one order.
func (s *Sandbox) orderRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/orders", answer0(func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return s.Orders(q.Get("pid"), q.Get("out_trade_no"), whole(q.Get("limit"), 100)), nil
	}))
	mux.HandleFunc("POST /sandbox/orders", answer1(func(_ *http.Request, o OpenOrder) (any, error) { return s.Open(o) }))
	mux.HandleFunc("GET /sandbox/orders/{trade_no}", answer0(func(r *http.Request) (any, error) {
		return s.Order(r.PathValue("trade_no"))
	}))
	mux.HandleFunc("POST /sandbox/orders/{trade_no}/pay", answer1(func(r *http.Request, p payment) (any, error) {
		if p.Faults == nil {
			return s.Pay(r.PathValue("trade_no"))
		}
		return s.PayWith(r.PathValue("trade_no"), p.Faults...)
	}))
	mux.HandleFunc("POST /sandbox/orders/{trade_no}/faults", answer1(func(r *http.Request, f Fault) (any, error) {
		return s.Fire(r.PathValue("trade_no"), f)
	}))
	acts := map[string]func(string) error{"resend": s.Resend, "purge": s.Purge, "freeze": s.Freeze, "refund": s.refundRest}
	for name, act := range acts {
		mux.HandleFunc("POST /sandbox/orders/{trade_no}/"+name, answer1(func(r *http.Request, _ struct{}) (any, error) {
			if err := act(r.PathValue("trade_no")); err != nil {
				return nil, err
			}
			return s.Order(r.PathValue("trade_no"))
		}))
	}
}

// payment is the body of a pay request: with "faults", even an empty list,
// exactly those; without it the ones that are set or fall to it by chance.
type payment struct {
	Faults []Fault `json:"faults"`
}

func (s *Sandbox) refundRest(tradeNo string) error { return s.Refund(tradeNo, noMoney) }

// clockChange is the body of a clock request.
type clockChange struct {
	Advance Duration `json:"advance"`
	Speed   float64  `json:"speed"`
}

func (s *Sandbox) controlClock(_ *http.Request, c clockChange) (any, error) {
	if c.Speed != 0 {
		if err := s.SetSpeed(c.Speed); err != nil {
			return nil, err
		}
	}
	if c.Advance != 0 {
		if err := s.Advance(time.Duration(c.Advance)); err != nil {
			return nil, err
		}
	}
	return s.Clock(), nil
}

// outageOrder is the body of an outage request.
type outageOrder struct {
	Fault
	PID    string   `json:"pid"`
	Length Duration `json:"length"`
}

func (s *Sandbox) controlOutage(_ *http.Request, o outageOrder) (any, error) {
	return o, s.Outage(o.PID, o.Fault, time.Duration(o.Length))
}

// purgeOrder is the body of a purge request: orders opened so long ago.
type purgeOrder struct {
	PID   string   `json:"pid"`
	Older Duration `json:"older"`
}

func (s *Sandbox) controlPurge(_ *http.Request, p purgeOrder) (any, error) {
	before := s.stage.Books().Add(-time.Duration(p.Older))
	return map[string]int{"purged": s.PurgePaid(p.PID, before)}, nil
}

// nextFaults is the body of a next request.
type nextFaults struct {
	PID    string  `json:"pid"`
	Faults []Fault `json:"faults"`
}

func (s *Sandbox) controlNext(_ *http.Request, n nextFaults) (any, error) {
	return n, s.Next(n.PID, n.Faults...)
}

func (s *Sandbox) controlAttempts(r *http.Request) (any, error) {
	q := r.URL.Query()
	return s.Attempts(stage.AttemptFilter{
		Face: q.Get("face"), Merchant: q.Get("pid"), TradeNo: q.Get("trade_no"), OrderNo: q.Get("out_trade_no"), Kind: q.Get("kind"),
		Limit: whole(q.Get("limit"), 100),
	}), nil
}

// answer0 serves a request without a body.
func answer0(act func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got, err := act(r)
		respond(w, got, err)
	}
}

// answer1 serves a request with a JSON body, which may be empty.
func answer1[T any](act func(*http.Request, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in T
		if err := readJSON(r.Body, &in); err != nil {
			respond(w, nil, err)
			return
		}
		got, err := act(r, in)
		respond(w, got, err)
	}
}

func readJSON(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return domain.E(domain.KindInvalid, "body: %w", err)
	}
	if d.More() {
		return domain.E(domain.KindInvalid, "body: something follows the JSON value")
	}
	return nil
}

// failure is the body of an answer that says no.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

func respond(w http.ResponseWriter, got any, err error) {
	status := http.StatusOK
	if err != nil {
		status = statusOf(err)
		got = map[string]failure{"error": {domain.KindOf(err).String(), err.Error(), domain.FieldOf(err)}}
	}
	var body bytes.Buffer
	out := json.NewEncoder(&body)
	out.SetEscapeHTML(false) // addresses are full of "&"
	out.SetIndent("", "  ")
	if err := out.Encode(got); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func statusOf(err error) int {
	switch domain.KindOf(err) {
	case domain.KindInvalid:
		return http.StatusBadRequest
	case domain.KindNotFound:
		return http.StatusNotFound
	case domain.KindConflict:
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}
