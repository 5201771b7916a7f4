package assembly

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
	"counterfoil/providers/epay"
)

// Channels builds every configured channel; the first wrong field is named. Two
// channels of one merchant account are refused: a gateway knows an order by its
// number alone, so one payment would be confirmed to both and credited twice.
func Channels(cfg config.Config, ledgerID domain.ID, clock func() time.Time) (map[domain.ChannelID]providers.Channel, error) {
	out := make(map[domain.ChannelID]providers.Channel, len(cfg.Channels))
	taken := make(map[string]domain.ChannelID, len(cfg.Channels))
	for _, id := range cfg.ChannelIDs() {
		ch, err := channel(cfg.Channels[string(id)], ledgerID, clock)
		if err != nil {
			return nil, inChannel(id, err)
		}
		merchant := merchantOf(ch.Config())
		if other, ok := taken[merchant]; ok {
			return nil, inChannel(id, domain.EField(domain.KindInvalid, "pid",
				"channel %s is this merchant account at this gateway already: one account is one channel", other))
		}
		taken[merchant], out[id] = id, ch
	}
	return out, nil
}

// merchantOf names a channel's merchant account, however its gateway's address
// is spelt: V1 and V2 of one account share its orders.
func merchantOf(c domain.ChannelConfigured) string {
	at := c.Gateway
	if u, err := url.Parse(c.Gateway); err == nil {
		at = strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if p := u.Port(); p != "" && p != "80" && p != "443" {
			at += ":" + p
		}
		at += strings.TrimRight(u.Path, "/")
	}
	names := slices.Sorted(maps.Keys(c.Merchant))
	for i, n := range names {
		names[i] = n + "=" + c.Merchant[n]
	}
	return c.Provider + " " + at + " " + strings.Join(names, " ")
}

func channel(c config.Channel, ledgerID domain.ID, clock func() time.Time) (providers.Channel, error) {
	if c.Provider != "epay" {
		return nil, domain.EField(domain.KindInvalid, "provider", "%q: known providers: epay", c.Provider)
	}
	return epay.New(epay.Config{
		Channel: c.ID, Version: c.Protocol, Gateway: c.Gateway, PID: c.PID, Key: c.Key,
		MerchantKey: c.MerchantKey, PlatformKey: c.PlatformKey,
		Currency: domain.Currency(c.Currency), Zone: c.Zone, Confirm: c.ConfirmMode, ConfirmAbove: c.ConfirmAbove,
		Funds: c.Funds, AllowPlainHTTP: c.AllowPlainHTTP, Ledger: ledgerID,
	}, nil, clock)
}

// inChannel puts the channel's name before the field an adapter found wrong,
// as the file has it.
func inChannel(id domain.ChannelID, err error) error {
	names := map[string]string{"version": "protocol", "confirm": "confirm_by_query", "confirm_above": "confirm_by_query"}
	field := domain.FieldOf(err)
	if n, ok := names[field]; ok {
		field = n
	}
	text := err.Error()
	var e *domain.Error
	if errors.As(err, &e) && e.Msg != "" {
		text = e.Msg
	}
	return domain.EField(domain.KindOf(err), "channels."+string(id)+"."+field, "%s", text)
}
