package sandbox

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers/epay"
	"counterfoil/sandbox/stage"
)

// outgoing is a message about to be sent.
type outgoing struct {
	stage.Shot
	fields epay.Params // signed
	post   bool
}

// callbacks are the deliveries of one payment: attempts on the style's schedule
// until one is accepted.
func (s *Sandbox) callbacks(m *merchant, o *order) *stage.Series {
	return &stage.Series{
		Of: o.tradeNo, Retries: m.habits.retries,
		Send: func(ctx context.Context, shot stage.Shot) bool {
			return s.callBack(ctx, m, o, outgoing{Shot: shot, post: m.PostCallbacks})
		},
		Delivered: func() { s.delivered(m, o) },
		GaveUp:    func() { s.gaveUp(m, o) },
	}
}

// callBack signs the order's genuine message anew and sends it.
func (s *Sandbox) callBack(ctx context.Context, m *merchant, o *order, out outgoing) bool {
	s.mu.Lock()
	msg := m.messageOf(o, s.stage.Now())
	if out.Genuine && out.Kind == "callback" {
		o.attempts++
	}
	s.mu.Unlock()
	return s.signAndSend(ctx, m, o, msg, out)
}

// signAndSend signs msg with the merchant's true keys and sends it.
func (s *Sandbox) signAndSend(ctx context.Context, m *merchant, o *order, msg message, out outgoing) bool {
	signed, err := m.sign(msg.params(), msg.version)
	if err != nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelError, "callback not signed",
			slog.String("pid", m.PID), slog.String("trade_no", o.tradeNo), slog.String("error", err.Error()))
		return false
	}
	out.fields = signed
	return s.transmit(ctx, m, o, out)
}

// transmit sends out.fields to the order's callback address and records what
// came of it.
func (s *Sandbox) transmit(ctx context.Context, m *merchant, o *order, out outgoing) bool {
	d := stage.Delivery{
		Face: Name, Merchant: m.PID, TradeNo: o.tradeNo, OrderNo: o.outTradeNo, Shot: out.Shot,
		Method: http.MethodGet, URL: m.join(o.notifyURL, encode(out.fields)),
		Header:  http.Header{"User-Agent": {"Mozilla/5.0 (Epay sandbox)"}, "Accept": {"*/*"}},
		Timeout: m.habits.timeout, Redirects: m.habits.redirects,
		Accepts: func(a stage.Answer) bool { return m.habits.accepts(a.Status, a.Body) },
	}
	if out.post {
		d.Method, d.URL, d.Body = http.MethodPost, o.notifyURL, encode(out.fields)
		d.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := s.stage.Now()
	got := s.stage.Send(ctx, d)
	if !got.Accepted && out.Genuine {
		s.noteTrouble(o, began, got.Trouble())
	}
	return got.Accepted
}

func (s *Sandbox) noteTrouble(o *order, at time.Time, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.trouble = &troubleLog{at, text}
}

// delivered notes that the merchant took the callback.
func (s *Sandbox) delivered(m *merchant, o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.accepted = true
	m.failed = 0
	if o.version == V2 {
		o.told = true
		s.purgeTold(m, o)
	}
}

// gaveUp notes that a payment's last attempt failed. An operator may have set
// that this switches the merchant off after a number of orders.
func (s *Sandbox) gaveUp(m *merchant, o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.accepted {
		return
	}
	m.failed++
	if m.SuspendAfter > 0 && m.failed >= m.SuspendAfter {
		m.suspended = true
	}
}

// Resend calls the merchant back once more, by the operator's hand: any time,
// once, without retries. KindConflict for an order that was not paid.
func (s *Sandbox) Resend(tradeNo string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, m, err := s.order(tradeNo)
	if err != nil {
		return err
	}
	if !o.wasPaid() {
		return domain.E(domain.KindConflict, "order %s is not paid", tradeNo)
	}
	m.lane.Once(s.callbacks(m, o))
	return nil
}

// returnURL is the address a payer's browser comes back to, with the same
// signed fields as the callback.
func (s *Sandbox) returnURL(m *merchant, o *order) (string, error) {
	s.mu.Lock()
	msg, address := m.messageOf(o, s.stage.Now()), o.returnURL
	s.mu.Unlock()
	signed, err := m.sign(msg.params(), msg.version)
	if err != nil || address == "" {
		return "", err
	}
	return m.join(address, encode(signed)), nil
}
