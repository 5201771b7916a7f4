package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/projections"
)

// testLog writes facts into a memory store.
type testLog struct {
	*memory.Store
	revisions map[domain.Stream]int64
	serial    uint64
	at        time.Time
}

func newLog() *testLog {
	return &testLog{
		Store: memory.New(), revisions: make(map[domain.Stream]int64),
		at: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	}
}

func (l *testLog) id() (id domain.ID) {
	l.serial++
	return domain.NewV5(domain.ID{1}, fmt.Sprint(l.serial))
}

// add appends facts to a stream, recorded at l.at.
func (l *testLog) add(t testing.TB, s domain.Stream, facts ...domain.Fact) eventstore.Position {
	t.Helper()
	meta, err := domain.EncodeMeta(domain.Meta{RecordedAt: l.at, Actor: "system", Software: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var events []eventstore.Event
	for _, f := range facts {
		typ, data, err := domain.EncodeFact(f)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, eventstore.Event{ID: l.id(), Type: typ, Data: data, Meta: meta})
	}
	return l.raw(t, s, events...)
}

func (l *testLog) raw(t testing.TB, s domain.Stream, events ...eventstore.Event) eventstore.Position {
	t.Helper()
	done, err := l.Append(context.Background(), s, eventstore.Expected(l.revisions[s]-1), events)
	if err != nil {
		t.Fatal(err)
	}
	l.revisions[s] += int64(len(events))
	return done.Position
}

// all is the log as it was appended.
func (l *testLog) all(t testing.TB) []eventstore.Recorded {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out []eventstore.Recorded
	for b, err := range l.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Events...)
		if b.CaughtUp {
			break
		}
	}
	return out
}

func cny(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }

func placed(ch domain.ChannelID, order domain.OrderNo, a domain.AccountID, m domain.Money) domain.PaymentPlaced {
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	return domain.PaymentPlaced{
		Channel: ch, OrderNo: order, Account: a, Amount: m, Method: "alipay", PlacedAt: at, ExpiresAt: at.Add(30 * time.Minute),
	}
}

func (l *testLog) notified(ch domain.ChannelID, order, trade string, m domain.Money, o domain.Outcome) domain.PaymentNotified {
	return domain.PaymentNotified{
		Delivery: l.id(), Source: domain.SourceCallback, Channel: ch, OrderNo: order, TradeNo: trade, Amount: m,
		Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS", ReceivedAt: l.at,
		Evidence: domain.EvidenceRef{
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Size: 300, Grade: domain.GradeB, Scheme: "epay.md5.v1",
		},
		Decision: domain.Decision{Outcome: o, Config: 1, Rules: 1},
		Reply:    &domain.Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "success"},
	}
}

var someDates = domain.Dates{
	OccurredAt: time.Date(2026, 11, 22, 1, 2, 4, 0, time.UTC), ReceivedAt: time.Date(2026, 11, 22, 1, 2, 5, 0, time.UTC),
	ValueDate: "2026-11-22", Period: "2026-11",
}

func transfer(debit, credit domain.Posting, m domain.Money) []domain.Posting {
	debit.Amount, credit.Amount = m, m.Neg()
	return []domain.Posting{debit, credit}
}

func (l *testLog) credited(ch domain.ChannelID, trade string, a domain.AccountID, m domain.Money) domain.PaymentCredited {
	return domain.PaymentCredited{
		TradeNo: trade, Account: a, Amount: m, Source: domain.SourceCallback, Basis: l.id(), Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookPSP(ch)}, domain.Posting{Book: domain.BookWallet, Wallet: a}, m),
	}
}

func (l *testLog) parked(ch domain.ChannelID, trade string, m domain.Money, confirmed bool) domain.PaymentParked {
	f := domain.PaymentParked{
		TradeNo: trade, Amount: m, Reason: domain.ReasonUnknownOrder, Confirmed: confirmed, Basis: l.id(), Dates: someDates, Rules: 1,
	}
	if confirmed {
		f.Postings = transfer(domain.Posting{Book: domain.BookPSP(ch)}, domain.Posting{Book: domain.BookParked}, m)
	}
	return f
}

func allocated(trade string, a domain.AccountID, m domain.Money) domain.PaymentAllocated {
	return domain.PaymentAllocated{
		TradeNo: trade, Account: a, Amount: m, ByRule: true, Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookParked}, domain.Posting{Book: domain.BookWallet, Wallet: a}, m),
	}
}

func (l *testLog) refunded(ch domain.ChannelID, id, trade string, m domain.Money) domain.PaymentRefunded {
	return domain.PaymentRefunded{
		TradeNo: trade, RefundID: id, Amount: m, Source: domain.SourceCallback, Basis: l.id(), Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookParked}, domain.Posting{Book: domain.BookPSP(ch)}, m),
	}
}

func (l *testLog) refundFailed(ch domain.ChannelID, id, trade string, m domain.Money) domain.RefundFailed {
	return domain.RefundFailed{
		TradeNo: trade, RefundID: id, Amount: m, Refund: l.id(), Basis: l.id(), Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookPSP(ch)}, domain.Posting{Book: domain.BookParked}, m),
	}
}

// corrected is a correction by two people. What it posts makes sense for none of
// the actions: a fold must take it.
func (l *testLog) corrected(
	ch domain.ChannelID, trade string, a domain.AccountID, m domain.Money, does domain.Action,
) domain.CorrectionIssued {
	return domain.CorrectionIssued{
		TradeNo: trade, Reason: "ticket 12", Proposal: l.id(), Action: does, Account: a, Amount: m, Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookWallet, Wallet: a}, domain.Posting{Book: domain.BookPSP(ch)}, m),
	}
}

// disputes are the three movements of one.
func (l *testLog) disputes(ch domain.ChannelID, id, trade string, m domain.Money) []domain.Fact {
	away, there := domain.Posting{Book: domain.BookDisputes(ch)}, domain.Posting{Book: domain.BookPSP(ch)}
	return []domain.Fact{
		domain.DisputeWithdrawn{
			TradeNo: trade, DisputeID: id, Amount: m, Basis: l.id(), Dates: someDates, Rules: 1, Postings: transfer(away, there, m),
		},
		domain.DisputeReinstated{
			TradeNo: trade, DisputeID: id, Amount: m, Basis: l.id(), Dates: someDates, Rules: 1, Postings: transfer(there, away, m),
		},
		domain.DisputeLost{
			TradeNo: trade, DisputeID: id, Amount: m, Basis: l.id(), Dates: someDates, Rules: 1,
			Postings: transfer(domain.Posting{Book: domain.BookChargeback}, away, m),
		},
	}
}

// drawn is what an account spent.
func drawn(a domain.AccountID, m domain.Money) domain.AccountDrawn {
	return domain.AccountDrawn{
		Number: "log-1:x", Account: a, Amount: m, Zone: "Asia/Shanghai", Dates: someDates, Rules: 1,
		Postings: transfer(domain.Posting{Book: domain.BookWallet, Wallet: a}, domain.Posting{Book: domain.BookDrawn}, m),
	}
}

// random writes n facts of every kind over a few orders, accounts, channels and
// currencies. Some make no sense as business: a fold must take them all.
func (l *testLog) random(t testing.TB, rng *rand.Rand, n int) {
	t.Helper()
	if l.serial == 0 {
		l.add(t, domain.LedgerStream, domain.LedgerOpened{Ledger: l.id(), Mode: domain.ModeTest})
	}
	for range n {
		l.at = l.at.Add(time.Duration(rng.IntN(5_000_000)-1_500_000) * time.Microsecond)
		s, facts := l.draw(rng)
		l.add(t, s, facts...)
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func (l *testLog) draw(rng *rand.Rand) (domain.Stream, []domain.Fact) {
	ch := pick[domain.ChannelID](rng, "epay-a", "epay-b", "c")
	order := pick[domain.OrderNo](rng, "o1", "o2", "o3", "~odd", "trade:x", "o4", "o5", "o6")
	acc := pick[domain.AccountID](rng, "alice", "bob", "carol:1", "dave@x")
	trade := pick(rng, "t1", "t2", "t3", "t4", "")
	m := domain.NewMoney(1+rng.Int64N(100_000), pick(rng, domain.CNY, domain.USD, domain.JPY))
	s := domain.PaymentStream(ch, order)
	if rng.IntN(12) == 0 {
		return domain.TradeStream(ch, "t9"), []domain.Fact{l.notified(ch, "", "t9", m, domain.OutcomeNoted)}
	}
	if rng.IntN(12) == 0 {
		return domain.DrawStream("log-1:x"), []domain.Fact{drawn(acc, m)}
	}
	outcome := pick(rng, domain.OutcomeCredited, domain.OutcomeRepeated, domain.OutcomeHeld, domain.OutcomeParked, domain.OutcomeNoted)
	note := l.notified(ch, string(order), trade, m, outcome)
	back := trade
	if back == "" {
		back = "t1" // refunds and disputes of money without a number are held
	}
	switch rng.IntN(16) {
	case 13:
		return s, []domain.Fact{l.corrected(ch, back, acc, m, pick(rng, domain.ActionReverse, domain.ActionMove, domain.ActionWriteOff, domain.ActionCredit))}
	case 14: // settled by an allocation that is taken back
		return s, []domain.Fact{
			placed(ch, order, acc, m), l.parked(ch, "t1", m, true), allocated("t1", acc, m), l.corrected(ch, "t1", acc, m, domain.ActionReverse),
		}
	case 8:
		note.About, note.RefundID, note.Status = domain.AboutRefund, pick(rng, "r1", "r2"), domain.StatusSucceeded
		return s, []domain.Fact{note, l.refunded(ch, note.RefundID, back, m)}
	case 9:
		return s, []domain.Fact{l.refundFailed(ch, pick(rng, "r1", "r2"), back, m)}
	case 10:
		return s, []domain.Fact{l.disputes(ch, pick(rng, "d1", "d2"), back, m)[rng.IntN(3)]}
	case 11:
		note.About, note.DisputeID, note.Status = domain.AboutDispute, pick(rng, "d1", "d2"), domain.StatusWithdrawn
		return s, []domain.Fact{note}
	case 12: // all of it went back
		m = pick(rng, cny(100), cny(200))
		return s, []domain.Fact{l.credited(ch, "t1", acc, m), l.refunded(ch, "r3", "t1", m)}
	case 0, 1:
		return s, []domain.Fact{placed(ch, order, acc, m)}
	case 2:
		return s, []domain.Fact{note}
	case 3:
		return s, []domain.Fact{note, domain.PaymentHeld{TradeNo: trade, Amount: m, Reason: domain.ReasonDoubtful, Basis: l.id()}}
	case 4:
		return s, []domain.Fact{note, l.credited(ch, trade, acc, m)}
	case 5:
		return s, []domain.Fact{note, l.parked(ch, trade, m, rng.IntN(2) == 0)}
	case 6:
		return s, []domain.Fact{allocated(trade, acc, m)}
	case 7:
		cause := pick(rng, domain.ClosedExpired, domain.ClosedProvider, domain.ClosedMerchant)
		return s, []domain.Fact{domain.PaymentClosed{Cause: cause}}
	}
	return s, []domain.Fact{
		domain.DiscrepancyFound{Kind: domain.MissingCredit, TradeNo: trade, Ours: "placed", Theirs: "paid", Basis: l.id()},
		domain.CorrectionIssued{Kind: domain.MissingCredit, Auto: true, TradeNo: trade, Corrects: l.id(), By: l.id(), Reason: "found"},
	}
}

// path is where a test's projections stand.
func path(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "projections.db")
}

func openDB(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(path, Config{Poll: time.Millisecond, Readers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// fold brings d to the end of l.
func fold(t testing.TB, l eventstore.Reader, d *DB, page int) {
	t.Helper()
	foldTo(t, l, d, page, 0)
}

func foldTo(t testing.TB, l eventstore.Reader, d projections.Writer, page int, p eventstore.Position) {
	t.Helper()
	if err := projections.NewRunner(l, d, projections.Config{Page: page, Pace: -1}).CatchUp(context.Background(), p); err != nil {
		t.Fatal(err)
	}
}

func mustDigest(t testing.TB, d *DB) projections.Digest {
	t.Helper()
	sum, err := d.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
