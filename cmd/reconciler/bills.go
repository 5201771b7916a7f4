package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
)

// ordersEvery is how often the log is looked at for what single orders show.
const ordersEvery = time.Minute

// billJobs look for bills on each channel's own schedule, in its own zone. A
// look costs next to nothing while there is none: when a bill is ready, and how
// long to wait after one that was late, the comparer knows.
func billJobs(ctx context.Context, app *assembly.App, holder string, reg prometheus.Registerer) (scheduled, error) {
	comparer, err := app.Comparer(ctx, holder, reg)
	if err != nil {
		return nil, err
	}
	jobs := scheduled{{"what orders show", &atStart{Schedule: every(ordersEvery)}, comparer.FollowOrders}}
	for _, id := range app.Config.ChannelIDs() {
		if len(comparer.BillsOf(id)) == 0 {
			continue
		}
		at, err := billSchedule(app.Config.Channels[string(id)].BillSchedule, app.Channels[id].Config().Zone)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "channels."+string(id)+".bill_schedule", "%s", err.Error())
		}
		jobs = append(jobs, job{"bills of " + string(id), &atStart{Schedule: at}, func(ctx context.Context) error {
			_, err := comparer.CatchUpChannel(ctx, id)
			return err
		}})
	}
	return jobs, nil
}

// atStart is a schedule that also comes at once when it is begun: a bill that the
// process before was cut off in the middle of is taken up without waiting.
type atStart struct {
	cron.Schedule
	begun bool
}

// Next is the next time after t. The scheduler asks from one goroutine.
func (a *atStart) Next(t time.Time) time.Time {
	if !a.begun {
		a.begun = true
		return t.Add(time.Second)
	}
	return a.Schedule.Next(t)
}

// billSchedule reads five cron fields in a zone.
func billSchedule(spec, zone string) (cron.Schedule, error) {
	return cron.ParseStandard("CRON_TZ=" + zone + " " + spec)
}
