package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Ops is the listener for operators, meant for loopback: liveness, readiness,
// metrics and version. ready says what keeps the process from its work; notes
// what does not, and people should know all the same.
func Ops(reg *prometheus.Registry, software string, ready func(context.Context) error, notes ...func() []string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		if err := ready(ctx); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		var all []string
		for _, of := range notes {
			all = append(all, of()...)
		}
		say(w, http.StatusOK, "ready", all...)
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, software) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return sending(mux, DefaultSendWithin)
}

func say(w http.ResponseWriter, status int, text string, notes ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Status string   `json:"status"`
		Notes  []string `json:"notes,omitempty"`
	}{text, notes})
}
