package operationstest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/operations"
)

var callbackTests = map[string]func(*testing.T, Open){
	"RoundTrip": func(t *testing.T, open Open) {
		s := one(t, open)
		bare := operations.Callback{ReceivedAt: noon, Outcome: domain.OutcomeFailed}
		full := callback(1)
		s.LogCallback(bare)
		s.LogCallback(full)
		got := logged(t, s, 2)
		if got[0].Seq <= got[1].Seq {
			t.Errorf("seqs %d, %d do not increase", got[1].Seq, got[0].Seq)
		}
		full.Seq, bare.Seq = got[0].Seq, got[1].Seq
		if diff := cmp.Diff([]operations.Callback{full, bare}, got, cmp.AllowUnexported(domain.Money{})); diff != "" {
			t.Errorf("rows, newest first:\n%s", diff)
		}
	},
	"Filters":     callbackFilters,
	"Pages":       callbackPages,
	"Limits":      callbackLimits,
	"Refused":     refusedCallbacks,
	"CloseWrites": closeWritesCallbacks,
	"ManyOrders":  callbacksOfManyOrders,
}

// callback is the i-th row of a busy channel, a second after the one before.
func callback(i int) operations.Callback {
	return operations.Callback{
		Delivery: domain.ID{byte(i >> 8), byte(i), 0xff}, Channel: "epay-main",
		ReceivedAt: noon.Add(time.Duration(i) * time.Second), Took: 1234567,
		Remote: "203.0.113.7:4711", Method: "GET", Outcome: domain.OutcomeCredited, Reason: domain.ReasonNone,
		OrderNo: fmt.Sprintf("ORDER-%06d", i), TradeNo: fmt.Sprintf("T%d", i), Amount: domain.NewMoney(730, domain.CNY),
		Reply:      domain.Reply{Status: 200, ContentType: "text/plain", Body: "success"},
		BodySHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Error: "why – for people",
	}
}

// logged waits until n rows are there and returns them, newest first.
func logged(t *testing.T, s operations.Store, n int) []operations.Callback {
	t.Helper()
	var rows []operations.Callback
	eventually(t, fmt.Sprintf("%d rows in the callback log", n), func() bool {
		rows = callbacks(t, s, operations.CallbackFilter{Limit: 200})
		return len(rows) >= min(n, 200)
	})
	return rows
}

func callbacks(t *testing.T, s operations.Store, f operations.CallbackFilter) []operations.Callback {
	t.Helper()
	rows, err := s.Callbacks(t.Context(), f)
	noError(t, err, "read callback log")
	return rows
}

// mixed logs 60 rows: three channels, four outcomes, each order twice.
func mixed(t *testing.T, s operations.Store) []operations.Callback {
	t.Helper()
	outcomes := []domain.Outcome{domain.OutcomeCredited, domain.OutcomeRepeated, domain.OutcomeHeld, domain.OutcomeRefused}
	for i := range 60 {
		c := callback(i)
		c.Channel = fmt.Sprintf("ch-%d", i%3)
		c.Outcome = outcomes[i%4]
		c.OrderNo = fmt.Sprintf("O-%d", i%30)
		s.LogCallback(c)
	}
	return logged(t, s, 60)
}

func callbackFilters(t *testing.T, open Open) {
	s := one(t, open)
	all := mixed(t, s)
	since := noon.Add(20 * time.Second)
	filters := map[string]struct {
		f    operations.CallbackFilter
		keep func(operations.Callback) bool
	}{
		"none":     {operations.CallbackFilter{}, func(operations.Callback) bool { return true }},
		"channel":  {operations.CallbackFilter{Channel: "ch-1"}, func(c operations.Callback) bool { return c.Channel == "ch-1" }},
		"order":    {operations.CallbackFilter{OrderNo: "O-7"}, func(c operations.Callback) bool { return c.OrderNo == "O-7" }},
		"credited": {operations.CallbackFilter{Outcome: "credited"}, func(c operations.Callback) bool { return c.Outcome == "credited" }},
		"held":     {operations.CallbackFilter{Outcome: "held"}, func(c operations.Callback) bool { return c.Outcome == "held" }},
		"since":    {operations.CallbackFilter{Since: since}, func(c operations.Callback) bool { return !c.ReceivedAt.Before(since) }},
		"before":   {operations.CallbackFilter{Before: all[30].Seq}, func(c operations.Callback) bool { return c.Seq < all[30].Seq }},
		"together": {
			operations.CallbackFilter{Channel: "ch-0", OrderNo: "O-9", Outcome: "repeated", Since: noon, Before: all[0].Seq},
			func(c operations.Callback) bool {
				return c.Channel == "ch-0" && c.OrderNo == "O-9" && c.Outcome == "repeated" && c.Seq < all[0].Seq
			},
		},
		"no such channel": {operations.CallbackFilter{Channel: "nobody"}, func(operations.Callback) bool { return false }},
		"no such order":   {operations.CallbackFilter{OrderNo: "o-7"}, func(operations.Callback) bool { return false }},
	}
	for name, c := range filters {
		want := slices.DeleteFunc(slices.Clone(all), func(row operations.Callback) bool { return !c.keep(row) })
		c.f.Limit = 200
		got := callbacks(t, s, c.f)
		if diff := cmp.Diff(seqs(want), seqs(got)); diff != "" {
			t.Errorf("filter %s: rows\n%s", name, diff)
		}
	}
}

func seqs(rows []operations.Callback) []int64 {
	list := make([]int64, 0, len(rows))
	for _, c := range rows {
		list = append(list, c.Seq)
	}
	return list
}

// callbackPages walks every filter's rows by cursor: none twice, none lost.
func callbackPages(t *testing.T, open Open) {
	s := one(t, open)
	mixed(t, s)
	for _, f := range []operations.CallbackFilter{{}, {Channel: "ch-2"}, {Outcome: "held"}, {OrderNo: "O-3"}} {
		f.Limit = 200
		want := seqs(callbacks(t, s, f))
		f.Limit = 7
		var got []int64
		for page := callbacks(t, s, f); len(page) > 0; page = callbacks(t, s, f) {
			if len(page) > f.Limit {
				t.Fatalf("page of %d rows, limit %d", len(page), f.Limit)
			}
			got = append(got, seqs(page)...)
			f.Before = page[len(page)-1].Seq
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %+v:\n%s", f, diff)
		}
	}
}

func callbackLimits(t *testing.T, open Open) {
	s := one(t, open)
	for _, limit := range []int{0, -1, 1001} {
		_, err := s.Callbacks(t.Context(), operations.CallbackFilter{Limit: limit})
		wantKind(t, err, domain.KindInvalid, fmt.Sprintf("limit %d", limit))
	}
}

func refusedCallbacks(t *testing.T, open Open) {
	s := one(t, open)
	for i := range 6 {
		c := callback(i)
		c.Request = fmt.Appendf(nil, `{"n":%d}`, i)
		if i%2 == 0 {
			c.Outcome = domain.OutcomeRefused
		}
		if i == 4 {
			c.Channel = "other"
		}
		s.LogCallback(c)
	}
	for _, c := range logged(t, s, 6) {
		if c.Request != nil {
			t.Errorf("the list carries the request of row %d", c.Seq)
		}
	}
	cases := []struct {
		channel string
		since   time.Time
		want    []string
	}{
		{"epay-main", time.Time{}, []string{`{"n":0}`, `{"n":2}`}},
		{"epay-main", noon.Add(time.Second), []string{`{"n":2}`}},
		{"other", time.Time{}, []string{`{"n":4}`}},
		{"", time.Time{}, []string{`{"n":0}`, `{"n":2}`, `{"n":4}`}},
		{"nobody", time.Time{}, nil},
	}
	for _, c := range cases {
		rows, err := s.RefusedCallbacks(t.Context(), c.channel, c.since)
		noError(t, err, "read refused callbacks")
		var got []string
		for _, row := range rows {
			got = append(got, string(row.Request))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("refused of %q since %s, oldest first:\n%s", c.channel, c.since, diff)
		}
	}
}

// closeWritesCallbacks checks that what was logged before Close is there.
func closeWritesCallbacks(t *testing.T, open Open) {
	s := open(t)
	for i := range 100 {
		s.LogCallback(callback(i))
	}
	noError(t, s.Close(), "close")
	if got := len(callbacks(t, one(t, open), operations.CallbackFilter{Limit: 200})); got != 100 {
		t.Errorf("%d of 100 rows after reopening", got)
	}
}

// callbacksOfManyOrders finds each order among thousands, logged through two
// stores at once.
func callbacksOfManyOrders(t *testing.T, open Open) {
	stores := []operations.Store{one(t, open), one(t, open)}
	const rows = 3000
	for i := range rows {
		stores[i%2].LogCallback(callback(i))
	}
	last := []int{rows - 2, rows - 1}
	for i, s := range stores {
		eventually(t, "the last row is there", func() bool {
			return len(callbacks(t, s, operations.CallbackFilter{OrderNo: callback(last[i]).OrderNo, Limit: 2})) == 1
		})
	}
	for i := 0; i < rows; i += 97 {
		got := callbacks(t, stores[0], operations.CallbackFilter{OrderNo: callback(i).OrderNo, Limit: 200})
		if len(got) != 1 || got[0].TradeNo != callback(i).TradeNo {
			t.Fatalf("order %d: %d rows %v", i, len(got), got)
		}
	}
}
