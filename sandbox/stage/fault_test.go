package stage

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

var testClasses = CommonClasses().With(Classes{Forged: {Spoof: true}, OtherAmount: {Money: "0.01"}, BillCut: {Bill: true}})

func TestFaultsAreCompleted(t *testing.T) {
	t.Parallel()
	f, err := testClasses.Complete(Fault{Class: Repeated})
	if err != nil || f.Copies != 3 {
		t.Errorf("%+v, %v", f, err)
	}
	for _, wrong := range []Fault{
		{Class: "nonsense"},
		{Class: Late, Unpaid: true},
		{Class: Repeated, Copies: -1},
		{Class: Repeated, Copies: 1001},
		{Class: Late, Delay: -1},
		{Class: OtherAmount, Money: "1e3"},
		{Class: Forged, Variant: "nonsense"},
	} {
		if _, err := testClasses.Complete(wrong); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%+v gives %v", wrong, err)
		}
	}
}

func TestFaultsOfOnePayment(t *testing.T) {
	t.Parallel()
	on, answers, err := testClasses.Sort([]Fault{{Class: Query5xx}, {Class: Late}, {}, {Class: QuerySlow}})
	if err != nil || on.Class != Late || len(answers) != 2 || answers[0].Copies != 2 {
		t.Errorf("%+v, %+v, %v", on, answers, err)
	}
	for _, wrong := range [][]Fault{{{Class: Late}, {Class: Lost}}, {{Class: BillCut}}, {{Class: "x"}}} {
		if _, _, err := testClasses.Sort(wrong); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%+v gives %v", wrong, err)
		}
	}
}

func TestTroublesAreUsedUp(t *testing.T) {
	t.Parallel()
	var troubles Troubles
	now := time.Unix(1000, 0)
	troubles.Plant("m", "1", Fault{Class: Query5xx, Copies: 1})
	troubles.Plant("m", "1", Fault{Class: QueryMissing, Copies: 1})
	for i, want := range []Class{Query5xx, QueryMissing, None} {
		if got := troubles.Take("m", "1", now); got.Class != want {
			t.Errorf("answer %d: %q, want %q", i, got.Class, want)
		}
	}
	if err := troubles.Outage(testClasses, "m", Fault{Class: QueryHTML}, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := troubles.Outage(testClasses, "m", Fault{Class: BillCut}, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := troubles.Outage(testClasses, "m", Fault{Class: Lost}, now); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("an outage of lost callbacks gives %v", err)
	}
	if a, b, c := troubles.Take("m", "", now).Class, troubles.Take("n", "", now).Class, troubles.Take("m", "", now.Add(time.Second)).Class; a != QueryHTML || b != None || c != None {
		t.Errorf("during %q, another merchant %q, afterwards %q", a, b, c)
	}
	if a, b := troubles.Bill("m", now).Class, troubles.Bill("m", now.Add(time.Second)).Class; a != BillCut || b != None {
		t.Errorf("bill during %q, afterwards %q", a, b)
	}
}

func TestSpoiledAnswers(t *testing.T) {
	t.Parallel()
	for class, want := range map[Class]struct {
		status int
		done   bool
	}{Query5xx: {502, true}, QueryHTML: {200, true}, QuerySlow: {200, false}, QueryMissing: {200, false}} {
		rec := httptest.NewRecorder()
		done := Spoil(rec, httptest.NewRequest(http.MethodGet, "/", http.NoBody), Fault{Class: class, Delay: Duration(time.Millisecond)})
		if done != want.done || rec.Code != want.status || done == (rec.Body.Len() == 0) {
			t.Errorf("%s: done %v, status %d, body %q", class, done, rec.Code, rec.Body)
		}
	}
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the connection was not closed")
		}
	}()
	Spoil(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody), Fault{Class: QueryClosed})
}

func TestDrawsFollowTheShares(t *testing.T) {
	t.Parallel()
	rates, err := testClasses.CompleteRates([]Rate{
		{Fault: Fault{Class: Late}, Share: 0.5},
		{Fault: Fault{Class: Lost}, Share: 0.5, PID: "m"},
		{Fault: Fault{Class: Query5xx}, Share: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, func(t *testing.T, s *Stage, _ *shop) {
		count := map[Class]int{}
		for i := range 1000 {
			for _, f := range testClasses.Draw(rates, "m", s.Chance(strings.Repeat("x", i)), func(Fault) bool { return true }) {
				count[f.Class]++
			}
		}
		if count[Late]+count[Lost] != 1000 || count[Query5xx] != 1000 || count[Late] < 400 || count[Lost] < 400 {
			t.Errorf("drawn %v", count)
		}
		for _, f := range testClasses.Draw(rates, "n", s.Chance("x"), func(f Fault) bool { return f.Class != Query5xx }) {
			if f.Class != Late {
				t.Errorf("%s is not for this merchant, or does not fit", f.Class)
			}
		}
	})
	if _, err := testClasses.CompleteRates([]Rate{{Fault: Fault{Class: Late}, Share: 0.6}, {Fault: Fault{Class: Lost}, Share: 0.6}}); err == nil {
		t.Error("more than every payment")
	}
}

func TestTotals(t *testing.T) {
	t.Parallel()
	yuan, dollars := func(n int64) domain.Money { return domain.NewMoney(n, domain.CNY) }, domain.NewMoney(500, domain.USD)
	got := Totals([]Payment{
		{Amount: yuan(100), Due: true, Refunds: []Refund{{Amount: yuan(30)}, {Amount: yuan(40), Failed: true}}},
		{Amount: yuan(7)},
		{Amount: dollars, Due: true, Disputes: []Dispute{
			{Amount: dollars, State: DisputeLost}, {Amount: dollars, State: DisputeWon}, {Amount: dollars, State: DisputeOpen},
		}},
	})
	if len(got) != 2 || got[0] != (Total{2, yuan(107), yuan(100), yuan(30), yuan(0)}) ||
		got[1].Disputed != domain.NewMoney(1000, domain.USD) || got[1].Due != dollars {
		t.Errorf("%+v", got)
	}
}
