package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// limit is the largest callback, in bytes. Most have two to eight kilobytes; a
// charge with long metadata and many line items has more.
const limit = 256 << 10

// SchemeHMAC names the way to check a callback, as evidence records it. It is
// stored: never change it.
const SchemeHMAC = "stripe.hmac"

// The schemes of answers, which nobody signs.
const (
	SchemeHTTPS = "https"
	SchemeHTTP  = "http" // where the settings allow it
)

// Channel is one account at Stripe. It is safe for concurrent use.
type Channel struct {
	cfg        Config
	accountKey string // metadata key of AccountFrom, or ""
	secrets    []secret
	retired    []secret
	zone       *time.Location
	client     *http.Client
	clock      func() time.Time
	wait       waiter
}

var (
	_ providers.Channel   = (*Channel)(nil)
	_ providers.Biller    = (*Channel)(nil)
	_ providers.Recoverer = (*Channel)(nil)
)

// secret is a signing secret with its public name.
type secret struct {
	key  []byte
	mark string
}

func (cfg Config) marked(list []providers.Secret) []secret {
	out := make([]secret, 0, len(list))
	for _, s := range list {
		out = append(out, secret{key: []byte(s.Reveal()), mark: cfg.mark(s)})
	}
	return out
}

// mark names a secret without telling it: HMAC-SHA256 under it, over the
// ledger's id and the channel, so that two stores that share a secret do not
// show it.
func (cfg Config) mark(s providers.Secret) string {
	mac := hmac.New(sha256.New, []byte(s.Reveal()))
	mac.Write([]byte("counterfoil channel secret " + cfg.Ledger.String() + string(cfg.Channel)))
	return "hmac:" + hex.EncodeToString(mac.Sum(nil))
}

// Config describes the channel as it is recorded in the log: no secret in it.
func (c *Channel) Config() domain.ChannelConfigured {
	f := domain.ChannelConfigured{
		Channel:      c.cfg.Channel,
		Provider:     "stripe",
		Protocol:     "v1",
		Merchant:     map[string]string{"livemode": strconv.FormatBool(c.cfg.Live)},
		Currency:     c.cfg.Currency,
		Zone:         c.cfg.Zone,
		Gateway:      c.cfg.Gateway,
		Confirm:      c.cfg.Confirm,
		ConfirmAbove: c.cfg.ConfirmAbove,
		Funds:        fundsGateway,
		Test:         !c.cfg.Live,
		Currencies:   slices.Clone(c.cfg.Currencies),
		AccountFrom:  c.cfg.AccountFrom,
		DisputeLost:  c.cfg.DisputeLost,
	}
	if c.cfg.Account != "" {
		f.Merchant["account"] = c.cfg.Account
	}
	for _, s := range c.secrets {
		f.Secrets = append(f.Secrets, domain.SecretMark{Use: "webhook", Fingerprint: s.mark})
	}
	for _, s := range c.retired {
		f.Secrets = append(f.Secrets, domain.SecretMark{Use: "webhook_retired", Fingerprint: s.mark})
	}
	f.Secrets = append(f.Secrets, domain.SecretMark{Use: "api_key", Fingerprint: c.cfg.mark(c.cfg.APIKey)})
	return f
}

// Limit is 256 KiB.
func (c *Channel) Limit() int64 { return limit }

// Reply is the exact answer for an outcome. Stripe looks at the status alone:
// any 2xx ends the retries, everything else is tried again for three days.
func (c *Channel) Reply(o domain.Outcome) domain.Reply {
	status := http.StatusServiceUnavailable
	switch {
	case o.Success():
		status = http.StatusOK
	case o == domain.OutcomeRefused:
		status = http.StatusBadRequest
	}
	return domain.Reply{Status: status, ContentType: "text/plain"}
}

// Format prints the channel's name only: its fields hold keys.
func (c *Channel) Format(f fmt.State, _ rune) { fmt.Fprint(f, "stripe channel ", c.cfg.Channel) }

// LogValue is the channel's name.
func (c *Channel) LogValue() slog.Value { return slog.StringValue(string(c.cfg.Channel)) }
