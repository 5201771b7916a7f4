package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

var moneyByValue = cmp.Comparer(func(a, b domain.Money) bool { return a == b })

// model is the plainest fold: everything in maps and slices, folded at once.
type model struct {
	sums      map[projections.LedgerKey]int64
	entries   []projections.Entry
	callbacks []projections.Callback
	facts     map[domain.Stream][]domain.Fact
	last      map[domain.Stream]eventstore.Position
	stages    map[domain.Stream]projections.Stages
	arrived   map[domain.ChannelID]map[time.Time]int
}

func modelOf(t testing.TB, events []eventstore.Recorded) *model {
	t.Helper()
	m := &model{
		sums: make(map[projections.LedgerKey]int64), facts: make(map[domain.Stream][]domain.Fact),
		last: make(map[domain.Stream]eventstore.Position), stages: make(map[domain.Stream]projections.Stages),
		arrived: make(map[domain.ChannelID]map[time.Time]int),
	}
	for _, e := range events {
		f, err := domain.DecodeFact(e.Type, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := domain.DecodeMeta(e.Meta)
		if err != nil {
			t.Fatal(err)
		}
		m.facts[e.Stream], m.last[e.Stream] = append(m.facts[e.Stream], f), e.Position
		m.stage(e.Stream, f, meta.RecordedAt)
		dates, _ := domain.DatesOf(f)
		for leg, p := range domain.PostingsOf(f) {
			k := projections.LedgerKey{Book: p.Book, Wallet: p.Wallet, Currency: p.Amount.Currency()}
			m.sums[k] += p.Amount.Minor()
			m.entries = append(m.entries, projections.Entry{
				Book: p.Book, Wallet: p.Wallet, Amount: p.Amount, After: domain.NewMoney(m.sums[k], k.Currency),
				Position: e.Position, Leg: leg, EventID: e.ID, Type: e.Type, Stream: e.Stream,
				ValueDate: dates.ValueDate, Recorded: meta.RecordedAt,
			})
		}
		if n, ok := f.(domain.PaymentNotified); ok {
			m.callbacks = append(m.callbacks, projections.Callback{
				Position: e.Position, Delivery: n.Delivery, Source: n.Source, Channel: n.Channel, OrderNo: n.OrderNo,
				TradeNo: n.TradeNo, Amount: n.Amount, About: n.About, Status: n.Status, Outcome: n.Decision.Outcome,
				Reason: n.Decision.Reason, ReceivedAt: n.ReceivedAt,
			})
		}
	}
	return m
}

// stage notes the dates of a payment's way: the first of each, and the hours of
// first callbacks.
func (m *model) stage(s domain.Stream, f domain.Fact, recorded time.Time) {
	at, notices := m.stages[s], 0
	for _, f := range m.facts[s] {
		if _, ok := f.(domain.PaymentNotified); ok {
			notices++
		}
	}
	ch, _, payment := projections.SplitPayment(s)
	if n, ok := f.(domain.PaymentNotified); ok && payment && n.Source == domain.SourceCallback {
		if at.NotifiedAt.IsZero() {
			at.NotifiedAt = n.ReceivedAt
		}
		if notices == 1 {
			if m.arrived[ch] == nil {
				m.arrived[ch] = map[time.Time]int{}
			}
			m.arrived[ch][n.ReceivedAt.Truncate(time.Hour)]++
		}
	}
	_, credited := f.(domain.PaymentCredited)
	_, allocated := f.(domain.PaymentAllocated)
	if (credited || allocated) && at.CreditedAt.IsZero() {
		at.CreditedAt = recorded
	}
	parked, ok := f.(domain.PaymentParked)
	if dates, _ := domain.DatesOf(f); (credited || ok && parked.Confirmed) && at.BookedOn == "" {
		at.BookedOn = domain.Day(dates.ValueDate)
	}
	m.stages[s] = at
}

// checkArrivals holds the hours of callbacks against the log.
func (m *model) checkArrivals(t testing.TB, d *DB) {
	t.Helper()
	for _, ch := range []domain.ChannelID{"epay-a", "epay-b", "c", "none"} {
		hours, err := d.Arrivals(context.Background(), ch, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[time.Time]int{}
		for _, h := range hours {
			got[h.Hour] = h.N
			if h.Last.Before(h.Hour) || h.Last.Sub(h.Hour) >= time.Hour {
				t.Fatalf("%s: the last of %s came at %s", ch, h.Hour, h.Last)
			}
		}
		if diff := cmp.Diff(m.arrived[ch], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("arrivals of %s (-log +rows):\n%s", ch, diff)
		}
	}
}

// balances of a wallet in the model, in order of currency.
func (m *model) balances(a domain.AccountID) []string {
	var out []string
	for k, sum := range m.sums {
		if k.Wallet == a {
			out = append(out, domain.NewMoney(-sum, k.Currency).String())
		}
	}
	slices.Sort(out)
	return out
}

func words(bs []projections.Balance) []string {
	var out []string
	for _, b := range bs {
		out = append(out, b.Amount.String())
	}
	slices.Sort(out)
	return out
}

var accounts = []domain.AccountID{"alice", "bob", "carol:1", "dave@x", "nobody"}

// check compares everything d answers with the model.
func (m *model) check(t testing.TB, d *DB) {
	t.Helper()
	ctx := context.Background()
	for _, a := range accounts {
		bs, _, err := d.Balances(ctx, a, projections.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.balances(a), words(bs)); diff != "" {
			t.Fatalf("balances of %s (-log +rows):\n%s", a, diff)
		}
		m.checkEntries(t, d, a)
	}
	m.checkPayments(t, d)
	m.checkCallbacks(t, d)
	m.checkTrial(t, d)
	m.checkArrivals(t, d)
}

func (m *model) checkEntries(t testing.TB, d *DB, a domain.AccountID) {
	t.Helper()
	var want, got []projections.Entry
	for _, e := range m.entries {
		if e.Book == domain.BookWallet && e.Wallet == a {
			want = append(want, e)
		}
	}
	slices.Reverse(want)
	// Small pages, so that the cursor is tried too.
	f := projections.EntryFilter{Wallet: a, Limit: 3}
	for {
		page, err := d.Entries(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		last := page[len(page)-1]
		f.Before = projections.Cursor{Position: last.Position, Leg: last.Leg}
	}
	if diff := cmp.Diff(want, got, moneyByValue); diff != "" {
		t.Fatalf("entries of %s (-log +rows):\n%s", a, diff)
	}
}

// checkPayments holds every row against the domain's own fold of its stream.
func (m *model) checkPayments(t testing.TB, d *DB) {
	t.Helper()
	ctx := context.Background()
	var all []projections.Payment
	for f := (projections.PaymentFilter{Limit: 4}); ; {
		page, err := d.Payments(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		f.Before = page[len(page)-1].Position
	}
	streams := 0
	for s := range m.facts {
		if _, _, ok := projections.SplitPayment(s); ok {
			streams++
		}
	}
	if len(all) != streams || !slices.IsSortedFunc(all, func(a, b projections.Payment) int { return int(b.Position) - int(a.Position) }) {
		t.Fatalf("%d payments listed of %d, or out of order", len(all), streams)
	}
	for _, p := range all {
		s := m.streamAt(p.Position)
		want := domain.Fold(m.facts[s])
		account := want.Placed.Account
		for _, f := range m.facts[s] {
			if c, ok := f.(domain.PaymentCredited); ok && !want.IsPlaced() {
				account = c.Account
			}
			if c, ok := f.(domain.CorrectionIssued); ok && !want.IsPlaced() && c.Action == domain.ActionCredit {
				account = c.Account // given by people in the place of what they took back
			}
		}
		if p.State != want.State() || p.Notices != want.Notices || p.Account != account || p.Position != m.last[s] {
			t.Fatalf("payment %s: row %+v\nlog says %s, %d notices, account %q, position %d\n%+v",
				s, p, want.State(), want.Notices, account, m.last[s], m.facts[s])
		}
		if p.Stages != m.stages[s] {
			t.Fatalf("payment %s: stages %+v, log says %+v", s, p.Stages, m.stages[s])
		}
		if back := refundedOf(want, p.Amount.Currency()); p.Refunded.Minor() != back {
			t.Fatalf("payment %s: row says %s went back, log says %d\n%+v", s, p.Refunded, back, m.facts[s])
		}
		if want.IsSettled() && p.TradeNo != want.Settled {
			t.Fatalf("payment %s: settled by %q, row says %q", s, want.Settled, p.TradeNo)
		}
	}
	m.checkFilters(t, d, all)
}

// refundedOf is what went back of a payment in a currency, in minor units.
func refundedOf(p domain.Payment, c domain.Currency) (sum int64) {
	for _, t := range p.Trades {
		if t.Refunded.Currency() == c {
			sum += t.Refunded.Minor()
		}
	}
	return sum
}

// streamAt is the stream whose last event stands at p.
func (m *model) streamAt(p eventstore.Position) domain.Stream {
	for s, last := range m.last {
		if last == p {
			return s
		}
	}
	return ""
}

// checkFilters holds each filter against a plain look through all rows.
func (m *model) checkFilters(t testing.TB, d *DB, all []projections.Payment) {
	t.Helper()
	filters := []projections.PaymentFilter{
		{Channel: "epay-a"},
		{Account: "bob"},
		{State: domain.StateHeld},
		{Channel: "c", State: domain.StateCredited},
		{Account: "alice", State: domain.StateCredited, Channel: "epay-b"},
		{Channel: "none"},
	}
	for _, f := range filters {
		var want []projections.Payment
		for _, p := range all {
			if (f.Channel == "" || f.Channel == p.Channel) && (f.Account == "" || f.Account == p.Account) && (f.State == "" || f.State == p.State) {
				want = append(want, p)
			}
		}
		f.Limit = 1000
		got, err := d.Payments(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Concat(got, nil), moneyByValue); diff != "" {
			t.Fatalf("filter %+v (-all +filtered):\n%s", f, diff)
		}
	}
	if len(all) == 0 {
		return // a log of draws alone
	}
	after := all[len(all)/2].Position
	got, err := d.Changed(context.Background(), after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(got)
	if diff := cmp.Diff(slices.Concat(all[:len(all)/2], nil), slices.Concat(got, nil), moneyByValue); diff != "" {
		t.Fatalf("changed after %d (-want +got):\n%s", after, diff)
	}
}

func (m *model) checkCallbacks(t testing.TB, d *DB) {
	t.Helper()
	filters := []projections.CallbackFilter{
		{},
		{Channel: "epay-a"},
		{OrderNo: "o1"},
		{OrderNo: "~odd", Channel: "c"},
		{Outcome: domain.OutcomeHeld},
		{Channel: "epay-b", Outcome: domain.OutcomeParked},
		{OrderNo: "o2", Outcome: domain.OutcomeNoted},
	}
	for _, f := range filters {
		var want []projections.Callback
		for _, c := range slices.Backward(m.callbacks) {
			if (f.Channel == "" || f.Channel == c.Channel) && (f.OrderNo == "" || f.OrderNo == c.OrderNo) && (f.Outcome == "" || f.Outcome == c.Outcome) {
				want = append(want, c)
			}
		}
		f.Limit = 1000
		got, err := d.Callbacks(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Concat(got, nil), moneyByValue); diff != "" {
			t.Fatalf("callbacks %+v (-log +rows):\n%s", f, diff)
		}
	}
}

// checkTrial: R5 and R6 — the books sum to zero in each currency.
func (m *model) checkTrial(t testing.TB, d *DB) {
	t.Helper()
	books, err := d.TrialBalance(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var sum domain.Totals
	for book, ms := range books {
		for _, money := range ms {
			var want int64
			for k, v := range m.sums {
				if k.Book == book && k.Currency == money.Currency() {
					want += v
				}
			}
			if want != money.Minor() {
				t.Fatalf("book %s has %s, the log says %d", book, money, want)
			}
			if err := sum.Add(money); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !sum.IsZero() {
		t.Fatalf("trial balance is %s", &sum)
	}
}

// TestR6FoldIsPure: pages of any size, restarts and commits that fail between
// them, one fold of everything and a rebuild all give the same rows.
func TestR6FoldIsPure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		l := newLog()
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		at := dir + "/parts.db"
		for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
			l.random(t, rng, rapid.IntRange(1, 40).Draw(rt, "facts"))
			foldInParts(rt, l, at, rapid.IntRange(1, 30).Draw(rt, "page"), rapid.IntRange(0, 3).Draw(rt, "fail"))
		}
		parts, whole := openDB(t, at), openDB(t, dir+"/whole.db")
		fold(t, l, whole, 10_000)
		modelOf(t, l.all(t)).check(t, parts)
		if a, b := mustDigest(t, parts), mustDigest(t, whole); a != b {
			rt.Fatalf("folded in parts: %+v\nfolded at once: %+v", a, b)
		}
		told, err := Rebuild(context.Background(), l, at, RebuildConfig{Page: 7})
		if err != nil || !told.Compared || told.Before != told.After {
			rt.Fatalf("rebuild: %+v, %v", told, err)
		}
	})
}

// flaky fails the n-th commit, once before it is written and once after it was
// rolled back.
type flaky struct {
	*DB
	after int
}

var errCut = errors.New("cut")

func (f *flaky) Commit(ctx context.Context, c projections.Changes) error {
	f.after--
	if f.after == 0 {
		return errCut
	}
	return f.DB.Commit(ctx, c)
}

func foldInParts(t *rapid.T, l *testLog, at string, page, fail int) {
	d, err := Open(at, Config{Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() // a crash would not close it either
	cfg := projections.Config{Page: page, Pace: -1}
	err = projections.NewRunner(l, &flaky{d, fail}, cfg).CatchUp(context.Background(), 0)
	if err != nil && !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if err := projections.NewRunner(l, d, cfg).CatchUp(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
}

// TestAsOfEveryPosition: the balance at p is the fold of the log up to p, for
// every p, between events too; and a time names exactly the last position
// before the running maximum of recorded_at passes it.
func TestAsOfEveryPosition(t *testing.T) {
	t.Parallel()
	l := newLog()
	l.random(t, rand.New(rand.NewPCG(7, 7)), 120)
	d := openDB(t, path(t))
	fold(t, l, d, 13)
	events := l.all(t)
	for i, e := range events {
		m := modelOf(t, events[:i+1])
		for _, p := range []eventstore.Position{e.Position, e.Position + 1} {
			if i+1 < len(events) && p >= events[i+1].Position || i+1 == len(events) && p > e.Position {
				continue
			}
			for _, a := range accounts {
				bs, at, err := d.Balances(context.Background(), a, projections.AsOf{Position: p})
				if err != nil || at != p {
					t.Fatalf("as of %d: position %d, %v", p, at, err)
				}
				if diff := cmp.Diff(m.balances(a), words(bs)); diff != "" {
					t.Fatalf("%s as of %d (-log +rows):\n%s", a, p, diff)
				}
			}
		}
	}
	checkTimes(t, d, events)
}

// checkTimes asks for the times around every recorded_at; the clock of the
// random log goes back often.
func checkTimes(t *testing.T, d *DB, events []eventstore.Recorded) {
	t.Helper()
	var asked []time.Time
	for _, e := range events {
		meta, err := domain.DecodeMeta(e.Meta)
		if err != nil {
			t.Fatal(err)
		}
		asked = append(asked, meta.RecordedAt, meta.RecordedAt.Add(-time.Microsecond), meta.RecordedAt.Add(time.Nanosecond))
	}
	for _, at := range asked {
		n := 0
		var highest time.Time
		for _, e := range events {
			meta, _ := domain.DecodeMeta(e.Meta)
			if meta.RecordedAt.After(highest) {
				highest = meta.RecordedAt
			}
			if highest.After(at) {
				break
			}
			n++
		}
		m := modelOf(t, events[:n])
		for _, a := range accounts {
			bs, p, err := d.Balances(context.Background(), a, projections.AsOf{Time: at})
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 && p < events[n-1].Position || n < len(events) && p >= events[n].Position {
				t.Fatalf("time %s stands for position %d, not between events %d and %d", at, p, n-1, n)
			}
			if diff := cmp.Diff(m.balances(a), words(bs)); diff != "" {
				t.Fatalf("%s at %s (-log +rows):\n%s", a, at, diff)
			}
		}
	}
}
