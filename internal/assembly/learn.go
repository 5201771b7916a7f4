package assembly

import (
	"context"
	"fmt"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/providers"
)

// Recall gives channels the keys back that they learned earlier, in whichever
// process: from the settings that the log has of them.
func Recall(ctx context.Context, l *ledger.Ledger, channels map[domain.ChannelID]providers.Channel) error {
	for id, ch := range channels {
		learner, ok := ch.(providers.Learner)
		if !ok {
			continue
		}
		last, err := l.Settings(ctx, id)
		switch {
		case err == nil:
			learner.Recall(last.PublicKeys)
		case domain.KindOf(err) != domain.KindNotFound:
			return fmt.Errorf("recall keys of channel %s: %w", id, err)
		}
	}
	return nil
}

// recordLearned lets a channel's new keys be recorded before they are used.
func (a *App) recordLearned(id domain.ChannelID) {
	learner, ok := a.Channels[id].(providers.Learner)
	if !ok {
		return
	}
	learner.OnLearned(func(ctx context.Context, cfg domain.ChannelConfigured) error {
		cfg.Test = a.Config.Channels[string(id)].Test
		return a.Ledger.Configure(ctx, cfg, ledger.By{Actor: "system", Cause: "new key"})
	})
}
