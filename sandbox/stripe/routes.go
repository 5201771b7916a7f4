package stripe

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"

	"counterfoil/sandbox/stage"
)

// refusal is an error as Stripe answers it.
type refusal struct {
	status  int
	kind    string
	code    string
	message string
}

// Error is the message.
func (r refusal) Error() string { return r.message }

func missing(what, id string) error {
	return refusal{http.StatusNotFound, "invalid_request_error", "resource_missing", "No such " + what + ": '" + id + "'"}
}

func wrong(param, message string) error {
	return refusal{http.StatusBadRequest, "invalid_request_error", "parameter_invalid", param + ": " + message}
}

// answered is the answer kept for an Idempotency-Key.
type answered struct {
	asked  [sha256.Size]byte
	status int
	body   string
}

// call is a question that was understood so far.
type call struct {
	*http.Request
	a      *account
	values url.Values
	expand expansion
}

// handler answers a call, under Face.mu, and may leave something to be done
// afterwards.
type handler func(c call) (answer fields, after func(), err error)

func (f *Face) mux() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"POST /v1/checkout/sessions":             f.createSession,
		"GET /v1/checkout/sessions":              f.listSessions,
		"GET /v1/checkout/sessions/{id}":         f.getSession,
		"POST /v1/checkout/sessions/{id}/expire": f.expireSession,
		"POST /v1/payment_intents":               f.createIntent,
		"GET /v1/payment_intents":                f.listIntents,
		"GET /v1/payment_intents/search":         f.search,
		"GET /v1/payment_intents/{id}":           f.getIntent,
		"POST /v1/payment_intents/{id}/cancel":   f.cancelIntent,
		"GET /v1/charges/{id}":                   f.getCharge,
		"POST /v1/refunds":                       f.createRefund,
		"GET /v1/refunds":                        f.listRefunds,
		"GET /v1/refunds/{id}":                   f.getRefund,
		"GET /v1/disputes":                       f.listDisputes,
		"GET /v1/disputes/{id}":                  f.getDispute,
		"POST /v1/payouts":                       f.createPayout,
		"GET /v1/payouts":                        f.listPayouts,
		"GET /v1/payouts/{id}":                   f.getPayout,
		"GET /v1/balance":                        f.getBalance,
		"GET /v1/balance_transactions":           f.listTransactions,
		"GET /v1/balance_transactions/{id}":      f.getTransaction,
		"GET /v1/events":                         f.listEvents,
		"GET /v1/events/{id}":                    f.getEvent,
	} {
		mux.Handle(pattern, f.serve(h))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.write(w, http.StatusNotFound, fail(refusal{
			http.StatusNotFound, "invalid_request_error", "", "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ").",
		}))
	})
	return mux
}

// maxForm bounds a question's body.
const maxForm = 64 << 10

func (f *Face) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := f.understand(w, r)
		if err != nil {
			f.write(w, err.(refusal).status, fail(err)) //nolint:errorlint,forcetypeassert // understand makes no other
			return
		}
		if f.spoilt(w, c) {
			return
		}
		status, body, after := f.perform(c, h)
		if after != nil {
			after()
		}
		if f.troubles.Bill(c.a.ID, f.stage.Now()).Class == stage.BillCut && strings.HasSuffix(r.URL.Path, "/balance_transactions") {
			body = body[:len(body)/2]
		}
		f.write(w, status, body)
	})
}

// understand finds the account and reads the form.
func (f *Face) understand(w http.ResponseWriter, r *http.Request) (call, error) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		key, _, _ = r.BasicAuth()
	}
	a := f.keys[key]
	if a == nil {
		return call{}, refusal{http.StatusUnauthorized, "invalid_request_error", "", "Invalid API Key provided: " + stage.CutText(key, 8) + "***"}
	}
	if on := r.Header.Get("Stripe-Account"); on != "" && on != a.ID {
		return call{}, refusal{http.StatusForbidden, "invalid_request_error", "account_invalid", "The provided key does not have access to account '" + on + "'"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return call{}, refusal{http.StatusBadRequest, "invalid_request_error", "", "Invalid form"}
	}
	c := call{Request: r, a: a, values: r.Form}
	for name, values := range r.Form {
		if name == "expand[]" || strings.HasPrefix(name, "expand[") {
			for _, path := range values {
				c.expand = append(c.expand, path)
			}
		}
	}
	return c, nil
}

// spoilt spoils an answer as planted, and reports whether that was all.
func (f *Face) spoilt(w http.ResponseWriter, c call) bool {
	fault := f.troubles.Take(c.a.ID, c.intent(), f.stage.Now())
	switch fault.Class {
	case stage.QueryMissing:
		f.write(w, http.StatusNotFound, fail(missing("payment_intent", c.intent())))
		return true
	case stage.QueryLimited:
		f.write(w, http.StatusTooManyRequests, fail(refusal{0, "invalid_request_error", "rate_limit", "Request rate limit exceeded."}))
		return true
	default:
		return stage.Spoil(w, c.Request, fault)
	}
}

// intent is the payment intent that a question is about.
func (c call) intent() string {
	if id := c.values.Get("payment_intent"); id != "" {
		return id
	}
	return c.PathValue("id")
}

// perform answers a call; a POST with an Idempotency-Key once.
func (f *Face) perform(c call, h handler) (status int, body string, after func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := c.Header.Get("Idempotency-Key")
	if c.Method != http.MethodPost || key == "" {
		return f.result(h(c))
	}
	asked := sha256.Sum256([]byte(c.URL.Path + "?" + c.PostForm.Encode()))
	if kept, found := c.a.repeats[key]; found {
		if kept.asked != asked {
			return http.StatusBadRequest, fail(refusal{400, "idempotency_error", "", "Keys for idempotent requests can only be used with the same parameters."}), nil
		}
		return kept.status, kept.body, nil
	}
	status, body, after = f.result(h(c))
	c.a.repeats[key] = answered{asked, status, body}
	return status, body, after
}

func (f *Face) result(answer fields, after func(), err error) (int, string, func()) {
	if err == nil {
		return http.StatusOK, indented(answer), after
	}
	r, ok := err.(refusal) //nolint:errorlint // made here, never wrapped
	if !ok {
		r = refusal{http.StatusBadRequest, "invalid_request_error", "", err.Error()}
	}
	return r.status, fail(r), nil
}

func fail(err error) string {
	r, _ := err.(refusal) //nolint:errorlint // as above
	e := fields{"type": r.kind, "message": r.message, "request_log_url": "https://dashboard.stripe.com/test/logs/req_sandbox"}
	if r.code != "" {
		e["code"] = r.code
	}
	return indented(fields{"error": e})
}

func (f *Face) write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Stripe-Version", "2025-11-17.clover")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that has gone needs no answer
}
