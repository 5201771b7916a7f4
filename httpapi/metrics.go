package httpapi

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
)

// metrics are the API's counters. Labels are never an order, an account or an
// address of a stranger.
type metrics struct {
	received *prometheus.CounterVec
	refused  *prometheus.CounterVec
	handle   *prometheus.HistogramVec
	requests *prometheus.CounterVec
	balances prometheus.Counter // the one of requests that counts answered balances
}

func newMetrics(reg *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_received_total",
			Help: "Callbacks by provider and outcome.",
		}, []string{"provider", "outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_refused_total",
			Help: "Refused callbacks by provider and reason; probe is a signature that the provider made wrong on purpose.",
		}, []string{"provider", "reason"}),
		handle: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "counterfoil_handle_seconds",
			Help:    "Time from a callback's first byte to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4},
		}, []string{"provider"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_api_requests_total",
			Help: "Requests to /v1 by operation and status class.",
		}, []string{"operation", "class"}),
	}
	for _, c := range []prometheus.Collector{m.received, m.refused, m.handle, m.requests} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.balances = m.requests.WithLabelValues(showBalancesID, "2xx")
	return m, nil
}

func (m *metrics) callback(provider string, o domain.Outcome, why domain.Reason, took time.Duration) {
	if provider == "" {
		provider = "none"
	}
	m.received.WithLabelValues(provider, string(o)).Inc()
	if o == domain.OutcomeRefused {
		m.refused.WithLabelValues(provider, string(why)).Inc()
	}
	m.handle.WithLabelValues(provider).Observe(took.Seconds())
}
