package assembly

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"counterfoil/projections"
)

// Registry holds the process's metrics, those of the stores among them.
func (a *App) Registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "counterfoil_projection_position", Help: "Position up to which this process has seen the projections folded.",
		}, func() float64 { return float64(a.Runner.Status().Position) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "counterfoil_projection_stopped", Help: "1 when the projection stopped and a person must look.",
		}, func() float64 {
			if a.Runner.Status().Phase == projections.PhaseStopped {
				return 1
			}
			return 0
		}))
	reg.MustRegister(storeMetrics(a.Events)...)
	return reg
}
