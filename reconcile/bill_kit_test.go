package reconcile

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/archive/files"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/providers"
)

// atBank is the channel whose provider makes bills.
const atBank domain.ChannelID = "bank-a"

// bank is a provider that makes bills and can be told to spoil them.
type bank struct {
	providers.Channel // nothing else is called
	clock             func() time.Time

	mu     sync.Mutex
	moves  map[string]move // by trade number and refund
	notYet bool            // the bill is not made yet
	down   bool            // no answer to anything
	mute   bool            // no answer to questions
	says   error           // what it answers questions with
	spoil  func(text string) string
	asked  []string
	before func() // runs in the middle of a fetch
	final  bool
}

// move is one movement at the bank.
type move struct {
	order, trade, refund string
	amount               domain.Money
	day                  domain.Day // of the bill that lists it; empty for none
	times                int        // how often it is listed; 0 is once
	status               domain.Status
}

func (m move) key() string { return m.trade + "/" + m.refund }

func newBank(w *world) *bank {
	return &bank{clock: w.clock.now, moves: map[string]move{}, final: true}
}

func (b *bank) set(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do()
}

// has makes a movement exist at the bank.
func (b *bank) has(m move) {
	b.set(func() {
		if m.status == "" {
			m.status = domain.StatusPaid
		}
		b.moves[m.key()] = m
	})
}

func (b *bank) Config() domain.ChannelConfigured {
	return domain.ChannelConfigured{
		Channel: atBank, Provider: "bank", Protocol: "v1", Merchant: map[string]string{"id": "7"}, Currency: domain.CNY,
		Zone: "Asia/Shanghai", Gateway: "https://bank.test", Confirm: domain.ConfirmNever, Funds: "gateway", Test: true,
	}
}

func (b *bank) Bills() []providers.BillKind { return []providers.BillKind{providers.BillTrade} }

func (b *bank) BillReady(day domain.Day) time.Time {
	return day.Add(1).Start(shanghai).Add(9 * time.Hour)
}

var shanghai = time.FixedZone("CST", 8*3600)

// FetchBill writes a line for each movement, in no order that anyone promised.
func (b *bank) FetchBill(_ context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := providers.BillFile{Question: q, MediaType: "text/plain", Final: b.final}
	switch {
	case b.down:
		return f, domain.E(domain.KindUnavailable, "the bank is closed")
	case b.notYet:
		return f, domain.E(domain.KindNotFound, "the bill of %s is not made yet", q.Day)
	}
	if b.before != nil {
		b.before()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "bill %s\n", q.Day)
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(b.moves))) {
		m := b.moves[key]
		for range max(1, m.times) {
			if m.day == q.Day {
				fmt.Fprintf(&text, "%q %q %q %d %s\n", m.order, m.trade, m.refund, m.amount.Minor(), m.status)
			}
		}
	}
	text.WriteString("end\n")
	out := text.String()
	if b.spoil != nil {
		out = b.spoil(out)
	}
	_, err := io.WriteString(w, out)
	return f, err
}

func (b *bank) ReadBill(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		in := bufio.NewScanner(r)
		in.Scan()
		if in.Text() != "bill "+string(f.Question.Day) {
			yield(domain.BillLine{}, domain.E(domain.KindCorrupt, "this is not the bill of %s: %.20q", f.Question.Day, in.Text()))
			return
		}
		for row := 1; in.Scan(); row++ {
			if in.Text() == "end" {
				return
			}
			l := domain.BillLine{Row: row, Kind: domain.LinePayment, At: f.Question.Day.Start(shanghai).Add(12 * time.Hour)}
			var minor int64
			if _, err := fmt.Sscanf(in.Text(), "%q %q %q %d %s", &l.OrderNo, &l.TradeNo, &l.RefundID, &minor, &l.Status); err != nil {
				yield(l, domain.E(domain.KindCorrupt, "row %d: %w", row, err))
				return
			}
			if l.Amount = domain.NewMoney(minor, domain.CNY); l.RefundID != "" {
				l.Kind, l.Status = domain.LineRefund, domain.StatusSucceeded
			}
			if !yield(l, nil) {
				return
			}
		}
		yield(domain.BillLine{}, domain.E(domain.KindCorrupt, "the bill has no end"))
	}
}

// Query answers about one order from what the bank has.
func (b *bank) Query(_ context.Context, q providers.Question) (providers.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, q.TradeNo+"/"+q.RefundID)
	if b.down || b.mute {
		return providers.Answer{}, domain.E(domain.KindUnavailable, "no answer")
	}
	if b.says != nil {
		return providers.Answer{}, b.says
	}
	m, ok := b.moves[q.TradeNo+"/"+q.RefundID]
	if !ok {
		return providers.Answer{}, nil
	}
	n := domain.Notice{
		Delivery: q.Delivery, Source: domain.SourceQuery, Channel: atBank, OrderNo: m.order, TradeNo: m.trade, Amount: m.amount,
		Status: m.status, ProviderStatus: "OK", OccurredAt: m.at(), ReceivedAt: b.clock(), Run: q.Run,
	}
	if m.refund != "" {
		n.About, n.RefundID, n.Status = domain.AboutRefund, m.refund, domain.StatusSucceeded
	}
	return providers.Answer{Found: true, Notice: n, Evidence: domain.Evidence{Kind: "query", Grade: domain.GradeC, At: b.clock()}}, nil
}

func (m move) at() time.Time {
	if m.day == "" {
		return time.Time{}
	}
	return m.day.Start(shanghai).Add(12 * time.Hour)
}

// books is a world with a bank and a Comparer.
type books struct {
	*world
	bank     *bank
	archive  *files.Archive
	comparer *Comparer
}

// today is the first day of the tests' bills: the world's clock begins on it at
// nine in the morning.
const today domain.Day = "2026-11-22"

func newBooks(t *testing.T, change ...func(*BillDeps, *BillConfig)) *books {
	t.Helper()
	w := newWorld(t)
	b := &books{world: w, bank: newBank(w)}
	must(t, w.ledger.Configure(t.Context(), b.bank.Config(), ledger.By{Actor: "system", Cause: "config"}))
	w.channels[atBank] = b.bank
	var err error
	b.archive, err = files.Open(t.TempDir(), files.Config{Clock: w.clock.now})
	must(t, err)
	b.comparer = b.another(change...)
	return b
}

// configure is a process whose file has another tolerance than the default.
func (b *books) configure(change func(*domain.Tolerance)) {
	b.t.Helper()
	set, tolerance := b.bank.Config(), domain.DefaultTolerance()
	change(&tolerance)
	set.Tolerance = &tolerance
	must(b.t, b.ledger.Configure(b.t.Context(), set, ledger.By{Actor: "system", Cause: "config"}))
}

// agree is persons' yes to what of the file waits for them.
func (b *books) agree(persons ...string) {
	b.t.Helper()
	for _, q := range b.ledger.Waiting() {
		for _, person := range persons {
			_, err := b.ledger.ApprovePolicy(b.t.Context(), atBank, q.Ask.Proposal, person, "agreed", nil, ledger.By{Actor: "person:" + person})
			must(b.t, err)
		}
	}
}

// waitless is a tolerance that waits for no other bill.
func waitless(t *domain.Tolerance) { t.Cut, t.WaitDays = 0, 0 }

// another is the Comparer of one more process.
func (b *books) another(change ...func(*BillDeps, *BillConfig)) *Comparer {
	b.t.Helper()
	d := BillDeps{
		Log: b.log, Ledger: b.ledger, Rows: folding{b.rows, b.world}, Lines: b.rows, Balances: b.rows, Leases: b.ops, Bills: b.ops, Cursors: b.ops, Archive: b.archive,
		Channels: b.channels, Logger: slog.New(slog.NewJSONHandler(b.lines, nil)), Metrics: prometheus.NewRegistry(), Clock: b.clock.now,
	}
	cfg := BillConfig{Holder: "one", AskPerSecond: 1e6, TempDir: b.t.TempDir()}
	for _, c := range change {
		c(&d, &cfg)
	}
	c, err := NewComparer(d, cfg)
	must(b.t, err)
	return c
}

// folding are rows that reach whatever is waited for.
type folding struct {
	projections.Reader
	w *world
}

func (f folding) Wait(context.Context, eventstore.Position) error {
	f.w.fold()
	return nil
}

// told are the events of payments, and those of comparisons.
func (b *books) told() (payments, comparisons int) {
	b.t.Helper()
	for batch, err := range b.log.Follow(b.t.Context(), 0, eventstore.FollowOptions{}) {
		must(b.t, err)
		for _, e := range batch.Events {
			switch e.Stream.Category() {
			case "payment":
				payments++
			case "reconciliation":
				comparisons++
			}
		}
		if batch.CaughtUp {
			break
		}
	}
	return payments, comparisons
}

// payments is how many events payments have.
func (b *books) payments() int {
	n, _ := b.told()
	return n
}

// paid places an order and takes the bank's callback in; the bank has it on
// today's bill.
func (b *books) paid(order, trade, money string) move {
	b.t.Helper()
	b.placeOnly(atBank, order, money)
	m := move{order: order, trade: trade, amount: yuan(b.t, money), day: today}
	b.bank.has(m)
	b.called(m)
	return m
}

// called takes the bank's callback about a movement in.
func (b *books) called(m move) {
	b.t.Helper()
	id, err := domain.NewRandom(rand.Reader)
	must(b.t, err)
	n := domain.Notice{
		Delivery: id, Source: domain.SourceCallback, Channel: atBank, OrderNo: m.order, TradeNo: m.trade, Amount: m.amount,
		Status: domain.StatusPaid, ProviderStatus: "OK", OccurredAt: m.at(), ReceivedAt: b.clock.now(),
	}
	if m.refund != "" {
		n.About, n.RefundID, n.Status = domain.AboutRefund, m.refund, domain.StatusSucceeded
	}
	_, err = b.ledger.Notify(b.t.Context(), n, domain.Evidence{Kind: "callback", At: b.clock.now(), Grade: domain.GradeA}, nil)
	must(b.t, err)
}

// compared runs the bill of a day and wants it to end so.
func (b *books) compared(day domain.Day, want operations.RunState, cause operations.BillCause) operations.BillRun {
	b.t.Helper()
	b.fold()
	run, err := b.comparer.Run(b.t.Context(), atBank, day, "trade")
	must(b.t, err)
	if run.State != want || run.Cause != cause {
		b.t.Fatalf("the run ended %s %s (%s), want %s %s", run.State, run.Cause, run.Note, want, cause)
	}
	kept, err := b.ops.BillRun(b.t.Context(), run.ID)
	must(b.t, err)
	if kept.State != want || kept.Cause != cause || kept.EndedAt.IsZero() {
		b.t.Fatalf("the run was kept as %+v", kept)
	}
	return run
}

// found are the discrepancies as "kind state trade/ref", sorted.
func (b *books) found() []string {
	b.t.Helper()
	rows, err := b.ops.Discrepancies(b.t.Context(), operations.DiscrepancyFilter{Limit: 1000})
	must(b.t, err)
	var out []string
	for _, d := range rows {
		out = append(out, fmt.Sprintf("%s %s %s/%s", d.Kind, d.State, d.Item.TradeNo, d.Item.Ref))
	}
	slices.Sort(out)
	return out
}

func (b *books) wantFound(want ...string) {
	b.t.Helper()
	if got := b.found(); !slices.Equal(got, want) {
		b.t.Fatalf("found\n  %q, want\n  %q", got, want)
	}
}
