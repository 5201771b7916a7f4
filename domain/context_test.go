package domain_test

import (
	"testing"
	"time"

	"counterfoil/domain"
)

// TestDates: the day is the provider's, cut in the channel's zone; the period
// is the day's, or the oldest open one.
func TestDates(t *testing.T) {
	t.Parallel()
	tokyo := time.FixedZone("Asia/Tokyo", 9*60*60)
	for _, c := range []struct {
		name       string
		occurred   time.Time
		received   time.Time
		zone       *time.Location
		oldestOpen string
		want       domain.Dates
	}{
		{
			"the provider's time", time.Date(2026, 3, 14, 15, 59, 59, 0, time.UTC), noon, shanghai, "",
			domain.Dates{OccurredAt: time.Date(2026, 3, 14, 15, 59, 59, 0, time.UTC), ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"},
		},
		{
			"midnight in Shanghai", time.Date(2026, 3, 14, 16, 0, 0, 0, time.UTC), noon, shanghai, "",
			domain.Dates{OccurredAt: time.Date(2026, 3, 14, 16, 0, 0, 0, time.UTC), ReceivedAt: noon, ValueDate: "2026-03-15", Period: "2026-03"},
		},
		{
			"New Year in Tokyo only", time.Date(2026, 12, 31, 15, 0, 0, 0, time.UTC), noon, tokyo, "",
			domain.Dates{OccurredAt: time.Date(2026, 12, 31, 15, 0, 0, 0, time.UTC), ReceivedAt: noon, ValueDate: "2027-01-01", Period: "2027-01"},
		},
		{
			"no time of its own",
			time.Time{},
			noon.Add(time.Nanosecond).In(tokyo), shanghai, "",
			domain.Dates{OccurredAt: noon, Estimated: true, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"},
		},
		{
			"into a closed period", noon, noon, shanghai, "2026-05",
			domain.Dates{OccurredAt: noon, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-05"},
		},
		{
			"after the oldest open one", noon, noon, shanghai, "2026-02",
			domain.Dates{OccurredAt: noon, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"},
		},
		{
			"a zone of its own", noon.In(tokyo), noon, shanghai, "",
			domain.Dates{OccurredAt: noon, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := at(noon, domain.ConfirmNever)
			ctx.Zone, ctx.OldestOpen = c.zone, c.oldestOpen
			n := received(callback(1, "T1", ten), c.received)
			n.OccurredAt = c.occurred
			credits := of[domain.PaymentCredited](notify(domain.Fold(facts(placed())), ctx, n).Facts)
			if len(credits) != 1 {
				t.Fatalf("%d credits", len(credits))
			}
			if got := credits[0].Dates; got != c.want {
				t.Errorf("dates are\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

// TestTimesBeyondTheCalendar: a provider's time that has no stored form is no
// time; the money it came with counts all the same.
func TestTimesBeyondTheCalendar(t *testing.T) {
	t.Parallel()
	for _, year := range []int{-1, 0, 10_000, 58_000} {
		n := callback(1, "T1", ten)
		want := facts(kept(n, domain.OutcomeCredited, ""), credited(n))
		n.OccurredAt = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		got := notify(domain.Fold(facts(placed())), at(noon, domain.ConfirmNever), n).Facts
		same(t, "facts", want, got)
		storable(t, got)
	}
}

// TestDecisionsNameTheirBasis: the settings' revision and the rules.
func TestDecisionsNameTheirBasis(t *testing.T) {
	t.Parallel()
	ctx := at(noon, domain.ConfirmNever)
	ctx.Revision = 17
	n := callback(1, "T1", ten)
	n.Index = 4
	got := of[domain.PaymentNotified](notify(domain.Fold(facts(placed())), ctx, n).Facts)
	want := domain.Decision{Outcome: domain.OutcomeCredited, Config: 17, Rules: domain.RulesVersion}
	if len(got) != 1 || got[0].Decision != want || got[0].Index != 4 {
		t.Errorf("decided by %+v, want %+v", got, want)
	}
	order, err := domain.Payment{}.Place(ctx, order())
	if placed := of[domain.PaymentPlaced](order); err != nil || len(placed) != 1 || placed[0].Config != 17 {
		t.Errorf("placed by %+v (%v)", order, err)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	success := map[domain.Outcome]bool{
		domain.OutcomeCredited: true, domain.OutcomeRepeated: true, domain.OutcomeHeld: true,
		domain.OutcomeParked: true, domain.OutcomeNoted: true, domain.OutcomeRefused: false, domain.OutcomeFailed: false,
	}
	if got := domain.Outcomes(); len(got) != len(success) {
		t.Errorf("outcomes are %v", got)
	}
	for _, o := range domain.Outcomes() {
		if want, known := success[o]; !known || o.Success() != want {
			t.Errorf("%s is answered with success: %t", o, o.Success())
		}
	}
	if domain.Outcome("").Success() {
		t.Error("no outcome is answered with success")
	}
}
