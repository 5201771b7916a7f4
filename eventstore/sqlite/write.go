package sqlite

import (
	"counterfoil/domain"
	"counterfoil/eventstore"

	sqlite3 "modernc.org/sqlite/lib"
)

// write judges and writes each append of a group within the open transaction.
// Conflicts are results; an error means that the transaction cannot be
// committed.
func (w *writer) write(group []*request) error {
	w.results = w.results[:0]
	if err := w.findLast(); err != nil {
		return err
	}
	for _, r := range group {
		res, err := w.judge(r)
		if err != nil {
			return err
		}
		w.results = append(w.results, res)
	}
	return nil
}

// findLast reads the head: another process may have written since.
func (w *writer) findLast() error {
	defer w.newest.reset()
	if _, err := w.newest.step(); err != nil {
		return err
	}
	w.last = eventstore.Position(w.newest.int64(0))
	return nil
}

func (w *writer) judge(r *request) (result, error) {
	at, err := w.at(r.stream)
	if err != nil {
		return result{}, err
	}
	if at == r.expected {
		err := w.put(r)
		last := uint64(int64(at) + int64(len(r.events)))
		return result{appended: eventstore.Appended{Revision: last, Position: w.last}}, err
	}
	if at > r.expected {
		if res, same, err := w.repeated(r); err != nil || same {
			return res, err
		}
	}
	return result{err: domain.E(domain.KindConflict,
		"append to %s: expected revision %d, it is at %d", r.stream, r.expected, at)}, nil
}

// at is the last revision of a stream.
func (w *writer) at(stream domain.Stream) (eventstore.Expected, error) {
	q := w.revision
	if err := q.reserve(len(stream)); err != nil {
		return 0, err
	}
	q.text(1, string(stream))
	defer q.reset()
	if _, err := q.step(); err != nil {
		return 0, err
	}
	if q.null(0) {
		return eventstore.NoStream, nil
	}
	return eventstore.Expected(q.int64(0)), nil
}

// repeated tells whether exactly these ids stand right behind the expected
// revision, by the strong rule of eventstore.Appender, and then where.
func (w *writer) repeated(r *request) (result, bool, error) {
	q := w.behind
	if err := q.reserve(len(r.stream)); err != nil {
		return result{}, false, err
	}
	q.text(1, string(r.stream))
	q.number(2, int64(r.expected))
	q.number(3, int64(len(r.events)))
	defer q.reset()
	var res result
	for _, e := range r.events {
		more, err := q.step()
		if err != nil || !more || string(q.bytes(0)) != string(e.ID[:]) {
			return result{}, false, err
		}
		res.appended.Revision = uint64(q.int64(1))
		res.appended.Position = eventstore.Position(q.int64(2))
	}
	return res, true, nil
}

// put writes the events of an append behind w.last.
func (w *writer) put(r *request) error {
	for i := range r.events {
		if err := w.putEvent(r, i); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) putEvent(r *request, i int) error {
	e, h, q := &r.events[i], &r.hashes[i], w.insert
	size := len(r.stream) + len(e.ID) + len(e.Type) + len(e.Data) + len(e.Meta) + len(h.sealed) + len(h.leaf)
	if err := q.reserve(size); err != nil {
		return err
	}
	q.number(1, int64(w.last)+1)
	q.text(2, string(r.stream))
	q.number(3, int64(r.expected)+1+int64(i))
	q.blob(4, e.ID[:])
	q.text(5, e.Type)
	q.blob(6, e.Data)
	q.blob(7, e.Meta)
	q.blob(8, nil)
	if len(e.Sealed) > 0 {
		q.blob(8, h.sealed[:])
	}
	q.blob(9, h.leaf[:])
	if err := q.run(); err != nil {
		return err
	}
	w.last++
	return w.putSealed(e.Sealed)
}

func (w *writer) putSealed(sealed []byte) error {
	if len(sealed) == 0 {
		return nil
	}
	q := w.insertSeal
	if err := q.reserve(len(sealed)); err != nil {
		return err
	}
	q.number(1, int64(w.last))
	q.blob(2, sealed)
	return q.run()
}

// pagesWritten is how many pages went to the log since the last call.
func (w *writer) pagesWritten() int {
	return w.c.status(sqlite3.SQLITE_DBSTATUS_CACHE_WRITE)
}
