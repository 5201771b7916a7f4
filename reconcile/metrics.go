package reconcile

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/operations"
)

type metrics struct {
	runs        *prometheus.CounterVec
	lastSuccess prometheus.Gauge
	healed      prometheus.Counter
	unanswered  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_sweeps_total", Help: "Sweeps by how they ended.",
		}, []string{"state"}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "counterfoil_sweep_last_success_timestamp_seconds", Help: "End of the last complete sweep.",
		}),
		healed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "counterfoil_healed_total", Help: "Payments credited though no callback had come.",
		}),
		unanswered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_unanswered_queries_total", Help: "Questions a provider did not answer.",
		}, []string{"channel"}),
	}
	for _, c := range []prometheus.Collector{m.runs, m.lastSuccess, m.healed, m.unanswered} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) ended(r operations.Run) {
	m.runs.WithLabelValues(string(r.State)).Inc()
	m.healed.Add(float64(r.Healed))
	if r.State == operations.RunComplete {
		m.lastSuccess.Set(float64(r.EndedAt.Unix()))
	}
}
