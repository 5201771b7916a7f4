package domain_test

import (
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// drawAfter makes n speak of a refund or a dispute, true or not.
func drawAfter(t *rapid.T, n domain.Notice) domain.Notice {
	if rapid.IntRange(0, 2).Draw(t, "dispute") == 0 {
		n.About, n.DisputeID = domain.AboutDispute, rapid.SampledFrom([]string{"D1", "D1", "D2", ""}).Draw(t, "id")
		n.Status = rapid.SampledFrom([]domain.Status{
			domain.StatusWithdrawn, domain.StatusWithdrawn, domain.StatusReinstated, domain.StatusLost, domain.StatusOpened,
		}).Draw(t, "moved")
		n.Fee = rapid.SampledFrom([]domain.Money{{}, {}, two, two.Neg(), domain.NewMoney(0, domain.CNY)}).Draw(t, "fee")
		return n
	}
	n.About, n.RefundID = domain.AboutRefund, rapid.SampledFrom([]string{"R1", "R1", "R2", "R3", ""}).Draw(t, "id")
	n.RefundNo = rapid.SampledFrom([]string{"", "", "our-1", "our-2"}).Draw(t, "number")
	n.Total = rapid.IntRange(0, 3).Draw(t, "total") == 0
	n.Status = rapid.SampledFrom([]domain.Status{
		domain.StatusSucceeded, domain.StatusSucceeded, domain.StatusSucceeded, domain.StatusFailed, domain.StatusWaiting, domain.StatusOther,
	}).Draw(t, "went")
	return n
}

// leavesOut reports whether a notice about a refund or dispute leaves out which.
func leavesOut(n domain.Notice) bool {
	switch n.About {
	case domain.AboutRefund:
		return n.TradeNo == "" || (n.RefundID == "" && !n.Total)
	case domain.AboutDispute:
		return n.TradeNo == "" || n.DisputeID == ""
	case domain.AboutPayment:
	}
	return n.TradeNo == ""
}

// moves reports whether a provider says by a status that money moved.
func moves(n domain.Notice) bool {
	return slices.Contains(map[domain.About][]domain.Status{
		domain.AboutPayment: {domain.StatusPaid},
		domain.AboutRefund:  {domain.StatusSucceeded, domain.StatusFailed},
		domain.AboutDispute: {domain.StatusWithdrawn, domain.StatusReinstated, domain.StatusLost},
	}[n.About], n.Status)
}

// TestR7WhatIsTakenWasSaid: each refund, failure and dispute rests on a kept
// notice that positively says so and that nothing speaks against.
func TestR7WhatIsTakenWasSaid(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		for _, f := range w.log[w.before():] {
			var rests domain.ID
			var says domain.Status
			switch f := f.(type) {
			case domain.PaymentRefunded:
				rests, says = f.Basis, domain.StatusSucceeded
			case domain.RefundFailed:
				rests, says = f.Basis, domain.StatusFailed
			case domain.DisputeWithdrawn:
				rests, says = f.Basis, domain.StatusWithdrawn
			case domain.DisputeReinstated:
				rests, says = f.Basis, domain.StatusReinstated
			case domain.DisputeLost:
				rests, says = f.Basis, domain.StatusLost
			default:
				continue // takes nothing
			}
			n := w.basis(t, rests)
			if trade, id := namedBy(f); n.TradeNo != trade || (n.RefundID+n.DisputeID != id && !strings.HasPrefix(id, "total:")) {
				t.Fatalf("%+v rests on %+v about something else", f, n)
			}
			if n.Status != says || len(n.Doubts) > 0 || leavesOut(n.Notice()) || n.Decision.Outcome != domain.OutcomeNoted {
				t.Fatalf("%+v rests on %+v", f, n)
			}
		}
	})
}

// namedBy is the trade and the refund or dispute that a fact names.
func namedBy(f domain.Fact) (trade, id string) {
	switch f := f.(type) {
	case domain.PaymentRefunded:
		return f.TradeNo, f.RefundID
	case domain.RefundFailed:
		return f.TradeNo, f.RefundID
	case domain.DisputeWithdrawn:
		return f.TradeNo, f.DisputeID
	case domain.DisputeReinstated:
		return f.TradeNo, f.DisputeID
	case domain.DisputeLost:
		return f.TradeNo, f.DisputeID
	default: // names none
		return "", ""
	}
}

// TestRefundsMoveOnce: each id once there and at most once back, by the exact
// negation; no trade gives back less than nothing.
func TestRefundsMoveOnce(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		booked, back, net := map[string]domain.PaymentRefunded{}, map[string]bool{}, sums{}
		for _, f := range w.log {
			switch f := f.(type) {
			case domain.PaymentRefunded:
				if _, twice := booked[f.RefundID]; twice {
					t.Fatalf("refund %s is booked twice", f.RefundID)
				}
				booked[f.RefundID] = f
				net.add(t, f.TradeNo, f.Amount)
			case domain.RefundFailed:
				r, ok := booked[f.RefundID]
				if !ok || back[f.RefundID] || domain.FactID(ledgerID, stream, r) != f.Refund || f.Amount != r.Amount || f.TradeNo != r.TradeNo {
					t.Fatalf("%+v takes back %+v", f, r)
				}
				for i, p := range f.Postings {
					if q := r.Postings[i]; p.Book != q.Book || p.Wallet != q.Wallet || p.Amount != q.Amount.Neg() {
						t.Fatalf("%+v is not the negation of %+v", f.Postings, r.Postings)
					}
				}
				back[f.RefundID] = true
				net.add(t, f.TradeNo, f.Amount.Neg())
			default: // no refund
			}
		}
		for _, trade := range names(net) {
			for _, c := range []domain.Currency{domain.CNY, domain.USD} {
				tr, _ := w.fold().Trade(trade)
				if m := net.of(trade, c); m.IsNegative() || (tr.Refunded.Currency() == c && tr.Refunded != m) {
					t.Fatalf("trade %s: %s went back, the fold says %s", trade, m, tr.Refunded)
				}
			}
		}
	})
}

// TestDisputesMoveOnce: each movement of a dispute once, and none before the
// money was withdrawn.
func TestDisputesMoveOnce(t *testing.T) {
	t.Parallel()
	live(t, func(t *rapid.T, w *world) {
		seen := map[string]bool{}
		move := func(id, what string) {
			if seen[id+what] || (what != "withdrawn" && !seen[id+"withdrawn"]) {
				t.Fatalf("dispute %s is %s after %v", id, what, seen)
			}
			seen[id+what] = true
		}
		for _, f := range w.log {
			switch f := f.(type) {
			case domain.DisputeWithdrawn:
				move(f.DisputeID, "withdrawn")
			case domain.DisputeReinstated:
				move(f.DisputeID, "reinstated")
			case domain.DisputeLost:
				move(f.DisputeID, "lost")
			default: // no dispute
			}
		}
	})
}
