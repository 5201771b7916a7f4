package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
)

// folder keeps a report's files.
type folder struct {
	dir string
	bad string // a file that cannot be made
}

func (f folder) Create(name string) (io.WriteCloser, error) {
	if name == f.bad {
		return nil, domain.E(domain.KindUnavailable, "the disk is full")
	}
	return os.Create(filepath.Join(f.dir, name))
}

func each(bs []Booking) iter.Seq2[Booking, error] {
	return func(yield func(Booking, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

var at = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

// move is a booking that moves m from one book to another.
func move(n int, day domain.Day, debit, credit string, m domain.Money) Booking {
	b := Booking{
		Date: day, Recorded: at, Event: domain.NewV5(domain.ID{1}, fmt.Sprint(n)), Type: "payment.credited.v1",
		Stream: "payment-epay-a:O1", Channel: "epay-a", OrderNo: fmt.Sprintf("O,%d;%%\"\\", n), TradeNo: fmt.Sprint("T", n),
		Postings: []domain.Posting{{Book: debit, Amount: m}, {Book: credit, Amount: m.Neg()}},
	}
	for i := range b.Postings {
		if b.Postings[i].Book == domain.BookWallet {
			b.Postings[i].Wallet = "user:42"
		}
	}
	return b
}

// someBooks have every root that books have, and currencies of 0, 2 and 6
// places.
var someBooks = []string{
	"assets:psp:epay-a", "assets:psp:9-x", domain.BookWallet, domain.BookParked, "assets:disputes:epay-a", "suspense:epay-a",
	"expenses:chargeback", "expenses:dispute-fee:epay-a", "income:unclaimed", "equity:opening", domain.BookDrawn,
}

var someMoney = rapid.Custom(func(t *rapid.T) domain.Money {
	c := rapid.SampledFrom([]domain.Currency{domain.CNY, domain.JPY, domain.USDT, domain.QUOTA}).Draw(t, "currency")
	return domain.NewMoney(rapid.Int64Range(1, 1_000_000_000).Draw(t, "minor"), c)
})

var someBooking = rapid.Custom(func(t *rapid.T) Booking {
	two := rapid.SliceOfNDistinct(rapid.SampledFrom(someBooks), 2, 2, rapid.ID[string]).Draw(t, "books")
	day := domain.Day("2026-10-30").Add(rapid.IntRange(0, 70).Draw(t, "day"))
	b := move(rapid.IntRange(0, 1e6).Draw(t, "n"), day, two[0], two[1], someMoney.Draw(t, "amount"))
	b.OrderNo = rapid.StringMatching(`[!-~]{0,20}`).Draw(t, "order")
	return b
})

// aProof has what a month's proof has.
func aProof() *Proof {
	return &Proof{
		Position: 5120, Events: 61, Sealed: 60, Root: "ab12",
		Bills: []BillHash{{"epay-a", "2026-11-22", "trade", "bill-1", "cd34"}, {"epay-a", "2026-12-01", "trade", "bill-2", "ef56"}},
	}
}

// sums are the balances that bookings come to up to a day, the slow way.
func sums(bs []Booking, to domain.Day) map[string]int64 {
	out := map[string]int64{}
	for _, b := range bs {
		if to != "" && b.Date > to {
			continue
		}
		for _, p := range b.Postings {
			out[p.Book+" "+string(p.Amount.Currency())] += p.Amount.Minor()
		}
	}
	return out
}

// check runs a checker on a journal, where it is installed.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, dir string, args ...string,
) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...) // the tests' own words
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		main, _ := os.ReadFile(filepath.Join(dir, "main.journal"))
		t.Fatalf("%v: %v\n%s\n%s", args, err, out, main)
	}
	return string(out)
}

func installed(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: make tools installs it", program)
	}
}

// hledger accepts in its strict mode whatever the books hold, and its balances
// are ours.
func TestHledgerAccepts(t *testing.T) {
	t.Parallel()
	installed(t, "hledger")
	accepted(t, 12, Hledger, func(t *rapid.T, dir string, want map[string]int64) {
		check(t, dir, "hledger", "check", "--strict", "-f", "main.journal")
		got := map[string]int64{}
		rows, err := csv.NewReader(strings.NewReader(check(t, dir, "hledger", "balance", "-f", "main.journal", "-N", "-E", "--layout=bare", "-O", "csv"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			if row[1] == "" {
				continue
			}
			m, err := domain.ParseMoney(strings.TrimPrefix(row[2], "-"), domain.Currency(row[1]))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(row[2], "-") {
				m = m.Neg()
			}
			got[row[0]+" "+row[1]] = m.Minor()
		}
		same(t, got, want)
	})
}

// bean-check accepts it too; its assertions name our balances to the last digit.
func TestBeancountAccepts(t *testing.T) {
	t.Parallel()
	installed(t, "bean-check")
	accepted(t, 8, Beancount, func(t *rapid.T, dir string, _ map[string]int64) {
		if out := check(t, dir, "bean-check", "main.beancount"); strings.TrimSpace(out) != "" {
			t.Fatalf("bean-check says\n%s", out)
		}
	})
}

func accepted(
	t *testing.T, rounds int, write func(Files, iter.Seq2[Booking, error], Range, *Proof) (Summary, error),
	judge func(t *rapid.T, dir string, want map[string]int64),
) {
	t.Helper()
	left := rounds
	rapid.Check(t, func(rt *rapid.T) {
		if left--; left < 0 {
			return // a checker takes a second to start
		}
		dir := t.TempDir()
		bs := rapid.SliceOfN(someBooking, 1, 40).Draw(rt, "bookings")
		r := Range{}
		if rapid.Bool().Draw(rt, "bounded") {
			r = Range{From: "2026-11-10", To: "2026-12-20"}
		}
		s, err := write(folder{dir: dir}, each(bs), r, aProof())
		if err != nil {
			rt.Fatal(err)
		}
		want := sums(bs, r.To)
		got := map[string]int64{}
		for _, c := range s.Closing {
			if c.Book != equityOpening {
				got[c.Book+" "+string(c.Amount.Currency())] = c.Amount.Minor()
			}
		}
		for k := range want {
			if strings.HasPrefix(k, equityOpening) {
				delete(want, k) // it holds the opening besides
			}
		}
		same(rt, got, want)
		judge(rt, dir, want)
	})
}

// same compares balances; a zero one may be missing, and equity is not looked at.
func same(t *rapid.T, got, want map[string]int64) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("%s is %d, want %d", k, got[k], v)
		}
	}
	for k, v := range got {
		if v != 0 && want[k] != v && !strings.HasPrefix(k, equityOpening) {
			t.Fatalf("%s is %d, want %d", k, v, want[k])
		}
	}
}

// A balance that is wrong in the last digit is not accepted: the assertions
// mean something.
func TestCheckersRefuseAWrongBalance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program, file string
		args          []string
		write         func(Files, iter.Seq2[Booking, error], Range, *Proof) (Summary, error)
	}{
		{"hledger", "closing.journal", []string{"check", "--strict", "-f", "main.journal"}, Hledger},
		{"bean-check", "closing.beancount", []string{"main.beancount"}, Beancount},
	} {
		t.Run(c.program, func(t *testing.T) {
			t.Parallel()
			installed(t, c.program)
			dir := t.TempDir()
			if _, err := c.write(folder{dir: dir}, each([]Booking{move(1, "2026-11-22", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(730, domain.CNY))}), Range{}, aProof()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			text, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(text, []byte("7.30")) {
				t.Fatalf("%v\n%s", err, text)
			}
			if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("7.30"), []byte("7.31")), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(c.program, c.args...) // the tests' own words
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("accepted:\n%s", out)
			}
		})
	}
}

// The same books give the same bytes, months apart, wallets on the posting.
func TestHledgerWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bs := []Booking{
		move(1, "2026-10-31", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(500, domain.CNY)),
		move(2, "2026-11-22", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(730, domain.CNY)),
		move(3, "2026-11-23", "assets:psp:epay-a", domain.BookParked, domain.NewMoney(5, domain.JPY)),
	}
	s, err := Hledger(folder{dir: dir}, each(bs), Range{From: "2026-11-01"}, aProof())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"main.journal", "opening.journal", "2026-11.journal", "closing.journal"}; !slices.Equal(s.Files, want) || s.Bookings != 2 {
		t.Errorf("%+v", s)
	}
	month, err := os.ReadFile(filepath.Join(dir, "2026-11.journal"))
	if end := "\n2026-11-30 * Counterfoil | closing\n"; err != nil || !strings.Contains(string(month), end) ||
		!strings.Contains(string(month), "; bill: epay-a 2026-11-22 trade, run: bill-1, sha256: cd34\n") || strings.Contains(string(month), "ef56") {
		t.Errorf("the month (%v) is\n%s", err, month)
	}
	for name, want := range map[string]string{
		"main.journal":    "commodity 1000.00 CNY\ncommodity 1000. JPY\naccount assets:psp:epay-a\n    ; type: A\n",
		"opening.journal": "2026-11-01 * Counterfoil | opening\n    assets:psp:epay-a  5.00 CNY\n    equity:opening  -5.00 CNY\n",
		"2026-11.journal": "\n2026-11-22 * Counterfoil | payment credited\n    ; event: " + bs[1].Event.String() +
			", channel: epay-a, order: O%2C2%3B%25\"\\, trade: T2\n    assets:psp:epay-a  7.30 CNY\n    liabilities:wallet  -7.30 CNY  ; wallet: user:42\n",
		"closing.journal": "    liabilities:wallet  0.00 CNY = -12.30 CNY\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s (%v) is\n%s\nwant in it\n%s", name, err, text, want)
		}
	}
}

func TestBeancountAccounts(t *testing.T) {
	t.Parallel()
	for book, want := range map[string]string{
		"assets:psp:epay-a": "Assets:Psp:Epay-a", "assets:psp:9-x": "Assets:Psp:9-x", "suspense:epay-a": "Liabilities:Suspense:Epay-a",
		"expenses:dispute-fee:a": "Expenses:Dispute-fee:A", "liabilities:wallet": "Liabilities:Wallet",
	} {
		if got := accountOf(book); got != want {
			t.Errorf("%s is %s, want %s", book, got, want)
		}
	}
}

// Bookings that do not balance, that have no day, or that cannot be written end
// the report with an error.
func TestReportsRefuse(t *testing.T) {
	t.Parallel()
	good := move(1, "2026-11-22", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(1, domain.CNY))
	crooked, dayless := move(2, "2026-11-22", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(1, domain.CNY)), good
	crooked.Postings[0].Amount = domain.NewMoney(2, domain.CNY)
	dayless.Date = "22.11.2026"
	for name, c := range map[string]struct {
		b   Booking
		bad string
	}{
		"crooked": {crooked, ""}, "dayless": {dayless, ""}, "no month": {good, "2026-11.journal"}, "no main file": {good, "main.journal"},
		"no closing": {good, "closing.journal"},
	} {
		if _, err := Hledger(folder{t.TempDir(), c.bad}, each([]Booking{c.b}), Range{}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s, err := Hledger(folder{dir: t.TempDir()}, each(nil), Range{}, nil); err != nil || s.Bookings != 0 {
		t.Errorf("nothing to report: %+v, %v", s, err)
	}
}

// What a stranger wrote runs nowhere; what we wrote is a number.
func TestCSVIsHarmless(t *testing.T) {
	t.Parallel()
	b := move(1, "2026-11-22", "assets:psp:epay-a", domain.BookWallet, domain.NewMoney(730, domain.CNY))
	b.OrderNo, b.TradeNo = "=HYPERLINK(\"http://evil\")", "-1+1|cmd"
	b.Postings[1].Wallet = "@user"
	var out bytes.Buffer
	n, err := CSV(&out, each([]Booking{b}), Range{}, CSVOptions{BOM: true})
	if err != nil || n != 2 || !strings.HasPrefix(out.String(), "\ufeffdate,") {
		t.Fatalf("%d rows, %v\n%s", n, err, out.String())
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	want := []string{
		"2026-11-22", "2026-11-22T01:02:03Z", b.Event.String(), "payment.credited.v1", "epay-a", "'=HYPERLINK(\"http://evil\")", "'-1+1|cmd",
		"", "liabilities:wallet", "'@user", "-7.30", "CNY",
	}
	if !slices.Equal(rows[2], want) {
		t.Errorf("row %q\nwant %q", rows[2], want)
	}
}

// The booking of a fact says what people look for.
func TestOf(t *testing.T) {
	t.Parallel()
	f := domain.PaymentRefunded{
		TradeNo: "T1", RefundID: "R1", Amount: domain.NewMoney(1, domain.CNY), Dates: domain.Dates{ValueDate: "2026-11-22"},
		Postings: move(1, "", "suspense:a", "assets:psp:a", domain.NewMoney(1, domain.CNY)).Postings,
	}
	b, ok := Of(f, domain.ID{7}, "payment-a:O1", at)
	if !ok || b.Channel != "a" || b.OrderNo != "O1" || b.TradeNo != "T1" || b.Ref != "R1" || b.Date != "2026-11-22" || len(b.Postings) != 2 {
		t.Errorf("%+v", b)
	}
	if b, _ := Of(f, domain.ID{7}, "payment-a:~5e88", at); b.OrderNo != "" || b.Channel != "a" {
		t.Errorf("%+v", b)
	}
	if _, ok := Of(domain.PaymentClosed{Cause: domain.ClosedExpired}, domain.ID{7}, "payment-a:O1", at); ok {
		t.Error("a close moves money")
	}
}
