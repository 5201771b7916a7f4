package eventstoredb

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
)

// forgetful are the keys of stream metadata that let a server forget events.
var forgetful = []string{"$maxAge", "$maxCount", "$tb"}

// guard follows the metadata of our streams, for as long as the store is open.
type guard struct {
	store   *Store
	checked chan struct{} // closed when all metadata that was there has been seen
	once    sync.Once
	found   map[string]string // stream: what lets it forget
}

// run ends with ctx.
func (g *guard) run(ctx context.Context) {
	f := subscribe(ctx, g.store.lead, "$$"+g.store.prefix, 0)
	for {
		select {
		case <-ctx.Done():
			return
		case i := <-f.items:
			if !g.handle(i) {
				return
			}
		}
	}
}

func (g *guard) handle(i item) bool {
	switch i.news {
	case newEvent:
		g.look(i.event)
	case nowLive:
		g.once.Do(func() { close(g.checked) })
	case nowBehind:
	case broke:
		g.store.setGuard(domain.E(kindOf(i.err), "the streams' metadata cannot be read: %w", i.err))
		g.once.Do(func() { close(g.checked) })
		return false
	}
	return true
}

// look notes what one stream's newest metadata says.
func (g *guard) look(e *esdb.RecordedEvent) {
	name := strings.TrimPrefix(e.StreamID, "$$")
	delete(g.found, name)
	var meta map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &meta); err == nil {
		for _, key := range forgetful {
			if v, ok := meta[key]; ok && string(v) != "null" {
				g.found[name] = key
			}
		}
	}
	if len(g.found) == 0 {
		g.store.setGuard(nil)
		return
	}
	first := slices.Min(slices.Collect(maps.Keys(g.found)))
	err := domain.E(domain.KindCorrupt, "stream %s has %s in its metadata, so the server may forget its events (%d such streams): take it away, and check the log",
		first, g.found[first], len(g.found))
	g.store.setGuard(err)
	g.store.log.Error("the store takes no appends: a ledger must not forget", slog.Any("error", err))
}
