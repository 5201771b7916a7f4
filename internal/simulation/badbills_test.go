package simulation

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// spoiler is a provider whose bills are spoiled on the way: its own adapter
// fetches and reads them.
type spoiler struct {
	providers.Channel
	providers.Biller
	spoil func(q providers.BillQuestion, genuine []byte, w io.Writer) error
}

// FetchBill fetches the genuine bill and hands on what the spoiler makes of it.
func (s spoiler) FetchBill(ctx context.Context, q providers.BillQuestion, w io.Writer) (providers.BillFile, error) {
	var genuine bytes.Buffer
	f, err := s.Biller.FetchBill(ctx, q, &genuine)
	if err != nil {
		return f, err
	}
	return f, s.spoil(q, genuine.Bytes(), w)
}

// edited changes the text of a bill and packs it again as it was packed.
func edited(packed []byte, change func(text string) string) ([]byte, error) {
	switch {
	case bytes.HasPrefix(packed, []byte("\x1f\x8b")):
		return editedGzip(packed, change)
	case bytes.HasPrefix(packed, []byte("PK")):
		return editedZip(packed, change)
	}
	return []byte(change(string(packed))), nil
}

func editedGzip(packed []byte, change func(string) string) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, werr := io.WriteString(z, change(string(text)))
	err = errors.Join(err, werr, z.Close())
	return out.Bytes(), err
}

// editedZip changes the first file, which has the rows. Its name stays as it is
// written.
func editedZip(packed []byte, change func(string) string) ([]byte, error) {
	in, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, f := range in.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			text, err := simplifiedchinese.GB18030.NewDecoder().String(string(raw))
			if err != nil {
				return nil, err
			}
			text, err = simplifiedchinese.GB18030.NewEncoder().String(change(text))
			if err != nil {
				return nil, err
			}
			raw = []byte(text)
		}
		part, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate, NonUTF8: true})
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(raw); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// firstRow is the first line of a bill's text that is a row.
func firstRow(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "`2026") || strings.HasPrefix(line, "2026") || strings.HasPrefix(line, "{") || strings.Count(line, "\t,") > 3 {
			return line
		}
	}
	return ""
}

// errUnchanged says that a bill has nothing of what a spoiler changes: fund flows
// do not name the merchant.
var errUnchanged = domain.E(domain.KindCorrupt, "nothing to spoil")

// withText spoils the text of a bill.
func withText(change func(text string) string) func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
	return func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
		return func(_ providers.BillQuestion, genuine []byte, w io.Writer) error {
			same := true
			out, err := edited(genuine, func(text string) string {
				bad := change(text)
				same = bad == text
				return bad
			})
			if same { // this bill does not say what is changed
				return errUnchanged
			}
			if err == nil {
				_, err = w.Write(out)
			}
			return err
		}
	}
}

// spoils are the ways in which a bill can be bad.
func (m *mall) spoils() map[string]func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
	plain := func(change func([]byte) []byte) func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
		return func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
			return func(_ providers.BillQuestion, genuine []byte, w io.Writer) error {
				_, err := w.Write(change(genuine))
				return err
			}
		}
	}
	return map[string]func(*till) func(providers.BillQuestion, []byte, io.Writer) error{
		"cut short":     plain(func(b []byte) []byte { return b[:len(b)*2/3] }),
		"nothing":       plain(func([]byte) []byte { return nil }),
		"an error page": plain(func([]byte) []byte { return []byte("<html><body>502 Bad Gateway</body></html>") }),
		"a row twice": withText(func(s string) string {
			row := firstRow(s)
			return strings.Replace(s, row, row+row, 1)
		}),
		"a row missing": withText(func(s string) string { return strings.Replace(s, firstRow(s), "", 1) }),
		"a cell too many": withText(func(s string) string {
			row := firstRow(s)
			more := strings.TrimRight(row, "\r\n") + ",x\r\n"
			if strings.Contains(row, "`") { // before every value
				more = strings.TrimRight(row, "\r\n") + ",`x\r\n"
			}
			return strings.Replace(s, row, strings.Replace(more, `{`, `{"id":"x",`, 1), 1)
		}),
		"another encoding": withText(func(s string) string {
			utf16, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(s)
			return strings.ToValidUTF8(utf16, "�")
		}),
		"another merchant": withText(func(s string) string {
			return strings.NewReplacer("1900000109", "1900000110", "0156]", "0157]", "acct_1Shop", "acct_1Other").Replace(s)
		}),
		"another day": func(t *till) func(providers.BillQuestion, []byte, io.Writer) error {
			biller, _ := m.channels[t.id].(providers.Biller)
			return func(q providers.BillQuestion, _ []byte, w io.Writer) error {
				q.Day = q.Day.Add(-1)
				_, err := biller.FetchBill(m.t.Context(), q, w)
				return err
			}
		},
		"ten gigabytes of zeros": func(*till) func(providers.BillQuestion, []byte, io.Writer) error {
			return func(_ providers.BillQuestion, genuine []byte, w io.Writer) error {
				if bytes.HasPrefix(genuine, []byte("PK")) {
					return zipBomb(genuine, w)
				}
				return gzipBomb(w)
			}
		},
	}
}

// zeros is how much of nothing a bomb unpacks to.
const zeros = 10 << 30

// piece is a mebibyte of nothing.
var piece = make([]byte, 1<<20)

// gzipBomb writes a stream of gzip that unpacks to zeros.
func gzipBomb(w io.Writer) error {
	var one bytes.Buffer
	z := gzip.NewWriter(&one)
	_, err := z.Write(piece)
	err = errors.Join(err, z.Close())
	for range zeros / len(piece) {
		if err == nil {
			_, err = w.Write(one.Bytes())
		}
	}
	return err
}

// zipBomb writes a ZIP file with the names of the genuine one whose first file
// says truly that it unpacks to zeros.
func zipBomb(genuine []byte, w io.Writer) error {
	in, err := zip.NewReader(bytes.NewReader(genuine), int64(len(genuine)))
	if err != nil {
		return err
	}
	var one, end bytes.Buffer
	z, _ := flate.NewWriter(&one, flate.BestCompression) // the level is one
	_, err = z.Write(piece)
	err = errors.Join(err, z.Flush())
	last, _ := flate.NewWriter(&end, flate.BestCompression)
	if err = errors.Join(err, last.Close()); err != nil {
		return err
	}
	out := zip.NewWriter(w)
	raw, err := out.CreateRaw(&zip.FileHeader{
		Name: in.File[0].Name, NonUTF8: true, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(nil), UncompressedSize64: zeros,
		CompressedSize64: uint64(zeros/len(piece)*one.Len() + end.Len()),
	})
	for range zeros / len(piece) {
		if err == nil {
			_, err = raw.Write(one.Bytes())
		}
	}
	if err == nil {
		_, err = raw.Write(end.Bytes())
	}
	return errors.Join(err, out.Close())
}

// Whatever is wrong with a provider's bill, read by its own adapter: the run ends
// incomplete and says why, and nothing is found, asked, booked or told.
func TestBadBillsOfThreeProviders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	m := newMall(t, 5)
	m.day(false)
	for range 2 {
		for range 6 {
			for _, till := range m.tills {
				m.sell(till)
			}
		}
		m.flows()
	}
	causes := map[operations.BillCause]bool{operations.CauseBillBroken: true, operations.CauseBillDoubled: true, operations.CauseTooLarge: true}
	for name, spoil := range m.spoils() {
		for _, till := range m.tills {
			genuine := m.channels[till.id]
			biller, _ := genuine.(providers.Biller)
			m.channels[till.id] = spoiler{genuine, biller, spoil(till)}
			day := domain.DayOf(m.stage.Books(), till.zone).Add(-1)
			for _, bill := range m.comparer.BillsOf(till.id) {
				m.bad(name, till, day, bill, causes)
			}
			m.channels[till.id] = genuine
		}
	}
	m.judge()
}

// bad compares a spoiled bill.
func (m *mall) bad(name string, t *till, day domain.Day, bill string, causes map[operations.BillCause]bool) {
	m.t.Helper()
	before, err := m.log.Head(m.t.Context())
	ok(m.t, err)
	began := time.Now()
	run, err := m.comparer.Run(m.t.Context(), t.id, day, bill)
	ok(m.t, err)
	if run.State != operations.RunIncomplete || !causes[run.Cause] || run.Note == "" || run.Asked+run.Healed+run.Proposed > 0 {
		m.t.Errorf("%s, %s of %s: %+v", name, bill, t.id, run)
	}
	if took := time.Since(began); took > 30*time.Second {
		m.t.Errorf("%s, %s of %s took %s", name, bill, t.id, took)
	}
	if after, err := m.log.Head(m.t.Context()); err != nil || after != before {
		m.t.Errorf("%s, %s of %s: the log went from %d to %d, %v", name, bill, t.id, before, after, err)
	}
}
