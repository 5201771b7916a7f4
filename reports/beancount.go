package reports

import (
	"bufio"
	"fmt"
	"strings"

	"counterfoil/domain"
)

// beancount writes for beancount 2 and 3. Assertions name a tolerance of zero:
// without it a balance that is a cent wrong passes.
type beancount struct{}

func (beancount) extension() string { return ".beancount" }

func (beancount) head(w *bufio.Writer, j *journal, months []string) {
	fmt.Fprint(w, "; The books as beancount reads them: bean-check main.beancount\n")
	fmt.Fprint(w, "option \"title\" \"Counterfoil\"\noption \"inferred_tolerance_multiplier\" \"0\"\n")
	for _, c := range j.sum.currencies() {
		fmt.Fprintf(w, "option \"operating_currency\" %q\n", string(c))
	}
	for _, c := range j.sum.currencies() {
		fmt.Fprintf(w, "%s commodity %s\n", j.first, c)
	}
	for _, book := range j.sum.books() {
		fmt.Fprintf(w, "%s open %s\n  book: %s\n", j.first, accountOf(book), quoted(book))
	}
	fmt.Fprint(w, "\n")
	for _, m := range months {
		fmt.Fprintf(w, "include %q\n", m)
	}
}

// roots are beancount's own five, and where our other books belong.
var roots = map[string]string{
	"assets": "Assets", "liabilities": "Liabilities", "equity": "Equity", "income": "Income", "expenses": "Expenses",
}

// accountOf is a book as an account: each part begins with a capital or a digit.
func accountOf(book string) string {
	parts := strings.Split(book, ":")
	for i, part := range parts {
		parts[i] = strings.ToUpper(part[:1]) + part[1:]
	}
	root, known := roots[strings.ToLower(parts[0])]
	if !known {
		return "Liabilities:" + strings.Join(parts, ":")
	}
	parts[0] = root
	return strings.Join(parts, ":")
}

func (beancount) opening(w *bufio.Writer, day domain.Day, before balances) {
	fmt.Fprintf(w, "%s * \"Counterfoil\" \"opening\"\n", day)
	for _, h := range before.all() {
		if !h.amount.IsZero() {
			fmt.Fprintf(w, "  %s  %s\n  %s  %s\n", accountOf(h.book), h.amount, accountOf(equityOpening), h.amount.Neg())
		}
	}
}

func (beancount) booking(w *bufio.Writer, b Booking) {
	fmt.Fprintf(w, "\n%s * \"Counterfoil\" %s\n  event: %s\n", b.Date, quoted(word(b.Type)), quoted(b.Event.String()))
	for _, t := range tagsOf(b) {
		if t[1] != "" {
			fmt.Fprintf(w, "  %s: %s\n", t[0], quoted(t[1]))
		}
	}
	for _, p := range b.Postings {
		fmt.Fprintf(w, "  %s  %s\n", accountOf(bookName(p)), p.Amount)
		if p.Wallet != "" {
			fmt.Fprintf(w, "    wallet: %s\n", quoted(string(p.Wallet)))
		}
	}
}

// closing: a balance is that of the day's beginning, so it stands on the next.
func (beancount) closing(w *bufio.Writer, day domain.Day, after balances) {
	for _, h := range after.all() {
		zero := domain.NewMoney(0, h.amount.Currency())
		fmt.Fprintf(w, "%s balance %s  %s ~ %s %s\n", day.Add(1), accountOf(h.book), h.amount.Amount(), zero.Amount(), h.amount.Currency())
	}
}

// proof is directives that beancount keeps and does not judge.
func (beancount) proof(w *bufio.Writer, day domain.Day, p *Proof, bills []BillHash) {
	if p != nil {
		fmt.Fprintf(w, "\n%s custom \"checkpoint\" %s %d %s %d\n", day, quoted(p.Position.String()), p.Events, quoted(p.Root), p.Sealed)
	}
	for _, b := range bills {
		fmt.Fprintf(w, "%s custom \"bill\" %s %s %s %s\n", b.Day, quoted(string(b.Channel)), quoted(b.Bill), quoted(b.Run), quoted(b.SHA256))
	}
}

// quoted is a text in beancount's quotes.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
