package esdbtest

// expectation is what an append says about the stream it goes to. Numbers from
// 0 are revisions.
type expectation int64

// The expectations that are no revision.
const (
	noStream     expectation = -1
	anyRevision  expectation = -2
	streamExists expectation = -4
)

// outcome is the decision on an append.
type outcome int

const (
	written outcome = iota
	wrongVersion
	deleted
)

// result is what an append came to: for written the revision and position of
// the last event, for wrongVersion the stream's true last revision.
type result struct {
	outcome  outcome
	revision int64 // -1: no stream
	position uint64
}

// append decides and writes under one lock: one stream, all or nothing.
func (l *log) append(name string, expected expectation, events []proposal) result {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, known := l.streams[name]
	switch {
	case !known || (len(s.records) == 0 && !s.tombstoned):
		if expected >= 0 || expected == streamExists {
			return result{outcome: wrongVersion, revision: -1}
		}
		s = l.stream(name)
	case s.tombstoned || (expected == streamExists && s.softDeleted()):
		return result{outcome: deleted}
	case expected == anyRevision || expected == streamExists:
		if r, decided := l.weak(name, s, events); decided {
			return r
		}
	case int64(expected) != s.last():
		if r, decided := s.strong(int64(expected), events); decided {
			return r
		}
	}
	return l.take(name, s, events)
}

// take writes what the rules let through. An append without events leaves
// nothing in the stream.
func (l *log) take(name string, s *stream, events []proposal) result {
	if len(events) > 0 {
		l.write(name, s, events)
	}
	if len(s.records) == 0 {
		return result{revision: -1}
	}
	return s.at(s.last())
}

func (s *stream) at(revision int64) result {
	return result{revision: revision, position: s.records[revision].position}
}

// strong is the rule for a revision and for NoStream: the events must sit, in
// this order, right behind the expected revision. It holds for ever.
func (s *stream) strong(expected int64, events []proposal) (result, bool) {
	wrong := result{outcome: wrongVersion, revision: s.last()}
	if expected > s.last() {
		return wrong, true
	}
	for i, e := range events {
		at := expected + 1 + int64(i)
		if at <= s.last() && s.records[at].id == e.id {
			continue
		}
		if i == 0 && expected == int64(noStream) && s.softDeleted() {
			return result{}, false // writes on behind the deleted part
		}
		return wrong, true
	}
	if len(events) == 0 {
		return wrong, true
	}
	return s.at(expected + int64(len(events))), true
}

// weak is the rule for Any and StreamExists: only ids in the cache are known.
func (l *log) weak(name string, s *stream, events []proposal) (result, bool) {
	var last place
	for i, e := range events {
		p, ok := l.cache[e.id]
		known := ok && p.stream == name
		if i == 0 && !known {
			return result{}, false
		}
		if !known {
			return result{outcome: wrongVersion, revision: s.last()}, true
		}
		last = p
	}
	if len(events) == 0 {
		return result{}, false
	}
	return s.at(int64(last.revision)), true
}

// remove deletes a stream: softly, by its metadata, or with a tombstone.
func (l *log) remove(name string, expected expectation, tombstone bool) result {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stream(name)
	switch {
	case s.tombstoned:
		return result{outcome: deleted}
	case expected >= noStream && int64(expected) != s.last():
		return result{outcome: wrongVersion, revision: s.last()}
	case tombstone:
		l.write(name, s, []proposal{{id: newID(), kind: "$streamDeleted", contentType: binaryType}})
		s.tombstoned = true
	default:
		meta := "$$" + name
		l.write(meta, l.stream(meta), []proposal{{id: newID(), kind: "$metadata", contentType: jsonType, data: softDelete()}})
	}
	return result{position: l.records[len(l.records)-1].position}
}
