package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Rainbow counts any answer that contains SUCCESS as delivered, and a callback's
// query contains TRADE_SUCCESS: an answer that repeats the query loses the
// payment.
func TestNoAnswerRepeatsTheQuery(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/callbacks/{channel...}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/callbacks", notHere)
	mux.HandleFunc("/", notHere)
	h := asWritten(mux)
	for _, target := range []string{
		"//callbacks/a", "/callbacks//a", "/callbacks/a/", "/callbacks/./a", "/x/../callbacks/a", "/callbacks", "/callbacks/",
		"/", "/callbacks/a/b", "/%2e%2e/callbacks/a", "/callbacks/%2fa",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target+"?trade_status=TRADE_SUCCESS", nil))
		if w.Code == http.StatusOK {
			continue // it reached the channel's own handler
		}
		if w.Code != http.StatusNotFound || strings.Contains(strings.ToLower(w.Body.String()), "success") {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}
