package assembly

import (
	"errors"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
	"counterfoil/providers/epay"
)

// Channels builds every configured channel; the first wrong field is named.
func Channels(cfg config.Config, ledgerID domain.ID, clock func() time.Time) (map[domain.ChannelID]providers.Channel, error) {
	out := make(map[domain.ChannelID]providers.Channel, len(cfg.Channels))
	for _, id := range cfg.ChannelIDs() {
		ch, err := channel(cfg.Channels[string(id)], ledgerID, clock)
		if err != nil {
			return nil, inChannel(id, err)
		}
		out[id] = ch
	}
	return out, nil
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
