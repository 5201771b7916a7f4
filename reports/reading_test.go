package reports

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

// folded are the rows of a log up to a position; 0 is its head.
func folded(tb testing.TB, log eventstore.Reader, until eventstore.Position) *psqlite.DB {
	tb.Helper()
	rows, err := psqlite.Open(tb.TempDir()+"/projections.db", psqlite.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = rows.Close() })
	if err := projections.NewRunner(log, rows, projections.Config{Pace: -1}).CatchUp(tb.Context(), until); err != nil {
		tb.Fatal(err)
	}
	return rows
}

// everyMonth is a log of three months and two channels, with what spoils simple
// cuts: money that came for an earlier month and counts in a later one, a
// difference that is resolved months later, one that stays open, a proposal that
// is decided in another month, a day that is compared again, a closed month, a
// payment that tries the channel.
func everyMonth() *author {
	a := theMonth(6)
	on := func(month time.Month, day, hour int) { a.at = time.Date(2026, month, day, hour, 0, 0, 0, shanghai) }
	s := domain.Stream("payment-epay-a:LATE1")
	on(11, 4, 1)
	asked := domain.ID{0xc, 2}
	a.put(s, domain.CorrectionProposed{Proposal: asked, Action: domain.ActionAllocate, TradeNo: "TL", Account: "user:9", Amount: cny(5), Reason: "late", By: "amy"})
	open := a.differ("epay-a", "2026-11-05", 77, domain.OnlyOurs, "bill-n", cny(1), domain.Money{})
	held := a.put("payment-epay-a:HELD1", domain.DiscrepancyFound{Kind: domain.Frozen, TradeNo: "TF", Amount: cny(3), Run: "sweep-2"})
	mended := a.put("payment-epay-a:HELD2", domain.DiscrepancyFound{Kind: domain.RefundMissing, TradeNo: "TG", Amount: cny(4), Run: "sweep-2"})
	a.test("epay-a", "TRY1", cny(1))
	on(11, 20, 12)
	a.put("periods", domain.PeriodClosed{Period: "2026-10", ProposedBy: "amy", By: "bob"})
	late := a.dates()
	late.ValueDate = "2026-10-31"
	a.put("payment-epay-a:LATE2", domain.PaymentCredited{
		TradeNo: "TL2", Account: "user:1", Amount: cny(11), Dates: late, Postings: []domain.Posting{{Book: domain.BookPSP("epay-a"), Amount: cny(11)}, {Book: domain.BookWallet, Wallet: "user:1", Amount: cny(-11)}},
	})
	on(12, 3, 9)
	run := a.compare("epay-a", "2026-10-09", 6, 0, cny(0))
	a.put(domain.ReconciliationStream("epay-a", "2026-11-05"), domain.ReconciliationDiffered{
		Discrepancy: open, Kind: domain.OnlyOurs, Resolved: true, Line: domain.LinePayment, How: "a later bill has it", By: run,
	})
	a.put("payment-epay-a:HELD2", domain.CorrectionIssued{Kind: domain.RefundMissing, TradeNo: "TG", Corrects: mended, By: held, Run: "sweep-9", Reason: "seen"})
	a.put(s, domain.CorrectionApproved{Proposal: asked, By: "bob", Reason: "seen"})
	for day := range 9 {
		on(12, 4+day, 8)
		a.pay("stripe-jp", fmt.Sprint("D", day), domain.NewMoney(100, domain.JPY))
		a.pay("epay-a", fmt.Sprint("E", day), cny(70))
	}
	return a
}

// test is a payment that tries a channel.
func (a *author) test(ch domain.ChannelID, order string, m domain.Money) {
	a.put(domain.Stream("payment-"+string(ch)+":"+order), domain.PaymentCredited{
		TradeNo: "T" + order, Account: domain.TestAccount, Amount: m, Dates: a.dates(),
		Postings: []domain.Posting{{Book: domain.BookPSP(ch), Amount: m}, {Book: domain.BookWallet, Wallet: domain.TestAccount, Amount: m.Neg()}},
	})
}

// A month's part of the log gives the report that all of it gives, byte by byte
// and in every form, of every month and channel, wherever the rows stand.
func TestPartOfTheLogIsEnough(t *testing.T) {
	t.Parallel()
	a := everyMonth()
	log := a.stored(t)
	whole := Source{Log: log, Zone: shanghai, Software: "test"}
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []eventstore.Position{head, head - 7, head / 2, 3} {
		part := whole
		part.Index = folded(t, log, at)
		for _, month := range []string{"2026-08", "2026-09", "2026-10", "2026-11", "2026-12", "2027-01"} {
			for _, ch := range []domain.ChannelID{"", "epay-a", "stripe-jp"} {
				for _, f := range []Format{FormatJSON, FormatCSV, FormatHledger, FormatBeancount} {
					if at != head && f != FormatJSON {
						continue
					}
					q := Query{Period: month, Channel: ch, Format: f}
					if got, want := written(t, part, q), written(t, whole, q); !bytes.Equal(got, want) {
						t.Fatalf("rows at %s: %s: %s", at, q.FileName(), cmp.Diff(string(want), string(got)))
					}
				}
			}
		}
	}
}

// The same holds for each comparison's report, whenever it ran: what it settled
// may be of any day.
func TestPartOfTheLogIsEnoughForARun(t *testing.T) {
	t.Parallel()
	a := everyMonth()
	a.at = time.Date(2026, 12, 20, 9, 0, 0, 0, shanghai)
	run := a.compare("epay-a", "2026-12-19", 9, 0, cny(0))
	a.put(domain.ReconciliationStream("epay-a", "2026-10-06"), domain.ReconciliationDiffered{ // found in October
		Discrepancy: domain.ID{0xd, 8}, Kind: domain.AmountMismatch, Resolved: true, Line: domain.LinePayment, By: run,
	})
	run = a.compare("epay-a", "2026-08-20", 1, 0, cny(0)) // four months late
	a.put("payment-epay-a:E1", domain.CorrectionProposed{Proposal: domain.ID{0xc, 9}, Action: domain.ActionReverse, TradeNo: "TE1", Amount: cny(70), Reason: "denied", By: run})
	log := a.stored(t)
	whole := Source{Log: log, Zone: shanghai, Software: "test"}
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []eventstore.Position{head, head - 7, head / 2, 3} {
		part := whole
		part.Index = folded(t, log, at)
		runs := 0
		for _, e := range a.events {
			c, ok := e.Fact.(domain.ReconciliationCompared)
			if !ok {
				continue
			}
			runs++
			q := Query{Run: c.Run, Format: FormatJSON}
			if got, want := written(t, part, q), written(t, whole, q); !bytes.Equal(got, want) {
				t.Fatalf("rows at %s: %s: %s", at, q.FileName(), cmp.Diff(string(want), string(got)))
			}
		}
		if runs < 30 {
			t.Errorf("%d runs", runs)
		}
	}
}

func written(t *testing.T, s Source, q Query) []byte {
	t.Helper()
	scope, err := s.Scope(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Write(t.Context(), q, scope, &out); err != nil {
		t.Fatalf("%s: %v", q.FileName(), err)
	}
	return out.Bytes()
}

// counting counts the events that are read.
type counting struct {
	eventstore.Reader
	n *int
}

func (c counting) Follow(ctx context.Context, after eventstore.Position, o eventstore.FollowOptions) iter.Seq2[eventstore.Batch, error] {
	o.Batch = 50
	return func(yield func(eventstore.Batch, error) bool) {
		for b, err := range c.Reader.Follow(ctx, after, o) {
			*c.n += len(b.Events)
			if !yield(b, err) {
				return
			}
		}
	}
}

func (c counting) ReadStream(ctx context.Context, s domain.Stream, o eventstore.ReadOptions) ([]eventstore.Recorded, error) {
	events, err := c.Reader.ReadStream(ctx, s, o)
	*c.n += len(events)
	return events, err
}

// What a month's report reads does not grow with the months around it.
func TestReadingDoesNotGrowWithTheLog(t *testing.T) {
	t.Parallel()
	read := map[int]int{}
	for _, months := range []int{1, 10} {
		log := manyMonths(months, 40).stored(t)
		for name, at := range map[string]int{"the first": 0, "the last": months - 1} {
			n := 0
			s := Source{Log: counting{log, &n}, Zone: shanghai, Index: folded(t, log, 0)}
			scope, err := s.Scope(t.Context(), Query{Period: string(monthNo(at)), Format: FormatJSON})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Report(t.Context(), scope, nil)
			if err != nil || r.Bookings < 40*28 {
				t.Fatalf("%d bookings, %v", r.Bookings, err)
			}
			if read[months] = max(read[months], n); months == 10 && n > read[1]*5/4 {
				t.Errorf("%d events are read for %s of 10 months, %d for a log of one", n, name, read[1])
			}
		}
	}
}

// Nor does what a comparison's report reads, whatever its place in the log; one
// that is not known is looked for in all of it.
func TestReadingOfARunDoesNotGrowWithTheLog(t *testing.T) {
	t.Parallel()
	read := map[int]int{}
	for _, months := range []int{1, 10} {
		a := manyMonths(months, 40)
		log := a.stored(t)
		rows := folded(t, log, 0)
		var runs []string
		for _, e := range a.events {
			if c, ok := e.Fact.(domain.ReconciliationCompared); ok {
				runs = append(runs, c.Run)
			}
		}
		for _, run := range []string{runs[3], runs[len(runs)/2], runs[len(runs)-3]} {
			n := 0
			s := Source{Log: counting{log, &n}, Zone: shanghai, Index: rows}
			scope, err := s.Scope(t.Context(), Query{Run: run, Format: FormatJSON})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Report(t.Context(), scope, nil)
			if err != nil || len(r.Runs) != 1 || r.Bookings < 40 {
				t.Fatalf("%+v, %v", r.Runs, err)
			}
			if read[months] = max(read[months], n); months == 10 && n > read[1]*3/2 {
				t.Errorf("%d events are read for %s of 10 months, %d in a log of one", n, run, read[1])
			}
		}
		s := Source{Log: log, Index: rows}
		if _, err := s.Scope(t.Context(), Query{Run: "bill-20260105T020000.000Z-ffffffff", Format: FormatJSON}); domain.KindOf(err) != domain.KindNotFound {
			t.Errorf("an unknown run: %v", err)
		}
		if scope, err := s.Scope(t.Context(), Query{Run: runs[0], Format: FormatJSON}); err != nil || scope.From == "" {
			t.Errorf("%+v, %v", scope, err)
		}
	}
}

func monthNo(n int) Period {
	return monthOf(domain.DayOf(time.Date(2026, 1, 15, 0, 0, 0, 0, shanghai).AddDate(0, n, 0), shanghai))
}

// manyMonths is a log of so many months from January on, so many payments a day.
func manyMonths(months, perDay int) *author {
	a := newAuthor()
	a.events[0].Recorded = time.Date(2026, 1, 1, 0, 0, 0, 0, shanghai)
	for a.at = time.Date(2026, 1, 1, 9, 0, 0, 0, shanghai); monthOf(domain.DayOf(a.at, shanghai)) < monthNo(months); a.at = a.at.AddDate(0, 0, 1) {
		d := domain.DayOf(a.at, shanghai)
		for n := range perDay {
			a.pay("epay-a", fmt.Sprintf("%s-%d", d, n), cny(int64(100+n)))
		}
		run := a.compare("epay-a", d, perDay, 1, cny(5))
		id := a.differ("epay-a", d, byte(len(a.events)), domain.AmountMismatch, run, cny(2), cny(1))
		a.put(domain.ReconciliationStream("epay-a", string(d)), domain.ReconciliationDiffered{
			Discrepancy: id, Kind: domain.AmountMismatch, Resolved: true, Line: domain.LinePayment, By: "amy",
		})
	}
	return a
}

// Rows that do not have what the log has are not believed: no report comes of
// them.
func TestRowsThatDisagree(t *testing.T) {
	t.Parallel()
	log := theMonth(2).stored(t)
	rows := folded(t, log, 0)
	for name, spoil := range map[string]func(*projections.Extract){
		"another sum":     func(x *projections.Extract) { x.Moved[0].Debit, _ = x.Moved[0].Debit.Add(x.Moved[0].Debit) },
		"a book too few":  func(x *projections.Extract) { x.Moved = x.Moved[1:] },
		"a late stretch":  func(x *projections.Extract) { x.After = x.Until - 100 },
		"an early end":    func(x *projections.Extract) { x.Until -= 100 },
		"a foreign month": func(x *projections.Extract) { x.Moved = nil },
	} {
		s := Source{Log: log, Zone: shanghai, Index: spoiled{rows, spoil}}
		if _, err := s.Report(t.Context(), october, nil); domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type spoiled struct {
	projections.Extracts
	with func(*projections.Extract)
}

func (s spoiled) Extract(ctx context.Context, f projections.ExtractFilter) (projections.Extract, error) {
	x, err := s.Extracts.Extract(ctx, f)
	s.with(&x)
	return x, err
}

// A month's report of a log of one month and of ten, from all of the log and
// from its part of it.
func BenchmarkMonth(b *testing.B) {
	for _, months := range []int{1, 10} {
		log := manyMonths(months, 300).stored(b)
		rows := folded(b, log, 0)
		for name, index := range map[string]projections.Extracts{"all of it": nil, "its part": rows} {
			b.Run(fmt.Sprintf("months=%d/%s", months, name), func(b *testing.B) {
				s := Source{Log: log, Zone: shanghai, Index: index}
				scope, err := s.Scope(b.Context(), Query{Period: string(monthNo(months - 1)), Format: FormatJSON})
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := s.Report(b.Context(), scope, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// The report of one comparison of the last month, likewise.
func BenchmarkRun(b *testing.B) {
	for _, months := range []int{1, 10} {
		a := manyMonths(months, 300)
		log := a.stored(b)
		rows := folded(b, log, 0)
		run := ""
		for _, e := range a.events[:len(a.events)-10*900] {
			if c, ok := e.Fact.(domain.ReconciliationCompared); ok {
				run = c.Run
			}
		}
		for name, index := range map[string]projections.Extracts{"all of it": nil, "its part": rows} {
			b.Run(fmt.Sprintf("months=%d/%s", months, name), func(b *testing.B) {
				s := Source{Log: log, Zone: shanghai, Index: index}
				for b.Loop() {
					scope, err := s.Scope(b.Context(), Query{Run: run, Format: FormatJSON})
					if err == nil {
						_, err = s.Report(b.Context(), scope, nil)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
