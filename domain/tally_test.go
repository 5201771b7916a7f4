package domain_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"counterfoil/domain"
)

// tallied is the tally of lines, in their order.
func tallied(t interface{ Fatal(...any) }, lines ...domain.BillLine) *domain.BillTally {
	var tally domain.BillTally
	for i := range lines {
		lines[i].Row = i + 1
		if err := tally.Add(&lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	return &tally
}

// running are movements with the balance after each, from an opening balance on.
func running(opening int64, moves ...int64) []domain.BillLine {
	out := make([]domain.BillLine, len(moves))
	for i, m := range moves {
		opening += m
		out[i] = domain.BillLine{Kind: domain.LinePayment, TradeNo: fmt.Sprint("T", i), Amount: cny(m), Net: cny(m), Balance: cny(opening), At: flowNoon.Add(time.Duration(i) * time.Second)}
		if m < 0 {
			out[i].Kind, out[i].Amount = domain.LineRefund, cny(-m)
		}
	}
	return out
}

// Balances follow from the movements, whichever end of the day comes first and
// whichever lines leave the balance out; a line that was changed breaks them.
func TestBalancesFollow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		opening := rapid.Int64Range(-1000, 100_000).Draw(t, "opening")
		moves := rapid.SliceOfN(rapid.Int64Range(-500, 500).Filter(func(m int64) bool { return m != 0 }), 3, 30).Draw(t, "moves")
		lines := running(opening, moves...)
		var in, out int64
		for _, m := range moves {
			in, out = in+max(m, 0), out+max(-m, 0)
		}
		for i := range lines {
			if i > 0 && i < len(lines)-1 && rapid.Bool().Draw(t, "leaves the balance out") {
				lines[i].Balance = domain.Money{}
			}
		}
		if rapid.Bool().Draw(t, "newest first") {
			slices.Reverse(lines)
		}
		tally := tallied(t, lines...)
		got, err := tally.Balances()
		if err != nil || len(tally.Breaks()) > 0 {
			t.Fatalf("%v, breaks %+v", err, tally.Breaks())
		}
		want := domain.BillBalance{Currency: domain.CNY, Opening: cny(opening), Closing: cny(opening + in - out), In: cny(in), Out: cny(out)}
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Fatalf("balances %+v, want %+v", got, want)
		}
		lines[len(lines)-1].Balance = cny(lines[len(lines)-1].Balance.Minor() + 1)
		if breaks := tallied(t, lines...).Breaks(); len(breaks) != 1 || breaks[0].Row != len(lines) {
			t.Fatalf("after a change in the last row: %+v", breaks)
		}
	})
}

// Where the times do not tell, the direction that breaks less does.
func TestBalancesWithoutTimes(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		lines := running(100, 7, 30, 200)
		for i := range lines {
			lines[i].At = flowNoon
		}
		if newest {
			slices.Reverse(lines)
		}
		got, err := tallied(t, lines...).Balances()
		if err != nil || len(got) != 1 || got[0].Opening != cny(100) || got[0].Closing != cny(337) {
			t.Errorf("newest first %t: %+v, %v", newest, got, err)
		}
	}
}

// What a bill charged: fees with all their places and what moved, discounts, each
// less what refunds gave back.
func TestTallyCharges(t *testing.T) {
	t.Parallel()
	pay := domain.BillLine{
		Kind: domain.LinePayment, Amount: cny(1000), Discount: cny(100), Fee: decimal.RequireFromString("0.0540"), FeeCurrency: domain.CNY,
		Net: cny(895), Status: domain.StatusPaid,
	}
	back := domain.BillLine{
		Kind: domain.LineRefund, Amount: cny(500), Discount: cny(50), Fee: decimal.RequireFromString("-0.0270"), FeeCurrency: domain.CNY,
		Net: cny(-447), Status: domain.StatusSucceeded,
	}
	vain := back
	vain.Status, vain.Net = domain.StatusFailed, domain.Money{}
	got := tallied(t, pay, back, vain).Charges()
	want := domain.Charge{Currency: domain.CNY, Fees: "0.027", Discounts: "0.5", Moved: cny(2)}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	unsure := pay
	unsure.Net = domain.Money{}
	if got := tallied(t, pay, unsure).Charges(); !got[0].Moved.IsZero() || got[0].Moved.Currency() != "" {
		t.Errorf("a line that does not say what moved: %+v", got)
	}
}

// What was charged in one currency and settled in another.
func TestTallyExchanges(t *testing.T) {
	t.Parallel()
	eur := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.EUR) }
	pay := domain.BillLine{Kind: domain.LinePayment, Amount: eur(1000), Fee: decimal.New(30, -2), FeeCurrency: domain.USD, Net: domain.NewMoney(1070, domain.USD)}
	back := domain.BillLine{Kind: domain.LineRefund, Amount: eur(400), FeeCurrency: domain.USD, Net: domain.NewMoney(-440, domain.USD)}
	tally := tallied(t, pay, back)
	want := domain.Exchange{From: eur(600), To: domain.NewMoney(660, domain.USD)}
	if got := tally.Exchanges(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := tally.Charges(); len(got) != 1 || got[0].Fees != "0.3" || got[0].Moved != domain.NewMoney(30, domain.USD) {
		t.Errorf("%+v", got)
	}
}

// Payouts and the lines that went into them, and movements without a name.
func TestTallyPayouts(t *testing.T) {
	t.Parallel()
	in := func(m int64) domain.BillLine {
		return domain.BillLine{Kind: domain.LinePayment, PayoutID: "po1", Amount: cny(m), Net: cny(m)}
	}
	tally := tallied(t, in(700), in(300),
		domain.BillLine{Kind: domain.LinePayout, ID: "t3", PayoutID: "po1", Amount: cny(1000), Net: cny(-1000)},
		domain.BillLine{Kind: domain.LinePayoutFailed, PayoutID: "po0", Amount: cny(5), Net: cny(5)},
		domain.BillLine{Kind: domain.LineOther, ID: "x", Amount: cny(-7), Net: cny(-7)},
	)
	want := domain.PayoutSum{ID: "po1", Stated: cny(1000), Parts: cny(1000), Lines: 2, Row: 3}
	if got := tally.Payouts(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := tally.Movements(); len(got) != 3 || got[0].Row != 3 || got[2].Kind != domain.LineOther {
		t.Errorf("%+v", got)
	}
}

// A payout is the sum of what went into it: a payout that came back and one that
// was made by hand go into the next one, like any movement.
func TestPayoutsGoIntoPayouts(t *testing.T) {
	t.Parallel()
	usd := func(cents int64) domain.Money { return domain.NewMoney(cents, domain.USD) }
	var tally domain.BillTally
	for i, l := range []domain.BillLine{
		{Kind: domain.LinePayment, ID: "t1", PayoutID: "po_2", Amount: usd(1000), Net: usd(950), FeeCurrency: domain.USD, Status: domain.StatusPaid},
		{Kind: domain.LinePayoutFailed, ID: "t2", PayoutID: "po_1", Into: "po_2", Amount: usd(300), Net: usd(300), FeeCurrency: domain.USD},
		{Kind: domain.LinePayout, ID: "t3", PayoutID: "po_hand", Into: "po_2", Amount: usd(120), Net: usd(-120), FeeCurrency: domain.USD},
		{Kind: domain.LinePayout, ID: "t4", PayoutID: "po_2", Into: "po_2", Amount: usd(1130), Net: usd(-1130), FeeCurrency: domain.USD},
		{Kind: domain.LinePayoutFailed, ID: "t5", PayoutID: "po_0", Amount: usd(7), Net: usd(7), FeeCurrency: domain.USD}, // goes into one that is to come
	} {
		l.Row = i + 1
		if err := tally.Add(&l); err != nil {
			t.Fatal(err)
		}
	}
	want := []domain.PayoutSum{
		{ID: "po_2", Stated: usd(1130), Parts: usd(1130), Lines: 3, Row: 4, Named: true}, {ID: "po_hand", Stated: usd(120), Row: 3},
	}
	if got := tally.Payouts(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What a bill states is held against the books by kind of movement: a fee that a
// line names beside its amount is a fee, what was changed on the way is exchange,
// and sums that are equal are not told.
func TestBalancesAgainstTheBooks(t *testing.T) {
	t.Parallel()
	usd := func(minor int64) domain.Money { return domain.NewMoney(minor, domain.USD) }
	lines := []domain.BillLine{
		{Kind: domain.LinePayment, Amount: cny(1000), Fee: decimal.RequireFromString("0.06"), FeeCurrency: domain.CNY, Net: cny(994), Balance: cny(1094), At: flowNoon},
		{Kind: domain.LineFee, Amount: cny(4), Fee: decimal.RequireFromString("0.04"), FeeCurrency: domain.CNY, Net: cny(-4), Balance: cny(1090), At: flowNoon.Add(time.Second)},
		{Kind: domain.LinePayment, Amount: usd(100), Fee: decimal.RequireFromString("0.20"), FeeCurrency: domain.CNY, Net: cny(698), Balance: cny(1788), At: flowNoon.Add(2 * time.Second)},
		{Kind: domain.LineRefund, Amount: cny(30), Net: cny(-30), Balance: cny(1758), At: flowNoon.Add(3 * time.Second)},
	}
	for name, c := range map[string]struct {
		books  map[domain.Currency]domain.BookDay
		book   domain.Money
		before domain.Money
		parts  []domain.BalancePart
	}{
		"all is booked": {
			books: map[domain.Currency]domain.BookDay{domain.CNY: {Opening: cny(100), Moved: map[domain.PartKind]domain.Money{
				domain.PartPayment: cny(1000), domain.PartFee: cny(-30), domain.PartExchange: cny(718), domain.PartRefund: cny(-30),
			}}}, book: cny(1758),
		},
		"one refund is not, another day's money is": {
			books: map[domain.Currency]domain.BookDay{domain.CNY: {Opening: cny(170), Moved: map[domain.PartKind]domain.Money{
				domain.PartPayment: cny(1000), domain.PartFee: cny(-30), domain.PartExchange: cny(718), domain.PartPayout: cny(-5),
			}}}, book: cny(1853), before: cny(-70),
			parts: []domain.BalancePart{{What: "payout", Bill: cny(0), Book: cny(-5)}, {What: "refund", Bill: cny(-30), Book: cny(0)}},
		},
		"nothing was ever booked": {
			before: cny(100),
			parts: []domain.BalancePart{
				{What: "exchange", Bill: cny(718), Book: cny(0)},
				{What: "fee", Bill: cny(-30), Book: cny(0)},
				{What: "payment", Bill: cny(1000), Book: cny(0)},
				{What: "refund", Bill: cny(-30), Book: cny(0)},
			},
		},
	} {
		tally := tallied(t, slices.Clone(lines)...)
		got, err := tally.Balances()
		if err == nil {
			err = tally.Against(got, c.books)
		}
		want := domain.BillBalance{
			Currency: domain.CNY, Opening: cny(100), In: cny(1692), Out: cny(34), Closing: cny(1758), Held: true, Book: c.book, Before: c.before, Parts: c.parts,
		}
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
			continue
		}
		if off := got[0].Off(); off != cny(1758-c.book.Minor()) {
			t.Errorf("%s: off %s", name, off)
		}
	}
}
