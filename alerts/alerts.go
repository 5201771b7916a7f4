// Package alerts tells people what needs them: money held too long or parked,
// a second payment, callbacks that could not be kept, a channel gone silent and
// a provider that answers no question. It reads what is there and decides nothing.
package alerts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Alert is one thing a person should look at.
type Alert struct {
	Kind    string    `json:"kind"` // held, parked, second_payment, failed, silence, duplicate_trade_no, unanswered, bill, discrepancies, callbacks_stopped, receivable
	Channel string    `json:"channel"`
	OrderNo string    `json:"order_no,omitempty"`
	TradeNo string    `json:"trade_no,omitempty"`
	Amount  string    `json:"amount,omitempty"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"` // what is the matter and what to do, in English and Chinese
}

// key names what the alert is about: it is told again only after repeatAfter.
// Numbers are foreign text of any length, so they stand in it as a hash.
func (a Alert) key() string {
	var text []byte
	for _, part := range []string{a.Channel, a.OrderNo, a.TradeNo} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return "alert/" + a.Kind + "/" + hex.EncodeToString(sum[:16])
}

const (
	repeatAfter = 6 * time.Hour    // how long an alert that stands is not told again
	retryAfter  = 10 * time.Minute // the same for one that could not be delivered
)

// maxPerCheck bounds what one check tells: the rest follows in the next.
const maxPerCheck = 50

// Deps is what alerts reads.
type Deps struct {
	Rows  projections.Reader
	Ops   operations.Store
	Bills operations.Bills // nil: no bills are compared here
	// Arrivals tell when callbacks came; nil: their rhythm is not learned.
	Arrivals projections.ArrivalReader
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
	Clock    func() time.Time
	// Waiting are looser settings that are not in force; nil where nobody says.
	Waiting func() []domain.PolicyProposal
}

// Config says what is too long and where to tell.
type Config struct {
	URL          string
	Command      []string
	HeldAfter    time.Duration
	SilenceAfter time.Duration // 0: silence is not told
	Channels     []domain.ChannelID
	Zone         func(domain.ChannelID) *time.Location // of a channel's days; nil means UTC
}

// Watch checks and tells.
type Watch struct {
	Deps
	cfg  Config
	told *prometheus.CounterVec
	want *prometheus.GaugeVec
	out  []sender

	looked time.Time // when accounts below zero were last looked for
	owing  []Alert   // what was found then
}

// New makes a Watch.
func New(d Deps, cfg Config) (*Watch, error) {
	told := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "counterfoil_alerts_total", Help: "Alerts told, by kind.",
	}, []string{"kind"})
	want := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "counterfoil_expected_callbacks",
		Help: "Callbacks that should have come since the last one, by what the channel has learned of its hours; an alert above 13.8.",
	}, []string{"channel"})
	if err := errors.Join(d.Metrics.Register(told), d.Metrics.Register(want)); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if cfg.Zone == nil {
		cfg.Zone = func(domain.ChannelID) *time.Location { return time.UTC }
	}
	w := &Watch{Deps: d, cfg: cfg, told: told, want: want}
	if cfg.URL != "" {
		w.out = append(w.out, newPoster(cfg.URL))
	}
	if len(cfg.Command) > 0 {
		w.out = append(w.out, runner(cfg.Command))
	}
	return w, nil
}

// Check looks for all that needs people and tells each thing once, also when
// several processes check. A receiver that fails is only logged; what it missed
// is told again later.
func (w *Watch) Check(ctx context.Context) error {
	told := 0
	for _, look := range []func(context.Context) ([]Alert, error){
		w.held, w.parked, w.second, w.failed, w.silent, w.duplicates, w.unanswered, w.bills, w.discrepancies, w.stopped, w.policies, w.owed,
	} {
		found, err := look(ctx)
		if err != nil {
			return err
		}
		for _, a := range found {
			if told == maxPerCheck {
				return nil
			}
			fresh, err := w.tell(ctx, a)
			if errors.Is(err, errNotDelivered) {
				w.Logger.ErrorContext(ctx, "alert not delivered: check alerts in the configuration", slog.String("error", err.Error()))
				return nil // the next check goes on; a dead receiver must not be tried fifty times
			}
			if err != nil {
				return err
			}
			if fresh {
				told++
			}
		}
	}
	return nil
}

// errNotDelivered marks the failure of a receiver.
var errNotDelivered = errors.New("not delivered")

// tell sends a unless it was told lately. The lease is held by this telling
// alone, so that nobody renews it.
func (w *Watch) tell(ctx context.Context, a Alert) (fresh bool, err error) {
	holder, err := domain.NewRandom(rand.Reader)
	if err != nil {
		return false, err
	}
	now := w.Clock()
	_, err = w.Ops.Acquire(ctx, a.key(), holder.String(), now, repeatAfter)
	if err != nil && domain.KindOf(err) == domain.KindConflict {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("note alert %s: %w", a.key(), err)
	}
	w.told.WithLabelValues(a.Kind).Inc()
	w.Logger.LogAttrs(ctx, slog.LevelWarn, "alert", slog.String("kind", a.Kind), slog.String("channel", a.Channel),
		slog.String("order_no", a.OrderNo), slog.String("trade_no", a.TradeNo), slog.String("amount", a.Amount),
		slog.Time("since", a.Since), slog.String("text", a.Text))
	return true, w.send(ctx, a, holder.String(), now)
}

// send brings a to every receiver. When one fails, a is told again sooner.
func (w *Watch) send(ctx context.Context, a Alert, holder string, now time.Time) error {
	var failed error
	for _, s := range w.out {
		if err := s.send(ctx, a); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%w: %w", errNotDelivered, err))
		}
	}
	if failed == nil {
		return nil
	}
	if _, err := w.Ops.Acquire(context.WithoutCancel(ctx), a.key(), holder, now, retryAfter); err != nil {
		return fmt.Errorf("note alert %s: %w", a.key(), err)
	}
	return failed
}
