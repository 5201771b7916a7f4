package stripe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/sandbox/stage"
)

// FuzzAPI gives the API any path, query and form. It answers all of them, and
// an error is one of Stripe's.
func FuzzAPI(f *testing.F) {
	f.Add("POST", "/v1/checkout/sessions", "mode=payment&line_items[0][quantity]=1&line_items[0][price_data][unit_amount]=1&line_items[0][price_data][currency]=jpy")
	f.Add("POST", "/v1/payment_intents", "amount=100&currency=isk&metadata[order_no]=A1")
	f.Add("GET", "/v1/events?limit=3&created[gte]=1&types[]=x&expand[]=data.source", "")
	f.Add("GET", `/v1/payment_intents/search?query=metadata["a"]:"b\""`, "")
	f.Add("POST", "/v1/refunds", "payment_intent=pi_1&amount=-1")
	s, err := stage.New(stage.Config{Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	face, err := New(s, Config{BaseURL: base, Accounts: []Account{{ID: acct}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, form string) {
		r, err := http.NewRequest(method, "http://sandbox.example"+target, strings.NewReader(form))
		if err != nil || !strings.HasPrefix(target, "/") {
			t.Skip()
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+face.list[0].APIKey)
		w := httptest.NewRecorder()
		face.Routes().ServeHTTP(w, r)
		redirect := w.Code/100 == 3 // of a path that is not clean
		if body := w.Body.String(); w.Code != http.StatusOK && !redirect && (w.Code >= 500 || !strings.Contains(body, `"error"`)) {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, body)
		}
	})
}
