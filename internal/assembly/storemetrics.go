package assembly

import (
	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
)

// connected is a store that lives behind connections.
type connected interface{ Stats() eventstoredb.Stats }

// storeMetrics are those of a store on a server; a file has none of its own.
func storeMetrics(s eventstore.Store) []prometheus.Collector {
	c, ok := s.(connected)
	if !ok {
		return nil
	}
	counter := func(name, help string, value func(eventstoredb.Stats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(c.Stats())) })
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "counterfoil_store_connected", Help: "1 while there is a connection that appends can take.",
		}, func() float64 {
			if c.Stats().Connected {
				return 1
			}
			return 0
		}),
		counter("counterfoil_store_connections_total", "Connections made to the event store's server, the first one included.",
			func(s eventstoredb.Stats) uint64 { return s.Sessions }),
		counter("counterfoil_store_repeats_total", "Calls to the event store repeated because their outcome was open.",
			func(s eventstoredb.Stats) uint64 { return s.Repeats }),
		counter("counterfoil_store_resubscriptions_total", "Subscriptions to the event store begun again after a drop.",
			func(s eventstoredb.Stats) uint64 { return s.Resubscribed }),
	}
}
