package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// record is all that is to be said of one callback: filled on the way, written
// once when the answer is out.
type record struct {
	provider string
	row      operations.Callback
	kind     domain.Kind
	position string
	failed   bool   // kind and row.Error mean something
	stack    string // of a panic
}

// unknownChannel is the answer at an address that no channel has.
var unknownChannel = domain.Reply{Status: http.StatusNotFound, ContentType: "text/plain", Body: "fail"}

// callback takes one callback from the wire to its answer: read the bytes,
// verify, keep and decide, answer in the provider's dialect, write it down.
func (s *Server) callback(w http.ResponseWriter, r *http.Request, channel string) {
	began := s.Clock()
	rec := record{row: operations.Callback{
		Channel: clip(channel, 64), ReceivedAt: began, Remote: s.proxies.client(r), Method: clip(r.Method, 16),
	}}
	reply := s.answer(w, r, channel, &rec)
	writeReply(w, reply)
	rec.row.Reply = reply
	rec.row.Took = s.Clock().Sub(began)
	s.settle(r.Context(), &rec)
}

// answer works out the reply; it never panics, because an unanswered callback
// comes again and an empty 200 would be taken for success by some gateways.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, channel string, rec *record) (reply domain.Reply) {
	id, err := domain.NewRandom(rand.Reader)
	if err != nil {
		rec.fail(err)
		return domain.Reply{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "fail"}
	}
	rec.row.Delivery = id
	ch, ok := s.Channels[domain.ChannelID(channel)]
	if !ok {
		rec.refuse(domain.ReasonUnknownChannel, domain.E(domain.KindNotFound, "no channel has this address"))
		return unknownChannel
	}
	rec.provider = s.providers[domain.ChannelID(channel)]
	defer func() {
		if p := recover(); p != nil {
			rec.stack = string(debug.Stack())
			rec.fail(domain.E(domain.KindInternal, "panic, report this as a bug: %v", p))
			reply = ch.Reply(domain.OutcomeFailed)
		}
	}()
	q, err := s.read(w, r, ch, rec)
	if err != nil {
		return refusedReply(ch, err)
	}
	got, refusal, err := ch.Read(q)
	if err != nil {
		rec.row.OrderNo = clip(refusal.OrderNo, 200)
		rec.refuse(refusal.Reason, err)
		rec.keepRequest(q)
		return ch.Reply(domain.OutcomeRefused)
	}
	return ch.Reply(s.keep(r.Context(), ch, got, rec))
}

// read takes the request's bytes within the channel's limit.
func (s *Server) read(w http.ResponseWriter, r *http.Request, ch providers.Channel, rec *record) (providers.Request, error) {
	body, err := readBody(w, r, ch.Limit())
	if err != nil {
		why := domain.ReasonUnreadable
		if domain.KindOf(err) == domain.KindTooLarge {
			why = domain.ReasonTooLarge
		}
		rec.refuse(why, err)
		return providers.Request{}, err
	}
	if len(body) > 0 {
		sum := sha256.Sum256(body)
		rec.row.BodySHA256 = hex.EncodeToString(sum[:])
	}
	return providers.Request{
		Method: r.Method, Target: r.URL.RequestURI(), RawQuery: r.URL.RawQuery, Header: r.Header, Body: body,
		Remote: rec.row.Remote, ReceivedAt: rec.row.ReceivedAt, Delivery: rec.row.Delivery,
	}, nil
}

// readBody is the whole body, at most limit bytes of it. Most callbacks have
// none.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, domain.E(domain.KindTooLarge, "body is longer than %d bytes", limit)
	}
	return nil, domain.E(domain.KindInvalid, "body did not arrive whole: %w", err)
}

// refusedReply is the provider's refusal with the status that fits.
func refusedReply(ch providers.Channel, err error) domain.Reply {
	reply := ch.Reply(domain.OutcomeRefused)
	if domain.KindOf(err) == domain.KindTooLarge {
		reply.Status = http.StatusRequestEntityTooLarge
	}
	return reply
}

// keep takes verified notices into the books. One that could not be kept makes
// the whole delivery fail: it comes again, and what was kept is recognised.
func (s *Server) keep(ctx context.Context, ch providers.Channel, got providers.Read, rec *record) domain.Outcome {
	outcome := domain.OutcomeNoted
	for i, n := range got.Notices {
		if i == 0 {
			rec.name(n)
		}
		res, err := s.Ledger.Notify(ctx, n, got.Evidence, ch.Reply)
		if err != nil {
			rec.fail(err)
			return domain.OutcomeFailed
		}
		if i == 0 {
			rec.keep(res)
			outcome = res.Verdict.Outcome
		}
	}
	return outcome
}

// name says which money it is about, before it is known what becomes of it: a
// callback that could not be kept is looked for by its order, too.
func (rec *record) name(n domain.Notice) {
	rec.row.OrderNo, rec.row.TradeNo, rec.row.Amount = n.OrderNo, n.TradeNo, n.Amount
}

func (rec *record) keep(res ledger.Result) {
	rec.row.Outcome, rec.row.Reason = res.Verdict.Outcome, res.Verdict.Reason
	if res.Position > 0 {
		rec.position = res.Position.String()
	}
}

func (rec *record) refuse(why domain.Reason, err error) {
	rec.row.Outcome, rec.row.Reason = domain.OutcomeRefused, why
	rec.wrong(err)
}

func (rec *record) fail(err error) {
	rec.row.Outcome, rec.row.Reason = domain.OutcomeFailed, domain.ReasonStoreUnready
	rec.wrong(err)
}

func (rec *record) wrong(err error) {
	rec.failed, rec.kind, rec.row.Error = true, domain.KindOf(err), clip(err.Error(), 500)
}

// keepRequest keeps a refused request's bytes, so that it can be verified
// again after a key was mended: a mistyped key must cost no money.
func (rec *record) keepRequest(q providers.Request) {
	e := domain.Evidence{
		Kind: "callback", Method: q.Method, Target: providers.Printable(q.Target), Headers: providers.Headers(q.Header, nil), Body: q.Body,
		Remote: q.Remote, At: domain.Instant(q.ReceivedAt), Grade: domain.GradeD,
	}
	if raw, err := e.Encode(); err == nil {
		rec.row.Request = raw
	}
}

func writeReply(w http.ResponseWriter, reply domain.Reply) {
	h := w.Header()
	h.Set("Content-Type", reply.ContentType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(reply.Status)
	_, _ = io.WriteString(w, reply.Body)
}

// settle writes the record: one log line, one row, the counters.
func (s *Server) settle(ctx context.Context, rec *record) {
	row := &rec.row
	s.metrics.callback(rec.provider, row.Outcome, row.Reason, row.Took)
	s.Ops.LogCallback(*row)
	level := slog.LevelInfo
	if row.Outcome == domain.OutcomeFailed {
		level = slog.LevelError
	}
	if !s.Logger.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 18),
		slog.String("provider", rec.provider), slog.String("channel", plain(row.Channel)),
		slog.String("order_no", plain(row.OrderNo)), slog.String("trade_no", plain(row.TradeNo)),
		slog.String("amount", row.Amount.Amount()), slog.String("currency", string(row.Amount.Currency())),
		slog.String("outcome", string(row.Outcome)), slog.String("reason", string(row.Reason)),
		slog.Int("reply_status", row.Reply.Status), slog.String("reply_body", row.Reply.Body),
		slog.String("position", rec.position), slog.String("delivery", row.Delivery.String()),
		slog.String("body_sha256", row.BodySHA256), slog.String("remote", row.Remote),
		slog.Duration("took", row.Took.Round(time.Microsecond)),
	)
	if rec.failed {
		attrs = append(attrs, slog.String("kind", rec.kind.String()), slog.String("error", plain(row.Error)))
	}
	if rec.stack != "" {
		attrs = append(attrs, slog.String("stack", rec.stack))
	}
	s.Logger.LogAttrs(ctx, level, "callback", attrs...)
}
