package doctor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

func TestDaemon(t *testing.T) {
	t.Parallel()
	listener := func(ready int, status, version string) string {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" {
				page(200, "", `{"status":"`+version+`"}`)(w, r)
				return
			}
			page(ready, "", `{"status":"`+status+`"}`)(w, r)
		})
		return strings.TrimPrefix(s.URL, "http://")
	}
	closed := serve(t, nil)
	closed.Close()
	for _, c := range []struct {
		listen string
		want   Result
		text   string
	}{
		{listener(200, "ready", "counterfoil/1"), OK, "ready at"},
		{listener(200, "ready", "counterfoil/0"), Warn, "it is counterfoil/0 and this program counterfoil/1"},
		{listener(503, "event store: disk is full", "counterfoil/1"), Fail, "is not ready: event store: disk is full"},
		{strings.TrimPrefix(serve(t, page(200, "", "<html>")).URL, "http://"), Fail, "something else answers there"},
		{strings.TrimPrefix(closed.URL, "http://"), Fail, "start it: api --dir /srv/pay"},
		{"127.0.0.1:0", Skipped, "no fixed port"},
	} {
		e := bare()
		e.Software, e.Dir = "counterfoil/1", "/srv/pay"
		wants(t, e.daemon(t.Context(), "api", c.listen), c.want, c.text)
	}
	everywhere := listener(200, "ready", "counterfoil/1")
	e := bare()
	e.Software = "counterfoil/1"
	wants(t, e.daemon(t.Context(), "api", "0.0.0.0"+everywhere[strings.LastIndex(everywhere, ":"):]), OK, "ready")
}

func TestSweeps(t *testing.T) {
	t.Parallel()
	now := time.Now()
	run := func(id string, state operations.RunState, age time.Duration) operations.Run {
		return operations.Run{
			ID: id, Kind: "sweep", Holder: "t", State: state, StartedAt: now.Add(-age - time.Second), EndedAt: now.Add(-age),
			Asked: 7, Unanswered: 3, Note: "gateway down",
		}
	}
	for name, c := range map[string]struct {
		runs []operations.Run
		want Result
		text string
	}{
		"never":               {nil, Fail, "there was never one"},
		"just now":            {[]operations.Run{run("1", operations.RunComplete, 30*time.Second)}, OK, "ended 30s ago and asked 7 questions"},
		"long ago":            {[]operations.Run{run("1", operations.RunComplete, time.Hour)}, Fail, "the last complete one was 1h0m ago"},
		"running":             {[]operations.Run{run("1", operations.RunRunning, 0), run("2", operations.RunComplete, time.Hour)}, Fail, "start the reconciler"},
		"without answers":     {[]operations.Run{run("1", operations.RunComplete, time.Hour), run("2", operations.RunIncomplete, time.Second)}, Warn, "3 of 7 questions had no answer gateway down"},
		"never with answers":  {[]operations.Run{run("2", operations.RunIncomplete, time.Second)}, Warn, "none of the last 1"},
		"incomplete long ago": {[]operations.Run{run("2", operations.RunIncomplete, time.Hour)}, Fail, "start the reconciler"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare()
			e.Operations, e.SweepEvery, e.Clock = opsStore(t), time.Minute, func() time.Time { return now }
			put(t, e.Operations, c.runs...)
			must(t, e.Operations.PutAsks(t.Context(), []operations.Ask{{Channel: "epay-a", OrderNo: "A1", Why: "held", Since: now, NextAt: now}}))
			got := e.sweeps(t.Context())
			wants(t, got[0], c.want, c.text)
			wants(t, got[1], OK, "1 payments are to be asked about")
		})
	}
}

// logged fills a callback log and waits until it can be read.
func logged(t *testing.T, rows ...operations.Callback) operations.Store {
	t.Helper()
	ops := opsStore(t)
	for _, r := range rows {
		ops.LogCallback(r)
	}
	for end := time.Now().Add(5 * time.Second); ; {
		got, err := ops.Callbacks(t.Context(), operations.CallbackFilter{Limit: 1000})
		must(t, err)
		if len(got) == len(rows) {
			return ops
		}
		if time.Now().After(end) {
			t.Fatalf("%d rows of %d", len(got), len(rows))
		}
		time.Sleep(time.Millisecond)
	}
}

func called(o domain.Outcome, why domain.Reason, order string, age time.Duration) operations.Callback {
	return operations.Callback{
		Channel: "epay-a", ReceivedAt: time.Now().Add(-age), Method: "GET", Outcome: o, Reason: why, OrderNo: order,
		Reply: domain.Reply{Status: 200, Body: "success"},
	}
}

func TestTraffic(t *testing.T) {
	t.Parallel()
	forged := called(domain.OutcomeRefused, domain.ReasonWrongSignature, "A1", time.Hour)
	probe := called(domain.OutcomeRefused, domain.ReasonWrongSignature, ProbePrefix+"X.epay-a", time.Minute)
	good := called(domain.OutcomeCredited, "", "A2", time.Hour)
	old := called(domain.OutcomeFailed, "", "A3", 25*time.Hour)
	for name, c := range map[string]struct {
		rows []operations.Callback
		want Result
		text string
	}{
		"nothing":         {nil, OK, "none"},
		"only our probes": {[]operations.Callback{probe, probe}, OK, "none"},
		"good ones":       {[]operations.Callback{good, good, probe}, OK, "2 credited"},
		"some forged":     {[]operations.Callback{good, forged}, OK, "1 credited, 1 refused; refused wrong_signature: 1"},
		"all refused":     {[]operations.Callback{forged, forged}, Warn, "callbacks recheck"},
		"failed":          {[]operations.Callback{good, called(domain.OutcomeFailed, "", "A3", time.Hour)}, Warn, "1 credited, 1 failed"},
		"failed long ago": {[]operations.Callback{old}, OK, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare()
			e.Operations = logged(t, c.rows...)
			wants(t, e.traffic(t.Context())[0], c.want, c.text)
		})
	}
}

func TestLastCallback(t *testing.T) {
	t.Parallel()
	probe := called(domain.OutcomeRefused, domain.ReasonWrongSignature, ProbePrefix+"X.epay-a", time.Minute)
	e := bare()
	e.Operations = logged(t, called(domain.OutcomeHeld, "", "A1", 3*time.Hour), probe)
	c := channel(t, "http://127.0.0.1:1")
	wants(t, e.lastCallback(t.Context(), c)[0], OK, "3h0m ago, held, answered 200 success")
	// A test payment of ours begins with the same letters, and is a real one.
	e.Operations = logged(t, called(domain.OutcomeCredited, "", ProbePrefix+"-1", time.Hour), probe)
	wants(t, e.lastCallback(t.Context(), c)[0], OK, "1h0m ago, credited")
	e.Operations = logged(t, probe)
	wants(t, e.lastCallback(t.Context(), c)[0], Skipped, "none yet")
}

// Money that only ever comes by asking: the address is wrong, and nobody
// noticed because the sweep heals.
func TestChannelThatIsNeverCalled(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.place(t, "A1")
	i.settle(t)
	c := channel(t, "http://127.0.0.1:1")
	wants(t, newExaminer(i.in).lastCallback(t.Context(), c)[0], Skipped, "nothing was paid")
	id := domain.ID{7}
	_, err := i.Ledger.Notify(t.Context(), domain.Notice{
		Delivery: id, Source: domain.SourceQuery, Channel: "epay-a", OrderNo: "A1", TradeNo: "T1", Amount: domain.NewMoney(1, domain.CNY),
		Status: domain.StatusPaid, ReceivedAt: time.Now(), Run: "r",
	}, domain.Evidence{Kind: "query", Method: "GET", Target: "/", At: time.Now(), Grade: domain.GradeC, Scheme: "https"}, nil)
	must(t, err)
	i.settle(t)
	wants(t, newExaminer(i.in).lastCallback(t.Context(), c)[0], Warn, "none ever came, although 1 of the newest 1 payments were paid")
}
