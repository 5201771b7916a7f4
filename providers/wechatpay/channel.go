package wechatpay

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
	"counterfoil/providers"
)

// limit is the largest callback body in bytes. Genuine ones have less than
// four kilobytes.
const limit = 64 << 10

// Channel is one merchant account at WeChat Pay. It is safe for concurrent use.
type Channel struct {
	cfg    Config
	v3     *v3Keys    // nil on a v2 channel
	v2     *sharedKey // nil on a v3 channel without an API key
	zone   *time.Location
	client *http.Client
	clock  func() time.Time

	record     atomic.Pointer[recorder]
	refreshed  atomic.Int64   // unix nanoseconds of the last refresh that a callback caused
	refreshing sync.WaitGroup // for tests
}

var (
	_ providers.Biller  = (*Channel)(nil)
	_ providers.Learner = (*Channel)(nil)
)

// Config describes the channel as it is recorded in the log: no secret in it.
// Certificates that were downloaded are in it from then on.
func (c *Channel) Config() domain.ChannelConfigured {
	if c.v3 == nil {
		return c.configWith(nil)
	}
	return c.configWith(c.v3.platform.all())
}

// configWith is Config with these keys of the platform.
func (c *Channel) configWith(platform []*platformKey) domain.ChannelConfigured {
	f := domain.ChannelConfigured{
		Channel:      c.cfg.Channel,
		Provider:     "wechatpay",
		Protocol:     c.cfg.Protocol,
		Merchant:     map[string]string{"mchid": c.cfg.MchID, "appid": strings.Join(c.cfg.AppIDs, ",")},
		Currency:     c.cfg.Currency,
		Zone:         zoneName,
		Gateway:      c.cfg.Gateway,
		Confirm:      c.cfg.Confirm,
		ConfirmAbove: c.cfg.ConfirmAbove,
		Funds:        "gateway",
		Test:         c.cfg.Test,
	}
	if c.cfg.AccountFrom == AttachAccount {
		f.AccountFrom = AttachAccount
	}
	if c.cfg.SubMchID != "" {
		f.Merchant["sub_mchid"] = c.cfg.SubMchID
	}
	if c.v3 != nil {
		c.v3.describe(&f, platform)
	}
	if c.v2 != nil {
		f.Secrets = append(f.Secrets, domain.SecretMark{Use: "api_v2", Fingerprint: c.v2.mark})
	}
	return f
}

// Limit is 64 KiB.
func (c *Channel) Limit() int64 { return limit }

// AckV2 is the one body that v2 takes for an acknowledgement: no declaration,
// no blank, no line break in it (callback page of v2).
const AckV2 = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"

const failV2 = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[FAIL]]></return_msg></xml>"

// Reply is the exact answer for an outcome. v3 looks at the status alone and v2
// at the body. A v3 channel gets v2's XML for refunds made by hand, and its 200
// may have any body, so both are told success in v2's words. What is not
// success has a status of 4xx or 5xx and a body without that word.
func (c *Channel) Reply(o domain.Outcome) domain.Reply {
	if o.Success() {
		return domain.Reply{Status: http.StatusOK, ContentType: "text/xml", Body: AckV2}
	}
	status, word := http.StatusInternalServerError, "failed"
	if o == domain.OutcomeRefused {
		status, word = http.StatusBadRequest, "refused"
	}
	if c.cfg.Protocol == V2 {
		return domain.Reply{Status: status, ContentType: "text/xml", Body: failV2}
	}
	return domain.Reply{Status: status, ContentType: "application/json", Body: `{"code":"FAIL","message":"` + word + `"}`}
}

// Format prints the channel's name only: its fields hold keys.
func (c *Channel) Format(f fmt.State, _ rune) { fmt.Fprint(f, "wechatpay channel ", c.cfg.Channel) }

// LogValue is the channel's name.
func (c *Channel) LogValue() slog.Value { return slog.StringValue(string(c.cfg.Channel)) }

// probes reports whether a request carries one of WeChat's deliberately wrong
// signatures. It fails to verify like any wrong one and comes again with a right
// one: only the reason of the refusal is another, so that nobody is alarmed.
func probes(h http.Header) bool { return strings.HasPrefix(h.Get(HeaderSignature), ProbePrefix) }
