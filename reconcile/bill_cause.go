package reconcile

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/operations"
)

// caused is an error that makes a run incomplete, and why.
type caused struct {
	cause operations.BillCause
	err   error
}

func (c *caused) Error() string { return c.err.Error() }

func (c *caused) Unwrap() error { return c.err }

// because gives err a cause, unless it has one or the run was told to stop.
func because(cause operations.BillCause, err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*caused](err); known {
		return err
	}
	if errors.Is(err, context.Canceled) {
		cause = operations.CauseStopped
	}
	return &caused{cause, err}
}

// causeOf is the cause of an error; ours where nobody gave it one.
func causeOf(err error) operations.BillCause {
	if c, ok := errors.AsType[*caused](err); ok {
		return c.cause
	}
	if errors.Is(err, context.Canceled) {
		return operations.CauseStopped
	}
	return operations.CauseOurs
}

// theirFault says what an error of a provider's bill means.
func theirFault(err error) error {
	if err == nil {
		return nil
	}
	cause := operations.CauseProviderDown
	switch domain.KindOf(err) {
	case domain.KindNotFound:
		cause = operations.CauseBillMissing
	case domain.KindCorrupt, domain.KindInvalid, domain.KindMismatch, domain.KindForged:
		cause = operations.CauseBillBroken
	case domain.KindTooLarge:
		cause = operations.CauseTooLarge
	default:
	}
	return because(cause, err)
}

type billMetrics struct {
	runs    *prometheus.CounterVec
	differs *prometheus.CounterVec
	healed  prometheus.Counter
	last    *prometheus.GaugeVec
}

func newBillMetrics(reg prometheus.Registerer) (*billMetrics, error) {
	m := &billMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_bill_runs_total", Help: "Comparisons of bills by how they ended.",
		}, []string{"channel", "state", "cause"}),
		differs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "counterfoil_bill_differences_total", Help: "Open differences that complete bill runs saw.",
		}, []string{"channel", "kind"}),
		healed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "counterfoil_bill_healed_total", Help: "Payments that a bill listed and that were credited after asking.",
		}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "counterfoil_bill_last_complete_timestamp_seconds", Help: "End of the last complete comparison.",
		}, []string{"channel"}),
	}
	for _, c := range []prometheus.Collector{m.runs, m.differs, m.healed, m.last} {
		if err := reg.Register(c); err != nil {
			return nil, domain.E(domain.KindInternal, "register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *billMetrics) ended(r operations.BillRun) {
	m.runs.WithLabelValues(string(r.Channel), string(r.State), string(r.Cause)).Inc()
	m.healed.Add(float64(r.Healed))
	if r.State != operations.RunComplete {
		return
	}
	m.last.WithLabelValues(string(r.Channel)).Set(float64(r.EndedAt.Unix()))
	for kind, n := range r.Kinds {
		m.differs.WithLabelValues(string(r.Channel), string(kind)).Add(float64(n))
	}
}
