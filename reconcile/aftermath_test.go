package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/providers"
)

// cards is a channel whose provider says what a test tells it to.
const cards domain.ChannelID = "cards"

type teller struct {
	providers.Channel
	mu      sync.Mutex
	asked   []providers.Question
	answers func(q providers.Question) (providers.Answer, error)
}

func (*teller) Config() domain.ChannelConfigured {
	return domain.ChannelConfigured{
		Channel: cards, Provider: "teller", Protocol: "v1", Merchant: map[string]string{"mid": "1"}, Currency: domain.CNY,
		Zone: "Asia/Shanghai", Confirm: domain.ConfirmNever, Funds: "gateway",
	}
}

func (c *teller) Query(_ context.Context, q providers.Question) (providers.Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	a, err := c.answers(q)
	for i, n := range append([]domain.Notice{a.Notice}, a.Also...) {
		n.Channel, n.Source, n.Delivery, n.Run, n.ReceivedAt, n.Index = cards, domain.SourceQuery, q.Delivery, q.Run, q.At, i
		if i == 0 {
			a.Notice = n
		} else {
			a.Also[i-1] = n
		}
	}
	a.Evidence = domain.Evidence{Kind: "query", At: q.At, Scheme: "https", Grade: domain.GradeC}
	return a, err
}

// openCards adds the channel; its ledger finds orders by the rows.
func (w *world) openCards(answers func(q providers.Question) (providers.Answer, error)) *teller {
	w.t.Helper()
	c := &teller{answers: answers}
	l, err := ledger.Open(w.t.Context(), w.log, w.ops, ledger.Config{Software: "test/1", Clock: w.clock.now, Orders: w.rows})
	must(w.t, err)
	w.ledger = l
	w.channels = map[domain.ChannelID]providers.Channel{cards: c}
	set := c.Config()
	set.Test = true
	must(w.t, l.Configure(w.t.Context(), set, w.by()))
	return c
}

func (w *world) tell(n domain.Notice, want domain.Outcome) {
	w.t.Helper()
	id, err := domain.NewV5(domain.ID{7}, w.clock.now().String(), string(n.About), n.RefundID), error(nil)
	must(w.t, err)
	n.Channel, n.Source, n.Delivery, n.ReceivedAt = cards, domain.SourceCallback, id, w.clock.now()
	r, err := w.ledger.Notify(w.t.Context(), n, domain.Evidence{
		Kind: "callback", At: w.clock.now(), Scheme: "teller", Grade: domain.GradeA,
	}, func(domain.Outcome) domain.Reply { return domain.Reply{Status: 200} })
	must(w.t, err)
	if r.Verdict.Outcome != want {
		w.t.Fatalf("%+v comes to %s (%s), want %s", n, r.Verdict.Outcome, r.Verdict.Reason, want)
	}
	w.clock.step(time.Second)
}

func paidNotice(order, trade string, m domain.Money) domain.Notice {
	return domain.Notice{OrderNo: order, TradeNo: trade, Amount: m, Status: domain.StatusPaid}
}

func refundNotice(order, trade, id string, m domain.Money) domain.Notice {
	return domain.Notice{
		OrderNo: order, TradeNo: trade, Amount: m, Status: domain.StatusSucceeded, About: domain.AboutRefund, RefundID: id,
	}
}

// TestAnswersTellOfRefunds: what an answer says besides the payment is booked
// with it, in one append.
func TestAnswersTellOfRefunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ten, three := yuan(t, "10.00"), yuan(t, "3.00")
	w.openCards(func(providers.Question) (providers.Answer, error) {
		withdrawn := domain.Notice{ // as refunds and disputes do that name their payment alone
			TradeNo: "T1", Amount: ten, Status: domain.StatusWithdrawn, About: domain.AboutDispute, DisputeID: "D1",
		}
		return providers.Answer{
			Found: true, Notice: paidNotice("O1", "T1", ten), Also: []domain.Notice{refundNotice("O1", "T1", "R1", three), withdrawn},
		}, nil
	})
	w.placeOnly(cards, "O1", "10.00")
	s := w.sweeper()
	w.clock.step(3 * time.Minute)
	w.sweep(s, operations.RunComplete)
	w.wantTypes(cards, "O1", "placed notified notified notified credited discrepancy.found correction.issued refunded dispute.withdrawn")
	w.wantState(cards, "O1", domain.StateDisputed)
	before := w.head()
	w.clock.step(2 * time.Hour)
	w.sweep(s, operations.RunComplete)
	if w.head() != before {
		t.Errorf("the same answer was kept again: %s", w.types(cards, "O1"))
	}
}

// TestRefundsThatWaitAreAskedAbout, by their own numbers, until the provider
// has said its word.
func TestRefundsThatWaitAreAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ten, three := yuan(t, "10.00"), yuan(t, "3.00")
	var ready bool
	c := w.openCards(func(q providers.Question) (providers.Answer, error) {
		n := refundNotice("O1", "T1", q.RefundID, three)
		switch {
		case q.RefundID == "":
			n = paidNotice("O1", "T1", ten)
		case !ready:
			n.Status = domain.StatusWaiting
		}
		return providers.Answer{Found: true, Notice: n}, nil
	})
	w.placeOnly(cards, "O1", "10.00")
	w.tell(paidNotice("O1", "T1", ten), domain.OutcomeCredited)
	hint := refundNotice("O1", "T1", "R1", three)
	hint.RefundNo, hint.Doubts = "our-1", []domain.Doubt{domain.DoubtUnsigned}
	w.tell(hint, domain.OutcomeHeld)
	s := w.sweeper()
	w.sweep(s, operations.RunComplete)
	if a := w.ask(cards, "O1", whyRefund); a.Done || a.TradeNo != "T1" {
		t.Fatalf("the question is %+v", a)
	}
	if q := c.asked[len(c.asked)-1]; q.RefundID != "R1" || q.RefundNo != "our-1" || q.TradeNo != "T1" {
		t.Fatalf("asked was %+v", q)
	}
	ready = true
	w.clock.step(time.Minute)
	w.sweep(s, operations.RunComplete)
	if got := w.payment(cards, "O1"); len(got.WaitingRefunds()) > 0 || got.Refunds[0].State != domain.RefundBooked {
		t.Fatalf("refunds are %+v", got.Refunds)
	}
	if a := w.ask(cards, "O1", whyRefund); !a.Done {
		t.Errorf("it is asked about still: %+v", a)
	}
	again := hint
	again.RefundID, again.RefundNo = "R2", "our-2"
	w.tell(again, domain.OutcomeHeld)
	w.sweep(s, operations.RunComplete)
	if got := w.payment(cards, "O1"); len(got.Refunds) != 2 || got.Refunds[1].State != domain.RefundBooked {
		t.Fatalf("the second refund was not asked about: %+v", got.Refunds)
	}
}

// TestUnmatchedNoticesAreAskedAbout: by the trade alone, until the answer names
// the order, whose notices then go into the books.
func TestUnmatchedNoticesAreAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ten, three := yuan(t, "10.00"), yuan(t, "3.00")
	down := true
	c := w.openCards(func(q providers.Question) (providers.Answer, error) {
		if down {
			return providers.Answer{}, domain.E(domain.KindUnavailable, "away: %w", errors.New("no route"))
		}
		return providers.Answer{
			Found: true, Notice: paidNotice("O1", "T1", ten), Also: []domain.Notice{refundNotice("O1", "T1", "R1", three)},
		}, nil
	})
	w.placeOnly(cards, "O1", "10.00")
	stray := refundNotice("", "T1", "R1", three)
	w.tell(stray, domain.OutcomeNoted)
	s := w.sweeper()
	w.sweep(s, operations.RunIncomplete)
	if !slices.ContainsFunc(c.asked, func(q providers.Question) bool { return q.OrderNo == "" && q.TradeNo == "T1" }) {
		t.Fatalf("asked was %+v", c.asked)
	}
	down = false
	w.clock.step(time.Minute)
	w.sweep(s, operations.RunComplete)
	w.wantTypes(cards, "O1", "placed notified notified credited discrepancy.found correction.issued refunded")
	if a := w.ask(cards, "", whyUnmatched); !a.Done || a.TradeNo != "T1" {
		t.Errorf("the question is %+v", a)
	}
	// From now on the rows know the trade: the next one finds its payment itself.
	w.fold()
	stray.RefundID = "R2"
	w.tell(stray, domain.OutcomeNoted)
	if got := w.payment(cards, "O1").Refunds; len(got) != 2 || got[1].Booked != three {
		t.Errorf("refunds are %+v", got)
	}
}

// TestAnswersThatNameNoOrder: what was held for an order is confirmed by an
// answer about its trade.
func TestAnswersThatNameNoOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ten, three := yuan(t, "10.00"), yuan(t, "3.00")
	w.openCards(func(q providers.Question) (providers.Answer, error) {
		if q.TradeNo == "" {
			return providers.Answer{}, nil // it cannot find orders
		}
		return providers.Answer{
			Found: true, Notice: paidNotice("", "T1", ten), Also: []domain.Notice{refundNotice("", "T1", "R1", three)},
		}, nil
	})
	w.placeOnly(cards, "O1", "10.00")
	hint := paidNotice("O1", "T1", ten)
	hint.Doubts = []domain.Doubt{domain.DoubtUnknownFields}
	w.tell(hint, domain.OutcomeHeld)
	w.sweep(w.sweeper(), operations.RunComplete)
	w.wantTypes(cards, "O1", "placed notified held notified notified credited refunded")
}

// TestMoneyWithoutAnOrder: what the provider itself knows under its own number
// alone is parked, and refunds find it there.
func TestMoneyWithoutAnOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ten, three := yuan(t, "10.00"), yuan(t, "3.00")
	w.openCards(func(providers.Question) (providers.Answer, error) {
		return providers.Answer{
			Found: true, Notice: paidNotice("", "T1", ten), Also: []domain.Notice{refundNotice("", "T1", "R1", three)},
		}, nil
	})
	w.tell(paidNotice("", "T1", ten), domain.OutcomeNoted)
	s := w.sweeper()
	for range 3 {
		w.sweep(s, operations.RunComplete)
		w.clock.step(time.Minute)
	}
	v, err := w.ledger.PaymentOf(t.Context(), cards, "", "T1")
	must(t, err)
	if v.Payment.State() != domain.StateParked || len(v.Payment.Refunds) != 1 || v.Payment.Trades[0].Refunded != three {
		t.Errorf("the money is %s, refunds %+v", v.Payment.State(), v.Payment.Refunds)
	}
	if a := w.ask(cards, "", whyUnmatched); !a.Done {
		t.Errorf("it is asked about still: %+v", a)
	}
}
