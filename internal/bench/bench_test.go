package bench

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/httpapi"
)

// BenchmarkCallback is the whole way of a distinct payment's callback in one
// process, for profiles: HTTP over loopback, signature, fold, sealed evidence,
// sync, answer, with the projector running. 64 connections.
func BenchmarkCallback(b *testing.B) {
	s, err := NewStore(b.Context(), b.TempDir(), "never", false)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Place(b.Context(), b.N, func() {}); err != nil {
		b.Fatal(err)
	}
	app, err := s.open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Deps{
		Ledger: app.Ledger, Log: app.Events, Rows: app.Rows, Ops: app.Ops, Channels: app.Channels,
		Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Clock: time.Now, Ready: app.Ready,
	}, httpapi.Config{PublicURL: "http://" + s.Listen, ExpireAfter: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", s.Listen)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: api.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	requests := make([][]byte, b.N)
	for i := range requests {
		requests[i] = s.Callback(i)
	}
	b.ResetTimer()
	r, err := Load{
		Address: s.Listen, Conns: 64, For: time.Hour, Want: "success",
		Next: func(i int64) []byte {
			if i >= int64(len(requests)) {
				return nil
			}
			return requests[i]
		},
	}.Run(b.Context())
	b.StopTimer()
	if err != nil || r.Bad > 0 {
		b.Errorf("%v, bad answers: %d %s", err, r.Bad, r.FirstBad)
	}
	b.ReportMetric(r.Rate, "callbacks/s")
	b.ReportMetric(float64(r.P99.Microseconds()), "p99-µs")
	_ = srv.Close()
	stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
	if err := app.Close(); err != nil {
		b.Error(err)
	}
}
