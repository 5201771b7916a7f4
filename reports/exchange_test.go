package reports

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
)

// change books what a bill exchanged.
func (a *author) change(ch domain.ChannelID, day domain.Day, from, to domain.Money) {
	d := a.dates()
	d.ValueDate, d.Period = string(day), string(monthOf(day))
	var postings []domain.Posting
	for _, p := range []domain.Posting{
		{Book: domain.BookPSP(ch), Amount: from.Neg()},
		{Book: domain.BookConversion, Amount: from},
		{Book: domain.BookConversion, Amount: to.Neg()},
		{Book: domain.BookPSP(ch), Amount: to},
	} {
		if !p.Amount.IsZero() {
			postings = append(postings, p)
		}
	}
	a.put(domain.BookStream(ch, day), domain.FXBooked{
		Channel: ch, Day: day, Bill: "fund_flow", From: from, To: to, TotalFrom: from, TotalTo: to, Run: "bill-x", SHA256: "f1", Dates: d, Postings: postings,
	})
}

// abroad is a channel that is paid in yen and euro and settles in dollars.
func abroad() *author {
	a := newAuthor()
	yen := func(n int64) domain.Money { return domain.NewMoney(n, domain.JPY) }
	usd := func(n int64) domain.Money { return domain.NewMoney(n, domain.USD) }
	a.at = time.Date(2026, 9, 29, 9, 0, 0, 0, shanghai)
	a.pay("card", "A0", yen(5000))
	a.change("card", "2026-09-29", yen(5000), usd(3200))
	a.at = time.Date(2026, 10, 3, 9, 0, 0, 0, shanghai)
	a.pay("card", "A1", yen(10_000))
	a.pay("card", "A2", domain.NewMoney(2000, "EUR"))
	a.change("card", "2026-10-03", domain.NewMoney(2000, "EUR"), usd(2160))
	a.change("card", "2026-10-03", yen(10_000), usd(6500))
	a.at = a.at.AddDate(0, 0, 2)
	a.refund("card", "A1", yen(4000))
	a.change("card", "2026-10-05", yen(-4000), usd(-2700)) // the yen rose: 2600 came for them
	a.change("card", "2026-10-03", yen(0), usd(15))        // that day's bill was changed
	a.at = a.at.AddDate(0, 0, 1)
	a.change("card", "2026-10-06", yen(-7000), usd(-4500)) // more than this month changed
	a.test("card", "TRY", yen(1))
	return a
}

// Each exchange has its rate, and what it won or lost is the difference to what
// the money brought before.
func TestExchange(t *testing.T) {
	t.Parallel()
	r := abroad().report(t, october, nil)
	want := [][4]string{
		{"20.00 EUR", "21.60 USD", "1.08", ""},
		{"10000 JPY", "65.00 USD", "0.0065", ""},
		{"-4000 JPY", "-27.00 USD", "0.00675", "-1.00 USD"},
		{"0 JPY", "0.15 USD", "", "0.15 USD"},
		{"-7000 JPY", "-45.00 USD", "0.00642857", ""},
	}
	if len(r.Exchanges) != len(want) {
		t.Fatalf("%+v", r.Exchanges)
	}
	for i, x := range r.Exchanges {
		gain := ""
		if x.Gain.Currency() != "" {
			gain = x.Gain.String()
		}
		if got := [4]string{x.From.String(), x.To.String(), x.Rate, gain}; got != want[i] || x.Channel != "card" || x.SHA256 != "f1" {
			t.Errorf("%d: %v, want %v", i, got, want[i])
		}
	}
	for l, words := range map[Lang][]string{LangEn: {"Gain or loss", "-0.85", ">0.0065<"}, LangZh: {"汇兑损益", "-0.85", ">0.0065<"}} {
		var page bytes.Buffer
		if err := r.HTML(&page, l); err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(page.String(), w) && !strings.Contains(page.String(), strings.Replace(w, "-", "−", 1)) {
				t.Errorf("%s: %q is not on the page", l, w)
			}
		}
	}
}

// What was changed stands in equity:conversion, the same in the report's tables
// and in both journals, which their programs accept; and what tries a channel
// stands beside the wallets in all of them.
func TestExchangeInEveryForm(t *testing.T) {
	t.Parallel()
	installed(t, "hledger")
	installed(t, "bean-check")
	log := abroad().stored(t)
	s := Source{Log: log, Zone: shanghai, Index: folded(t, log, 0)}
	var r Report
	if err := json.Unmarshal(written(t, s, Query{Period: "2026-10", Format: FormatJSON}), &r); err != nil {
		t.Fatal(err)
	}
	moved := map[domain.Currency]int64{}
	for _, x := range r.Exchanges {
		moved[x.From.Currency()] += x.From.Minor()
		moved[x.To.Currency()] -= x.To.Minor()
	}
	closing := map[string]string{}
	for _, b := range r.Books {
		closing[b.Book+" "+string(b.Closing.Currency())] = b.Closing.String()
		if b.Book == domain.BookConversion && b.Debits.Minor()+b.Credits.Minor() != moved[b.Closing.Currency()] {
			t.Errorf("%+v, and the exchanges come to %d", b, moved[b.Closing.Currency()])
		}
	}
	if closing[domain.BookWallet+" JPY"] != "-11000 JPY" || closing[BookTestWallet+" JPY"] != "-1 JPY" {
		t.Errorf("wallets: %v", closing)
	}
	for name, c := range map[string]struct {
		write func(Files, iter.Seq2[Booking, error], Range, *Proof) (Summary, error)
		check []string
	}{
		"hledger": {Hledger, []string{"hledger", "check", "--strict", "-f", "main.journal"}}, "beancount": {Beancount, []string{"bean-check", "main.beancount"}},
	} {
		dir, proof := t.TempDir(), &Proof{}
		bookings, err := s.Bookings(t.Context(), october.Range, "", proof)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := c.write(folder{dir: dir}, bookings, october.Range, proof)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range sum.Closing {
			if k := c.Book + " " + string(c.Amount.Currency()); c.Book != equityOpening && closing[k] != c.Amount.String() {
				t.Errorf("%s: %s is %s, in the report %s", name, c.Book, c.Amount, closing[k])
			}
		}
		check(t, dir, c.check...)
	}
}
