package assembly

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// tendEvery is how often a daemon looks whether persons have agreed to settings
// that wait.
const tendEvery = 15 * time.Second

// process names this process in facts about settings: program and account it
// runs under.
func process() string {
	name := filepath.Base(os.Args[0])
	if u, err := user.Current(); err == nil {
		name += ", user " + u.Username
	}
	return name
}

// settings are a channel's settings as the file has them: the adapter's, and
// what it does not know of.
func (a *App) settings(cfg domain.ChannelConfigured) domain.ChannelConfigured {
	ch, b := a.Config.Channels[string(cfg.Channel)], a.Config.Bills
	cfg.Test, cfg.Corrections = ch.Test, ch.Corrections
	cfg.Tolerance = &domain.Tolerance{
		FeeRate: ch.FeeRate, FeeWithin: ch.FeeWithin, Cut: int(ch.BillCut / time.Second), Apart: int(ch.BillApart / time.Second),
		WaitDays: ch.BillWaitDays, MaxItems: b.MaxItems, MaxPercent: b.MaxPercent,
		MaxProposals: b.MaxProposals, MaxProposalPercent: b.MaxProposalPercent,
	}
	return cfg
}

// put brings a channel's settings in force, as far as they may be.
func (a *App) put(ctx context.Context, cfg domain.ChannelConfigured, cause string) error {
	if err := a.Ledger.Configure(ctx, a.settings(cfg), ledger.By{Actor: "system", Cause: cause}); err != nil {
		return err
	}
	for _, q := range a.Ledger.Waiting() {
		if q.Ask.Channel == cfg.Channel {
			a.Logger.WarnContext(ctx, "settings that loosen a policy are not in force", slog.String("channel", string(q.Ask.Channel)),
				slog.String("proposal", q.Ask.Proposal.String()), slog.String("state", string(q.State)),
				slog.String("loosens", strings.Join(q.Ask.Loosens, "; ")))
		}
	}
	return nil
}

// Notes says what of the configuration is not in force, for people: nothing that
// keeps the installation from its work.
func (a *App) Notes() []string {
	var out []string
	for _, q := range a.Ledger.Waiting() {
		what := "waits for two persons: `counterfoil config approve " + q.Ask.Proposal.String() + "`"
		if q.State == domain.PolicyRejected {
			what = "was rejected by " + q.Rejected.By
		}
		out = append(out, fmt.Sprintf("channel %s: %s: the looser setting %s", q.Ask.Channel, strings.Join(q.Ask.Loosens, "; "), what))
	}
	return out
}

// tend puts settings in force that persons have agreed to since, in whichever
// process they did. At its start it finishes erasures at once: the process
// before this one may have been killed in the midst of one.
func (a *App) tend(ctx context.Context) error {
	a.awaitRows(ctx)
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		if err := a.finishErasures(ctx); err != nil && ctx.Err() == nil {
			a.Logger.ErrorContext(ctx, "keys of erased evidence are not destroyed yet", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		before := len(a.Ledger.Waiting())
		err := a.Ledger.Reconfigure(ctx)
		if after := len(a.Ledger.Waiting()); err == nil && after < before {
			a.Logger.InfoContext(ctx, "settings are in force that persons agreed to", slog.Int("still_waiting", after))
		}
		if err != nil && ctx.Err() == nil {
			a.Logger.ErrorContext(ctx, "settings that wait cannot be looked at", slog.String("error", err.Error()))
		}
	}
}

// awaitRows gives the projections a moment to reach the log's head: the last
// event of a killed process may be an erasure. What is not there by then is
// found by the next look.
func (a *App) awaitRows(ctx context.Context) {
	if head, err := a.Events.Head(ctx); err == nil {
		_ = a.Rows.Wait(ctx, head)
	}
}

// erasuresCursor is how far erasures were finished. It stands beside the keys:
// keys that come back from a backup come with an old one.
const erasuresCursor = "erasures"

// finishErasures destroys keys that erasures on record say are destroyed: a
// process may have been killed in between.
func (a *App) finishErasures(ctx context.Context) error {
	after, err := a.Ops.Cursor(ctx, erasuresCursor)
	if err != nil {
		return err
	}
	rows, err := a.Rows.Erasures(ctx, eventstore.Position(after), 200)
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, r := range rows {
		if f, ok := r.Fact.(domain.EvidenceErased); ok {
			if err := a.Ledger.FinishErasure(ctx, r.Stream, f); err != nil {
				return err
			}
		}
	}
	return a.Ops.PutCursor(ctx, erasuresCursor, uint64(rows[len(rows)-1].Position))
}
