package domain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// reader reads JSON in the one form in which encode writes it: no blanks,
// members in order, nothing twice, nothing left over, each text, number and
// time spelt in the one way. Once something is otherwise it stays failed.
//
// There is no second form because there is no second writer: what reads
// otherwise was not written by us, or not by a version that kept the rule that
// stored bytes never change.
type reader struct {
	all, rest []byte
	failed    bool
}

func (r *reader) fail() { r.failed = true }

// offset is how far the reader got.
func (r *reader) offset() int { return len(r.all) - len(r.rest) }

// whole reports whether all was as it should be, and nothing is left.
func (r *reader) whole() bool { return !r.failed && len(r.rest) == 0 }

// take passes what, if it stands next.
func (r *reader) take(what string) bool {
	if len(r.rest) < len(what) || string(r.rest[:len(what)]) != what {
		return false
	}
	r.rest = r.rest[len(what):]
	return true
}

// expect passes what or fails.
func (r *reader) expect(what string) {
	if !r.take(what) {
		r.fail()
	}
}

// text is the value of a string, valid until the next call.
func (r *reader) text() []byte {
	r.expect(`"`)
	for i, b := range r.rest {
		switch {
		case b == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text
		case b < ' ' || b >= utf8.RuneSelf || b == '\\':
			return r.oddText(i)
		}
	}
	r.fail()
	return nil
}

// oddText is the value of a string with escapes or foreign letters, whose
// quote has been passed. It must be spelt as encode spells it.
func (r *reader) oddText(from int) []byte {
	for i := from; i < len(r.rest) && !r.failed; i++ {
		switch r.rest[i] {
		case '\\':
			i++
		case '"':
			text, ok := respelt(r.rest[:i])
			r.rest, r.failed = r.rest[i+1:], !ok
			return text
		}
	}
	r.fail()
	return nil
}

// respelt is the value of the string between quotes, and whether encode would
// write it so.
func respelt(inner []byte) ([]byte, bool) {
	quoted := append(append([]byte{'"'}, inner...), '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return nil, false
	}
	again, err := encode(text)
	return []byte(text), err == nil && bytes.Equal(again, quoted)
}

func (r *reader) flag() bool {
	if r.take("true") {
		return true
	}
	r.expect("false")
	return false
}

// number passes the digits of a whole number and the sign before them.
func (r *reader) number() string {
	i := 0
	for i < len(r.rest) && (r.rest[i]-'0' <= 9 || (i == 0 && r.rest[i] == '-')) {
		i++
	}
	digits := r.rest[:i]
	r.rest = r.rest[i:]
	if i > 20 || (i > 1 && (digits[0] == '0' || (digits[0] == '-' && digits[1] == '0'))) {
		r.fail()
	}
	return string(digits)
}

func (r *reader) int() int64 {
	n, err := strconv.ParseInt(r.number(), 10, strconv.IntSize)
	if err != nil {
		r.fail()
	}
	return n
}

func (r *reader) uint() uint64 {
	n, err := strconv.ParseUint(r.number(), 10, 64)
	if err != nil {
		r.fail()
	}
	return n
}

func readBytes(r *reader, v reflect.Value) {
	if r.take("null") {
		return
	}
	b, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, r.text())
	if err != nil {
		r.fail()
	}
	v.SetBytes(b)
}

// hexDigits is the value of each lower-case hexadecimal digit, 0xff for all
// other bytes.
var hexDigits = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i, digit := range []byte("0123456789abcdef") {
		table[digit] = byte(i)
	}
	return table
}()

func readID(r *reader, v reflect.Value) {
	text := r.text()
	id, ok := v.Addr().Interface().(*ID)
	if !ok || len(text) != idText {
		r.fail()
		return
	}
	at := 0
	for i := range id {
		if isHyphenPlace(at) {
			r.failed = r.failed || text[at] != '-'
			at++
		}
		high, low := hexDigits[text[at]], hexDigits[text[at+1]]
		r.failed = r.failed || high|low > 0x0f
		id[i] = high<<4 | low
		at += 2
	}
}

func readMoney(r *reader, v reflect.Value) {
	r.expect(`{"amount":`)
	amount := r.text()
	r.expect(`,"currency":`)
	code := r.text()
	r.expect("}")
	c := CNY // the common one, without a copy of its code
	if string(code) != string(CNY) {
		c = Currency(code)
	}
	minor, ok := parseCanonical(string(amount), c.Places())
	m, is := v.Addr().Interface().(*Money)
	if !ok || !is || !c.Known() {
		r.fail()
		return
	}
	*m = Money{minor, c}
}

// readTime reads an instant in UTC as time.Time writes it:
// 2026-03-14T04:00:00.123456Z, without zeros at the end of the fraction.
func readTime(r *reader, v reflect.Value) {
	text := r.text()
	at, ok := v.Addr().Interface().(*time.Time)
	if !ok || len(text) < len("2006-01-02T15:04:05Z") {
		r.fail()
		return
	}
	year, month, day := digits(text[0:4]), digits(text[5:7]), digits(text[8:10])
	hour, minute, second := digits(text[11:13]), digits(text[14:16]), digits(text[17:19])
	nanos, fraction := nanoseconds(text[19 : len(text)-1])
	if year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
		second < 0 || second > 59 || !fraction || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
		text[13] != ':' || text[16] != ':' || text[len(text)-1] != 'Z' {
		r.fail()
		return
	}
	*at = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if at.Day() != day { // the 31st of February
		r.fail()
	}
}

// nanoseconds reads "" or a point and 1 to 9 digits, the last of them not 0.
func nanoseconds(text []byte) (nanos int, ok bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0] != '.' || len(text) < 2 || len(text) > 10 || text[len(text)-1] == '0' {
		return 0, false
	}
	nanos = digits(text[1:])
	for range 10 - len(text) {
		nanos *= 10
	}
	return nanos, nanos >= 0
}

// digits is the number that decimal digits spell, negative if anything else is
// among them.
func digits(text []byte) (n int) {
	for _, b := range text {
		if b < '0' || b > '9' {
			return -1
		}
		n = n*10 + int(b-'0')
	}
	return n
}
