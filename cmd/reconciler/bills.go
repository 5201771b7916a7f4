package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
)

// billJobs look for bills on each channel's own schedule, in its own zone. A
// look costs next to nothing while there is none: when a bill is ready, and how
// long to wait after one that was late, the comparer knows.
func billJobs(ctx context.Context, app *assembly.App, holder string, reg prometheus.Registerer) (scheduled, error) {
	comparer, err := app.Comparer(ctx, holder, reg)
	if err != nil {
		return nil, err
	}
	var jobs scheduled
	for _, id := range app.Config.ChannelIDs() {
		if len(comparer.BillsOf(id)) == 0 {
			continue
		}
		at, err := billSchedule(app.Config.Channels[string(id)].BillSchedule, app.Channels[id].Config().Zone)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "channels."+string(id)+".bill_schedule", "%s", err.Error())
		}
		jobs = append(jobs, job{"bills of " + string(id), at, func(ctx context.Context) error {
			_, err := comparer.CatchUpChannel(ctx, id)
			return err
		}})
	}
	return jobs, nil
}

// billSchedule reads five cron fields in a zone.
func billSchedule(spec, zone string) (cron.Schedule, error) {
	return cron.ParseStandard("CRON_TZ=" + zone + " " + spec)
}
