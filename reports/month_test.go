package reports

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// shanghai is the zone of the tests' books.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// october is what the tests report on.
var october = Scope{Period: "2026-10", Range: Period("2026-10").Range()}

// author writes a log of plain facts.
type author struct {
	events []Event
	at     time.Time
	n      int
}

func newAuthor() *author {
	a := &author{at: time.Date(2026, 9, 28, 0, 0, 0, 0, shanghai)}
	a.put("ledger", domain.LedgerOpened{Ledger: domain.ID{7}, Mode: domain.ModeTest})
	return a
}

func (a *author) put(s domain.Stream, f domain.Fact) domain.ID {
	a.n++
	id := domain.NewV5(domain.ID{9}, fmt.Sprint(a.n))
	a.events = append(a.events, Event{Position: eventstore.Position(3 * a.n), ID: id, Stream: s, Recorded: a.at, Fact: f})
	return id
}

func (a *author) dates() domain.Dates {
	return domain.Dates{
		OccurredAt: domain.Instant(a.at), ReceivedAt: domain.Instant(a.at), ValueDate: string(domain.DayOf(a.at, shanghai)), Period: a.at.In(shanghai).Format("2006-01"),
	}
}

func (a *author) all() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for _, e := range a.events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// pay credits an order.
func (a *author) pay(ch domain.ChannelID, order string, m domain.Money) domain.ID {
	s := domain.Stream("payment-" + string(ch) + ":" + order)
	a.put(s, domain.PaymentNotified{
		Channel: ch, OrderNo: order, TradeNo: "T" + order, Amount: m, Source: domain.SourceCallback, Evidence: domain.EvidenceRef{SHA256: "e0" + order},
	})
	return a.put(s, domain.PaymentCredited{
		TradeNo: "T" + order, Account: "user:7", Amount: m, Dates: a.dates(),
		Postings: []domain.Posting{{Book: domain.BookPSP(ch), Amount: m}, {Book: domain.BookWallet, Wallet: "user:7", Amount: m.Neg()}},
	})
}

func (a *author) refund(ch domain.ChannelID, order string, m domain.Money) {
	a.put(domain.Stream("payment-"+string(ch)+":"+order), domain.PaymentRefunded{
		TradeNo: "T" + order, RefundID: "R" + order, Account: "user:7", Amount: m, Dates: a.dates(),
		Postings: []domain.Posting{{Book: domain.BookWallet, Wallet: "user:7", Amount: m}, {Book: domain.BookPSP(ch), Amount: m.Neg()}},
	})
}

// compare says that a day was compared, and books its fees.
func (a *author) compare(ch domain.ChannelID, day domain.Day, matched, differing int, fee domain.Money) string {
	run := "bill-" + a.at.UTC().Format("20060102T150405.000Z") + fmt.Sprintf("-%08x", a.n)
	a.put(domain.ReconciliationStream(ch, string(day)), domain.ReconciliationCompared{
		Run: run, Channel: ch, Day: day, Bill: "trade", Import: 1, SHA256: fmt.Sprintf("%064x", a.n), Size: 1000, Ours: matched + differing,
		Theirs: matched + differing, Matched: matched, Differing: differing,
	})
	if !fee.IsZero() {
		d := a.dates()
		d.ValueDate, d.Period = string(day), string(monthOf(day))
		a.put(domain.BookStream(ch, day), domain.FeesBooked{
			Channel: ch, Day: day, Bill: "trade", Amount: fee, Total: fee, Exact: fee.Amount(), Run: run, SHA256: "f0", Dates: d,
			Postings: []domain.Posting{{Book: domain.BookFee(ch), Amount: fee}, {Book: domain.BookPSP(ch), Amount: fee.Neg()}},
		})
	}
	return run
}

func (a *author) differ(ch domain.ChannelID, day domain.Day, n byte, kind domain.DiscrepancyKind, run string, ours, theirs domain.Money) domain.ID {
	id := domain.ID{0xd, n}
	a.put(domain.ReconciliationStream(ch, string(day)), domain.ReconciliationDiffered{
		Discrepancy: id, Kind: kind, Line: domain.LinePayment, OrderNo: fmt.Sprintf("=cmd|'%d'!A1", n), TradeNo: fmt.Sprint("T-", n), Ours: ours, Theirs: theirs, By: run,
	})
	return id
}

func cny(fen int64) domain.Money { return domain.NewMoney(fen, domain.CNY) }

// theMonth is October: payments from the end of September on, two channels, a
// difference of every age, two corrections, one of them by hand.
func theMonth(perDay int) *author {
	r := rand.New(rand.NewPCG(1, 2))
	a := newAuthor()
	for day := range 36 {
		a.at = time.Date(2026, 9, 28, 9, 0, 0, 0, shanghai).AddDate(0, 0, day)
		for n := range perDay {
			a.at = a.at.Add(time.Second)
			order := fmt.Sprintf("O%02d%04d", day, n)
			a.pay("epay-a", order, cny(100+r.Int64N(9900)*int64(2+day%5)))
			if n%9 == 0 {
				a.refund("epay-a", order, cny(50))
			}
			if n%4 == 0 {
				a.pay("stripe-jp", order, domain.NewMoney(1000+r.Int64N(90_000), domain.JPY))
			}
		}
		a.at = a.at.Add(12 * time.Hour)
		d := domain.DayOf(a.at, shanghai)
		run := a.compare("epay-a", d, perDay-day%3, day%3, cny(12+int64(day)))
		if day%9 == 8 {
			a.differ("epay-a", d, byte(day), domain.AmountMismatch, run, cny(1_234_567), cny(1_234_500))
		}
		if day == 10 {
			id := a.differ("epay-a", d, 99, domain.OnlyOurs, run, cny(700), domain.Money{})
			a.at = a.at.Add(26 * time.Hour)
			a.put(domain.ReconciliationStream("epay-a", string(d)), domain.ReconciliationDiffered{
				Discrepancy: id, Kind: domain.OnlyOurs, Resolved: true, Line: domain.LinePayment, How: "stands on the bill of the day after", By: "bill-later",
			})
			a.at = a.at.Add(-26 * time.Hour)
		}
	}
	s := domain.Stream("payment-epay-a:HELP1")
	a.at = time.Date(2026, 10, 20, 15, 0, 0, 0, shanghai)
	proposal := domain.ID{0xc}
	a.put(s, domain.CorrectionProposed{Proposal: proposal, Action: domain.ActionAllocate, TradeNo: "TH", Account: "user:9", Amount: cny(500), Reason: "the buyer wrote <b>in</b>", By: "amy"})
	a.put(s, domain.CorrectionApproved{Proposal: proposal, By: "bob", Reason: "seen"})
	found := a.put(s, domain.DiscrepancyFound{Kind: domain.MissingCredit, TradeNo: "TH2", Amount: cny(900), Run: "sweep-1"})
	credit := a.pay("epay-a", "HEAL1", cny(900))
	a.put(s, domain.CorrectionIssued{Kind: domain.MissingCredit, Auto: true, TradeNo: "TH2", Corrects: found, By: credit, Run: "sweep-1", Reason: "paid at the provider"})
	a.at = time.Date(2026, 11, 3, 12, 0, 0, 0, shanghai)
	return a
}
