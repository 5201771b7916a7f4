package reports

import (
	"bufio"
	"fmt"
	"strings"

	"counterfoil/domain"
)

// hledger writes for hledger 1.25 and later, in strict mode: every account,
// commodity and payee is declared.
type hledger struct{}

func (hledger) extension() string { return ".journal" }

// accountTypes are hledger's letters for the roots of our books.
var accountTypes = map[string]string{"assets": "A", "liabilities": "L", "equity": "E", "income": "R", "expenses": "X"}

func (hledger) head(w *bufio.Writer, j *journal, months []string) {
	fmt.Fprint(w, "; The books as hledger reads them: hledger check --strict -f main.journal\n\ndecimal-mark .\n")
	for _, c := range j.sum.currencies() {
		fmt.Fprintf(w, "commodity %s\n", sampleOf(c))
	}
	for _, book := range j.sum.books() {
		root, _, _ := strings.Cut(book, ":")
		kind, known := accountTypes[root]
		if !known {
			kind = "L" // money in suspense is owed to somebody until people have looked
		}
		fmt.Fprintf(w, "account %s\n    ; type: %s\n", book, kind)
	}
	fmt.Fprint(w, "payee Counterfoil\n\n")
	for _, m := range months {
		fmt.Fprintf(w, "include %s\n", m)
	}
}

// sampleOf shows hledger the greatest precision of a currency, so that it does
// not take a part below it for nothing.
func sampleOf(c domain.Currency) string {
	sample := domain.NewMoney(0, c).Amount()
	if !strings.Contains(sample, ".") {
		sample += "."
	}
	return "1000" + sample[1:] + " " + string(c)
}

func (hledger) opening(w *bufio.Writer, day domain.Day, before balances) {
	fmt.Fprintf(w, "%s * Counterfoil | opening\n", day)
	for _, h := range before.all() {
		if !h.amount.IsZero() {
			fmt.Fprintf(w, "    %s  %s\n    %s  %s\n", h.book, h.amount, equityOpening, h.amount.Neg())
		}
	}
}

func (hledger) booking(w *bufio.Writer, b Booking) {
	fmt.Fprintf(w, "\n%s * Counterfoil | %s\n    ; event: %s", b.Date, word(b.Type), b.Event)
	for _, t := range tagsOf(b) {
		if t[1] != "" {
			fmt.Fprintf(w, ", %s: %s", t[0], tagValue(t[1]))
		}
	}
	fmt.Fprint(w, "\n")
	for _, p := range b.Postings {
		fmt.Fprintf(w, "    %s  %s", bookName(p), p.Amount)
		if p.Wallet != "" {
			fmt.Fprintf(w, "  ; wallet: %s", p.Wallet)
		}
		fmt.Fprint(w, "\n")
	}
}

func (hledger) closing(w *bufio.Writer, day domain.Day, after balances) {
	fmt.Fprintf(w, "\n%s * Counterfoil | closing\n", day)
	for _, h := range after.all() {
		fmt.Fprintf(w, "    %s  %s = %s\n", h.book, domain.NewMoney(0, h.amount.Currency()), h.amount)
	}
}

// proof is comments: hledger keeps what it does not count.
func (hledger) proof(w *bufio.Writer, _ domain.Day, p *Proof, bills []BillHash) {
	if p != nil {
		fmt.Fprintf(w, "\n; position: %s, events: %d", p.Position, p.Events)
		if p.Root != "" {
			fmt.Fprintf(w, ", root: %s, sealed: %d", p.Root, p.Sealed)
		}
		fmt.Fprint(w, "\n")
	}
	for _, b := range bills {
		fmt.Fprintf(w, "; bill: %s %s %s, run: %s, sha256: %s\n", b.Channel, b.Day, b.Bill, tagValue(b.Run), b.SHA256)
	}
}

// tagValue is a value in a tag: a comma would end it, a line break the comment.
// What would is written as its percent escape, and the percent sign too.
func tagValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == ',' || c == ';' || c == '%' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
