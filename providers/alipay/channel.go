package alipay

import (
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// limit is the largest notice, in bytes of its body. Genuine ones have less
// than four kilobytes.
const limit = 64 << 10

// SchemeRSA2 is how the proof of a notice or of an answer is checked. It is
// stored: never change it.
const SchemeRSA2 = "alipay.rsa2"

// beijing is the zone of all times: Alipay writes them without one. China has
// no summer time.
var beijing = time.FixedZone("CST", 8*60*60)

// zoneName is beijing as it is recorded.
const zoneName = "Asia/Shanghai"

// alipayKey is one of Alipay's keys and how the record keeps it.
type alipayKey struct {
	pub    *rsa.PublicKey
	record domain.PublicKey
}

// Channel is one application of one seller. It is safe for concurrent use.
type Channel struct {
	cfg     Config
	app     *rsa.PrivateKey
	alipay  []alipayKey
	certs   Params // named in every request; none in key mode
	client  *http.Client
	timeout time.Duration // for one question
	clock   func() time.Time
}

var (
	_ providers.Channel = (*Channel)(nil)
	_ providers.Biller  = (*Channel)(nil)
)

// Config describes the channel as it is recorded in the log: no secret in it.
func (c *Channel) Config() domain.ChannelConfigured {
	f := domain.ChannelConfigured{
		Channel:      c.cfg.Channel,
		Provider:     "alipay",
		Protocol:     "rsa2",
		Merchant:     map[string]string{fieldAppID: c.cfg.AppID, fieldSellerID: c.cfg.SellerID},
		Currency:     domain.CNY,
		Zone:         zoneName,
		Gateway:      c.cfg.Gateway,
		Confirm:      c.cfg.Confirm,
		ConfirmAbove: c.cfg.ConfirmAbove,
		Funds:        "gateway",
		AccountFrom:  c.cfg.AccountFrom,
	}
	for _, k := range c.alipay {
		f.PublicKeys = append(f.PublicKeys, k.record)
	}
	f.PublicKeys = append(f.PublicKeys, providers.RSAKey(&c.app.PublicKey, "merchant", "config"))
	return f
}

// Limit is 64 KiB.
func (c *Channel) Limit() int64 { return limit }

// Reply is the exact answer for an outcome: what was kept gets the seven bytes
// that Alipay counts as delivered, and no other answer contains the word.
func (c *Channel) Reply(o domain.Outcome) domain.Reply {
	switch {
	case o.Success():
		return domain.Reply{Status: http.StatusOK, ContentType: "text/plain", Body: "success"}
	case o == domain.OutcomeRefused:
		return domain.Reply{Status: http.StatusBadRequest, ContentType: "text/plain", Body: "fail"}
	}
	return domain.Reply{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "fail"}
}

// proof is the fingerprint of the key under which sign is the signature of
// text, or "".
func (c *Channel) proof(text []byte, sign []byte) string {
	for _, k := range c.alipay {
		if holds(text, sign, k.pub) {
			return k.record.Fingerprint
		}
	}
	return ""
}

// hasKey reports whether the channel has the key of this fingerprint.
func (c *Channel) hasKey(fingerprint string) bool {
	for _, k := range c.alipay {
		if k.record.Fingerprint == fingerprint {
			return true
		}
	}
	return false
}

// Format prints the channel's name only: its fields hold keys.
func (c *Channel) Format(f fmt.State, _ rune) { fmt.Fprint(f, "alipay channel ", c.cfg.Channel) }

// LogValue is the channel's name.
func (c *Channel) LogValue() slog.Value { return slog.StringValue(string(c.cfg.Channel)) }
