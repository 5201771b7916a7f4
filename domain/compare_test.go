package domain

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

const billDay Day = "2026-11-21"

var (
	billZone = time.FixedZone("CST", 8*3600)
	billNoon = billDay.Start(billZone).Add(12 * time.Hour)
)

func billPolicy() ComparePolicy {
	return ComparePolicy{
		Day: billDay, Zone: billZone, Cut: 10 * time.Minute, Wait: 0, Apart: time.Hour,
		FeeRate: decimal.New(6, -3), FeeWithin: decimal.New(1, -2),
	}
}

// seq yields lines sorted by trade number, as a side of a comparison comes.
func seq[T any](lines []T, key func(T) string) iter.Seq2[T, error] {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return inOrder(lines)
}

func inOrder[T any](lines []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func compareAll(t testing.TB, ours []OurLine, theirs []BillLine, p ComparePolicy) ([]Difference, Compared) {
	var sum Compared
	var out []Difference
	for d, err := range Compare(seq(ours, func(o OurLine) string { return o.TradeNo }),
		seq(theirs, func(b BillLine) string { return b.TradeNo }), p, &sum) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out, sum
}

// words are differences as a test names them, sorted.
func words(ds []Difference) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		k := d.Key()
		out[i] = fmt.Sprintf("%s %s %s %s/%s", d.Kind, d.State, k.Kind, k.TradeNo, k.Ref)
	}
	slices.Sort(out)
	return out
}

// item is one piece of money on both sides, and what the comparison must say.
type item struct {
	ours   []OurLine
	theirs []BillLine
	want   []string
}

func yuanOf(minor int64) Money { return NewMoney(minor, CNY) }

// agreed is a payment that both sides know.
func agreed(trade string, minor int64) item {
	o := OurLine{
		Kind: LinePayment, TradeNo: trade, OrderNo: "o" + trade, Amount: yuanOf(minor), State: TradeCredited,
		ValueDate: billDay, At: billNoon,
	}
	fee := decimal.New(minor*6, -5).Round(2)
	b := BillLine{
		Kind: LinePayment, TradeNo: trade, OrderNo: "o" + trade, Amount: yuanOf(minor), Status: StatusPaid, At: billNoon,
		Fee: fee, FeeCurrency: CNY,
	}
	return item{ours: []OurLine{o}, theirs: []BillLine{b}}
}

// refunded adds a refund that both sides know.
func (i item) refunded(id string, minor int64) item {
	o, b := i.ours[0], i.theirs[0]
	o.Kind, o.RefundID, o.Amount = LineRefund, id, yuanOf(minor)
	b.Kind, b.RefundID, b.Amount, b.Status, b.Fee = LineRefund, id, yuanOf(minor), StatusSucceeded, decimal.Decimal{}
	i.ours, i.theirs = append(i.ours, o), append(i.theirs, b)
	return i
}

func (i item) says(format string, args ...any) item {
	i.want = append(i.want, fmt.Sprintf(format, args...))
	return i
}

// plants are the ways in which the two sides can differ, each with what must be
// found. trade is the item's number, n a positive amount.
var plants = map[string]func(trade string, n int64) item{
	"agreed": agreed,
	"agreed with refunds": func(trade string, n int64) item {
		return agreed(trade, n+2).refunded("r1", n).refunded("r2", 1)
	},
	"refund known by the merchant's number only": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("", 1)
		i.ours[1].RefundID, i.ours[1].RefundNo, i.theirs[1].RefundNo = "theirs-1", "mine-1", "mine-1"
		return i
	},
	"refunds without numbers": func(trade string, n int64) item {
		i := agreed(trade, n+5).refunded("r1", n).refunded("r2", 1).refunded("r3", n+1)
		for j := 1; j < len(i.theirs); j++ {
			i.theirs[j].RefundID = ""
		}
		i.theirs[3].Amount = yuanOf(n + 2)
		return i.says("refund_unknown open refund %s/r3", trade).says("refund_missing open refund %s/", trade)
	},
	"only ours": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs = nil
		return i.says("only_ours open payment %s/", trade)
	},
	"only theirs": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours = nil
		return i.says("only_theirs open payment %s/", trade)
	},
	"tried in vain": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours, i.theirs[0].Status = nil, StatusFailed
		return i
	},
	"amount": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].Amount = yuanOf(n + 1)
		return i.says("amount_mismatch open payment %s/", trade)
	},
	"currency": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].Amount = NewMoney(n, USD)
		return i.says("currency_mismatch open payment %s/", trade)
	},
	"status": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].Status = StatusClosed
		return i.says("status_mismatch open payment %s/", trade)
	},
	"frozen": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].Status = StatusFrozen
		return i.says("frozen open payment %s/", trade)
	},
	"listed twice": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs = append(i.theirs, i.theirs[0])
		i.theirs[1].Row++
		return i.says("duplicate_trade_no open payment %s/", trade)
	},
	"booked twice": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours = append(i.ours, i.ours[0])
		i.ours[1].OrderNo = "another"
		i.ours[1].Position++
		i.theirs[0].OrderNo = ""
		return i.says("duplicate_trade_no open payment %s/", trade)
	},
	"another order": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].OrderNo = "stranger"
		return i.says("duplicate_trade_no open payment %s/", trade)
	},
	"in parts": func(trade string, n int64) item {
		i := agreed(trade, n+1)
		i.theirs = append(i.theirs, i.theirs[0])
		i.theirs[0].Amount, i.theirs[0].ID, i.theirs[1].Amount, i.theirs[1].ID = yuanOf(n), "p1", yuanOf(1), "p2"
		return i
	},
	"in parts under one number": func(trade string, n int64) item {
		i := agreed(trade, n+1)
		i.theirs = append(i.theirs, i.theirs[0])
		i.theirs[0].Amount, i.theirs[0].ID, i.theirs[1].Amount, i.theirs[1].ID = yuanOf(n), "p1", yuanOf(1), "p1"
		i.theirs[0].Fee, i.theirs[1].Fee = decimal.New(n*6, -5).Round(2), decimal.Decimal{}
		return i.says("amount_mismatch open payment %s/", trade).says("duplicate_trade_no open payment %s/", trade)
	},
	"refund missing": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1)
		i.ours = i.ours[:1]
		return i.says("refund_missing open refund %s/r1", trade)
	},
	"refund unknown": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1)
		i.theirs = i.theirs[:1]
		return i.says("refund_unknown open refund %s/r1", trade)
	},
	"one refund of two, another number": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1).refunded("r2", 1)
		i.theirs[2].RefundID = "r3"
		return i.says("refund_unknown open refund %s/r2", trade).says("refund_missing open refund %s/r3", trade)
	},
	"refund of another amount": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1)
		i.theirs[1].Amount = yuanOf(2)
		return i.says("amount_mismatch open refund %s/r1", trade)
	},
	"refund on its way when the bill was made": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1)
		i.theirs[1].Status = StatusWaiting
		return i
	},
	"refund refused there": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1)
		i.theirs[1].Status = StatusFailed
		return i.says("status_mismatch open refund %s/r1", trade)
	},
	"refund that came back": func(trade string, n int64) item {
		i := agreed(trade, n).refunded("r1", 1).refunded("r1", 1)
		i.theirs[2].Kind, i.theirs[2].Status = LineRefundFailed, StatusFailed
		i.ours = i.ours[:2]
		return i.says("only_theirs open refund_failed %s/r1", trade)
	},
	"dispute unknown": func(trade string, n int64) item {
		i := agreed(trade, n)
		d := i.theirs[0]
		d.Kind, d.DisputeID, d.Status, d.Fee = LineDisputeWithdrawn, "d1", StatusWithdrawn, decimal.Decimal{}
		i.theirs = append(i.theirs, d)
		return i.says("only_theirs open dispute_withdrawn %s/d1", trade)
	},
	"fee": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].Fee = i.theirs[0].Fee.Add(decimal.New(2, -2))
		return i.says("fee_mismatch open payment %s/", trade)
	},
	"fee within": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].Fee = i.theirs[0].Fee.Add(decimal.New(1, -2))
		return i
	},
	"hour": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.theirs[0].At = billNoon.Add(61 * time.Minute)
		return i.says("timing open payment %s/", trade)
	},
	"the next day's": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].ValueDate = billDay.Add(1)
		return i.says("timing settled payment %s/", trade)
	},
	"the next day's, for its own bill": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].ValueDate, i.theirs = billDay.Add(1), nil
		return i
	},
	"the day before's, waiting since": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].ValueDate, i.ours[0].Since = billDay.Add(-1), billDay.Add(-1)
		return i.says("timing settled payment %s/", trade)
	},
	"waiting since this very bill": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].Since = billDay
		return i.says("timing settled payment %s/", trade)
	},
	"waited in vain": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].ValueDate, i.ours[0].Since, i.theirs = billDay.Add(-3), billDay.Add(-3), nil
		return i.says("only_ours open payment %s/", trade)
	},
	"near midnight": func(trade string, n int64) item {
		i := agreed(trade, n)
		i.ours[0].At, i.theirs = billDay.Add(1).Start(billZone).Add(-time.Minute), nil
		return i.says("timing waiting payment %s/", trade)
	},
	"no name for it": func(trade string, n int64) item {
		return item{theirs: []BillLine{{Kind: LineOther, ID: "x" + trade, Amount: yuanOf(-n)}}}.
			says("unclassified_movement open other /x%s", trade)
	},
	"paid without a trade number": func(trade string, n int64) item {
		return item{theirs: []BillLine{{Kind: LinePayment, OrderNo: "o" + trade, Amount: yuanOf(n), Status: StatusPaid}}}.
			says("only_theirs open payment /o%s", trade)
	},
	"a payout": func(trade string, n int64) item {
		return item{theirs: []BillLine{{Kind: LinePayout, PayoutID: trade, Amount: yuanOf(n)}}}
	},
}

// Every kind of difference, alone: found with its kind, and nothing else.
func TestCompareFindsEachPlant(t *testing.T) {
	t.Parallel()
	for name, plant := range plants {
		i := plant("4200001", 730)
		ds, _ := compareAll(t, i.ours, i.theirs, billPolicy())
		if got, want := words(ds), sorted(i.want); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func sorted(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }

// Any number of items of any kinds: every planted difference is found, none
// invented, and the order of the lines under one trade number is irrelevant.
func TestCompareFindsAllAndInventsNone(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range plants {
			if !yield(name) {
				return
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var ours []OurLine
		var theirs []BillLine
		var want []string
		for n, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 60).Draw(t, "plants") {
			i := plants[name](fmt.Sprintf("T%03d", n*7%101), rapid.Int64Range(1, 1_000_000).Draw(t, "amount"))
			ours, theirs, want = append(ours, i.ours...), append(theirs, i.theirs...), append(want, i.want...)
		}
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)) // a test's order
		shuffle.Shuffle(len(ours), func(i, j int) { ours[i], ours[j] = ours[j], ours[i] })
		shuffle.Shuffle(len(theirs), func(i, j int) { theirs[i], theirs[j] = theirs[j], theirs[i] })
		var sum Compared
		var ds []Difference
		for d, err := range Compare(seq(ours, func(o OurLine) string { return o.TradeNo }),
			seq(theirs, func(b BillLine) string { return b.TradeNo }), billPolicy(), &sum) {
			if err != nil {
				t.Fatal(err)
			}
			ds = append(ds, d)
		}
		if got := words(ds); !slices.Equal(got, sorted(want)) {
			t.Fatalf("found %q\nwant %q", got, sorted(want))
		}
		checkSums(t, ours, theirs, sum)
	})
}

// checkSums counts again, the slow way.
func checkSums(t *rapid.T, ours []OurLine, theirs []BillLine, sum Compared) {
	var lines int64
	var paid Totals
	fees := decimal.Decimal{}
	for _, o := range ours {
		if o.ValueDate != billDay {
			continue
		}
		if lines++; o.Kind == LinePayment {
			if err := paid.Add(o.Amount); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, b := range theirs {
		fees = fees.Add(b.Fee)
	}
	if sum.Ours.Lines != lines || sum.Ours.Payments.String() != paid.String() || sum.Theirs.Lines != int64(len(theirs)) {
		t.Fatalf("counted %+v, want %d lines of ours with %s, %d of theirs", sum, lines, &paid, len(theirs))
	}
	if got := sum.Fees()[CNY]; !got.Equal(fees) {
		t.Fatalf("fees %s, want %s", got, fees)
	}
}

// naive finds what is left over by comparing everything with everything.
func naive(ours []OurLine, theirs []BillLine) []string {
	var out []string
	usedOurs, usedTheirs := make([]bool, len(ours)), make([]bool, len(theirs))
	match := func(same func(o OurLine, b BillLine) bool, tell string) {
		for i, o := range ours {
			for j, b := range theirs {
				if !usedOurs[i] && !usedTheirs[j] && same(o, b) {
					usedOurs[i], usedTheirs[j] = true, true
					if tell != "" {
						out = append(out, tell+" "+o.TradeNo)
					}
				}
			}
		}
	}
	on := func(trade string, used bool) (n int) {
		for i := range ours {
			if ours[i].TradeNo == trade && usedOurs[i] == used {
				n++
			}
		}
		return n
	}
	match(func(o OurLine, b BillLine) bool { return o.TradeNo == b.TradeNo && o.Amount == b.Amount }, "")
	match(func(o OurLine, b BillLine) bool { return o.TradeNo == b.TradeNo && on(o.TradeNo, true) == 0 }, "amount_mismatch")
	for i, o := range ours {
		if !usedOurs[i] {
			kind := "only_ours"
			if on(o.TradeNo, true) > 0 {
				kind = "duplicate_trade_no"
			}
			out = append(out, kind+" "+o.TradeNo)
		}
	}
	listed := map[string]bool{}
	for j, b := range theirs {
		if !usedTheirs[j] {
			kind := "only_theirs"
			if on(b.TradeNo, true) > 0 || listed[b.TradeNo] {
				kind = "duplicate_trade_no"
			}
			listed[b.TradeNo] = true
			out = append(out, kind+" "+b.TradeNo)
		}
	}
	return sorted(out)
}

// Of two orders under one number the bill means the one whose money is there; of
// money that people took back it means that it is not.
func TestCompareReversed(t *testing.T) {
	t.Parallel()
	m := NewMoney(730, CNY)
	back := OurLine{Kind: LinePayment, OrderNo: "A1", TradeNo: "T1", Amount: m, State: TradeReversed, ValueDate: billDay, At: billNoon}
	there := back
	there.OrderNo, there.State = "A2", TradeCredited
	listed := []BillLine{{Kind: LinePayment, TradeNo: "T1", Amount: m, Status: StatusPaid, At: billNoon}}
	ds, sum := compareAll(t, []OurLine{back, there}, listed, billPolicy())
	if len(ds) != 1 || ds[0].Kind != DuplicateTradeNo || ds[0].Ours.OrderNo != "A1" || sum.Matched != 1 {
		t.Errorf("one of two taken back: %+v, %d matched", ds, sum.Matched)
	}
	ds, sum = compareAll(t, []OurLine{back}, listed, billPolicy())
	if len(ds) != 1 || ds[0].Kind != StatusMismatch || sum.Matched != 0 {
		t.Errorf("taken back: %+v, %d matched", ds, sum.Matched)
	}
}

// Few numbers and amounts, so that all ways of being equal and doubled occur:
// the merge pass finds what comparing everything with everything finds.
func TestCompareAgreesWithNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12)
		var ours []OurLine
		var theirs []BillLine
		for range n.Draw(t, "ours") {
			i := agreed(fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "trade")), rapid.Int64Range(1, 3).Draw(t, "amount"))
			ours = append(ours, i.ours...)
		}
		for range n.Draw(t, "theirs") {
			i := agreed(fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "trade")), rapid.Int64Range(1, 3).Draw(t, "amount"))
			theirs = append(theirs, i.theirs...)
		}
		p := billPolicy()
		p.FeeRate = decimal.Decimal{}
		var sum Compared
		var got []string
		for d, err := range Compare(seq(ours, func(o OurLine) string { return o.TradeNo }),
			seq(theirs, func(b BillLine) string { return b.TradeNo }), p, &sum) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(d.Kind)+" "+d.Key().TradeNo)
		}
		if want := naive(ours, theirs); !slices.Equal(sorted(got), want) {
			t.Fatalf("found %q\nwant %q", sorted(got), want)
		}
		if left := int64(len(ours)) - sum.Matched; left < 0 {
			t.Fatalf("%d of %d lines matched", sum.Matched, len(ours))
		}
	})
}

// An error of a side, or one that is not sorted, ends the pass with it.
func TestCompareStopsAtErrors(t *testing.T) {
	t.Parallel()
	cut := E(KindCorrupt, "row 7 is cut short")
	none := inOrder[OurLine](nil)
	broken := func(yield func(BillLine, error) bool) {
		i := agreed("1", 1)
		if yield(i.theirs[0], nil) {
			yield(BillLine{}, cut)
		}
	}
	unsorted := inOrder(append(agreed("2", 1).theirs, agreed("1", 1).theirs...))
	for name, c := range map[string]struct {
		theirs iter.Seq2[BillLine, error]
		want   string
	}{
		"broken":   {broken, "row 7"},
		"unsorted": {unsorted, "not sorted"},
	} {
		var last error
		var sum Compared
		for _, err := range Compare(none, c.theirs, billPolicy(), &sum) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), c.want) {
			t.Errorf("%s: error %v", name, last)
		}
	}
	if !errors.Is(cut, cut) || sideOf(t, maxGroup) != nil {
		t.Errorf("as many lines as one trade number may have: %v", sideOf(t, maxGroup))
	}
	if err := sideOf(t, maxGroup+1); err == nil || KindOf(err) != KindCorrupt {
		t.Errorf("one line more than one trade number may have: %v", err)
	}
}

// sideOf compares n refunds of one payment with nothing.
func sideOf(t *testing.T, n int) (last error) {
	t.Helper()
	lines := make([]BillLine, n)
	for i := range lines {
		lines[i] = BillLine{Kind: LineRefund, TradeNo: "1", RefundID: fmt.Sprint(i), Amount: yuanOf(1), Status: StatusSucceeded}
	}
	var sum Compared
	for _, err := range Compare(inOrder[OurLine](nil), inOrder(lines), billPolicy(), &sum) {
		last = err
	}
	return last
}

// Whoever stops listening ends the pass.
func TestCompareStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	var theirs []BillLine
	for n := range 10 {
		theirs = append(theirs, agreed(fmt.Sprint(n), 1).theirs...)
	}
	var sum Compared
	told := 0
	for range Compare(inOrder[OurLine](nil), inOrder(theirs), billPolicy(), &sum) {
		if told++; told == 3 {
			break
		}
	}
	if told != 3 || sum.Theirs.Lines >= 10 {
		t.Errorf("told %d times, read %d lines", told, sum.Theirs.Lines)
	}
}

// What a payment only the bill has means for its order.
func TestExplain(t *testing.T) {
	t.Parallel()
	placed := Payment{Placed: PaymentPlaced{OrderNo: "oT1", Amount: yuanOf(730)}}
	closed, settled, knows, other := placed, placed, placed, placed
	closed.Closed = ClosedMerchant
	settled.settled, settled.Settled = true, "T9"
	knows.Trades = []Trade{{TradeNo: "T1", State: TradeCredited, Amount: yuanOf(730)}}
	waits := placed
	waits.Trades = []Trade{{TradeNo: "T1", State: TradeHeld, Amount: yuanOf(730)}}
	other.Trades = []Trade{{TradeNo: "T1", State: TradeParked, Amount: yuanOf(1)}}
	for name, c := range map[string]struct {
		p      Payment
		theirs Money
		kind   DiscrepancyKind
		state  DifferenceState
	}{
		"placed and unpaid":        {placed, yuanOf(730), MissingCredit, DifferenceOpen},
		"another amount":           {placed, yuanOf(731), AmountMismatch, DifferenceOpen},
		"another currency":         {placed, NewMoney(730, USD), CurrencyMismatch, DifferenceOpen},
		"cancelled by us":          {closed, yuanOf(730), OnlyTheirs, DifferenceOpen},
		"held by us":               {waits, yuanOf(730), StatusMismatch, DifferenceOpen},
		"never placed":             {Payment{}, yuanOf(730), OnlyTheirs, DifferenceOpen},
		"paid by another trade":    {settled, yuanOf(730), SecondPayment, DifferenceOpen},
		"ours on another day":      {knows, yuanOf(730), Timing, DifferenceSettled},
		"ours with another amount": {other, yuanOf(730), AmountMismatch, DifferenceOpen},
	} {
		line := agreed("T1", 730).theirs[0]
		line.Amount = c.theirs
		d := c.p.Explain(Difference{Kind: OnlyTheirs, State: DifferenceOpen, Theirs: &line})
		if d.Kind != c.kind || d.State != c.state {
			t.Errorf("%s: %s %s, want %s %s", name, d.Kind, d.State, c.kind, c.state)
		}
	}
	refund := BillLine{Kind: LineRefund, TradeNo: "T1"}
	if d := settled.Explain(Difference{Kind: RefundMissing, Theirs: &refund}); d.Kind != RefundMissing {
		t.Errorf("a refund became %s", d.Kind)
	}
}

// Fees add up whatever their digits are, also where a whole number of 1e-8 does
// not hold them.
func TestFeesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var sums []feeSum
		want := decimal.Decimal{}
		for range rapid.IntRange(0, 40).Draw(t, "fees") {
			fee := decimal.New(rapid.Int64().Draw(t, "digits"), rapid.Int32Range(-12, 9).Draw(t, "exponent"))
			sums, want = addFee(sums, CNY, fee), want.Add(fee)
		}
		if got := totals(sums)[CNY]; !got.Equal(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// Money waits as long as the policy says, counted from its own day.
func TestCompareWaits(t *testing.T) {
	t.Parallel()
	p := billPolicy()
	for wait := range 4 {
		p.Wait = wait
		for age := range 5 {
			i := agreed("T1", 730)
			i.ours[0].ValueDate = billDay.Add(-age)
			i.ours[0].Since = i.ours[0].ValueDate
			ds, _ := compareAll(t, i.ours, nil, p)
			want := "only_ours open payment T1/"
			if age < wait {
				want = "timing waiting payment T1/"
			}
			if got := words(ds); !slices.Equal(got, []string{want}) {
				t.Errorf("waits %d days, %d days old: %q", wait, age, got)
			}
		}
	}
}

// Of lines of ours under one number, the one of the order that the bill names is
// the bill's, in whatever order they come.
func TestTheBillsOrderIsTheRightOne(t *testing.T) {
	t.Parallel()
	right, wrong := agreed("T1", 730), agreed("T1", 730).ours[0]
	for _, order := range []string{"A", "zz"} {
		wrong.OrderNo = order
		for _, ours := range [][]OurLine{{wrong, right.ours[0]}, {right.ours[0], wrong}} {
			ds, sum := compareAll(t, ours, right.theirs, billPolicy())
			if len(ds) != 1 || ds[0].Kind != DuplicateTradeNo || ds[0].OrderNo() != order || sum.Matched != 1 {
				t.Errorf("%s: %+v, %d matched", order, ds, sum.Matched)
			}
		}
	}
}
