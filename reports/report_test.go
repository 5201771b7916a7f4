package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

// report folds a log the tests wrote.
func (a *author) report(t interface {
	Helper()
	Fatal(...any)
}, s Scope, each func(Booking) error,
) *Report {
	t.Helper()
	r, err := Make(a.all(), Options{
		Scope: s, Zone: shanghai, Software: "counterfoil test", Sealed: 5, Root: []byte{0xab, 0xcd},
		Unfinished: []Unfinished{{ID: "bill-x", Channel: "epay-a", Day: "2026-10-31", Bill: "trade", Cause: "provider_down", Note: "no <answer>"}},
	}, each)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What the books held, what moved and what they hold are the sums of the log,
// whatever was booked and when; all books together come to zero.
func TestOpeningAndMovementsAreClosing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bs := rapid.SliceOfN(someBooking, 0, 60).Draw(t, "bookings")
		a := newAuthor()
		for _, b := range bs {
			m := b.Postings[0].Amount
			if b.Postings[0].Book == b.Postings[1].Book {
				continue
			}
			a.put("payment-epay-a:X", domain.PaymentCredited{
				Amount: m, Dates: domain.Dates{ValueDate: string(b.Date), Period: string(monthOf(b.Date))}, Postings: b.Postings,
			})
		}
		scope := Scope{Period: "2026-11", Range: Period("2026-11").Range()}
		r := a.report(t, scope, nil)
		if got := r.trial(); slices.ContainsFunc(got, func(m domain.Money) bool { return !m.IsZero() }) {
			t.Fatalf("all books together: %v", got)
		}
		closing, opening := sums(bs, scope.To), sums(bs, scope.From.Add(-1))
		for _, b := range r.Books {
			k := b.Book + " " + string(b.Closing.Currency())
			if b.Opening.Minor() != opening[k] || b.Closing.Minor() != closing[k] ||
				b.Opening.Minor()+b.Debits.Minor()+b.Credits.Minor() != b.Closing.Minor() {
				t.Fatalf("%+v, want %d to %d", b, opening[k], closing[k])
			}
			delete(closing, k)
		}
		for k, v := range closing {
			if v != 0 {
				t.Fatalf("%s with %d is missing", k, v)
			}
		}
	})
}

// A month that was closed takes nothing more: late money stands on the first day
// of the month it was booked in.
func TestLateMoneyStandsInItsPeriod(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.at = time.Date(2026, 9, 30, 12, 0, 0, 0, shanghai)
	a.pay("epay-a", "O1", cny(730))
	late := a.dates()
	late.Period = "2026-10"
	a.put("payment-epay-a:O2", domain.PaymentCredited{
		Amount: cny(1), Dates: late, Postings: move(1, "", "assets:psp:epay-a", domain.BookWallet, cny(1)).Postings,
	})
	var got []Booking
	r := a.report(t, october, func(b Booking) error { got = append(got, b); return nil })
	if len(got) != 1 || got[0].Date != "2026-10-01" || got[0].Value != "2026-09-30" || r.Books[0].Opening != cny(730) || r.Books[0].Debits != cny(1) {
		t.Errorf("%+v\n%+v", got, r.Books)
	}
}

// The month tells what agreed, what differs since when, who put right what and
// why, what was kept, and the place of the log it goes up to.
func TestMonth(t *testing.T) {
	t.Parallel()
	a := theMonth(20)
	movements := 0
	r := a.report(t, october, func(b Booking) error { movements += len(b.Postings); return nil })
	days, matched := 31, 0
	for day := 3; day < 34; day++ {
		matched += 20 - day%3
	}
	if c := r.Counted(); len(r.Runs) != days || c.Matched != matched {
		t.Errorf("%d runs, %+v; want %d, %d matched", len(r.Runs), c, days, matched)
	}
	last := a.events[len(a.events)-1]
	if h := r.Head; h.Position != last.Position || h.Events != uint64(len(a.events)) || h.Root != "abcd" || h.Ledger != (domain.ID{7}) {
		t.Errorf("head %+v", h)
	}
	kinds := map[domain.DiscrepancyKind]int{}
	for _, o := range r.Open {
		kinds[o.Kind] += o.Count
	}
	if want := map[domain.DiscrepancyKind]int{domain.AmountMismatch: 3}; !maps.Equal(kinds, want) || r.Open[0].Amount.Minor()%67 != 0 {
		t.Errorf("open %+v", r.Open)
	}
	i := slices.IndexFunc(r.Differences, func(d Difference) bool { return d.Kind == domain.OnlyOurs })
	if i < 0 || r.Differences[i].Open || r.Differences[i].ResolvedBy != "bill-later" || r.Differences[i].Age != AgeThree {
		t.Errorf("%+v", r.Differences)
	}
	if len(r.Corrections) != 2 {
		t.Fatalf("%+v", r.Corrections)
	}
	hand, heal := r.Corrections[0], r.Corrections[1]
	if hand.ProposedBy != "amy" || hand.DecidedBy != "bob" || hand.State != domain.ProposalIssued || hand.Words != "seen" {
		t.Errorf("%+v", hand)
	}
	if !heal.Auto || heal.Amount != cny(900) || heal.Account != "user:7" || heal.ProposedBy != "sweep-1" {
		t.Errorf("%+v", heal)
	}
	if len(r.Charges) != days || r.Charges[0].Run == "" || r.Charges[0].SHA256 != "f0" || r.Charges[0].Channel != "epay-a" {
		t.Errorf("%d charges, %+v", len(r.Charges), r.Charges[0])
	}
	if movements == 0 || r.Bookings == 0 {
		t.Error("no bookings were handed on")
	}
}

// A month that was closed says by whom; another month's closing does not.
func TestClosedPeriod(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.put("periods", domain.PeriodClosed{Period: "2026-09", ProposedBy: "amy", By: "bob"})
	if r := a.report(t, october, nil); r.Closed != nil {
		t.Errorf("%+v", r.Closed)
	}
	a.put("periods", domain.PeriodClosed{Period: "2026-10", ProposedBy: "amy", By: "bob"})
	r := a.report(t, october, nil)
	var page bytes.Buffer
	if err := r.HTML(&page, LangEn); err != nil || r.Closed == nil || r.Closed.ApprovedBy != "bob" || !strings.Contains(page.String(), "closed by amy, bob") {
		t.Errorf("%+v, %v", r.Closed, err)
	}
}

// What a provider kept and what it paid out say by which bill, run or person.
func TestChargesAndPayouts(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.at = time.Date(2026, 10, 9, 12, 0, 0, 0, shanghai)
	a.put("book-wx:2026-10-08", domain.DiscountBooked{
		Channel: "wx", Day: "2026-10-08", Bill: "trade", Exact: "1.005", Run: "bill-8", SHA256: "c1", Dates: a.dates(),
		Postings: move(1, "", domain.BookDiscount("wx"), "assets:psp:wx", cny(101)).Postings,
	})
	a.put("payout-wx:po-1", domain.PayoutSent{
		Channel: "wx", PayoutID: "po-1", Amount: cny(500), Day: "2026-10-08", Bill: "fund_flow", Run: "bill-9", SHA256: "c2", Dates: a.dates(),
		Postings: move(1, "", "assets:transit", "assets:psp:wx", cny(500)).Postings,
	})
	a.put("payout-wx:po-1", domain.PayoutArrived{
		Channel: "wx", PayoutID: "po-1", Amount: cny(500), By: "amy", Statement: "c3", Dates: a.dates(),
		Postings: move(1, "", "assets:bank", "assets:transit", cny(500)).Postings,
	})
	s := domain.Stream("payment-wx:O1")
	a.put(s, domain.CorrectionProposed{Proposal: domain.ID{1}, Action: domain.ActionCredit, Amount: cny(1), By: "bill-8"})
	a.put(s, domain.CorrectionSeconded{Proposal: domain.ID{1}, By: "amy"})
	a.put(s, domain.CorrectionApproved{Proposal: domain.ID{1}, By: "bob"})
	r := a.report(t, october, nil)
	if len(r.Charges) != 1 || r.Charges[0].Kind != "discount" || r.Charges[0].Exact != "1.005" || r.Charges[0].Run != "bill-8" || r.Charges[0].Day != "2026-10-08" {
		t.Errorf("%+v", r.Charges)
	}
	if len(r.Payouts) != 2 {
		t.Fatalf("%+v", r.Payouts)
	}
	sent, arrived := r.Payouts[0], r.Payouts[1]
	if sent.Stage != "sent" || sent.ID != "po-1" || sent.By != "bill-9" || sent.SHA256 != "c2" || sent.Amount != cny(500) {
		t.Errorf("%+v", sent)
	}
	if arrived.Stage != "arrived" || arrived.By != "amy" || arrived.SHA256 != "c3" {
		t.Errorf("%+v", arrived)
	}
	if c := r.Corrections[0]; c.SecondedBy != "amy" || c.DecidedBy != "bob" {
		t.Errorf("%+v", c)
	}
}

// What customers spent is a flow of its own, under the application's numbers; a
// wallet below zero stands in the books as it is.
func TestDraws(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.at = time.Date(2026, 10, 9, 12, 0, 0, 0, shanghai)
	spent := func(m domain.Money) []domain.Posting {
		return move(1, "", domain.BookWallet, domain.BookDrawn, m).Postings
	}
	a.put("draw-log:7", domain.AccountDrawn{Number: "log:7", Account: "user:42", Amount: cny(500), Zone: "UTC", Dates: a.dates(), Postings: spent(cny(500))})
	a.put("draw-log:8", domain.AccountDrawn{Number: "log:8", Account: "user:42", Amount: cny(100), Zone: "UTC", Dates: a.dates(), Postings: spent(cny(100))})
	a.put("draw-log:8", domain.DrawReversed{Number: "log:8", Account: "user:42", Amount: cny(100), Reason: "failed", Zone: "UTC", Dates: a.dates(), Postings: spent(cny(-100))})
	var refs []string
	r := a.report(t, october, func(b Booking) error {
		refs = append(refs, word(b.Type)+" "+b.Ref+string(b.Channel)+b.OrderNo)
		return nil
	})
	if want := []string{"account drawn log:7", "account drawn log:8", "draw reversed log:8"}; !slices.Equal(refs, want) {
		t.Errorf("bookings %q, want %q", refs, want)
	}
	for _, b := range r.Books {
		if b.Book == domain.BookDrawn && b.Closing != cny(-500) || b.Book == domain.BookWallet && b.Closing != cny(500) {
			t.Errorf("%s closes with %s", b.Book, b.Closing)
		}
	}
	if len(r.Books) != 2 || len(r.Flows) != 2 {
		t.Errorf("%d books and flows %+v", len(r.Books), r.Flows)
	}
}

// A channel's report has that channel's movements alone, a run's that run.
func TestScope(t *testing.T) {
	t.Parallel()
	a := theMonth(4)
	s := october
	s.Channel = "stripe-jp"
	r := a.report(t, s, nil)
	if len(r.Runs) != 0 || len(r.Corrections) != 0 || len(r.Books) != 2 || r.Books[0].Closing.Currency() != domain.JPY {
		t.Errorf("%d runs, %d corrections, books %+v", len(r.Runs), len(r.Corrections), r.Books)
	}
	all := a.report(t, october, nil)
	run := all.Runs[4]
	one := a.report(t, Scope{Run: run.ID, Channel: run.Channel, Range: Range{From: run.Day, To: run.Day}}, nil)
	if len(one.Runs) != 1 || one.Runs[0].SHA256 != run.SHA256 || len(one.Charges) != 1 || one.Charges[0].Run != run.ID {
		t.Errorf("%+v\n%+v", one.Runs, one.Charges)
	}
	if got, err := FindRun(a.all(), run.ID); err != nil || got.Channel != run.Channel || got.From != run.Day || got.To != run.Day {
		t.Errorf("found %+v, %v", got, err)
	}
	if _, err := FindRun(a.all(), "bill-none"); domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("an unknown run: %v", err)
	}
}

// A bill that changed is compared again: only its newest import counts.
func TestNewestImportCounts(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.compare("epay-a", "2026-10-03", 5, 2, cny(0))
	a.compare("epay-a", "2026-10-03", 7, 0, cny(0))
	if c := a.report(t, october, nil).Counted(); c.Matched != 7 || c.Differing != 0 {
		t.Errorf("%+v", c)
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]Age{
		0: AgeHour, time.Hour: AgeHour, time.Hour + 1: AgeDay, 24 * time.Hour: AgeDay, 24*time.Hour + 1: AgeThree, 72 * time.Hour: AgeThree,
		7 * 24 * time.Hour: AgeWeek, 7*24*time.Hour + 1: AgeOlder, -time.Hour: AgeHour,
	} {
		if got := AgeOf(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	for p, want := range map[Period]Range{
		"2026-02": {"2026-02-01", "2026-02-28"}, "2028-02": {"2028-02-01", "2028-02-29"}, "2026-12": {"2026-12-01", "2026-12-31"}, "2026-01": {"2026-01-01", "2026-01-31"},
	} {
		if got := p.Range(); got != want {
			t.Errorf("%s is %+v", p, got)
		}
	}
	for _, bad := range []string{"", "2026", "2026-13", "2026-1", "2026-10-01"} {
		if _, err := ParsePeriod(bad); domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The same log gives the same bytes, and they read back.
func TestJSON(t *testing.T) {
	t.Parallel()
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := theMonth(3).report(t, october, nil).JSON(w); err != nil {
			t.Fatal(err)
		}
	}
	var back Report
	if err := json.Unmarshal(one.Bytes(), &back); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Fatalf("%v, equal %t", err, bytes.Equal(one.Bytes(), two.Bytes()))
	}
	if back.Scope.Period != "2026-10" || len(back.Runs) != 31 || back.Books[0].Closing.IsZero() {
		t.Errorf("%+v", back.Scope)
	}
}

// A page needs nothing but itself, runs nothing, and lets no stranger's word
// become markup.
func TestHTML(t *testing.T) {
	t.Parallel()
	r := theMonth(5).report(t, october, nil)
	for l, want := range map[Lang][]string{
		LangBoth: {"对账与账簿", "Reconciliation and books", `lang="zh-CN"`}, LangEn: {"Reconciliation and books", `lang="en"`}, LangZh: {"对账与账簿"},
	} {
		var out bytes.Buffer
		if err := r.HTML(&out, l); err != nil {
			t.Fatal(err)
		}
		page := out.String()
		for _, w := range append(want, "<svg", "</html>", "the buyer wrote &lt;b&gt;in&lt;/b&gt;", "no &lt;answer&gt;", "counterfoil test", "abcd") {
			if !strings.Contains(page, w) {
				t.Errorf("%s: %q is not on the page", l, w)
			}
		}
		for _, bad := range []string{"<script", "http://", "https://", "src=", "@import", "url(", "<b>in</b>", "ZgotmplZ", "NaN", "Inf"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: %q is on the page", l, bad)
			}
		}
		han := strings.IndexFunc(page, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		if l == LangEn && han >= 0 || l == LangZh && (strings.Contains(page, "Reconciliation and books") || strings.Contains(page, "Head position")) {
			t.Errorf("%s speaks the other language: %.60s", l, page[max(0, han):])
		}
	}
	if err := r.HTML(&bytes.Buffer{}, "fr"); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("French: %v", err)
	}
	var empty bytes.Buffer
	none, err := Make(newAuthor().all(), Options{Scope: october}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := none.HTML(&empty, ""); err != nil || strings.Contains(empty.String(), "NaN") || !strings.Contains(empty.String(), "未对账") {
		t.Errorf("an empty month: %v", err) // that nothing differs would be no praise
	}
}

// Tables hold what strangers wrote as text that no spreadsheet runs.
func TestCSVTable(t *testing.T) {
	t.Parallel()
	r := theMonth(3).report(t, october, nil)
	s, err := r.Sheet("Differences")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := CSVTable(&out, s, shanghai, CSVOptions{BOM: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "\ufeffchannel,day,kind,state,age,") || !strings.Contains(out.String(), ",'=cmd|'26'!A1,") {
		t.Errorf("%s", out.String())
	}
	if _, err := r.Sheet("Secrets"); domain.KindOf(err) != domain.KindInvalid {
		t.Errorf("%v", err)
	}
	for _, s := range r.Sheets() {
		for _, row := range s.Rows {
			if len(row) != len(s.Columns) {
				t.Errorf("%s has %d columns and a row of %d", s.Name, len(s.Columns), len(row))
			}
		}
		if err := CSVTable(failing{}, s, nil, CSVOptions{}); len(s.Rows) > 0 && err == nil {
			t.Errorf("%s: a full disk is no error", s.Name)
		}
	}
}

// failing is a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// A tree that covers nothing proves nothing: its root is not told.
func TestRootOfNothing(t *testing.T) {
	t.Parallel()
	r, err := Make(newAuthor().all(), Options{Scope: october, Root: []byte{1}}, nil)
	if err != nil || r.Head.Root != "" {
		t.Errorf("%+v, %v", r.Head, err)
	}
}

// What the log cannot give is the report's error.
func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := Make(func(yield func(Event, error) bool) { yield(Event{}, broken) }, Options{Scope: october}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	a := theMonth(1)
	if _, err := Make(a.all(), Options{Scope: october}, func(Booking) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	a.put("payment-a:O", domain.PaymentCredited{Dates: a.dates(), Postings: []domain.Posting{{Book: "assets:bank", Amount: cny(1)}}})
	if _, err := Make(a.all(), Options{Scope: october}, nil); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("postings that do not balance: %v", err)
	}
}
