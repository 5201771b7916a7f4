package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestSlowHandler: the time a handler takes is not the client's, also where it
// writes nothing by itself.
func TestSlowHandler(t *testing.T) {
	t.Parallel()
	const within = 20 * time.Millisecond
	srv := httptest.NewServer(sending(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(3 * within)
		w.WriteHeader(http.StatusNotModified)
	}), within))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusNotModified {
		t.Error(res.Status)
	}
}
