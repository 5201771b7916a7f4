package assembly

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/providers"
)

// Channels builds every configured channel; the first wrong field is named. Two
// channels of one merchant account are refused: a provider knows an order by its
// number alone, so one payment would be confirmed to both and credited twice.
func Channels(cfg config.Config, ledgerID domain.ID, clock func() time.Time) (map[domain.ChannelID]providers.Channel, error) {
	out := make(map[domain.ChannelID]providers.Channel, len(cfg.Channels))
	taken := make(map[string]domain.ChannelID, len(cfg.Channels))
	for _, id := range cfg.ChannelIDs() {
		c := cfg.Channels[string(id)]
		kind, known := kinds[c.Provider]
		if !known {
			return nil, inChannel(id, domain.EField(domain.KindInvalid, "provider", "%q: known providers: %s",
				c.Provider, strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")))
		}
		ch, err := kind.build(c, ledgerID, clock)
		if err != nil {
			return nil, inChannel(id, err)
		}
		account := c.Provider + " " + place(ch.Config().Gateway) + " " + kind.account(c)
		if other, ok := taken[account]; ok {
			return nil, inChannel(id, domain.EField(domain.KindInvalid, kind.named,
				"channel %s is this merchant account at this gateway already: one account is one channel", other))
		}
		taken[account], out[id] = id, ch
	}
	return out, nil
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
