package ledger

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Configure puts a channel's settings in force. Settings that differ from the
// recorded ones are appended to the channel's stream; decisions name the
// revision they used. A test channel in a live store, or the reverse, is
// KindDenied: play money and real money never meet.
func (l *Ledger) Configure(ctx context.Context, cfg domain.ChannelConfigured, by By) error {
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return domain.EField(domain.KindInvalid, "zone", "channel %s: %q is no IANA time zone", cfg.Channel, cfg.Zone)
	}
	if cfg.Test != (l.mode == domain.ModeTest) {
		return domain.EField(domain.KindDenied, "test",
			"channel %s has test: %t, but this store is %s for ever", cfg.Channel, cfg.Test, l.mode)
	}
	for range maxConflicts {
		revision, err := l.record(ctx, cfg, by)
		if err != nil && domain.KindOf(err) == domain.KindConflict {
			continue // another daemon recorded the same settings at this moment
		}
		if err != nil {
			return fmt.Errorf("configure channel %s: %w", cfg.Channel, err)
		}
		cfg.Revision = revision
		l.setMu.Lock()
		l.channels[cfg.Channel] = channel{config: cfg, revision: revision, zone: zone}
		l.setMu.Unlock()
		return nil
	}
	return domain.E(domain.KindUnavailable, "channel %s: too many writers", cfg.Channel)
}

// record appends cfg unless the stream's last settings equal it, and returns
// the revision in force.
func (l *Ledger) record(ctx context.Context, cfg domain.ChannelConfigured, by By) (uint64, error) {
	s := domain.ChannelStream(cfg.Channel)
	expected := eventstore.NoStream
	last, err := l.Settings(ctx, cfg.Channel)
	switch {
	case err == nil:
		cfg.Revision = last.Revision
		if same, err := sameSettings(cfg, last); same || err != nil {
			return last.Revision, err
		}
		expected = eventstore.Expected(last.Revision)
		cfg.Revision = last.Revision + 1
	case domain.KindOf(err) == domain.KindNotFound:
		cfg.Revision = 0
	default:
		return 0, err
	}
	meta := domain.Meta{RecordedAt: l.now(), Actor: by.Actor, Cause: by.Cause, Trace: by.Trace, Software: l.cfg.Software}
	e, err := event(l.id, s, cfg, meta)
	if err != nil {
		return 0, err
	}
	at, err := l.store.Append(ctx, s, expected, []eventstore.Event{e})
	return at.Revision, err
}

// sameSettings compares as they are stored: no list and an empty one are the
// same there.
func sameSettings(a, b domain.ChannelConfigured) (bool, error) {
	_, one, err := domain.EncodeFact(a)
	if err != nil {
		return false, err
	}
	_, two, err := domain.EncodeFact(b)
	return bytes.Equal(one, two), err
}

// Settings are the settings of a channel as last recorded; KindNotFound when
// there are none.
func (l *Ledger) Settings(ctx context.Context, ch domain.ChannelID) (domain.ChannelConfigured, error) {
	s := domain.ChannelStream(ch)
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil {
		return domain.ChannelConfigured{}, fmt.Errorf("read %s: %w", s, err)
	}
	e, err := Decode(events[len(events)-1])
	if err != nil {
		return domain.ChannelConfigured{}, err
	}
	cfg, ok := e.Fact.(domain.ChannelConfigured)
	if !ok {
		return cfg, domain.E(domain.KindCorrupt, "%s holds a %s", s, e.Type)
	}
	return cfg, nil
}

// channel is a channel's settings in force; KindNotFound for one that was not
// configured.
func (l *Ledger) channel(ch domain.ChannelID) (channel, error) {
	l.setMu.RLock()
	defer l.setMu.RUnlock()
	set, ok := l.channels[ch]
	if !ok {
		return channel{}, domain.EField(domain.KindNotFound, "channel", "%q is not configured here", ch)
	}
	return set, nil
}
