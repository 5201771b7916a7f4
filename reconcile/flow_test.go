package reconcile

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/providers"
)

// flowBank is a bank that makes a fund flow beside its trade bill.
type flowBank struct {
	*bank
	bills map[string][]domain.BillLine // by kind and day
}

func (f *flowBank) Bills() []providers.BillKind {
	return []providers.BillKind{providers.BillTrade, providers.BillFunds}
}

func (f *flowBank) FetchBill(_ context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	lines := f.bills[string(q.Kind)+string(q.Day)]
	file := providers.BillFile{Question: q, MediaType: "application/x-ndjson", Final: true, Empty: len(lines) == 0}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%x\n", appendBill(appendText(nil, l.TradeNo), &l)); err != nil {
			return file, err
		}
	}
	return file, nil
}

func (f *flowBank) ReadBill(r io.Reader, _ providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		in := bufio.NewScanner(r)
		for in.Scan() {
			packed, err := hex.DecodeString(in.Text())
			var l domain.BillLine
			if err == nil {
				l, err = decodeBill(string(packed))
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// flows is a world with such a bank, and with the balance it keeps.
type flows struct {
	*books
	bank    *flowBank
	balance int64
}

func newFlows(t *testing.T) *flows {
	t.Helper()
	f := &flows{books: newBooks(t)}
	f.bank = &flowBank{bank: f.books.bank, bills: map[string][]domain.BillLine{}}
	f.channels[atBank] = f.bank
	f.comparer = f.another()
	return f
}

func fen(minor int64) domain.Money { return domain.NewMoney(minor, domain.CNY) }

// trade puts a line on the trade bill of a day.
func (f *flows) trade(day domain.Day, l domain.BillLine) {
	l.At = day.Start(shanghai).Add(12 * time.Hour)
	all := f.bank.bills["trade"+string(day)]
	l.Row = len(all) + 1
	f.bank.bills["trade"+string(day)] = append(all, l)
}

// flow puts a movement on the fund flow of a day, with the balance after it.
func (f *flows) flow(day domain.Day, l domain.BillLine) {
	f.balance += l.Net.Minor()
	l.At, l.Balance = day.Start(shanghai).Add(12*time.Hour), fen(f.balance)
	all := f.bank.bills["fund_flow"+string(day)]
	l.Row = len(all) + 1
	f.bank.bills["fund_flow"+string(day)] = append(all, l)
}

func payLine(order, trade string, minor int64) domain.BillLine {
	return domain.BillLine{
		Kind: domain.LinePayment, OrderNo: order, TradeNo: trade, Amount: fen(minor), Fee: decimal.New(4, -2), FeeCurrency: domain.CNY,
		Net: fen(minor - 4), Status: domain.StatusPaid,
	}
}

// sale is a payment of 7.30 on all three sides; the flow charges its fee.
func (f *flows) sale(day domain.Day, order, trade string) {
	f.t.Helper()
	m := f.paid(order, trade, "7.30")
	m.day = day
	f.bank.has(m)
	f.trade(day, payLine(order, trade, 730))
	f.moved(day, trade)
}

// moved is what the flow has of a payment.
func (f *flows) moved(day domain.Day, trade string) {
	f.flow(day, domain.BillLine{Kind: domain.LinePayment, TradeNo: trade, Amount: fen(730), Net: fen(730), Status: domain.StatusOther})
	f.flow(day, domain.BillLine{
		Kind: domain.LineFee, TradeNo: trade, Amount: fen(4), Fee: decimal.New(4, -2), FeeCurrency: domain.CNY, Net: fen(-4),
	})
}

// compareDay compares both bills of a day.
func (f *flows) compareDay(day domain.Day) (trade, flow operations.BillRun) {
	f.t.Helper()
	f.fold()
	runs, err := f.comparer.Backfill(f.t.Context(), atBank, day, day)
	must(f.t, err)
	if len(runs) != 2 || runs[0].State != operations.RunComplete || runs[1].State != operations.RunComplete {
		f.t.Fatalf("compared %+v", runs)
	}
	return runs[0], runs[1]
}

// posted counts facts of a type and adds up what they post to a book.
func (f *flows) posted(typ, book string) (n int, sum int64) {
	f.t.Helper()
	for batch, err := range f.log.Follow(f.t.Context(), 0, eventstore.FollowOptions{}) {
		must(f.t, err)
		for _, e := range batch.Events {
			if e.Type != typ {
				continue
			}
			n++
			fact, err := domain.DecodeFact(e.Type, e.Data)
			must(f.t, err)
			for _, p := range domain.PostingsOf(fact) {
				if p.Book == book {
					sum += p.Amount.Minor()
				}
			}
		}
		if batch.CaughtUp {
			break
		}
	}
	return n, sum
}

// Three sides that agree: nothing is found, fees, payouts and movements without
// a name are booked from the flow, and a second import books nothing.
func TestThreeSidesAgree(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.sale(today, "O2", "T2")
	f.flow(today, domain.BillLine{Kind: domain.LinePayout, ID: "m1", PayoutID: "po1", Amount: fen(1000), Net: fen(-1000)})
	f.flow(today, domain.BillLine{Kind: domain.LineOther, ID: "m2", Amount: fen(-3), Net: fen(-3), ProviderStatus: "调账"})
	for range 2 {
		trade, flow := f.compareDay(today)
		if trade.Matched != 2 || flow.Matched != 2 || flow.Against != trade.SHA256 || flow.OurLines != 2 || flow.TheirLines != 6 {
			t.Errorf("%+v\n%+v", trade, flow)
		}
		if b := flow.Balances; len(b) != 1 || !b[0].Opening.IsZero() || b[0].Closing != fen(449) || b[0].In != fen(1460) || b[0].Out != fen(1011) {
			t.Errorf("balances %+v", b)
		}
		psp := domain.BookPSP(atBank)
		for typ, want := range map[string]int64{domain.TypeFeesBooked: -8, domain.TypePayoutSent: -1000, domain.TypeMovementBooked: -3} {
			if n, sum := f.posted(typ, psp); n != 1 || sum != want {
				t.Errorf("%d %s post %d, want one with %d", n, typ, sum, want)
			}
		}
		f.wantFound("unclassified_movement open /m2")
	}
}

// Fees that the trade bill's run booked before there was a flow are taken back
// by the flow's, which books what moved.
func TestFlowTakesOverTheFees(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.bank.bills["trade"+string(today)][0].Fee = decimal.New(45, -3) // 0.045, of which 0.04 moved
	f.comparer = f.another(func(_ *BillDeps, c *BillConfig) {
		c.NoFunds = map[domain.ChannelID]bool{atBank: true}
	})
	f.fold()
	if runs, err := f.comparer.Backfill(t.Context(), atBank, today, today); err != nil || len(runs) != 1 {
		t.Fatalf("%+v, %v", runs, err)
	}
	f.comparer = f.another()
	f.compareDay(today)
	f.compareDay(today)
	if _, sum := f.posted(domain.TypeFeesBooked, domain.BookPSP(atBank)); sum != -4 {
		t.Errorf("fees took %d off the balance, want 4", sum)
	}
}

// Money that only the flow has is asked about and credited from the answer; that
// the trade bill lacks it waits for the next one, and is then told.
func TestFlowFindsLostPayments(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		f := newFlows(t)
		f.placeOnly(atBank, "LOST", "7.30")
		f.bank.has(move{order: "LOST", trade: "T9", amount: fen(730), day: today})
		f.moved(today, "T9")
		_, flow := f.compareDay(today)
		if flow.Differing != 0 || flow.Asked != 1 {
			t.Fatalf("%+v", flow)
		}
		f.wantState(atBank, "LOST", domain.StateCredited)
		f.wantFound("only_theirs resolved T9/")
		if late {
			f.trade(today.Add(1), payLine("LOST", "T9", 730))
			f.compareDay(today.Add(1))
			f.wantFound("only_theirs resolved T9/")
			continue
		}
		f.compareDay(today.Add(1))
		f.wantFound("bill_total_mismatch open T9/", "only_theirs resolved T9/")
		f.trade(today.Add(2), payLine("LOST", "T9", 730))
		f.compareDay(today.Add(2))
		f.wantFound("bill_total_mismatch resolved T9/", "only_theirs resolved T9/")
	}
}

// What the trade bill has and the flow lacks waits for the next flow, is told
// then, and is resolved when it comes; days compared again change nothing.
func TestFlowLacksWhatTheTradeBillHas(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.paid("O2", "T2", "7.30")
	f.trade(today, payLine("O2", "T2", 730))
	if _, flow := f.compareDay(today); flow.Waiting != 1 || flow.Differing != 0 {
		t.Fatalf("%+v", flow)
	}
	f.wantFound()
	if _, flow := f.compareDay(today.Add(1)); flow.Differing != 1 {
		t.Fatalf("%+v", flow)
	}
	f.wantFound("bill_total_mismatch open T2/")
	f.moved(today.Add(2), "T2")
	f.compareDay(today.Add(2))
	f.wantFound("bill_total_mismatch resolved T2/")
	for _, day := range []domain.Day{today, today.Add(1), today.Add(2)} {
		f.compareDay(day)
		f.wantFound("bill_total_mismatch resolved T2/")
	}
}

// The two bills differ in an amount, or in a fee by more than was rounded.
func TestFlowDiffersFromTheTradeBill(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.sale(today, "O2", "T2")
	lines := f.bank.bills["fund_flow"+string(today)]
	lines[0].Amount = fen(731)
	lines[3].Fee = decimal.New(9, -2)
	f.compareDay(today)
	f.wantFound("bill_total_mismatch open T1/", "fee_mismatch open T2/")
	lines[0].Amount, lines[3].Fee = fen(730), decimal.New(4, -2)
	f.compareDay(today)
	f.wantFound("bill_total_mismatch resolved T1/", "fee_mismatch resolved T2/")
}

// Balances follow from line to line and from day to day; a day that moved nothing
// lies between without harm, and a corrected bill settles what it broke.
func TestBalancesOfFlowsFollow(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.sale(today, "O1", "T1")
	f.compareDay(today)
	f.compareDay(today.Add(1)) // nothing
	f.sale(today.Add(2), "O2", "T2")
	f.compareDay(today.Add(2))
	f.wantFound()

	lines := f.bank.bills["fund_flow"+string(today.Add(2))]
	lines[1].Balance = fen(lines[1].Balance.Minor() + 1)
	f.compareDay(today.Add(2))
	f.wantFound("bill_total_mismatch open /balance/2026-11-24/row/2")
	lines[1].Balance = fen(lines[1].Balance.Minor() - 1)
	f.compareDay(today.Add(2))
	f.wantFound("bill_total_mismatch resolved /balance/2026-11-24/row/2")

	first := f.bank.bills["fund_flow"+string(today)]
	for i := range first {
		first[i].Balance = fen(first[i].Balance.Minor() + 100)
	}
	f.compareDay(today) // begins higher, and ends higher than the next day begins
	f.wantFound("bill_total_mismatch resolved /balance/2026-11-24/row/2")
	f.compareDay(today.Add(2))
	f.wantFound("bill_total_mismatch open /balance/2026-11-24/opening/CNY", "bill_total_mismatch resolved /balance/2026-11-24/row/2")
	for i := range first {
		first[i].Balance = fen(first[i].Balance.Minor() - 100)
	}
	f.compareDay(today)
	f.compareDay(today.Add(2))
	f.wantFound("bill_total_mismatch resolved /balance/2026-11-24/opening/CNY", "bill_total_mismatch resolved /balance/2026-11-24/row/2")
}

// A payout is the sum of the lines that went into it, whatever days they stand
// on; while a bill was fetched before the payout was made nothing is judged.
func TestPayoutsAddUp(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.compareDay(today.Add(-1))
	f.sale(today, "O1", "T1")
	f.sale(today.Add(1), "O2", "T2")
	f.compareDay(today)
	payout := domain.BillLine{Kind: domain.LinePayout, ID: "m1", PayoutID: "po1", Amount: fen(1452), Net: fen(-1452)}
	f.flow(today.Add(1), payout)
	for _, day := range []domain.Day{today, today.Add(1)} {
		for i := range f.bank.bills["fund_flow"+string(day)] {
			f.bank.bills["fund_flow"+string(day)][i].PayoutID = "po1"
		}
	}
	f.clock.step(time.Minute)
	f.compareDay(today.Add(1))
	f.wantFound() // the first day's bill does not name the payout yet
	f.clock.step(time.Minute)
	f.compareDay(today.Add(-1))
	f.compareDay(today)
	f.wantFound()

	f.bank.bills["fund_flow"+string(today)][0].PayoutID = ""
	f.compareDay(today)
	f.wantFound("payout_mismatch open /po1")
	f.bank.bills["fund_flow"+string(today)][0].PayoutID = "po1"
	f.compareDay(today)
	f.wantFound("payout_mismatch resolved /po1")
	// A payout that a later import lists with another amount moves nothing more.
	last := f.bank.bills["fund_flow"+string(today.Add(1))]
	last[len(last)-1].Amount, last[len(last)-1].Net = fen(1400), fen(-1400)
	f.compareDay(today.Add(1))
	if n, sum := f.posted(domain.TypePayoutSent, domain.BookPSP(atBank)); n != 1 || sum != -1452 {
		t.Errorf("%d payouts post %d", n, sum)
	}
	if got := f.found(); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "payout_mismatch open /po1") }) {
		t.Errorf("found %q", got)
	}
}

// The flow is due when the trade bill was compared, and again when that changed.
func TestFlowFollowsTheTradeBill(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	f.comparer = f.another(func(_ *BillDeps, c *BillConfig) { c.CatchUp = 1 })
	f.sale(today, "O1", "T1")
	if run, err := f.comparer.Run(t.Context(), atBank, today, "fund_flow"); err != nil || run.Cause != operations.CauseBillMissing {
		t.Errorf("before the trade bill: %+v, %v", run, err)
	}
	f.clock.step(24 * time.Hour)
	f.caughtUp("22 complete, 22 complete")
	f.caughtUp("")
	f.bank.bills["trade"+string(today)][0].Fee = decimal.New(41, -3)
	if run, err := f.comparer.Run(t.Context(), atBank, today, "trade"); err != nil || run.Import != 2 {
		t.Fatalf("%+v, %v", run, err)
	}
	f.caughtUp("22 complete")
	f.caughtUp("")
}

// A flow with any number of lines keeps the lines of one number in memory, and
// what it does not name it counts.
func TestFlowWithoutNumbers(t *testing.T) {
	t.Parallel()
	f := newFlows(t)
	for i := range 3 {
		f.paid(fmt.Sprint("O", i), fmt.Sprint("T", i), "7.30")
		f.trade(today, payLine(fmt.Sprint("O", i), fmt.Sprint("T", i), 730))
	}
	f.flow(today, domain.BillLine{Kind: domain.LinePayment, Amount: fen(2190), Net: fen(2190), Status: domain.StatusOther})
	f.compareDay(today)
	f.wantFound()
	f.bank.bills["fund_flow"+string(today)][0].Amount = fen(2189)
	f.compareDay(today)
	f.wantFound("bill_total_mismatch open /total/2026-11-22/CNY")
}
