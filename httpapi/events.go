package httpapi

import (
	"bufio"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

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
	Sealed bool   `query:"sealed" doc:"Add the sealed part (base64)"`
}

func (s *Server) registerEvents(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events", Summary: "Replay the log",
		Description: "NDJSON: one event a line in order of position, data and meta as the very bytes that were stored.",
		Responses: map[string]*huma.Response{"200": {
			Description: "One JSON object a line: position, stream, revision, id, type, data, meta, sealed_sha256[, sealed]",
			Content:     map[string]*huma.MediaType{"application/x-ndjson": {}},
		}},
	}, operations.ScopeEventsRead, s.listEvents)
}

func (s *Server) listEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	key := keyOf(ctx)
	if len(key.Channels) > 0 || len(key.Accounts) > 0 {
		return nil, domain.E(domain.KindDenied, "this key is limited to channels or accounts; the log holds all of them")
	}
	var after eventstore.Position
	if in.After != "" {
		var err error
		if after, err = eventstore.ParsePosition(in.After); err != nil {
			return nil, domain.EField(domain.KindInvalid, "after", "%q is no position", in.After)
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/x-ndjson")
		s.stream(hc, after, in)
	}}, nil
}

// stream writes events until the log's head, the limit or the client's end.
func (s *Server) stream(hc huma.Context, after eventstore.Position, in *eventsInput) {
	w := bufio.NewWriterSize(hc.BodyWriter(), 64<<10)
	flusher, _ := hc.BodyWriter().(http.Flusher)
	sent := 0
	var line []byte
	for b, err := range s.Log.Follow(hc.Context(), after, eventstore.FollowOptions{Sealed: in.Sealed}) {
		if err != nil {
			s.Logger.WarnContext(hc.Context(), "event stream ended", slog.String("error", err.Error()))
			return
		}
		for _, e := range b.Events {
			if (in.Type != "" && e.Type != in.Type) || (in.Stream != "" && string(e.Stream) != in.Stream) {
				continue
			}
			line = AppendEvent(line[:0], e, in.Sealed)
			if _, err := w.Write(line); err != nil {
				return
			}
			if sent++; in.Limit > 0 && sent == in.Limit {
				_ = w.Flush()
				return
			}
		}
		if b.CaughtUp && !in.Follow {
			_ = w.Flush()
			return
		}
		if w.Flush() != nil {
			return
		}
		if flusher != nil {
			flusher.Flush()
		}
	}
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
