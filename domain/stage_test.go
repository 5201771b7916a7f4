package domain_test

import (
	"bytes"
	"time"

	"counterfoil/domain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The tests of the aggregate play on one stage: channel epay-main, order A100
// over 10.00 CNY for alice, placed at noon in Shanghai, open for half an hour.
// The builders below write the facts of that stage out by hand, so that a
// table reads "facts, command, facts" and owes nothing to the code under test
// but the ids.
const (
	channel = domain.ChannelID("epay-main")
	orderNo = domain.OrderNo("A100")
	alice   = domain.AccountID("user:alice")
	bob     = domain.AccountID("user:bob")
	stream  = domain.Stream("payment-epay-main:A100")
)

var (
	ledgerID = domain.ID{0x0c, 0xf0, 6: 0x40, 8: 0x80, 15: 0x01}
	noon     = time.Date(2026, 3, 14, 4, 0, 0, 0, time.UTC)
	expiry   = noon.Add(30 * time.Minute)
	shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

	ten  = domain.NewMoney(1000, domain.CNY)
	five = domain.NewMoney(500, domain.CNY)
)

// at is the stage's context at a time, on a channel that confirms so.
func at(now time.Time, confirm domain.ConfirmMode) domain.Context {
	return domain.Context{
		Ledger: ledgerID, Stream: stream, Now: now, Revision: 3, Zone: shanghai,
		Channel: domain.ChannelConfigured{
			Channel: channel, Currency: domain.CNY, Zone: "Asia/Shanghai", Confirm: confirm, AccountFrom: "attach",
		},
	}
}

// delivery is the n-th delivery id of a test.
func delivery(n byte) domain.ID { return domain.ID{0: 0xde, 6: 0x40, 8: 0x80, 15: n} }

// callback is a delivery that says trade is paid with m, a minute after noon.
func callback(n byte, trade string, m domain.Money) domain.Notice {
	return domain.Notice{
		Delivery: delivery(n), Source: domain.SourceCallback, Channel: channel, OrderNo: string(orderNo),
		TradeNo: trade, Amount: m, Status: domain.StatusPaid, ProviderStatus: "TRADE_SUCCESS",
		ReceivedAt: noon.Add(time.Minute),
	}
}

// query is the answer to a question with the same content, two minutes after
// noon.
func query(n byte, trade string, m domain.Money) domain.Notice {
	q := callback(n, trade, m)
	q.Source, q.ProviderStatus, q.Run = domain.SourceQuery, "1", "run-7"
	q.ReceivedAt = noon.Add(2 * time.Minute)
	return q
}

// with is n after a change.
func with(n domain.Notice, change func(*domain.Notice)) domain.Notice {
	change(&n)
	return n
}

func received(n domain.Notice, t time.Time) domain.Notice {
	return with(n, func(n *domain.Notice) { n.ReceivedAt = t })
}

func says(n domain.Notice, s domain.Status) domain.Notice {
	return with(n, func(n *domain.Notice) { n.Status = s })
}

func doubted(n domain.Notice, d domain.Doubt) domain.Notice {
	return with(n, func(n *domain.Notice) { n.Doubts = []domain.Doubt{d} })
}

// nameless is n without the provider's number.
func nameless(n domain.Notice) domain.Notice {
	n.TradeNo = ""
	return doubted(n, domain.DoubtNoTradeNo)
}

func facts(fs ...domain.Fact) []domain.Fact { return fs }

// evidence is what every notice of the stage rests on.
var evidence = domain.EvidenceRef{SHA256: "ab12", Size: 812, Grade: domain.GradeB, Scheme: "epay.md5.v1"}

// answer is the reply table of the stage.
func answer(o domain.Outcome) domain.Reply {
	return domain.Reply{Status: 200, ContentType: "text/plain", Body: "told " + string(o)}
}

// answerTo is the table a notice brings: queries are not answered.
func answerTo(n domain.Notice) func(domain.Outcome) domain.Reply {
	if n.Source == domain.SourceQuery {
		return nil
	}
	return answer
}

func notify(p domain.Payment, c domain.Context, n domain.Notice) domain.Verdict {
	return p.Notify(c, n, evidence, answerTo(n), 0)
}

func placed() domain.PaymentPlaced { return placedAt(noon) }

func placedAt(t time.Time) domain.PaymentPlaced {
	return domain.PaymentPlaced{
		Channel: channel, OrderNo: orderNo, Account: alice, Amount: ten, Method: "alipay",
		PlacedAt: t, ExpiresAt: t.Add(30 * time.Minute), Config: 3,
	}
}

// kept is the event that keeps n.
func kept(n domain.Notice, o domain.Outcome, r domain.Reason) domain.PaymentNotified {
	f := domain.PaymentNotified{
		Delivery: n.Delivery, Source: n.Source, Channel: n.Channel, OrderNo: n.OrderNo, TradeNo: n.TradeNo,
		Amount: n.Amount, Status: n.Status, ProviderStatus: n.ProviderStatus, Doubts: n.Doubts,
		OccurredAt: n.OccurredAt, ReceivedAt: n.ReceivedAt, Run: n.Run, Evidence: evidence,
		Decision: domain.Decision{Outcome: o, Reason: r, Config: 3, Rules: 1},
		About:    n.About, RefundID: n.RefundID, RefundNo: n.RefundNo, Total: n.Total, DisputeID: n.DisputeID,
		Fee: n.Fee, Account: n.Account,
	}
	if n.Source == domain.SourceCallback {
		reply := answer(o)
		f.Reply = &reply
	}
	return f
}

// basis is the id of the event that keeps n.
func basis(n domain.Notice) domain.ID {
	return domain.FactID(ledgerID, stream, domain.PaymentNotified{Delivery: n.Delivery})
}

func held(n domain.Notice, why domain.Reason) domain.PaymentHeld {
	return domain.PaymentHeld{TradeNo: n.TradeNo, Amount: n.Amount, Reason: why, Basis: basis(n)}
}

// marchDay are the dates of a notice that names no time of its own.
func marchDay(n domain.Notice) domain.Dates {
	return domain.Dates{
		OccurredAt: n.ReceivedAt, Estimated: true, ReceivedAt: n.ReceivedAt, ValueDate: "2026-03-14", Period: "2026-03",
	}
}

func legs(debit, credit string, wallet domain.AccountID, m domain.Money) []domain.Posting {
	return []domain.Posting{
		{Book: debit, Amount: m},
		{Book: credit, Wallet: wallet, Amount: m.Neg()},
	}
}

// three are two debits and the credit of their sum.
func three(
	debit string, wallet domain.AccountID, m domain.Money, second string, more domain.Money, credit string,
) []domain.Posting {
	sum := domain.NewMoney(-m.Minor()-more.Minor(), m.Currency())
	return []domain.Posting{{Book: debit, Wallet: wallet, Amount: m}, {Book: second, Amount: more}, {Book: credit, Amount: sum}}
}

func credited(n domain.Notice) domain.PaymentCredited {
	return domain.PaymentCredited{
		TradeNo: n.TradeNo, Account: alice, Amount: ten, Source: n.Source, Basis: basis(n), Dates: marchDay(n),
		Postings: legs("assets:psp:epay-main", "liabilities:wallet", alice, ten), Rules: 1,
	}
}

func late(f domain.PaymentCredited) domain.PaymentCredited {
	f.Late = true
	return f
}

// parked is n's money, confirmed and in nobody's wallet.
func parked(n domain.Notice, why domain.Reason) domain.PaymentParked {
	f := suspect(n, why)
	f.Confirmed, f.Postings = true, legs("assets:psp:epay-main", "liabilities:parked", "", n.Amount)
	return f
}

// suspect is n's money, to be parked once it is confirmed.
func suspect(n domain.Notice, why domain.Reason) domain.PaymentParked {
	return domain.PaymentParked{
		TradeNo: n.TradeNo, Amount: n.Amount, Reason: why, Basis: basis(n), Dates: marchDay(n), Rules: 1,
	}
}

func closed(by domain.CloseCause) domain.PaymentClosed { return domain.PaymentClosed{Cause: by} }

func differs(n domain.Notice, kind domain.DiscrepancyKind, ours string) domain.DiscrepancyFound {
	return domain.DiscrepancyFound{
		Kind: kind, TradeNo: n.TradeNo, Ours: ours, Theirs: string(n.Status), Amount: n.Amount, Run: n.Run,
		Basis: basis(n),
	}
}

// healed are the two facts beside a credit that no callback announced.
func healed(n domain.Notice, ours string) (domain.DiscrepancyFound, domain.CorrectionIssued) {
	d := differs(n, domain.MissingCredit, ours)
	return d, domain.CorrectionIssued{
		Kind: domain.MissingCredit, Auto: true, TradeNo: n.TradeNo, Run: n.Run,
		Corrects: domain.FactID(ledgerID, stream, d),
		By:       domain.FactID(ledgerID, stream, domain.PaymentCredited{}),
		Reason:   "the provider confirms a payment that no callback announced",
	}
}

// allocated is n's parked money in a wallet at a time.
func allocated(n domain.Notice, to domain.AccountID, now time.Time) domain.PaymentAllocated {
	return domain.PaymentAllocated{
		TradeNo: n.TradeNo, Account: to, Amount: n.Amount, Dates: marchDay(received(n, now)),
		Postings: legs("liabilities:parked", "liabilities:wallet", to, n.Amount), Rules: 1,
	}
}

// reporter is what tests and rapid's tests have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// same fails the test where got is not want, member by member.
func same[T any](t reporter, what string, want, got T) {
	t.Helper()
	equalMoney := cmp.Comparer(func(a, b domain.Money) bool { return a == b })
	if diff := cmp.Diff(want, got, equalMoney, cmpopts.IgnoreUnexported(domain.Trade{})); diff != "" {
		t.Errorf("%s: - want, + got:\n%s", what, diff)
	}
}

// storable fails the test unless every fact keeps its value through its stored
// form, and its postings the rule R5.
func storable(t reporter, fs []domain.Fact) {
	t.Helper()
	for _, f := range fs {
		typ, data, err := domain.EncodeFact(f)
		if err != nil {
			t.Errorf("%s cannot be stored: %v", f.FactType(), err)
			continue
		}
		back, err := domain.DecodeFact(typ, data)
		if err != nil {
			t.Errorf("%s cannot be read back: %v\n%s", typ, err, data)
			continue
		}
		same(t, typ+" read back", f, back)
		if _, again := encoded(t, back); !bytes.Equal(again, data) {
			t.Errorf("%s read and written again:\n%s\n%s", typ, data, again)
		}
		if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
			t.Errorf("R5: %s: %v", typ, err)
		}
	}
}

func encoded(t reporter, f domain.Fact) (typ string, data []byte) {
	t.Helper()
	typ, data, err := domain.EncodeFact(f)
	if err != nil {
		t.Fatalf("encode %s: %v", f.FactType(), err)
	}
	return typ, data
}
