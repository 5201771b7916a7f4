package httpapi

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
)

type eventsInput struct {
	After  string `query:"after" doc:"Position to begin behind; 0 or absent means from the start"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000000" default:"0" doc:"At most so many events; 0 means all"`
	Follow bool   `query:"follow" doc:"Stay and send new events as they come"`
	Type   string `query:"type" doc:"Only events of this type, e.g. payment.credited.v1"`
	Stream string `query:"stream" doc:"Only events of this stream"`
	Sealed bool   `query:"sealed" doc:"Add the sealed part (base64). That evidence was taken is recorded, once for each key and day"`
	Why    string `query:"why" maxLength:"2000" doc:"With sealed: what it is for, in your words: it is kept with the act"`
}

func (s *Server) registerEvents(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Summary: "Replay the log",
		Description: "NDJSON: one event a line in order of position, data and meta as the very bytes that were stored. " +
			"With follow=true the answer goes on with new events as they come. A stream that ends without its last " +
			"chunk was broken off, as one is that nobody reads for 30 s: go on behind the last position read.",
		Responses: map[string]*huma.Response{"200": {
			Description: "One JSON object a line: position, stream, revision, id, type, data, meta, sealed_sha256[, sealed]",
			Content:     map[string]*huma.MediaType{"application/x-ndjson": {}},
		}},
	}, operations.ScopeEventsRead, s.listEvents)
}

func (s *Server) listEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	after, err := s.startAfter(ctx, in.After)
	if err != nil {
		return nil, err
	}
	if in.Sealed {
		if err := s.tellSealed(ctx, after, in); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/x-ndjson")
		r, w := humago.Unwrap(hc)
		s.stream(r, w, after, in)
	}}, nil
}

// tellSealed records that a key takes sealed parts, once on a day: whoever
// follows the log comes back as often as the line breaks. They are not given out
// when that cannot be recorded.
func (s *Server) tellSealed(ctx context.Context, after eventstore.Position, in *eventsInput) error {
	id := keyOf(ctx).ID
	if !s.sealed.first(id, s.Clock()) {
		return nil
	}
	what := "sealed parts of events after " + after.String()
	if in.Type != "" {
		what += ", type " + in.Type
	}
	if in.Stream != "" {
		what += ", stream " + in.Stream
	}
	err := s.act(ctx, domain.Act{What: domain.ActViewed, Subject: what, Why: in.Why})
	if err != nil {
		s.sealed.forget(id)
		return fmt.Errorf("record that evidence is taken: %w", err)
	}
	return nil
}

// startAfter is where a stream begins; the log must reach as far, because a
// reader from beyond its end has read another log.
func (s *Server) startAfter(ctx context.Context, text string) (eventstore.Position, error) {
	if text == "" {
		return 0, nil
	}
	after, err := eventstore.ParsePosition(text)
	if err != nil {
		return 0, domain.EField(domain.KindInvalid, "after", "%q is no position", text)
	}
	head, err := s.Log.Head(ctx)
	if err == nil && after > head {
		err = domain.EField(domain.KindMismatch, "after",
			"the log ends at %s: %s is a position of another log, or of one that was restored from an older copy", head, after)
	}
	return after, err
}

// stream writes events until the log's head, the limit, or for ever: then
// until the client leaves, its key is revoked or the process stops. A stream
// that cannot go on is broken off, so that it never looks whole.
func (s *Server) stream(r *http.Request, w http.ResponseWriter, after eventstore.Position, in *eventsInput) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if in.Follow {
		go func() {
			select {
			case <-s.stop:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	out := &lines{w: bufio.NewWriterSize(w, 64<<10), flush: http.NewResponseController(w).Flush, in: in}
	for b, err := range s.Log.Follow(ctx, after, eventstore.FollowOptions{Sealed: in.Sealed}) {
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			_, err = s.keys.check(ctx, r.Header.Get("Authorization"))
		}
		if err != nil {
			s.Logger.LogAttrs(ctx, slog.LevelWarn, "event stream broken off", slog.String("request_id", requestID(ctx)),
				slog.String("key", keyOf(ctx).ID), slog.String("error", err.Error()))
			panic(http.ErrAbortHandler)
		}
		if !out.batch(b) {
			return
		}
	}
}

// lines writes selected events as NDJSON.
type lines struct {
	w     *bufio.Writer
	flush func() error
	in    *eventsInput
	sent  int
	line  []byte
}

// batch writes a batch and sends it off. It reports whether more is wanted.
func (l *lines) batch(b eventstore.Batch) bool {
	for _, e := range b.Events {
		if (l.in.Type != "" && e.Type != l.in.Type) || (l.in.Stream != "" && string(e.Stream) != l.in.Stream) {
			continue
		}
		l.line = AppendEvent(l.line[:0], e, l.in.Sealed)
		if _, err := l.w.Write(l.line); err != nil {
			return false // the client left
		}
		if l.sent++; l.sent == l.in.Limit {
			_ = l.w.Flush()
			return false
		}
	}
	return l.w.Flush() == nil && l.flush() == nil && (l.in.Follow || !b.CaughtUp)
}

// AppendEvent appends e as one line of NDJSON. Data and meta are written as
// they are stored: encoding them again would change bytes that hashes and
// signatures stand on.
func AppendEvent(b []byte, e eventstore.Recorded, sealed bool) []byte {
	b = append(b, `{"position":"`...)
	b = strconv.AppendUint(b, uint64(e.Position), 10)
	b = append(b, `","stream":`...)
	b = appendString(b, string(e.Stream))
	b = append(b, `,"revision":`...)
	b = strconv.AppendUint(b, e.Revision, 10)
	b = append(b, `,"id":"`...)
	b = append(b, e.ID.String()...)
	b = append(b, `","type":`...)
	b = appendString(b, e.Type)
	b = append(b, `,"data":`...)
	b = append(b, e.Data...)
	b = append(b, `,"meta":`...)
	b = append(b, e.Meta...)
	b = append(b, `,"sealed_sha256":"`...)
	b = appendHex(b, e.SealedHash[:])
	b = append(b, '"')
	if sealed && len(e.Sealed) > 0 {
		b = append(b, `,"sealed":"`...)
		b = base64.StdEncoding.AppendEncode(b, e.Sealed)
		b = append(b, '"')
	}
	return append(b, "}\n"...)
}

// appendString quotes a stream or type name: printable ASCII, where only quote
// and backslash need an escape.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	if strings.ContainsAny(s, `"\`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	}
	return append(append(b, s...), '"')
}

func appendHex(b, src []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range src {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}
