package eventstoredb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// The head of the envelope: version, then the length of meta.
const (
	envelopeVersion = 1
	envelopeHead    = 5
)

// pack is the custom metadata of an event.
func pack(e eventstore.Event) []byte {
	out := make([]byte, envelopeHead, envelopeHead+len(e.Meta)+len(e.Sealed))
	out[0] = envelopeVersion
	binary.BigEndian.PutUint32(out[1:], uint32(len(e.Meta)))
	out = append(out, e.Meta...)
	return append(out, e.Sealed...)
}

// unpack takes an envelope apart, without copying.
func unpack(b []byte) (meta, sealed []byte, ok bool) {
	if len(b) < envelopeHead || b[0] != envelopeVersion {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b[1:]))
	b = b[envelopeHead:]
	if n == 0 || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:len(b):len(b)], true
}

// propose is what the client sends for events. The content type is JSON so that
// the server's own screens can show the facts; nobody parses them there.
func propose(events []eventstore.Event) []esdb.EventData {
	out := make([]esdb.EventData, len(events))
	for i, e := range events {
		out[i] = esdb.EventData{
			EventID: [16]byte(e.ID), EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: pack(e),
		}
	}
	return out
}

// recorded is an event as the port gives it. What no store of ours can have
// written is KindCorrupt, with its place.
func (s *Store) recorded(e *esdb.RecordedEvent, sealed bool) (eventstore.Recorded, error) {
	corrupt := func(what string) error {
		return domain.E(domain.KindCorrupt, "event %d of %s at %d: %s", e.EventNumber, e.StreamID, e.Position.Commit, what)
	}
	name, ours := strings.CutPrefix(e.StreamID, s.prefix)
	switch {
	case !ours:
		return eventstore.Recorded{}, corrupt("it is no stream of " + s.o.Namespace)
	case strings.HasPrefix(e.EventType, "$"):
		return eventstore.Recorded{}, corrupt("a system event " + e.EventType + " stands in our stream: was it deleted?")
	case e.Position.Commit == math.MaxUint64:
		return eventstore.Recorded{}, domain.E(domain.KindMismatch, "the server tells no positions when a stream is read: it is too old")
	case e.Position.Commit != e.Position.Prepare:
		return eventstore.Recorded{}, corrupt("commit and prepare position differ: it was not written by an append")
	}
	meta, box, ok := unpack(e.UserMetadata)
	if !ok {
		return eventstore.Recorded{}, corrupt("its metadata is not our envelope: another program wrote it")
	}
	r := eventstore.Recorded{
		Stream: domain.Stream(name), Revision: e.EventNumber, Position: eventstore.Position(e.Position.Commit),
		Event:      eventstore.Event{ID: domain.ID(e.EventID), Type: e.EventType, Data: e.Data, Meta: meta},
		SealedHash: sha256.Sum256(box),
	}
	switch {
	case sealed && len(box) > 0:
		r.Sealed = box
	case len(box) > 0:
		r.Meta = bytes.Clone(meta) // so that the sealed part can be freed
	}
	return r, nil
}
