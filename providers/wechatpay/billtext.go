package wechatpay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"

	"github.com/shopspring/decimal"
)

// maxBillLine is the longest line of a bill, in bytes; a genuine one has less
// than a thousand.
const maxBillLine = 16 << 10

// billScanner takes the text of a bill apart: heading, rows, heading of the
// totals, totals (bill format page of v3). Every value has a back quote before
// it and headings have none. Columns are found by their names: their order and
// their number differ between merchants.
type billScanner struct {
	in     *bufio.Reader
	row    int // number of the last row, from 1
	head   columns
	totals columns
}

// columns are one heading, and the values of the line that is read by it.
type columns struct {
	place  map[string]int
	values []string
}

func newBillScanner(r io.Reader) (*billScanner, error) {
	s := &billScanner{in: bufio.NewReaderSize(r, maxBillLine)}
	if bom, _ := s.in.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = s.in.Discard(3) // peeked just now
	}
	line, err := s.line()
	if err != nil {
		return nil, err
	}
	s.head, err = heading(line)
	return s, err
}

// next reads a row into head, or the totals into totals; false at the totals.
func (s *billScanner) next() (bool, error) {
	line, err := s.line()
	if err != nil {
		return false, err
	}
	if strings.HasPrefix(line, "`") {
		s.row++
		return true, s.head.take(line, s.row)
	}
	if s.totals, err = heading(line); err != nil {
		return false, err
	}
	if line, err = s.line(); err != nil {
		return false, err
	}
	if err := s.totals.take(line, s.row+1); err != nil {
		return false, err
	}
	return false, s.end()
}

// end refuses anything behind the totals.
func (s *billScanner) end() error {
	rest, err := io.ReadAll(io.LimitReader(s.in, 64))
	if err != nil {
		return corrupt(err, "bill cannot be read behind its totals")
	}
	if len(bytes.TrimRight(rest, "\r\n")) > 0 {
		return domain.E(domain.KindCorrupt, "bill goes on behind its totals")
	}
	return nil
}

// line is the next line without its end. A bill that ends without its totals was
// cut off.
func (s *billScanner) line() (string, error) {
	raw, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", domain.E(domain.KindCorrupt, "row %d: line is longer than %d bytes", s.row+1, maxBillLine)
	case errors.Is(err, io.EOF) && len(raw) == 0:
		return "", domain.E(domain.KindCorrupt, "bill ends behind row %d, without its totals", s.row)
	case err != nil && !errors.Is(err, io.EOF):
		return "", corrupt(err, "bill cannot be read behind row %d", s.row)
	}
	if !utf8.Valid(raw) {
		return "", domain.E(domain.KindCorrupt, "row %d: line is not UTF-8", s.row+1)
	}
	return string(bytes.TrimRight(raw, "\r\n")), nil
}

// corrupt is KindCorrupt for a bill that cannot be read to its end.
func corrupt(err error, format string, args ...any) error {
	return domain.E(domain.KindCorrupt, format+": %w", append(args, err)...)
}

func heading(line string) (columns, error) {
	c := columns{place: map[string]int{}}
	for i, name := range strings.Split(line, ",") {
		if _, twice := c.place[name]; twice || name == "" || strings.Contains(name, "`") {
			return c, domain.E(domain.KindCorrupt, "bill has no heading where one must be: %s", quoted(line))
		}
		c.place[name] = i
	}
	return c, nil
}

// take splits a row at ",`": a name of goods may have a comma in it.
func (c *columns) take(line string, row int) error {
	line, ok := strings.CutPrefix(line, "`")
	c.values = c.values[:0]
	for more := ok; more; {
		var value string
		value, line, more = strings.Cut(line, ",`")
		c.values = append(c.values, value)
	}
	if len(c.values) != len(c.place) {
		return domain.E(domain.KindCorrupt, "row %d has %d columns, its heading %d", row, len(c.values), len(c.place))
	}
	return nil
}

// text is the value in the first of these columns that the bill has.
func (c *columns) text(names ...string) string {
	for _, name := range names {
		if i, ok := c.place[name]; ok {
			return c.values[i]
		}
	}
	return ""
}

func (c *columns) has(name string) bool {
	_, ok := c.place[name]
	return ok
}

// fixedPlaces is how exactly the sums of a bill are kept. Fees have five.
const fixedPlaces = 6

// fixed is an amount of a bill in millionths.
type fixed int64

// parseFixed reads -?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?, and nothing else. An
// empty value is 0, as in columns that do not fit the row.
func parseFixed(text string) (fixed, decimal.Decimal, bool) {
	if text == "" {
		return 0, decimal.Decimal{}, true
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 10 || (whole[0] == '0' && len(whole) > 1) ||
		(point && fraction == "") || len(fraction) > fixedPlaces {
		return 0, decimal.Decimal{}, false
	}
	var n int64
	for _, part := range [...]string{whole, fraction} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return 0, decimal.Decimal{}, false
			}
			n = n*10 + int64(part[i]-'0')
		}
	}
	if negative {
		n = -n
	}
	d := decimal.New(n, -int32(len(fraction)))
	for range fixedPlaces - len(fraction) {
		n *= 10
	}
	return fixed(n), d, true
}

// money is an amount without a part below the unit of its currency.
func (f fixed) money(c domain.Currency) (domain.Money, bool) {
	unit := fixed(1)
	for range fixedPlaces - c.Places() {
		unit *= 10
	}
	if f%unit != 0 {
		return domain.Money{}, false
	}
	return domain.NewMoney(int64(f/unit), c), true
}

// rounded is an amount at the unit of its currency, halves away from zero.
func (f fixed) rounded(c domain.Currency) domain.Money {
	unit := fixed(1)
	for range fixedPlaces - c.Places() {
		unit *= 10
	}
	half := unit / 2
	if f < 0 {
		half = -half
	}
	return domain.NewMoney(int64((f+half)/unit), c)
}

// net is what moves on the balance: WeChat takes a fee in whole fen, halves up,
// of an amount that is whole itself.
func net(moved, fee fixed, c domain.Currency) domain.Money {
	return domain.NewMoney(moved.rounded(c).Minor()-fee.rounded(c).Minor(), c)
}

// plus is f + g; false beyond what can be counted.
func (f fixed) plus(g fixed) (fixed, bool) {
	sum := f + g
	return sum, (g >= 0) == (sum >= f)
}
