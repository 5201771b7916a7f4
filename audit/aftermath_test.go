package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/providers"
)

// cards is a channel whose messages name notices it knows: what messages mean is
// for other tests, what follows from them for these.
const cards domain.ChannelID = "cards"

type teller struct {
	providers.Channel
	told map[string]domain.Notice // by the text of the message
}

func (teller) Config() domain.ChannelConfigured {
	return domain.ChannelConfigured{
		Channel: cards, Provider: "teller", Protocol: "v1", Merchant: map[string]string{"mid": "1"}, Currency: domain.CNY,
		Zone: "Asia/Shanghai", Confirm: domain.ConfirmNever, Funds: "gateway", AccountFrom: "attach",
	}
}

func (t teller) Reverify(e domain.Evidence) ([]domain.Notice, error) {
	return []domain.Notice{t.told[string(e.Body)]}, nil
}

// cardWorld is an installation with the channel.
func cardWorld(t *testing.T) *world {
	w := newWorld(t)
	w.channels[cards] = teller{told: map[string]domain.Notice{}}
	cfg := teller{}.Config()
	cfg.Test = true
	must(t, w.ledger.Configure(t.Context(), cfg, ledger.By{Actor: "system", Cause: "config"}))
	return w
}

// tell takes a notice of the channel in.
func (w *world) tell(n domain.Notice, want domain.Outcome) {
	w.t.Helper()
	w.later(time.Second)
	n.Channel, n.ReceivedAt, n.Delivery = cards, w.now, w.id()
	if n.Source == "" {
		n.Source = domain.SourceCallback
	}
	t, _ := w.channels[cards].(teller)
	t.told[n.Delivery.String()] = n
	e := domain.Evidence{Kind: "callback", Method: "POST", Target: "/", Body: []byte(n.Delivery.String()), At: w.now, Scheme: "teller", Grade: domain.GradeA}
	w.notify(n, e, func(domain.Outcome) domain.Reply { return domain.Reply{Status: 200} }, want)
}

func (w *world) paidBy(order, trade, amount string) domain.Notice {
	return domain.Notice{OrderNo: order, TradeNo: trade, Amount: yuan(w.t, amount), Status: domain.StatusPaid}
}

func refundOf(n domain.Notice, id string, m domain.Money) domain.Notice {
	n.About, n.RefundID, n.Amount, n.Status = domain.AboutRefund, id, m, domain.StatusSucceeded
	return n
}

func disputeOf(n domain.Notice, id string, s domain.Status) domain.Notice {
	n.About, n.DisputeID, n.Status = domain.AboutDispute, id, s
	return n
}

// aftermath plays refunds, disputes and orders nobody placed.
func (w *world) aftermath() {
	w.t.Helper()
	w.place(cards, "P1", "user:1", "10.00")
	p1, m := w.paidBy("P1", "T1", "10.00"), yuan(w.t, "3.00")
	w.tell(p1, domain.OutcomeCredited)
	w.tell(refundOf(p1, "R1", m), domain.OutcomeNoted)
	w.tell(refundOf(p1, "R1", m), domain.OutcomeRepeated)
	failed := refundOf(p1, "R1", m)
	failed.Status = domain.StatusFailed
	w.tell(failed, domain.OutcomeNoted)
	more := refundOf(p1, "R2", yuan(w.t, "11.00"))
	w.tell(more, domain.OutcomeNoted) // more than there was
	hint := refundOf(p1, "R3", m)
	hint.Doubts = []domain.Doubt{domain.DoubtUnsigned}
	w.tell(hint, domain.OutcomeHeld)
	hint.Doubts, hint.Source, hint.Run = nil, domain.SourceQuery, "sweep-1"
	w.tell(hint, domain.OutcomeNoted)

	w.place(cards, "P2", "user:2", "20.00")
	p2 := w.paidBy("P2", "T2", "20.00")
	w.tell(disputeOf(p2, "D1", domain.StatusLost), domain.OutcomeNoted) // all before the payment
	sum := refundOf(p2, "", m)
	sum.Total = true
	w.tell(sum, domain.OutcomeNoted)
	withdrawn := disputeOf(p2, "D1", domain.StatusWithdrawn)
	withdrawn.Fee = yuan(w.t, "1.50")
	w.tell(withdrawn, domain.OutcomeNoted)
	w.tell(p2, domain.OutcomeCredited)
	w.tell(disputeOf(p2, "D2", domain.StatusWithdrawn), domain.OutcomeNoted)
	w.tell(disputeOf(p2, "D2", domain.StatusReinstated), domain.OutcomeNoted)

	p3 := w.paidBy("P3", "T3", "5.00")
	p3.Account = "user:3"
	w.tell(p3, domain.OutcomeCredited) // nobody placed it
	w.place(cards, "P3", "user:3", "5.00")

	stray := refundOf(p3, "R5", yuan(w.t, "1.00"))
	stray.OrderNo = ""
	w.tell(stray, domain.OutcomeNoted) // its payment is not folded yet
	w.fold()
	stray.RefundID = "R6"
	w.tell(stray, domain.OutcomeNoted)
	w.fold()
}

// TestAftermathVerifies: everything that follows from notices about refunds
// and disputes is derived again, and the books agree.
func TestAftermathVerifies(t *testing.T) {
	t.Parallel()
	w := cardWorld(t)
	w.aftermath()
	rep := w.verify()
	for _, f := range rep.Findings {
		t.Errorf("%+v", f)
	}
	for typ, want := range map[string]int64{
		domain.TypePaymentRefunded: 5, domain.TypeRefundFailed: 1, domain.TypeDisputeWithdrawn: 2,
		domain.TypeDisputeReinstated: 1, domain.TypeDisputeLost: 1,
	} {
		if rep.Types[typ] != want {
			t.Errorf("%d of %s, want %d", rep.Types[typ], typ, want)
		}
	}
	books := map[string]string{}
	for _, b := range rep.Books {
		books[b.Book] = b.Total.String()
	}
	for book, want := range map[string]string{
		"assets:psp:cards":           "-4.50 CNY", // 35.00 came; 11, 3, 3, 1 went back; 20 and 1.50 were taken
		"assets:disputes:cards":      "0.00 CNY",
		"expenses:dispute-fee:cards": "1.50 CNY",
		"suspense:cards":             "4.00 CNY",
		"liabilities:wallet":         "-1.00 CNY",
	} {
		if books[book] != want {
			t.Errorf("%s stands at %s, want %s", book, books[book], want)
		}
	}
	if rep.Evidence.Verified != rep.Evidence.Kept || rep.Evidence.Kept == 0 {
		t.Errorf("evidence: %+v", rep.Evidence)
	}
}

// TestUnmatchedIsKeptApart: the refund whose payment was not known moved
// nothing, and the one that was found stands with its payment.
func TestUnmatchedIsKeptApart(t *testing.T) {
	t.Parallel()
	w := cardWorld(t)
	w.aftermath()
	waiting, err := w.ledger.Unmatched(t.Context(), cards, 0, 10)
	must(t, err)
	if len(waiting) != 1 || waiting[0].RefundID != "R5" || waiting[0].Decision.Reason != domain.ReasonUnmatched {
		t.Errorf("unmatched is %+v", waiting)
	}
	v, err := w.ledger.Payment(t.Context(), cards, "P3")
	must(t, err)
	if got := v.Payment.Refunds; len(got) != 1 || got[0].RefundID != "R6" {
		t.Errorf("refunds of P3: %+v", got)
	}
}

// TestForeignOrderIsFound: a notice that names no order cannot be moved to an
// order that does not have its money.
func TestForeignOrderIsFound(t *testing.T) {
	t.Parallel()
	w := cardWorld(t)
	w.place(cards, "P1", "user:1", "10.00")
	w.place(cards, "P2", "user:1", "10.00")
	stray := refundOf(w.paidBy("", "T9", "1.00"), "R1", yuan(t, "1.00"))
	w.ledger = nil
	must(t, reopenWith(w, liar{"P1"}))
	w.tell(stray, domain.OutcomeNoted)
	must(t, reopenWith(w, liar{"P2"}))
	w.tell(w.paidBy("", "T8", "10.00"), domain.OutcomeCredited) // the notice itself is not what ties its money to the order
	w.fold()
	rep := w.verify()
	for _, order := range []domain.OrderNo{"P1", "P2"} {
		found := false
		for _, f := range rep.Findings {
			found = found || f.Check == audit.CheckEvidence && f.Stream == domain.PaymentStream(cards, order) && strings.Contains(f.Text, "order")
		}
		if !found {
			t.Errorf("findings about %s: %+v", order, rep.Findings)
		}
	}
}

// liar knows an order for every trade.
type liar struct{ order string }

func (l liar) OrderOf(context.Context, domain.ChannelID, string) (string, error) { return l.order, nil }

func reopenWith(w *world, o ledger.Orders) (err error) {
	w.ledger, err = ledger.Open(context.Background(), w.events, audit.Remember(w.ops), ledger.Config{
		Software: "test/1", Clock: w.clock, Orders: o,
	})
	if err != nil {
		return err
	}
	cfg := teller{}.Config()
	cfg.Test = true
	return w.ledger.Configure(context.Background(), cfg, ledger.By{Actor: "system", Cause: "config"})
}
