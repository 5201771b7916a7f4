package alipay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"counterfoil/domain"
	"counterfoil/providers"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// maxLine is the longest line of a bill, in bytes of UTF-8.
const maxLine = 64 << 10

// ReadBill yields the rows of a bill, in constant memory. It ends after the
// first error; see providers.Biller. The sums at the end of the file have to
// agree with the rows, because Alipay names no hash of a bill. The trade bill
// says what the merchant gave away (Discount, of payments and of refunds), the
// account bill what stood there after each movement (Balance), with Alipay's
// number of it (ID); payouts have the number of their business as PayoutID.
func (c *Channel) ReadBill(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		if f.Empty {
			return
		}
		layout, ok := layouts[f.Question.Kind]
		if !ok {
			yield(domain.BillLine{}, domain.EField(domain.KindInvalid, "kind", "%q is no bill of Alipay's", f.Question.Kind))
			return
		}
		file, err := detailFile(r, layout.what)
		if err != nil {
			yield(domain.BillLine{}, err)
			return
		}
		defer file.Close()
		b := newBill(file, layout, f.Question.Day, c.cfg.SellerID)
		for {
			line, err := b.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// bill is a file of rows while it is read.
type bill struct {
	lines  *bufio.Reader
	layout layout
	day    domain.Day
	seller string

	row     int  // of the line just read, from 1
	named   bool // the head has named the merchant
	dated   bool // and the day
	stage   stage
	columns columns
	cells   []string
	sums    [2]sum // of what came in and of what went out
}

// stage is which part of the file is being read.
type stage uint8

const (
	inHead stage = iota
	atHeading
	inRows
	inFoot
)

func newBill(r io.Reader, l layout, day domain.Day, seller string) *bill {
	text := transform.NewReader(r, simplifiedchinese.GB18030.NewDecoder())
	return &bill{lines: bufio.NewReaderSize(text, maxLine), layout: l, day: day, seller: seller}
}

// next is the next row, or io.EOF once the foot was read and agreed.
func (b *bill) next() (domain.BillLine, error) {
	for {
		text, err := b.line()
		if errors.Is(err, io.EOF) {
			return domain.BillLine{}, b.end()
		}
		if err != nil {
			return domain.BillLine{}, err
		}
		line, is, err := b.take(text)
		if is || err != nil {
			return line, err
		}
	}
}

// line is the next line without its end.
func (b *bill) line() (string, error) {
	raw, err := b.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(raw) > 0:
	case errors.Is(err, io.EOF):
		return "", io.EOF
	case errors.Is(err, bufio.ErrBufferFull):
		return "", b.corrupt("is longer than %d bytes", maxLine)
	case domain.KindOf(err) == domain.KindCorrupt && err != nil:
		return "", err
	case err != nil:
		return "", b.corrupt("cannot be unpacked: %w", err)
	}
	b.row++
	text := strings.TrimRight(string(raw), "\r\n")
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", b.corrupt("is not GB18030")
	}
	return text, nil
}

// take reads one line; is says that it is a row.
func (b *bill) take(text string) (line domain.BillLine, is bool, err error) {
	switch {
	case strings.TrimSpace(text) == "":
		return line, false, nil
	case strings.HasPrefix(text, "#"):
		return line, false, b.remark(text)
	}
	switch b.stage {
	case atHeading:
		b.columns, err = b.layout.read(split(nil, text))
		b.stage = inRows
		if err != nil {
			err = b.corrupt("%w", err)
		}
		return line, false, err
	case inRows:
		line, err = b.rowLine(text)
		return line, err == nil, err
	case inHead, inFoot:
	}
	return line, false, b.corrupt("stands outside of the list")
}

// remark reads a line that begins with '#': the head, the frame of the list and
// the foot.
func (b *bill) remark(text string) error {
	switch {
	case strings.Contains(text, b.layout.what+"列表结束"):
		if b.stage != inRows {
			return b.corrupt("ends a list that did not begin")
		}
		b.stage = inFoot
	case strings.Contains(text, b.layout.what+"列表"):
		if b.stage != inHead {
			return b.corrupt("begins a second list")
		}
		if !b.named || !b.dated {
			return b.corrupt("begins a list whose head does not say whose it is, or of which day")
		}
		b.stage = atHeading
	case strings.HasPrefix(text, "#账号"):
		if !strings.Contains(text, "["+b.seller+"0156]") {
			return b.corrupt("names another merchant")
		}
		b.named = true
	case strings.HasPrefix(text, "#起始日期"):
		begin, _, _ := strings.Cut(text, "终止日期") // the end is the beginning of the next day's bill
		if !strings.Contains(begin, "["+chineseDay(b.day)+" 00:00:00]") {
			return b.corrupt("names another day than %s", b.day)
		}
		b.dated = true
	default:
		return b.foot(text)
	}
	return nil
}

// chineseDay is a day as the head writes it: 2026年06月05日.
func chineseDay(day domain.Day) string {
	y, rest, _ := strings.Cut(string(day), "-")
	m, d, _ := strings.Cut(rest, "-")
	return y + "年" + m + "月" + d + "日"
}

// foot holds a sum against the rows. Remarks that are no sum say nothing.
func (b *bill) foot(text string) error {
	for i, name := range b.layout.sums {
		rest, is := strings.CutPrefix(strings.TrimLeft(text, "#"), name+"：")
		if !is {
			continue
		}
		if b.stage != inFoot || b.sums[i].seen {
			return b.corrupt("has a sum where none can be")
		}
		says, err := readSum(rest)
		if err != nil {
			return b.corrupt("has a sum that cannot be read: %w", err)
		}
		b.sums[i].seen = true
		if s := b.sums[i]; !s.agrees(says) {
			return b.corrupt("says %s: %.120q, but the rows are %d, come to %s and give away %s and %s",
				name, rest, s.count, s.total, s.given, s.more)
		}
	}
	return nil
}

// end is io.EOF if the whole bill was there.
func (b *bill) end() error {
	switch {
	case b.stage != inFoot:
		return b.corrupt("is the last: the end of the list is missing")
	case !b.sums[0].seen || !b.sums[1].seen:
		return b.corrupt("is the last: the sums are missing")
	}
	return io.EOF
}

// corrupt names the row that cannot be right.
func (b *bill) corrupt(format string, args ...any) error {
	return domain.E(domain.KindCorrupt, "row %d of the bill %w", b.row, fmt.Errorf(format, args...))
}
