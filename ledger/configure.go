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
// revision they used. What loosens the channel's policy is not in force until
// two persons approved it: the rest is, and the loosening is proposed; see
// Waiting. The first settings of a channel need nobody.
//
// A test channel in a live store, or the reverse, is KindDenied: play money and
// real money never meet.
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
		set, err := l.record(ctx, cfg, by)
		if err != nil && domain.KindOf(err) == domain.KindConflict {
			continue // another daemon recorded the same settings at this moment
		}
		if err != nil {
			return fmt.Errorf("configure channel %s: %w", cfg.Channel, err)
		}
		set.zone = zone
		l.setMu.Lock()
		l.channels[cfg.Channel] = set
		l.setMu.Unlock()
		return nil
	}
	return domain.E(domain.KindUnavailable, "channel %s: too many writers", cfg.Channel)
}

// record brings the channel's stream to what of cfg may be in force, and returns
// that.
func (l *Ledger) record(ctx context.Context, cfg domain.ChannelConfigured, by By) (channel, error) {
	set := channel{wanted: cfg, by: by}
	last, err := l.Settings(ctx, cfg.Channel)
	if err != nil && domain.KindOf(err) == domain.KindNotFound {
		cfg.Revision = 0
		set.config = cfg
		return set, l.appendSettings(ctx, cfg, by)
	}
	if err != nil {
		return set, err
	}
	inForce, loosened := domain.Hold(last, cfg)
	if set.config, err = l.follow(ctx, last, inForce, by); err != nil {
		return set, err
	}
	if len(loosened) > 0 {
		if set.waits, err = l.propose(ctx, set.config, cfg, loosened, by); err != nil {
			return set, err
		}
		if set.waits.State == domain.PolicyApproved {
			set.waits = domain.PolicyProposal{}
			if set.config, err = l.follow(ctx, set.config, cfg, by); err != nil {
				return set, err
			}
		}
	}
	set.revision = set.config.Revision
	return set, l.tellApplied(ctx, cfg.Channel, by)
}

// follow appends next behind last unless they are equal, and returns what stands
// there then.
func (l *Ledger) follow(ctx context.Context, last, next domain.ChannelConfigured, by By) (domain.ChannelConfigured, error) {
	next.Revision = last.Revision
	if same, err := sameSettings(next, last); same || err != nil {
		return last, err
	}
	next.Revision++
	return next, l.appendSettings(ctx, next, by)
}

// appendSettings appends cfg at its revision. The ids of settings are the same
// whoever appends them, so what stands there then is read: another process may
// have been faster with others (KindConflict).
func (l *Ledger) appendSettings(ctx context.Context, cfg domain.ChannelConfigured, by By) error {
	_, err := l.tell(ctx, domain.ChannelStream(cfg.Channel), eventstore.Expected(cfg.Revision)-1, by, cfg)
	if err != nil {
		return err
	}
	all, err := l.allSettings(ctx, cfg.Channel)
	if err != nil {
		return err
	}
	same, err := sameSettings(cfg, all[cfg.Revision].config)
	if err == nil && !same {
		err = domain.E(domain.KindConflict, "another process configured channel %s otherwise at this moment", cfg.Channel)
	}
	return err
}

// tell appends facts that stand for themselves, and returns their events.
func (l *Ledger) tell(ctx context.Context, s domain.Stream, expected eventstore.Expected, by By, facts ...domain.Fact) ([]eventstore.Event, error) {
	events, err := l.events(s, l.now(), by, facts)
	if err != nil {
		return nil, err
	}
	if _, err := l.store.Append(ctx, s, expected, events); err != nil {
		return nil, fmt.Errorf("append to %s after %d: %w", s, expected, err)
	}
	return events, nil
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
	all, err := l.allSettings(ctx, ch)
	if err != nil {
		return domain.ChannelConfigured{}, err
	}
	return all[len(all)-1].config, nil
}

// pastSettings are one revision of a channel's settings.
type pastSettings struct {
	config domain.ChannelConfigured
	meta   domain.Meta
}

// allSettings are a channel's settings by revision; at least one, or KindNotFound.
func (l *Ledger) allSettings(ctx context.Context, ch domain.ChannelID) ([]pastSettings, error) {
	s := domain.ChannelStream(ch)
	events, err := l.store.ReadStream(ctx, s, eventstore.ReadOptions{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s, err)
	}
	out := make([]pastSettings, len(events))
	for i, r := range events {
		e, err := Decode(r)
		if err != nil {
			return nil, err
		}
		cfg, ok := e.Fact.(domain.ChannelConfigured)
		if !ok {
			return nil, domain.E(domain.KindCorrupt, "%s holds a %s", s, e.Type)
		}
		out[i] = pastSettings{cfg, e.Meta}
	}
	return out, nil
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

// InForce are the settings by which this process judges a channel's notices.
func (l *Ledger) InForce(ch domain.ChannelID) (domain.ChannelConfigured, error) {
	set, err := l.channel(ch)
	return set.config, err
}
