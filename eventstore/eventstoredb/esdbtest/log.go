package esdbtest

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// proposal is an event as a client proposes it.
type proposal struct {
	id                [16]byte
	kind, contentType string
	data, meta        []byte
	split             bool // prepared before it was committed
}

// record is an event in the log. It never changes.
type record struct {
	proposal
	stream   string
	revision uint64
	position uint64 // byte offset: commit and prepare alike
	message  *streams.ReadResp
}

// stream is what the log knows of one stream.
type stream struct {
	records    []*record
	first      uint64 // revisions below were truncated ($tb)
	tombstoned bool
}

func (s *stream) last() int64        { return int64(len(s.records)) - 1 }
func (s *stream) softDeleted() bool  { return len(s.records) > 0 && s.first >= uint64(len(s.records)) }
func (s *stream) visible() []*record { return s.records[min(s.first, uint64(len(s.records))):] }

// cacheBytes is how much of the newest appends the weak rule looks at.
const cacheBytes = 8 << 20

// place is where the weak rule's cache saw an event.
type place struct {
	stream   string
	revision uint64
}

// log is the data of an installation: it survives Kill and Restart.
type log struct {
	mu      sync.RWMutex
	records []*record
	streams map[string]*stream
	end     uint64        // where the next record will stand
	grown   chan struct{} // closed and replaced when records grows
	clock   func() time.Time

	// The cache of the weak rule, lost at restart, oldest first in queue.
	cache  map[[16]byte]place
	queue  []*record
	cached int
}

func newLog(clock func() time.Time) *log {
	l := &log{streams: make(map[string]*stream), grown: make(chan struct{}), clock: clock, cache: make(map[[16]byte]place)}
	l.system("$settings", "$>settings", []byte(`{}`)) // so that nobody's first event stands at 0
	return l
}

// system writes an event of the server's own.
func (l *log) system(name, kind string, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(name, l.stream(name), []proposal{{id: newID(), kind: kind, contentType: jsonType, data: data}})
}

// forget empties the weak rule's cache, as a restart does.
func (l *log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cache)
	l.queue, l.cached = nil, 0
}

// snapshot is the log as it is, and what closes when there is more.
func (l *log) snapshot() ([]*record, <-chan struct{}) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.records, l.grown
}

// stream is the named stream, made when it is new. It needs mu.
func (l *log) stream(name string) *stream {
	s, ok := l.streams[name]
	if !ok {
		s = new(stream)
		l.streams[name] = s
	}
	return s
}

// write adds events behind a stream's last. It needs mu.
func (l *log) write(name string, s *stream, events []proposal) {
	if s.softDeleted() {
		s.first = uint64(len(s.records)) // revived: numbering goes on
	}
	for _, e := range events {
		r := &record{proposal: e, stream: name, revision: uint64(len(s.records)), position: l.end}
		r.message = wire(r, l.clock())
		l.end += uint64(len(e.data) + len(e.meta) + len(name) + len(e.kind) + 92)
		s.records = append(s.records, r)
		l.records = append(l.records, r)
		l.remember(r)
		l.obey(r)
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *log) remember(r *record) {
	l.cache[r.id] = place{r.stream, r.revision}
	l.queue = append(l.queue, r)
	l.cached += len(r.data) + len(r.meta)
	for l.cached > cacheBytes {
		old := l.queue[0]
		l.queue = l.queue[1:]
		l.cached -= len(old.data) + len(old.meta)
		if l.cache[old.id] == (place{old.stream, old.revision}) {
			delete(l.cache, old.id)
		}
	}
}

// obey applies the truncation that a stream's metadata asks for.
func (l *log) obey(r *record) {
	target, ok := strings.CutPrefix(r.stream, "$$")
	if !ok || r.kind != "$metadata" {
		return
	}
	var m struct {
		Before *uint64 `json:"$tb"`
	}
	if json.Unmarshal(r.data, &m) == nil && m.Before != nil {
		l.stream(target).first = *m.Before
	}
}

const (
	jsonType   = "application/json"
	binaryType = "application/octet-stream"
	never      = math.MaxInt64 // $tb of a soft delete
)

// wire is a record as it is sent: made once, shared by all readers.
func wire(r *record, now time.Time) *streams.ReadResp {
	prepare := r.position
	if r.split {
		prepare--
	}
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               wireID(r.id),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(r.stream)},
			StreamRevision:   r.revision,
			PreparePosition:  prepare,
			CommitPosition:   r.position,
			Metadata: map[string]string{
				"type":         r.kind,
				"content-type": r.contentType,
				"created":      strconv.FormatInt(now.UnixNano()/100, 10), // .NET ticks since 1970
			},
			CustomMetadata: r.meta,
			Data:           r.data,
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: r.position},
	}}}
}
