package month

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"counterfoil/domain"
)

// afternoon is how long a provider that is silent stays so: over two turns of
// the sweep, and back before the night's.
const afternoon = 5 * time.Hour

// silence is a time from which a channel's provider answers no questions.
type silence struct {
	channel domain.ChannelID
	from    time.Time
}

// unanswered are the questions that got no answer, by channel and when.
type unanswered struct {
	mu   sync.Mutex
	told []untold
}

type untold struct {
	channel domain.ChannelID
	at      time.Time
	text    string
}

// listener hears of questions without an answer in what the daemons log, and
// passes everything on.
type listener struct {
	slog.Handler

	w       *world
	channel domain.ChannelID // of loggers that name theirs once
}

// Enabled: what is listened for is told at level info.
func (l listener) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || l.Handler.Enabled(ctx, level)
}

// Handle hears one record.
func (l listener) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "provider did not answer" {
		u := untold{channel: l.channel, at: l.w.clock.Now()}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "channel" {
				u.channel = domain.ChannelID(a.Value.String())
			}
			u.text += " " + a.String()
			return true
		})
		l.w.mute.mu.Lock()
		l.w.mute.told = append(l.w.mute.told, u)
		l.w.mute.mu.Unlock()
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs keeps the listener in front.
func (l listener) WithAttrs(as []slog.Attr) slog.Handler {
	for _, a := range as {
		if a.Key == "channel" {
			l.channel = domain.ChannelID(a.Value.String())
		}
	}
	l.Handler = l.Handler.WithAttrs(as)
	return l
}

// WithGroup keeps the listener in front.
func (l listener) WithGroup(name string) slog.Handler {
	l.Handler = l.Handler.WithGroup(name)
	return l
}

// answered sees that every question of the sweep was answered but those that
// were put while their provider was planted to be silent, and that there were
// some of these. A provider that says that it does not know a number, or that it
// is another order's, is not silent.
func (w *world) answered() {
	w.tb.Helper()
	if len(w.mute.told) != w.notable["unanswered"] {
		w.tb.Errorf("%d questions without an answer were counted, %d told", w.notable["unanswered"], len(w.mute.told))
	}
	for _, s := range w.plan.silent {
		within := func(u untold) bool {
			return u.channel == s.channel && !u.at.Before(s.from) && u.at.Before(s.from.Add(afternoon))
		}
		n := len(w.mute.told)
		if w.mute.told = slices.DeleteFunc(w.mute.told, within); len(w.mute.told) == n {
			w.tb.Errorf("%s was silent from %s on, and nobody asked", s.channel, s.from)
		}
	}
	for _, u := range w.mute.told {
		w.tb.Errorf("at %s no answer of%s", u.at, u.text)
	}
}
