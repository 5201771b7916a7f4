package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// reader is a connection that only reads. It sees each commit from the moment
// the commit's append returns.
type reader struct {
	c                                    *conn
	stream, page, sealed, exists, newest *stmt
	types                                map[string]string // each type's name once, not once per event
}

func (s *Store) newReader() (*reader, error) {
	c, err := s.dialReader()
	if err != nil {
		return nil, err
	}
	r := &reader{c: c, types: make(map[string]string)}
	for _, p := range []struct {
		s   **stmt
		sql string
	}{
		{&r.stream, sqlStream},
		{&r.page, sqlPage},
		{&r.sealed, sqlSealedPart},
		{&r.exists, sqlExists},
		{&r.newest, sqlHead},
	} {
		if *p.s, err = c.prepare(p.sql); err != nil {
			c.close()
			return nil, err
		}
	}
	return r, nil
}

// borrow waits for a reader; the caller puts it back with giveBack.
func (s *Store) borrow(ctx context.Context) (*reader, error) {
	s.state.mu.Lock()
	ended := s.state.closed
	s.state.mu.Unlock()
	if ended {
		return nil, closed()
	}
	if err := ctx.Err(); err != nil {
		return nil, domain.E(domain.KindUnavailable, "read the event store: %w", err)
	}
	select {
	case r := <-s.readers:
		return r, nil
	case <-ctx.Done():
		return nil, domain.E(domain.KindUnavailable, "read the event store: %w", ctx.Err())
	case <-s.closing:
		return nil, closed()
	}
}

func (s *Store) giveBack(r *reader) { s.readers <- r }

// Head implements eventstore.Reader.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	r, err := s.borrow(ctx)
	if err != nil {
		return 0, err
	}
	defer s.giveBack(r)
	return r.head()
}

func (r *reader) head() (eventstore.Position, error) {
	defer r.newest.reset()
	if _, err := r.newest.step(); err != nil {
		return 0, readError("the head of the log", err)
	}
	return eventstore.Position(r.newest.int64(0)), nil
}

// ReadStream implements eventstore.Reader. KindCorrupt names the position of an
// event whose bytes are not those that were written.
func (s *Store) ReadStream(ctx context.Context, stream domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	if o.From > math.MaxInt64 {
		o.From = math.MaxInt64
	}
	r, err := s.borrow(ctx)
	if err != nil {
		return nil, err
	}
	defer s.giveBack(r)
	events, err := r.readStream(ctx, stream, o)
	if err != nil || len(events) > 0 {
		return events, err
	}
	there, err := o.From > 0, error(nil)
	if there {
		there, err = r.has(stream)
	}
	if err == nil && !there {
		err = domain.E(domain.KindNotFound, "stream %s has no events", stream)
	}
	return nil, err
}

func (r *reader) readStream(ctx context.Context, stream domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	q := r.stream
	if err := q.reserve(len(stream)); err != nil {
		return nil, readError("stream "+string(stream), err)
	}
	limit := int64(-1)
	if o.Limit > 0 {
		limit = int64(o.Limit)
	}
	q.text(1, string(stream))
	q.number(2, int64(o.From))
	q.number(3, limit)
	defer q.reset()
	var events []eventstore.Recorded
	for {
		more, err := q.step()
		if err != nil {
			return nil, readError("stream "+string(stream), err)
		}
		if !more {
			return events, nil
		}
		e, _, err := r.scan(q, stream, parts{sealed: o.Sealed})
		if err != nil {
			return nil, err
		}
		if want := o.From + uint64(len(events)); e.Revision != want {
			return nil, domain.E(domain.KindCorrupt, "stream %s has revision %d where %d must stand", stream, e.Revision, want)
		}
		events = append(events, e)
		if len(events)%256 == 0 && ctx.Err() != nil {
			return nil, domain.E(domain.KindUnavailable, "read stream %s: %w", stream, ctx.Err())
		}
	}
}

func (r *reader) has(stream domain.Stream) (bool, error) {
	q := r.exists
	if err := q.reserve(len(stream)); err != nil {
		return false, readError("stream "+string(stream), err)
	}
	q.text(1, string(stream))
	defer q.reset()
	there, err := q.step()
	if err != nil {
		err = readError("stream "+string(stream), err)
	}
	return there, err
}

// hashOfNothing is the SealedHash of an event without a sealed part.
var hashOfNothing = sha256.Sum256(nil)

// parts says how much of an event is wanted: its sealed part too, or neither
// that nor data and meta.
type parts struct{ sealed, bare bool }

// scan is the event in the current row of q, its bytes copied and checked
// against the leaf hash that was stored with it, and that hash. Of a bare event
// the bytes are checked where SQLite holds them, and let go.
func (r *reader) scan(q *stmt, stream domain.Stream, want parts) (e eventstore.Recorded, leaf [32]byte, err error) {
	e.Stream = stream
	e.Position, e.Revision = eventstore.Position(q.int64(0)), uint64(q.int64(1))
	e.SealedHash = hashOfNothing
	e.Type = r.typeName(q.bytes(3))
	if e.Data, e.Meta = q.bytes(4), q.bytes(5); !want.bare {
		e.Data, e.Meta = cloneBoth(e.Data, e.Meta)
	}
	hash := q.bytes(6)
	if copy(e.ID[:], q.bytes(2)) != len(q.bytes(2)) || len(hash) > 0 && copy(e.SealedHash[:], hash) != len(hash) {
		return e, leaf, damaged(e, "its id or hash is too long")
	}
	leaf = eventstore.LeafHashSealed(stream, e.Revision, e.Event, e.SealedHash)
	if string(leaf[:]) != string(q.bytes(7)) {
		return e, leaf, damaged(e, "its bytes do not fit its leaf hash")
	}
	switch {
	case want.bare:
		e.Data, e.Meta = nil, nil // SQLite's own, gone with the next row
	case want.sealed && len(hash) > 0:
		err = r.unseal(&e)
	}
	return e, leaf, err
}

// unseal loads the sealed part.
func (r *reader) unseal(e *eventstore.Recorded) error {
	q := r.sealed
	q.number(1, int64(e.Position))
	defer q.reset()
	more, err := q.step()
	if err != nil {
		return readError("evidence", err)
	}
	if !more {
		return damaged(*e, "its sealed part is missing")
	}
	e.Sealed = append([]byte(nil), q.bytes(0)...)
	if sha256.Sum256(e.Sealed) != e.SealedHash {
		return damaged(*e, "its sealed part does not fit its hash")
	}
	return nil
}

func damaged(e eventstore.Recorded, what string) error {
	return domain.E(domain.KindCorrupt, "event at position %d (%s, revision %d): %s", e.Position, e.Stream, e.Revision, what)
}

// cloneBoth copies both in one allocation; neither can grow into the other.
func cloneBoth(a, b []byte) ([]byte, []byte) {
	buf := make([]byte, len(a)+len(b))
	n := copy(buf, a)
	copy(buf[n:], b)
	return buf[:n:n], buf[n:]
}

func (r *reader) typeName(b []byte) string {
	if name, ok := r.types[string(b)]; ok {
		return name
	}
	name := string(b)
	if len(r.types) < 256 {
		r.types[name] = name
	}
	return name
}

// readError is an error of SQLite while reading.
func readError(what string, err error) error {
	var sql *sqlError
	if errors.As(err, &sql) && isDamage(sql) {
		return domain.E(domain.KindCorrupt, "read %s: the file contradicts itself: %w", what, err)
	}
	return domain.E(domain.KindUnavailable, "read %s: %w", what, err)
}
