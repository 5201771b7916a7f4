package domain_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// truth is what really happened to one payment, as its provider tells it: each
// notice is true when it is told, and any of them may come late, twice or
// before the others.
type truth struct {
	placed  int // 0 never, 1 first
	account domain.AccountID
	notices []domain.Notice // in the order in which things happened
}

// drawTruth draws a life of 10.00 CNY. Refunds that fail stay within the money:
// of more than there was, what is in suspense hangs on the order of arrival.
func drawTruth(t *rapid.T) truth {
	w := truth{placed: rapid.IntRange(0, 1).Draw(t, "placed")}
	if w.placed == 0 && rapid.Bool().Draw(t, "named") {
		w.account = bob
	}
	pay := callback(0, "T1", ten)
	pay.Account = w.account
	w.notices = append(w.notices, pay)
	switch rapid.IntRange(0, 2).Draw(t, "refunds") {
	case 0:
		w.failing(t)
	case 1:
		w.single(t, 12)
	case 2:
		w.summed(t)
	}
	if rapid.Bool().Draw(t, "disputed") {
		w.dispute(t)
	}
	return w
}

func (w *truth) add(n domain.Notice) {
	n.ReceivedAt = noon.Add(time.Duration(len(w.notices)+1) * time.Minute)
	w.notices = append(w.notices, n)
}

// single are refunds told one by one, up to most yuan in all.
func (w *truth) single(t *rapid.T, most int64) (ids []string) {
	for left := most; left > 0 && len(ids) < 4 && rapid.IntRange(0, 4).Draw(t, "more") > 0; {
		m := rapid.Int64Range(1, min(5, left)).Draw(t, "yuan")
		id := fmt.Sprint("R", len(ids)+1)
		left, ids = left-m, append(ids, id)
		w.add(refund(0, id, domain.NewMoney(100*m, domain.CNY)))
	}
	return ids
}

// failing are refunds of which some are on their way first, and some fail.
func (w *truth) failing(t *rapid.T) {
	w.single(t, 10)
	for _, n := range slices.Clone(w.notices[1:]) {
		if rapid.IntRange(0, 3).Draw(t, "waits") == 0 {
			w.add(says(n, domain.StatusWaiting))
		}
		if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
			w.add(says(n, domain.StatusFailed))
		}
	}
}

// summed are refunds of which the provider tells the sum so far, and of some
// also what each is.
func (w *truth) summed(t *rapid.T) {
	sum := int64(0)
	for i := range rapid.IntRange(1, 4).Draw(t, "refunds") {
		m := rapid.Int64Range(1, 3).Draw(t, "yuan")
		sum += m
		n := cumulative(0, domain.NewMoney(100*sum, domain.CNY))
		id := fmt.Sprint("R", i+1)
		if rapid.Bool().Draw(t, "named") {
			n.RefundID = id
		}
		w.add(n)
		if rapid.Bool().Draw(t, "told by itself") {
			w.add(refund(0, id, domain.NewMoney(100*m, domain.CNY)))
		}
	}
}

func (w *truth) dispute(t *rapid.T) {
	w.add(disputes(0, domain.StatusOpened, ten))
	w.add(withFee(disputes(0, domain.StatusWithdrawn, ten), two))
	switch rapid.IntRange(0, 2).Draw(t, "ends") {
	case 1:
		w.add(withFee(disputes(0, domain.StatusReinstated, ten), two.Neg()))
	case 2:
		w.add(disputes(0, domain.StatusLost, ten))
	}
}

// play delivers notices and returns the facts of the stream.
func (w truth) play(t *rapid.T, notices []domain.Notice) []domain.Fact {
	var log []domain.Fact
	if w.placed == 1 {
		log = append(log, placed())
	}
	p := domain.Fold(log)
	for i, n := range notices {
		binary.BigEndian.PutUint32(n.Delivery[12:], uint32(i+1))
		v := proven(p, at(noon.Add(time.Hour), domain.ConfirmNever), n)
		for _, f := range v.Facts {
			if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
				t.Fatalf("R5: %+v: %v", f, err)
			}
			p = p.Apply(f)
		}
		log = append(log, v.Facts...)
	}
	if n := len(p.WaitingRefunds()) + len(p.WaitingDisputes()) + len(p.Waiting()); n > 0 {
		t.Fatalf("all was told, and %d things wait still: %+v", n, p)
	}
	return log
}

// standing is what the facts leave in the books.
func standing(t *rapid.T, log []domain.Fact) string {
	books := sums{}
	for _, f := range log {
		for _, p := range domain.PostingsOf(f) {
			books.add(t, p.Book+" "+string(p.Wallet), p.Amount)
		}
	}
	out := ""
	for _, name := range names(books) {
		if m := books.of(name, domain.CNY); !m.IsZero() {
			out += name + ": " + m.String() + "\n"
		}
	}
	return out
}

// arrivals are the notices as they may come in: in any order, some of them
// again, some as the answer to a question, some first as an unsigned hint.
func (w truth) arrivals(t *rapid.T) []domain.Notice {
	out := slices.Clone(w.notices)
	for _, n := range w.notices {
		if rapid.IntRange(0, 2).Draw(t, "again") == 0 {
			if again := n; rapid.Bool().Draw(t, "asked") {
				out = append(out, asked(again))
			} else {
				out = append(out, again)
			}
		}
		if n.About != domain.AboutPayment && !n.Total && rapid.IntRange(0, 4).Draw(t, "hint") == 0 {
			out = append(out, doubted(n, domain.DoubtUnsigned))
		}
	}
	return rapid.Permutation(out).Draw(t, "arrival")
}

// TestBooksDoNotHangOnTheOrderOfArrival: true notices of one payment leave the
// same books, whichever comes first and however often each comes.
func TestBooksDoNotHangOnTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawTruth(t)
		want := standing(t, w.play(t, w.notices))
		arrivals := w.arrivals(t)
		log := w.play(t, arrivals)
		if got := standing(t, log); got != want {
			t.Fatalf("the books are\n%sas it happened they are\n%safter\n%s", got, want, list(log))
		}
	})
}

// TestRefundsOfATradeAddUp: what is booked of a trade is what went back of it,
// each refund once and never below zero.
func TestRefundsOfATradeAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := drawTruth(t)
		log := w.play(t, w.arrivals(t))
		var single, most, failed int64
		for _, n := range w.notices {
			switch {
			case n.About != domain.AboutRefund:
			case n.Status == domain.StatusFailed:
				failed += n.Amount.Minor()
			case n.Status == domain.StatusSucceeded && n.Total:
				most = max(most, n.Amount.Minor())
			case n.Status == domain.StatusSucceeded:
				single += n.Amount.Minor()
			}
		}
		booked, seen := int64(0), map[string]bool{}
		for _, f := range log {
			switch f := f.(type) {
			case domain.PaymentRefunded:
				if seen[f.RefundID] {
					t.Fatalf("refund %s is booked twice", f.RefundID)
				}
				seen[f.RefundID] = true
				booked += f.Amount.Minor()
			case domain.RefundFailed:
				booked -= f.Amount.Minor()
			default: // no refund
			}
			if booked < 0 {
				t.Fatalf("%d booked after %+v", booked, f)
			}
		}
		if want := max(single, most) - failed; booked != want {
			t.Fatalf("%d booked, %d went back:\n%s", booked, want, list(log))
		}
		if credits := len(of[domain.PaymentCredited](log)); credits > 1 {
			t.Fatalf("credited %d times", credits)
		}
	})
}
