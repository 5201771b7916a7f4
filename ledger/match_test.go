package ledger

import (
	"context"
	"errors"
	"testing"

	"counterfoil/domain"
)

// rowsOf are what rows would know: the order of each trade.
type rowsOf struct {
	known map[string]string
	err   error
}

func (o rowsOf) OrderOf(_ context.Context, ch domain.ChannelID, trade string) (string, error) {
	if o.err != nil {
		return "", o.err
	}
	no, ok := o.known[trade]
	if !ok || ch != main {
		return "", domain.E(domain.KindNotFound, "unknown")
	}
	return no, nil
}

// matching is a process that looks for orders.
func (w *world) matching(t *testing.T, o Orders) *Ledger {
	t.Helper()
	cfg := w.config()
	cfg.Orders = o
	l, err := Open(t.Context(), w.log, w.keys, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Configure(t.Context(), settings(main, domain.ConfirmNever), By{Actor: "system", Cause: "config"}); err != nil {
		t.Fatal(err)
	}
	return l
}

// refund is the nth delivery: three of a trade went back, of an order it names
// or not.
func (w *world) refund(n int, no, trade, id string) domain.Notice {
	r := w.callback(n, main, no, trade, domain.NewMoney(300, domain.CNY))
	r.About, r.RefundID, r.Status = domain.AboutRefund, id, domain.StatusSucceeded
	return r
}

// TestNoticesWithoutAnOrder go to the payment whose money their trade moved, or
// wait apart; the notice is kept in the stream that its result names.
func TestNoticesWithoutAnOrder(t *testing.T) {
	t.Parallel()
	paid, q := "T1", domain.SourceQuery
	for name, c := range map[string]struct {
		orders Orders
		notice func(w *world) domain.Notice
		stream domain.Stream
		reason domain.Reason
		kept   bool
	}{
		"known": {
			rowsOf{known: map[string]string{paid: "A1"}},
			func(w *world) domain.Notice { return w.refund(2, "", paid, "R1") },
			domain.PaymentStream(main, "A1"), "", true,
		},
		"unknown": {
			rowsOf{},
			func(w *world) domain.Notice { return w.refund(2, "", paid, "R1") },
			domain.UnmatchedStream(main), domain.ReasonUnmatched, true,
		},
		"nobody to ask": {
			nil, func(w *world) domain.Notice { return w.refund(2, "", paid, "R1") },
			domain.UnmatchedStream(main), domain.ReasonUnmatched, true,
		},
		"rows that are away": {
			rowsOf{err: errors.New("disk")},
			func(w *world) domain.Notice { return w.refund(2, "", paid, "R1") },
			domain.UnmatchedStream(main), domain.ReasonUnmatched, true,
		},
		"without any number": {
			rowsOf{known: map[string]string{"": "A1"}},
			func(w *world) domain.Notice { return w.refund(2, "", "", "R1") },
			domain.UnmatchedStream(main), domain.ReasonUnmatched, true,
		},
		"money without an order": {
			rowsOf{known: map[string]string{"T9": ""}},
			func(w *world) domain.Notice { return w.refund(2, "", "T9", "R1") },
			domain.TradeStream(main, "T9"), domain.ReasonBeforePayment, true,
		},
		"paid, by a callback": {
			rowsOf{},
			func(w *world) domain.Notice { return w.callback(2, main, "", "T9", ten) },
			domain.UnmatchedStream(main), domain.ReasonUnmatched, true,
		},
		"paid, by the provider's answer": {
			rowsOf{},
			func(w *world) domain.Notice { return w.query(2, main, "", "T9", ten) },
			domain.TradeStream(main, "T9"), domain.ReasonUnknownOrder, true,
		},
		"an answer that names none either": {
			rowsOf{}, func(w *world) domain.Notice {
				n := w.refund(2, "", "T9", "R1")
				n.Source = q
				return n
			}, domain.UnmatchedStream(main), domain.ReasonUnmatched, false,
		},
		"an order that it names": {
			rowsOf{known: map[string]string{paid: "B1"}},
			func(w *world) domain.Notice { return w.refund(2, "A1", paid, "R1") },
			domain.PaymentStream(main, "A1"), "", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := w.matching(t, c.orders)
			w.place(t, l, order("A1"))
			first := w.callback(1, main, "A1", paid, ten)
			if _, err := l.Notify(t.Context(), first, evidence(first), reply); err != nil {
				t.Fatal(err)
			}
			n := c.notice(w)
			r, err := l.Notify(t.Context(), n, evidence(n), replyTo(n))
			if err != nil {
				t.Fatal(err)
			}
			if r.Stream != c.stream || r.Verdict.Reason != c.reason || !r.Verdict.Outcome.Success() {
				t.Errorf("it comes to %s (%s) in %s, want (%s) in %s", r.Verdict.Outcome, r.Verdict.Reason, r.Stream, c.reason, c.stream)
			}
			if kept := r.Position > 0; kept != c.kept {
				t.Errorf("kept: %t", kept)
			}
			view, err := l.read(t.Context(), c.stream, false)
			if c.kept && (err != nil || len(view.Events) == 0) {
				t.Fatalf("%s holds nothing: %v", c.stream, err)
			}
		})
	}
}

func replyTo(n domain.Notice) func(domain.Outcome) domain.Reply {
	if n.Source == domain.SourceQuery {
		return nil
	}
	return reply
}

// TestUnmatchedAreRead: from one on, a page at a time, and a channel without
// any has none.
func TestUnmatchedAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.matching(t, nil)
	for i, id := range []string{"R1", "R2", "R3"} {
		n := w.refund(i+1, "", "T1", id)
		if _, err := l.Notify(t.Context(), n, evidence(n), reply); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Unmatched(t.Context(), main, 1, 1)
	if err != nil || len(got) != 1 || got[0].RefundID != "R2" {
		t.Errorf("from 1, one: %+v, %v", got, err)
	}
	if got, err = l.Unmatched(t.Context(), main, 3, 10); err != nil || len(got) != 0 {
		t.Errorf("behind the last: %+v, %v", got, err)
	}
	if got, err = l.Unmatched(t.Context(), "epay-ask", 0, 10); err != nil || len(got) != 0 {
		t.Errorf("of a channel without any: %+v, %v", got, err)
	}
}
