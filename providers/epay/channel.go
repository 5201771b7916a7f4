package epay

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// limit is the largest callback, in bytes of query or body. Genuine ones have
// less than one kilobyte.
const limit = 64 << 10

// Channel is one merchant account at one gateway. It is safe for concurrent
// use.
type Channel struct {
	cfg    Config
	scheme scheme
	zone   *time.Location
	client *http.Client
	clock  func() time.Time
}

var _ providers.Channel = (*Channel)(nil)

// Config describes the channel as it is recorded in the log: no secret in it.
func (c *Channel) Config() domain.ChannelConfigured {
	f := domain.ChannelConfigured{
		Channel:      c.cfg.Channel,
		Provider:     "epay",
		Protocol:     c.cfg.Version,
		Merchant:     map[string]string{fieldPID: c.cfg.PID},
		Currency:     c.cfg.Currency,
		Zone:         c.cfg.Zone,
		Gateway:      c.cfg.Gateway,
		Confirm:      c.cfg.Confirm,
		ConfirmAbove: c.cfg.ConfirmAbove,
		Funds:        c.cfg.Funds,
	}
	c.scheme.describe(&f)
	return f
}

// Limit is 64 KiB.
func (c *Channel) Limit() int64 { return limit }

// Reply is the exact answer for an outcome. Rainbow looks for the word in the
// body and not at the status; other gateways want the body to be the word and
// the status 200. So what was kept gets exactly the seven bytes, and no other
// answer contains the word.
func (c *Channel) Reply(o domain.Outcome) domain.Reply {
	switch {
	case o.Success():
		return domain.Reply{Status: http.StatusOK, ContentType: "text/plain", Body: "success"}
	case o == domain.OutcomeRefused:
		return domain.Reply{Status: http.StatusBadRequest, ContentType: "text/plain", Body: "fail"}
	}
	return domain.Reply{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "fail"}
}

// Format prints the channel's name only: its fields hold keys.
func (c *Channel) Format(f fmt.State, _ rune) { fmt.Fprint(f, "epay channel ", c.cfg.Channel) }

// LogValue is the channel's name.
func (c *Channel) LogValue() slog.Value { return slog.StringValue(string(c.cfg.Channel)) }
