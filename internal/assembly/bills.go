package assembly

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/archive/files"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/reconcile"
)

// Comparer compares the installation's books with its providers' bills; holder
// names the process.
func (a *App) Comparer(ctx context.Context, holder string, reg prometheus.Registerer) (*reconcile.Comparer, error) {
	kept, err := files.Open(a.Config.Bills.Archive, files.Config{Clock: a.Clock})
	if err != nil {
		return nil, err
	}
	if err := a.checkRates(); err != nil {
		return nil, err
	}
	since, err := a.firstConfigured(ctx)
	if err != nil {
		return nil, err
	}
	b := a.Config.Bills
	return reconcile.NewComparer(reconcile.BillDeps{
		Log: a.Events, Ledger: a.Ledger, Rows: a.Rows, Lines: a.Rows, Balances: a.Rows, Leases: a.Ops, Bills: a.Bills, Cursors: a.Ops, Archive: kept,
		Channels: a.Channels, Logger: a.Logger, Metrics: reg, Clock: a.Clock,
	}, reconcile.BillConfig{
		Holder: holder, NoFunds: a.withoutFunds(), CatchUp: b.CatchUp, Answers: b.Answers,
		AskPerSecond: a.Config.Reconciler.AskPerSecond, TempDir: a.Config.Dir,
		Since: func(ch domain.ChannelID) time.Time { return since[ch] },
	})
}

// checkRates names the first rate in the file that is none.
func (a *App) checkRates() error {
	for _, id := range a.Config.ChannelIDs() {
		ch := a.Config.Channels[string(id)]
		if _, err := reconcile.ParseRate(ch.FeeRate); err != nil {
			return inField("channels."+string(id)+".fee_rate", err)
		}
		if _, err := reconcile.ParseRate(ch.FeeWithin); err != nil {
			return inField("channels."+string(id)+".fee_within", err)
		}
	}
	return nil
}

// withoutFunds are the channels whose fund flow the file leaves out.
func (a *App) withoutFunds() map[domain.ChannelID]bool {
	out := map[domain.ChannelID]bool{}
	for _, id := range a.Config.ChannelIDs() {
		if flow := a.Config.Channels[string(id)].FundFlow; flow != nil {
			out[id] = !*flow
		}
	}
	return out
}

func inField(field string, err error) error {
	return domain.EField(domain.KindOf(err), field, "%s", err.Error())
}

// firstConfigured is a day after each channel was first put in force: the bills
// up to then tell of money that these books never saw.
func (a *App) firstConfigured(ctx context.Context) (map[domain.ChannelID]time.Time, error) {
	out := make(map[domain.ChannelID]time.Time, len(a.Channels))
	for id := range a.Channels {
		events, err := a.Events.ReadStream(ctx, domain.ChannelStream(id), eventstore.ReadOptions{Limit: 1})
		if err != nil {
			return nil, err
		}
		first, err := ledger.Decode(events[0])
		if err != nil {
			return nil, err
		}
		out[id] = first.Meta.RecordedAt.Add(24 * time.Hour)
	}
	return out, nil
}
