package assembly

import (
	"context"
	"fmt"
	"log/slog"
	"time"

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
		return a.put(ctx, cfg, "new key")
	})
}

// How often providers are asked for their keys, and after how long again where
// that failed. A new certificate is announced days before it signs.
const (
	keysEvery = 12 * time.Hour
	keysAgain = 5 * time.Minute
)

// keepKeys asks the providers for their keys now and from then on. What a
// message under an unknown key causes meanwhile is the channel's own affair.
func keepKeys(ctx context.Context, channels map[domain.ChannelID]providers.Channel, logger *slog.Logger) {
	for ctx.Err() == nil {
		wait := keysEvery
		for id, ch := range channels {
			learner, ok := ch.(providers.Learner)
			if !ok {
				continue
			}
			if err := learner.Refresh(ctx); err != nil && ctx.Err() == nil {
				wait = keysAgain
				logger.WarnContext(ctx, "the provider's keys could not be fetched; they are asked for again",
					slog.String("channel", string(id)), slog.String("kind", domain.KindOf(err).String()), slog.String("error", err.Error()))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
