package domain_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

// counter is the context of a draw reported at now.
func counter(now time.Time, no domain.DrawNo) domain.Context {
	return domain.Context{Ledger: ledgerID, Stream: domain.DrawStream(no), Now: now, Zone: shanghai}
}

func drawAsk() domain.DrawAsk { return domain.DrawAsk{Number: "log-1", Account: alice, Amount: five} }

// TestDraw: what was spent leaves the wallet once, also below zero, and comes
// back once.
func TestDraw(t *testing.T) {
	t.Parallel()
	var d domain.Draw
	f, err := d.Report(counter(noon, "log-1"), drawAsk())
	if err != nil {
		t.Fatal(err)
	}
	want := domain.AccountDrawn{
		Number: "log-1", Account: alice, Amount: five, Zone: "Asia/Shanghai", Postings: spent(alice, five), Rules: 1,
		Dates: domain.Dates{OccurredAt: noon, Estimated: true, ReceivedAt: noon, ValueDate: "2026-03-14", Period: "2026-03"},
	}
	if !reflect.DeepEqual(f, want) {
		t.Fatalf("booked %+v, want %+v", f, want)
	}
	taken(t, []domain.Fact{f}, d.Apply)
	if f, err := d.Report(counter(noon.Add(time.Hour), "log-1"), drawAsk()); f != nil || err != nil {
		t.Errorf("reported again: %+v, %v", f, err)
	}
	back, err := d.Reverse(counter(noon.Add(time.Hour), "log-1"), alice, "the task failed")
	r, ok := back.(domain.DrawReversed)
	if err != nil || !ok || !reflect.DeepEqual(r.Postings, spent(alice, five.Neg())) || r.Reverses != domain.FactID(ledgerID, "draw-log-1", want) {
		t.Fatalf("taken back: %+v, %v", back, err)
	}
	taken(t, []domain.Fact{back}, d.Apply)
	if f, err := d.Reverse(counter(noon, "log-1"), alice, "other words"); f != nil || err != nil {
		t.Errorf("taken back again: %+v, %v", f, err)
	}
	if f, err := d.Report(counter(noon, "log-1"), drawAsk()); f != nil || err != nil {
		t.Errorf("a late repeat draws again: %+v, %v", f, err)
	}
}

// TestDrawDates: a draw's day is that of its time, in the zone handed in, and a
// closed month takes nothing more.
func TestDrawDates(t *testing.T) {
	t.Parallel()
	c := counter(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC), "log-1")
	c.OldestOpen = "2026-04"
	q := drawAsk()
	q.At = time.Date(2026, 3, 30, 17, 0, 0, 0, time.UTC) // the 31st in Shanghai
	f, err := (&domain.Draw{}).Report(c, q)
	if d, _ := domain.DatesOf(f); err != nil || d.ValueDate != "2026-03-31" || d.Period != "2026-04" || d.Estimated || !d.ReceivedAt.Equal(c.Now) {
		t.Errorf("dated %+v, %v", d, err)
	}
}

// TestDrawConflicts: one number is one draw; what differs is named.
func TestDrawConflicts(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, noon.Add(-time.Hour)} {
		first := drawAsk()
		first.At = at
		var d domain.Draw
		f, err := d.Report(counter(noon, "log-1"), first)
		if err != nil {
			t.Fatal(err)
		}
		taken(t, []domain.Fact{f}, d.Apply)
		for field, change := range map[string]func(*domain.DrawAsk){
			"account": func(q *domain.DrawAsk) { q.Account = bob },
			"amount":  func(q *domain.DrawAsk) { q.Amount = ten },
			"at":      func(q *domain.DrawAsk) { q.At = noon.Add(-time.Minute) },
		} {
			q := first
			change(&q)
			if f, err := d.Report(counter(noon, "log-1"), q); f != nil || domain.KindOf(err) != domain.KindConflict || domain.FieldOf(err) != field {
				t.Errorf("another %s: %+v, %v", field, f, err)
			}
		}
		q := first
		q.Amount = domain.NewMoney(500, domain.USD)
		if _, err := d.Report(counter(noon, "log-1"), q); domain.FieldOf(err) != "amount" {
			t.Errorf("another currency: %v", err)
		}
	}
}

// TestDrawRefused names what is wrong with a draw, and with taking one back.
func TestDrawRefused(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*domain.DrawAsk){
		"number":  func(q *domain.DrawAsk) { q.Number = "a b" },
		"account": func(q *domain.DrawAsk) { q.Account = domain.TestAccount },
		"amount":  func(q *domain.DrawAsk) { q.Amount = five.Neg() },
		"at":      func(q *domain.DrawAsk) { q.At = noon.Add(domain.DrawAhead + time.Second) },
	} {
		q := drawAsk()
		change(&q)
		if f, err := (&domain.Draw{}).Report(counter(noon, "log-1"), q); f != nil || domain.KindOf(err) != domain.KindInvalid || domain.FieldOf(err) != field {
			t.Errorf("%s: %+v, %v", field, f, err)
		}
	}
	q := drawAsk()
	q.At = noon.Add(domain.DrawAhead)
	var d domain.Draw
	f, err := d.Report(counter(noon, "log-1"), q)
	if err != nil {
		t.Fatalf("a clock a little ahead: %v", err)
	}
	if _, err := d.Reverse(counter(noon, "log-1"), alice, "x"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("nothing was drawn: %v", err)
	}
	taken(t, []domain.Fact{f}, d.Apply)
	if _, err := d.Reverse(counter(noon, "log-1"), bob, "x"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("another account takes it back: %v", err)
	}
	for _, reason := range []string{"", strings.Repeat("x", 2001)} {
		if f, err := d.Reverse(counter(noon, "log-1"), alice, reason); f != nil || domain.FieldOf(err) != "reason" {
			t.Errorf("%d bytes of reason: %v", len(reason), err)
		}
	}
	if err := d.Apply(placed()); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("a placed payment among draws: %v", err)
	}
}

// TestDrawProperty: in any order, with repeats, other content under the same
// numbers and reversals, each number is drawn at most once, as it was first
// reported, and the wallets are what the application believes. The decisions
// are derived again as verify does it.
func TestDrawProperty(t *testing.T) {
	t.Parallel()
	accounts := []domain.AccountID{alice, bob, "user:carol"}
	rapid.Check(t, func(t *rapid.T) {
		draws, before := map[domain.DrawNo]*domain.Draw{}, map[domain.DrawNo]*domain.Draw{}
		first := map[domain.DrawNo]domain.DrawAsk{}
		reversed := map[domain.DrawNo]bool{}
		books, model := map[string]int64{}, map[string]int64{}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			no := domain.DrawNo(fmt.Sprintf("log-%d", rapid.IntRange(1, 8).Draw(t, "number")))
			if draws[no] == nil {
				draws[no], before[no] = &domain.Draw{}, &domain.Draw{}
			}
			c := counter(noon.Add(time.Duration(i)*time.Minute), no)
			account := rapid.SampledFrom(accounts).Draw(t, "account")
			var f domain.Fact
			var err error
			if rapid.IntRange(0, 3).Draw(t, "act") > 0 {
				q := domain.DrawAsk{Number: no, Account: account, Amount: domain.NewMoney(rapid.Int64Range(1, 3).Draw(t, "fen"), domain.CNY)}
				was, known := first[no]
				f, err = draws[no].Report(c, q)
				switch {
				case !known && err == nil && f != nil:
					first[no] = q
					model[string(account)] -= q.Amount.Minor()
				case known && was == q && err == nil && f == nil:
				case known && was != q && domain.KindOf(err) == domain.KindConflict && f == nil:
				default:
					t.Fatalf("%+v after %+v (%t): %+v, %v", q, was, known, f, err)
				}
			} else {
				was, known := first[no]
				f, err = draws[no].Reverse(c, account, "why not")
				switch mine := known && was.Account == account; {
				case mine && !reversed[no] && err == nil && f != nil:
					reversed[no] = true
					model[string(account)] += was.Amount.Minor()
				case mine && reversed[no] && err == nil && f == nil:
				case !mine && domain.KindOf(err) == domain.KindNotFound && f == nil:
				default:
					t.Fatalf("reverse %s of %s: %+v, %v", no, account, f, err)
				}
			}
			if f == nil {
				continue
			}
			if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
				t.Fatal(err)
			}
			c.Zone = nil // the fact names it
			if again, err := before[no].Again(c, f); err != nil || !reflect.DeepEqual(again, f) {
				t.Fatalf("derived again %+v, not %+v: %v", again, f, err)
			}
			for _, d := range []*domain.Draw{draws[no], before[no]} {
				if err := d.Apply(f); err != nil {
					t.Fatal(err)
				}
			}
			if again, err := before[no].Again(c, f); err == nil {
				t.Fatalf("%+v follows a second time: %+v", f, again)
			}
			for _, p := range domain.PostingsOf(f) {
				books[string(p.Wallet)] -= p.Amount.Minor()
			}
		}
		var all int64
		for _, account := range accounts {
			if books[string(account)] != model[string(account)] {
				t.Fatalf("%s has %d, want %d", account, books[string(account)], model[string(account)])
			}
			all += model[string(account)]
		}
		if books[""] != -all {
			t.Fatalf("drawn is %d where the wallets lack %d", books[""], all)
		}
	})
}
