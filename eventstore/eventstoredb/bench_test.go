package eventstoredb_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
)

// elsewhere is a server in another process, or the true one.
func elsewhere(b testing.TB) string {
	b.Helper()
	if real() != "" {
		return real()
	}
	return launch(b).Connection
}

func bare(b *testing.B, connection string) *esdb.Client {
	b.Helper()
	conf, err := esdb.ParseConnectionString(connection)
	if err != nil {
		b.Fatal(err)
	}
	conf.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(conf)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// payload is an event of the usual size: a notice with sealed evidence.
func payload(name string, i int) []eventstore.Event {
	e := names(name, i, 1)
	e[0].Data = []byte(`{"order":"` + strings.Repeat("4", 400) + `"}`)
	e[0].Sealed = make([]byte, 600)
	return e
}

// BenchmarkAppend compares the adapter with the bare client: one event at a
// time from one caller, in turns of 50, so that both meet the same machine. The
// metrics are processor time of the client's side only, per append; extra is the
// median over all turns of what the adapter costs beyond the bare client.
func BenchmarkAppend(b *testing.B) {
	const turn = 50
	connection := elsewhere(b)
	c, s := bare(b, connection), open(b, eventstoredb.Options{Connection: connection})
	name := "bench " + time.Now().String()
	byClient := func(i int) error {
		e := payload("e", i)[0]
		var at esdb.ExpectedRevision = esdb.NoStream{}
		if i > 0 {
			at = esdb.Revision(uint64(i - 1))
		}
		_, err := c.AppendToStream(context.Background(), "bare."+name, esdb.AppendToStreamOptions{ExpectedRevision: at}, esdb.EventData{
			EventID: [16]byte(e.ID), EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: append(e.Meta, e.Sealed...),
		})
		return err
	}
	byAdapter := func(i int) error {
		_, err := s.Append(context.Background(), domain.Stream(name), eventstore.Expected(i-1), payload("e", i))
		return err
	}
	var client, adapter, extra []float64
	for i := 0; b.Loop(); i += turn {
		one, two := spend(b, byClient, i, turn), spend(b, byAdapter, i, turn)
		client, adapter, extra = append(client, one), append(adapter, two), append(extra, two-one)
	}
	b.ReportMetric(median(client), "bare-cpu-µs")
	b.ReportMetric(median(adapter), "adapter-cpu-µs")
	b.ReportMetric(median(extra), "extra-cpu-µs")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// spend is the processor time of one call, in µs.
func spend(b *testing.B, one func(int) error, from, n int) float64 {
	used := cpu(b)
	for i := range n {
		if err := one(from + i); err != nil {
			b.Fatal(err)
		}
	}
	return float64((cpu(b) - used).Nanoseconds()) / 1000 / float64(n)
}

// BenchmarkCatchUp compares how fast a log of 20,000 events is read from its
// beginning by the bare client's subscription and by Follow.
func BenchmarkCatchUp(b *testing.B) {
	const events = 20_000
	connection := elsewhere(b)
	o := quick(connection)
	s := open(b, o)
	for i := 0; i < events; i += 50 {
		batch := names("e", i, 50)
		for j := range batch {
			batch[j].Data, batch[j].Sealed = payload("", 0)[0].Data, make([]byte, 600)
		}
		if _, err := s.Append(b.Context(), "s", eventstore.Expected(i-1), batch); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(b *testing.B, one func() int) {
		for b.Loop() {
			if n := one(); n != events {
				b.Fatalf("%d events", n)
			}
		}
		b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("bare", func(b *testing.B) {
		c := bare(b, connection)
		rate(b, func() int { return subscribeAll(b, c, o.Namespace+".") })
	})
	b.Run("adapter", func(b *testing.B) {
		rate(b, func() (n int) {
			for batch, err := range s.Follow(b.Context(), 0, eventstore.FollowOptions{Sealed: true}) {
				if err != nil {
					b.Fatal(err)
				}
				if n += len(batch.Events); batch.CaughtUp {
					return n
				}
			}
			return n
		})
	})
}

func subscribeAll(b *testing.B, c *esdb.Client, prefix string) (n int) {
	sub, err := c.SubscribeToAll(b.Context(), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 256, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{prefix}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	for {
		switch e := sub.Recv(); {
		case e.EventAppeared != nil:
			n++
		case e.CaughtUp != nil:
			return n
		case e.SubscriptionDropped != nil:
			b.Fatal(e.SubscriptionDropped.Error)
		}
	}
}
