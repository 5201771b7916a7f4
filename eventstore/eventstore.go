// Package eventstore is the port to the append-only log: what a store promises
// and what it never promises. Adapters live below it; storetest is the one
// suite they all pass.
//
// Promised: one Append is one stream, all or nothing, in order, contiguous
// revisions, durable when it returns. Positions grow; once a reader has seen
// position p, nothing ever appears at or below p (the stable prefix).
//
// Never promised: dense positions, store-wide unique event ids, transactions
// over several streams.
package eventstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"sync"

	"counterfoil/domain"
)

// Position orders events over all streams of one store. It grows but is not
// dense, and it means nothing in another store.
type Position uint64

// String is p in decimal, as it stands in URLs and JSON.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// MarshalText writes p as a decimal string: JSON numbers lose bits in browsers.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(b []byte) error {
	v, err := ParsePosition(string(b))
	*p = v
	return err
}

// ParsePosition reads a position from a URL or JSON string.
func ParsePosition(s string) (Position, error) {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(v, 10) != s {
		return 0, domain.EField(domain.KindInvalid, "position", "%q is not a position (a decimal number)", s)
	}
	return Position(v), nil
}

// Event is an envelope as it is stored. Its bytes never change.
type Event struct {
	ID     domain.ID // made by the caller; ties repeated calls together
	Type   string    // stored name with version, e.g. "payment.credited.v1"
	Data   []byte    // the fact, compact JSON
	Meta   []byte    // domain.Meta, compact JSON
	Sealed []byte    // sealed evidence and personal fields; nil when there are none
}

// Recorded is an event in its place.
type Recorded struct {
	Stream     domain.Stream
	Revision   uint64 // 0-based, gapless within the stream
	Position   Position
	Event               // Sealed is filled only when the read asked for it
	SealedHash [32]byte // SHA-256 over Sealed (of nothing, when there is none)
}

// Expected is the stream revision an append rests on: NoStream, or the number
// of the last event the caller has seen.
type Expected int64

// NoStream expects that the stream has no event yet.
const NoStream Expected = -1

// Appended tells where the last event of an append stands.
type Appended struct {
	Revision uint64
	Position Position
}

// Appender is the one door through which events enter a store.
//
// Append writes events to stream if its last revision is expected. It is
// idempotent by the strong rule: when the stream is longer than expected and
// holds exactly these ids right behind it, the original numbers are returned
// and nothing is written. Otherwise a stream that is not at expected is
// KindConflict.
//
// Errors: KindInvalid (no events, bad envelope), KindTooLarge, KindConflict,
// KindUnavailable (nothing was written; come again), KindUnknown (it may have
// been written: repeat the identical call), KindCorrupt.
type Appender interface {
	Append(ctx context.Context, stream domain.Stream, expected Expected, events []Event) (Appended, error)
}

// ReadOptions bound a stream read.
type ReadOptions struct {
	From   uint64 // first revision wanted
	Limit  int    // at most so many events; 0 means all
	Sealed bool   // load sealed parts too
}

// FollowOptions shape a subscription.
type FollowOptions struct {
	Sealed bool // load sealed parts too
	Batch  int  // at most so many events a batch; 0 means the store's default (1,000)
	// Hashes is for who wants leaf hashes and no content: a store that fills
	// Batch.Leaves reckons them where the bytes lie, and leaves Data and Meta
	// out. Others hand out whole events all the same. Not together with Sealed.
	Hashes bool
}

// Batch is a piece of the log in order. Everything at or below Position has
// been delivered. CaughtUp is true when the batch ends at the log's head as it
// was when read; such a batch may be empty.
//
// Leaves are the leaf hashes of Events, in step, from a store that reckons them
// over the very bytes it hands out, and has held loaded sealed parts against
// their hashes; nil from others.
type Batch struct {
	Events   []Recorded
	Leaves   [][32]byte
	Position Position
	CaughtUp bool
}

// Reader reads the log.
//
// ReadStream returns the stream's events in order; a stream that was never
// written is KindNotFound. Follow yields everything after a position, for ever,
// until ctx ends (then it stops without an error) or the consumer breaks; an
// error is yielded once and ends it. A slow consumer slows only itself. Whoever
// follows from a position beyond the head follows another log, or one restored
// from an older copy: KindMismatch. Head is the position of the last event, 0
// for an empty log.
//
// After Close every call is KindUnavailable, and followers end with it.
type Reader interface {
	ReadStream(ctx context.Context, stream domain.Stream, o ReadOptions) ([]Recorded, error)
	Follow(ctx context.Context, after Position, o FollowOptions) iter.Seq2[Batch, error]
	Head(ctx context.Context) (Position, error)
}

// Store is a whole store as main wires it.
//
// Ready is nil while appends can succeed; its error says what to do. Failed is
// closed when the store's state became unknown (a failed sync): the process
// must end, and recovery runs at the next start; Cause then tells why.
type Store interface {
	Appender
	Reader
	Ready(ctx context.Context) error
	Failed() <-chan struct{}
	Cause() error
	Close() error
}

// LeafHash is the RFC 6962 leaf hash of an event: SHA-256 over 0x00 and the
// record of stream, revision, id, type, data, meta and SHA-256(sealed), each
// preceded by its length as 8 bytes, big endian. Neither position nor store
// time is in it, so a migrated log has the same root.
func LeafHash(stream domain.Stream, revision uint64, e Event) [32]byte {
	return LeafHashSealed(stream, revision, e, sha256.Sum256(e.Sealed))
}

// LeafHashSealed is LeafHash when only the hash of the sealed part is at hand;
// e.Sealed is not looked at.
func LeafHashSealed(stream domain.Stream, revision uint64, e Event, sealed [32]byte) [32]byte {
	buf := leafBuffers.Get().(*[]byte)
	*buf = appendRecord(append((*buf)[:0], 0), stream, revision, e, sealed)
	leaf := sha256.Sum256(*buf)
	leafBuffers.Put(buf)
	return leaf
}

// leafBuffers spare a kilobyte of garbage at each event written or read.
var leafBuffers = sync.Pool{New: func() any { return new([]byte) }}

// LeafRecord is the byte string a leaf commits to, without the 0x00 prefix of
// RFC 6962.
func LeafRecord(stream domain.Stream, revision uint64, e Event, sealed [32]byte) []byte {
	return appendRecord(nil, stream, revision, e, sealed)
}

func appendRecord(out []byte, stream domain.Stream, revision uint64, e Event, sealed [32]byte) []byte {
	const parts, fixed = 7, 8 + 16 + 32 // revision, id, hash of the sealed part
	out = slices.Grow(out, parts*8+fixed+len(stream)+len(e.Type)+len(e.Data)+len(e.Meta))
	out = appendPart(out, stream)
	out = binary.BigEndian.AppendUint64(out, 8)
	out = binary.BigEndian.AppendUint64(out, revision)
	out = appendPart(out, e.ID[:])
	out = appendPart(out, e.Type)
	out = appendPart(out, e.Data)
	out = appendPart(out, e.Meta)
	return appendPart(out, sealed[:])
}

func appendPart[T ~string | ~[]byte](out []byte, part T) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
	return append(out, part...)
}

// Limits of one append, the same for every adapter, so that a log can move
// from one to another.
const (
	MaxEvents     = 64        // events in one append
	MaxEventBytes = 512 << 10 // data, meta and sealed of one event
	MaxAppend     = 900 << 10 // bytes of one append
	MaxStreamName = 300       // bytes
)

// Check refuses an append no adapter may take: it is the first line of every
// Append.
func Check(stream domain.Stream, expected Expected, events []Event) error {
	if stream == "" || len(stream) > MaxStreamName {
		return domain.EField(domain.KindInvalid, "stream", "%q: 1 to %d bytes", string(stream), MaxStreamName)
	}
	if expected < NoStream {
		return domain.EField(domain.KindInvalid, "expected", "%d is no revision", int64(expected))
	}
	if len(events) == 0 || len(events) > MaxEvents {
		return domain.EField(domain.KindInvalid, "events", "%d events: 1 to %d are taken", len(events), MaxEvents)
	}
	total := 0
	for i, e := range events {
		size := len(e.Data) + len(e.Meta) + len(e.Sealed)
		total += size
		switch {
		case e.ID == (domain.ID{}):
			return domain.EField(domain.KindInvalid, "id", "event %d of %s has no id", i, stream)
		case e.Type == "" || len(e.Type) > 100:
			return domain.EField(domain.KindInvalid, "type", "event %d of %s: type %q", i, stream, e.Type)
		case len(e.Data) == 0 || len(e.Meta) == 0:
			return domain.EField(domain.KindInvalid, "data", "event %d of %s has no data or meta", i, stream)
		case size > MaxEventBytes:
			return domain.E(domain.KindTooLarge, "event %d of %s has %d bytes, limit %d", i, stream, size, MaxEventBytes)
		}
		for j := range i {
			if events[j].ID == e.ID {
				return domain.EField(domain.KindInvalid, "id", "%s stands twice in one append", e.ID)
			}
		}
	}
	if total > MaxAppend {
		return domain.E(domain.KindTooLarge, "append to %s has %d bytes, limit %d", stream, total, MaxAppend)
	}
	return nil
}
