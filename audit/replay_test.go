package audit_test

import (
	"slices"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
)

// replayed are the positions that a filter lets through.
func (w *world) replayed(f audit.ReplayFilter) ([]eventstore.Position, audit.Replayed) {
	w.t.Helper()
	var out []eventstore.Position
	sum, err := audit.Replay(w.t.Context(), w.events, f, func(r eventstore.Recorded) error {
		out = append(out, r.Position)
		return nil
	}, nil)
	must(w.t, err)
	return out, sum
}

// entries is the whole log, decoded.
func (w *world) entries() []ledger.Entry {
	w.t.Helper()
	var out []ledger.Entry
	_, err := audit.Replay(w.t.Context(), w.events, audit.ReplayFilter{}, func(r eventstore.Recorded) error {
		e, err := ledger.Decode(r)
		out = append(out, e)
		return err
	}, nil)
	must(w.t, err)
	return out
}

// Every filter gives what a look at each event gives.
func TestReplayFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	all := w.entries()
	middle := all[len(all)/2]
	var latest time.Time // no clock of the log runs back here
	for _, e := range all {
		if e.Meta.RecordedAt.Before(latest) {
			t.Fatal("the log's clock ran back")
		}
		latest = e.Meta.RecordedAt
	}
	user5 := map[domain.Stream]bool{"payment-epay-a:A3": true, "payment-epay-a:A4": true, "payment-epay-a:A5": true}
	for name, c := range map[string]struct {
		filter audit.ReplayFilter
		want   func(ledger.Entry) bool
	}{
		"everything": {audit.ReplayFilter{}, func(ledger.Entry) bool { return true }},
		"two types": {
			audit.ReplayFilter{Types: []string{domain.TypePaymentCredited, domain.TypePaymentParked}},
			func(e ledger.Entry) bool {
				return e.Type == domain.TypePaymentCredited || e.Type == domain.TypePaymentParked
			},
		},
		"a stream":   {audit.ReplayFilter{Stream: "payment-epay-a:A1"}, func(e ledger.Entry) bool { return e.Stream == "payment-epay-a:A1" }},
		"a category": {audit.ReplayFilter{Category: "channel"}, func(e ledger.Entry) bool { return e.Stream.Category() == "channel" }},
		"a channel": {audit.ReplayFilter{Channel: "epay-c"}, func(e ledger.Entry) bool {
			return e.Stream == "channel-epay-c" || e.Stream == "payment-epay-c:C1" || e.Stream == "payment-epay-c:C2"
		}},
		"an account": {audit.ReplayFilter{Account: "user:5"}, func(e ledger.Entry) bool { return user5[e.Stream] }},
		"positions": {
			audit.ReplayFilter{After: 3, To: middle.Position},
			func(e ledger.Entry) bool { return e.Position > 3 && e.Position <= middle.Position },
		},
		"since an instant": {audit.ReplayFilter{Since: middle.Meta.RecordedAt}, func(e ledger.Entry) bool {
			return !e.Meta.RecordedAt.Before(middle.Meta.RecordedAt)
		}},
		"until an instant, an account": {audit.ReplayFilter{Until: middle.Meta.RecordedAt, Account: "user:1"}, func(e ledger.Entry) bool {
			return !e.Meta.RecordedAt.After(middle.Meta.RecordedAt) && (e.Stream == "payment-epay-a:A1" || e.Stream == "payment-epay-b:B1")
		}},
	} {
		var want []eventstore.Position
		for _, e := range all {
			if c.want(e) {
				want = append(want, e.Position)
			}
		}
		got, sum := w.replayed(c.filter)
		if !slices.Equal(got, want) || len(want) == 0 || sum.Matched != int64(len(want)) {
			t.Errorf("%s: %v, want %v (%+v)", name, got, want, sum)
		}
	}
	if got, _ := w.replayed(audit.ReplayFilter{After: all[len(all)-1].Position}); len(got) != 0 {
		t.Errorf("behind the head: %v", got)
	}
}
