package domain_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

// bill is one import of a day's bill in yuan.
func bill(fees string) domain.BookedBill {
	return domain.BookedBill{
		Day: "2026-03-14", Bill: "trade", Run: "run-1", SHA256: "ab12",
		Charges: []domain.Charge{{Currency: domain.CNY, Fees: fees}},
	}
}

// book books b and folds what follows.
func bookBill(t testing.TB, book *domain.Book, b domain.BookedBill) []domain.Fact {
	t.Helper()
	fs, err := book.Bill(desk(), b)
	if err != nil {
		t.Fatalf("%+v: %v", b, err)
	}
	return taken(t, fs, book.Apply)
}

// taken sees that facts can be stored, and folds them.
func taken(t testing.TB, fs []domain.Fact, apply func(domain.Fact) error) []domain.Fact {
	t.Helper()
	for _, f := range fs {
		encoded(t, f)
		if err := apply(f); err != nil {
			t.Fatalf("fold %+v: %v", f, err)
		}
	}
	return fs
}

// TestFees: each import books the difference to what is booked, in whole units.
func TestFees(t *testing.T) {
	t.Parallel()
	var book domain.Book
	for i, c := range []struct {
		fees   string
		booked int64
	}{
		{"0", 0},
		{"9.99600", 1000}, // 9.996: ten yuan moved
		{"9.99600", 0},    // imported again
		{"12.34", 234},    // a changed bill
		{"9.99400", -235}, // and changed again
		{"-0.01", -1000},  // the provider gave more back than it took
		{"", 0},           // a bill that does not say
	} {
		fs := bookBill(t, &book, bill(c.fees))
		if c.booked == 0 {
			if len(fs) != 0 {
				t.Errorf("import %d of %s books %+v", i, c.fees, fs)
			}
			continue
		}
		f, _ := fs[0].(domain.FeesBooked)
		if len(fs) != 1 || f.Amount.Minor() != c.booked || f.Exact != c.fees || f.Dates.ValueDate != "2026-03-14" {
			t.Errorf("import %d of %s books %+v", i, c.fees, fs)
		}
	}
	other := bill("3")
	other.Bill = "fund_flow"
	if fs := bookBill(t, &book, other); len(fs) != 1 || fs[0].(domain.FeesBooked).Amount.Minor() != 300 {
		t.Errorf("another kind of bill: %+v", fs)
	}
}

// TestFeesRefused: what is no sum of fees books nothing.
func TestFeesRefused(t *testing.T) {
	t.Parallel()
	var book domain.Book
	for _, fees := range []string{"-", ".5", "5.", "1e3", "0x10", " 1", "1.123456789", "+1", "--1", "1.2.3", "١", "99999999999999999999.00"} {
		if fs, err := book.Bill(desk(), bill(fees)); err == nil || fs != nil {
			t.Errorf("%q was booked: %+v", fees, fs)
		}
		discount := bill("")
		discount.Charges[0].Discounts = fees
		if fs, err := book.Bill(desk(), discount); err == nil || fs != nil {
			t.Errorf("a discount of %q was booked: %+v", fees, fs)
		}
	}
	twice := bill("1")
	twice.Charges = append(twice.Charges, twice.Charges[0])
	nameless, dayless := bill("1"), bill("1")
	nameless.Run, dayless.Day = "", "2026-3-14"
	for _, b := range []domain.BookedBill{twice, nameless, dayless} {
		if _, err := book.Bill(desk(), b); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%+v: %v", b, err)
		}
	}
}

// TestFeesRounded: where lines say what moved, the fees are what the bill comes
// to and the rest of what moved is rounding.
func TestFeesRounded(t *testing.T) {
	t.Parallel()
	var book domain.Book
	b := bill("9.99600")
	b.Charges[0].Moved = domain.NewMoney(1003, domain.CNY)
	f, _ := bookBill(t, &book, b)[0].(domain.FeesBooked)
	want := []domain.Posting{
		{Book: "expenses:fee:epay-main", Amount: ten},
		{Book: "expenses:fee:rounding", Amount: domain.NewMoney(3, domain.CNY)},
		{Book: "assets:psp:epay-main", Amount: domain.NewMoney(-1003, domain.CNY)},
	}
	if !slices.Equal(f.Postings, want) || f.Total.Minor() != 1003 {
		t.Errorf("booked %+v", f)
	}
	b.Charges[0].Fees = "10.01" // the same money moved, for other fees
	f, _ = bookBill(t, &book, b)[0].(domain.FeesBooked)
	if !f.Amount.IsZero() || len(f.Postings) != 2 {
		t.Errorf("other fees: %+v", f)
	}
}

// TestGoneCurrency: what a bill does not name any more is taken back.
func TestGoneCurrency(t *testing.T) {
	t.Parallel()
	var book domain.Book
	b := bill("0.60")
	b.Charges[0].Discounts = "2"
	b.Charges = append(b.Charges, domain.Charge{Currency: domain.USD, Fees: "0.30"})
	b.Exchanges = []domain.Exchange{{From: ten, To: domain.NewMoney(138, domain.USD)}}
	if fs := bookBill(t, &book, b); len(fs) != 4 {
		t.Fatalf("booked %+v", fs)
	}
	b.Charges, b.Exchanges, b.Run = b.Charges[1:], nil, "run-2"
	fs := bookBill(t, &book, b)
	if len(fs) != 3 {
		t.Fatalf("the changed bill booked %+v", fs)
	}
	sums := domain.Totals{}
	for _, f := range fs {
		for _, p := range domain.PostingsOf(f) {
			if p.Book == "assets:psp:epay-main" {
				if err := sums.Add(p.Amount); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if sums.String() != "12.60 CNY, -1.38 USD" {
		t.Errorf("the balance got %s back", sums.String())
	}
}

// TestNoDiscounts: an import that knows nothing of discounts leaves them.
func TestNoDiscounts(t *testing.T) {
	t.Parallel()
	var book domain.Book
	b := bill("0.60")
	b.Charges[0].Discounts = "2"
	bookBill(t, &book, b)
	b.Charges, b.Run, b.NoDiscounts = nil, "run-2", true
	fs := bookBill(t, &book, b)
	if len(fs) != 1 || fs[0].FactType() != domain.TypeFeesBooked {
		t.Errorf("booked %+v", fs)
	}
}

// TestImportsR5: in whatever order and how often bills are imported, what is
// booked in the end is what the newest one says, and postings sum to zero.
func TestImportsR5(t *testing.T) {
	t.Parallel()
	sum := rapid.Int64Range(-1_000_000, 1_000_000)
	some := rapid.Custom(func(t *rapid.T) (b domain.BookedBill) {
		b = bill("")
		b.Charges = nil
		for _, c := range rapid.SliceOfNDistinct(rapid.SampledFrom([]domain.Currency{domain.CNY, domain.USD, domain.JPY}), 0, 3, rapid.ID).Draw(t, "currencies") {
			b.Charges = append(b.Charges, domain.Charge{
				Currency: c, Fees: domain.NewMoney(sum.Draw(t, "fees"), c).Amount(), Discounts: domain.NewMoney(sum.Draw(t, "discounts"), c).Amount(),
				Moved: domain.NewMoney(sum.Draw(t, "moved"), c),
			})
		}
		for range rapid.IntRange(0, 2).Draw(t, "exchanges") {
			b.Exchanges = append(b.Exchanges, domain.Exchange{
				From: domain.NewMoney(sum.Draw(t, "from"), domain.USD), To: domain.NewMoney(sum.Draw(t, "to"), domain.CNY),
			})
		}
		return b
	})
	rapid.Check(t, func(t *rapid.T) {
		bills := rapid.SliceOfN(some, 1, 4).Draw(t, "bills")
		books := map[string]*domain.Totals{}
		var book domain.Book
		var last domain.BookedBill
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(bills)-1), 1, 8).Draw(t, "imports") {
			last = bills[i]
			fs, err := book.Bill(desk(), last)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
					t.Fatal(err)
				}
				if err := book.Apply(f); err != nil {
					t.Fatal(err)
				}
				add(t, books, domain.PostingsOf(f))
			}
			if again, err := book.Bill(desk(), last); err != nil || len(again) != 0 {
				t.Fatalf("again: %+v, %v", again, err)
			}
		}
		want := map[string]*domain.Totals{}
		var fresh domain.Book
		fs, err := fresh.Bill(desk(), last)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			add(t, want, domain.PostingsOf(f))
		}
		for _, name := range slices.Concat(slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(books))) {
			if got, want := totalText(books[name]), totalText(want[name]); got != want {
				t.Fatalf("%s holds %s, the newest import says %s", name, got, want)
			}
		}
	})
}

func add(t rapid.TB, books map[string]*domain.Totals, ps []domain.Posting) {
	for _, p := range ps {
		if books[p.Book] == nil {
			books[p.Book] = &domain.Totals{}
		}
		if err := books[p.Book].Add(p.Amount); err != nil {
			t.Fatal(err)
		}
	}
}

func totalText(s *domain.Totals) string {
	if s == nil {
		return "zero"
	}
	return s.String()
}

// other is a line that nobody can name.
func otherLine(id string, minor int64) domain.Movement {
	return domain.Movement{Kind: domain.LineOther, ID: id, Amount: domain.NewMoney(minor, domain.CNY), Bill: "fund_flow", Run: "run-1", Row: 7, At: noon}
}

// TestMovements: a line is booked once, whatever imports say it; lines without
// a number are as many as they are.
func TestMovements(t *testing.T) {
	t.Parallel()
	var book domain.Book
	lines := []domain.Movement{otherLine("m1", 500), otherLine("", -3), otherLine("", -3), otherLine("m2", 0), otherLine("m1", 500), otherLine("行", 1)}
	fs, differing, err := book.Movements(desk(), "2026-03-14", lines)
	if err != nil || len(fs) != 4 || len(differing) != 0 {
		t.Fatalf("booked %+v, differing %+v, %v", fs, differing, err)
	}
	taken(t, fs, book.Apply)
	first, _ := fs[0].(domain.MovementBooked)
	if !slices.Equal(first.Postings, legs("assets:psp:epay-main", "suspense:epay-main", "", five)) || first.Dates.ValueDate != "2026-03-14" {
		t.Errorf("booked %+v", first)
	}
	lines[0].Net = domain.NewMoney(499, domain.CNY)
	fs, differing, err = book.Movements(desk(), "2026-03-14", lines)
	if err != nil || len(fs) != 0 || len(differing) != 1 || differing[0].ID != "m1" {
		t.Errorf("again: booked %+v, differing %+v, %v", fs, differing, err)
	}
	if _, _, err := book.Movements(desk(), "2026-03-14", []domain.Movement{{Kind: domain.LinePayout, Amount: ten}}); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("a payout among other movements: %v", err)
	}
}

func payoutLine(kind domain.LineKind, minor int64) domain.Movement {
	return domain.Movement{Kind: kind, ID: "txn_1", PayoutID: "po_1", Amount: domain.NewMoney(minor, domain.CNY), Bill: "fund_flow", Run: "run-1", At: noon}
}

// TestPayout: each stage once, the money goes from balance to transit to bank,
// and back from where it is.
func TestPayout(t *testing.T) {
	t.Parallel()
	var p domain.Payout
	arrival := domain.Arrival{By: "person:li", Reason: "statement of March", Reference: "B-1", At: noon}
	if _, err := p.Arrive(desk(), arrival); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("arrived before it was sent: %v", err)
	}
	sent := payoutStep(t, &p, payoutLine(domain.LinePayout, 1000))
	if !slices.Equal(domain.PostingsOf(sent), legs("assets:transit", "assets:psp:epay-main", "", ten)) {
		t.Errorf("sent: %+v", sent)
	}
	if f, differs, err := p.Line(desk(), "2026-03-15", payoutLine(domain.LinePayout, 1000)); f != nil || differs || err != nil {
		t.Errorf("sent again: %+v, %t, %v", f, differs, err)
	}
	if f, differs, err := p.Line(desk(), "2026-03-15", payoutLine(domain.LinePayout, 900)); f != nil || !differs || err != nil {
		t.Errorf("sent with another amount: %+v, %t, %v", f, differs, err)
	}
	arrived := wantArrival(t, &p, arrival)
	if !slices.Equal(domain.PostingsOf(arrived), legs("assets:bank", "assets:transit", "", ten)) {
		t.Errorf("arrived: %+v", arrived)
	}
	if f, err := p.Arrive(desk(), arrival); f != nil || err != nil {
		t.Errorf("arrived again: %+v, %v", f, err)
	}
	failed := payoutStep(t, &p, payoutLine(domain.LinePayoutFailed, 1000))
	if !slices.Equal(domain.PostingsOf(failed), legs("assets:psp:epay-main", "assets:bank", "", ten)) {
		t.Errorf("failed: %+v", failed)
	}
}

// TestArrivalRefused: who may say that a payout arrived, and of what.
func TestArrivalRefused(t *testing.T) {
	t.Parallel()
	good := domain.Arrival{By: "person:li", Reason: "statement of March", Amount: ten, At: noon}
	for name, c := range map[string]struct {
		change func(*domain.Arrival)
		kind   domain.Kind
	}{
		"no person":      {func(a *domain.Arrival) { a.By = "" }, domain.KindDenied},
		"no reason":      {func(a *domain.Arrival) { a.Reason = "" }, domain.KindInvalid},
		"another amount": {func(a *domain.Arrival) { a.Amount = five }, domain.KindMismatch},
		"tomorrow":       {func(a *domain.Arrival) { a.At = noon.AddDate(0, 0, 9) }, domain.KindInvalid},
	} {
		var p domain.Payout
		payoutStep(t, &p, payoutLine(domain.LinePayout, 1000))
		a := good
		c.change(&a)
		if f, err := p.Arrive(desk(), a); f != nil || domain.KindOf(err) != c.kind {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	var p domain.Payout
	payoutStep(t, &p, payoutLine(domain.LinePayout, 1000))
	wantArrival(t, &p, good)
	good.By = "person:wang"
	if _, err := p.Arrive(desk(), good); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("a second person: %v", err)
	}
	var failed domain.Payout
	payoutStep(t, &failed, payoutLine(domain.LinePayoutFailed, 1000))
	payoutStep(t, &failed, payoutLine(domain.LinePayout, 1000)) // its bill came later
	if _, err := failed.Arrive(desk(), good); domain.KindOf(err) != domain.KindConflict {
		t.Errorf("a failed payout arrived: %v", err)
	}
}

func payoutStep(t testing.TB, p *domain.Payout, m domain.Movement) domain.Fact {
	t.Helper()
	f, differs, err := p.Line(desk(), "2026-03-14", m)
	if f == nil || differs || err != nil {
		t.Fatalf("line %+v: %+v, %t, %v", m, f, differs, err)
	}
	return taken(t, []domain.Fact{f}, p.Apply)[0]
}

func wantArrival(t testing.TB, p *domain.Payout, a domain.Arrival) domain.Fact {
	t.Helper()
	f, err := p.Arrive(desk(), a)
	if f == nil || err != nil {
		t.Fatalf("arrival %+v: %+v, %v", a, f, err)
	}
	return taken(t, []domain.Fact{f}, p.Apply)[0]
}

// TestPayoutStages: whatever bills say how often and in which order, the
// balance at the provider and the way sum to what happened once.
func TestPayoutStages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p domain.Payout
		books := map[string]*domain.Totals{}
		seen := map[domain.LineKind]bool{}
		for _, kind := range rapid.SliceOfN(rapid.SampledFrom([]domain.LineKind{domain.LinePayout, domain.LinePayoutFailed}), 1, 8).Draw(t, "lines") {
			seen[kind] = true
			f, differs, err := p.Line(desk(), "2026-03-14", payoutLine(kind, 1000))
			if err != nil || differs {
				t.Fatal(differs, err)
			}
			if f != nil {
				if err := p.Apply(f); err != nil {
					t.Fatal(err)
				}
				add(t, books, domain.PostingsOf(f))
			}
		}
		want := map[[2]bool]string{{true, false}: "10.00 CNY", {false, true}: "-10.00 CNY", {true, true}: "zero"}
		if got := totalText(books["assets:transit"]); got != want[[2]bool{seen[domain.LinePayout], seen[domain.LinePayoutFailed]}] {
			t.Fatalf("%v: on the way are %s", seen, got)
		}
	})
}
