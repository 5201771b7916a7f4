package reports

import (
	"archive/zip"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"counterfoil/domain"
)

// workbook writes the report of a log and its movements.
func workbook(t *testing.T, a *author, perSheet int) ([]byte, *Report) {
	t.Helper()
	w, err := NewWorkbook(shanghai)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if perSheet > 0 {
		w.perSheet = perSheet
	}
	r := a.report(t, october, w.Booking)
	var out bytes.Buffer
	if err := w.Write(r, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), r
}

func read(t *testing.T, raw []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func rowsOf(t *testing.T, f *excelize.File, sheet string) [][]string {
	t.Helper()
	rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Every figure of the books reads back to the last digit, numbers as numbers and
// ids as text, from the sheets in people's order.
func TestWorkbookReadsBack(t *testing.T) {
	t.Parallel()
	raw, r := workbook(t, theMonth(6), 0)
	f := read(t, raw)
	want := []string{"Summary", "Runs", "Balances", "Differences", "Corrections", "Fees", "Exchange", "Payouts", "Books", "Movements"}
	if got := f.GetSheetList(); !slices.Equal(got, want) {
		t.Fatalf("sheets %v", got)
	}
	rows := rowsOf(t, f, "Books")
	if len(rows) != len(r.Books)+1 || rows[0][0] != "科目\nBook" {
		t.Fatalf("%d rows of %d books, %q", len(rows), len(r.Books), rows[0])
	}
	for i, b := range r.Books {
		row := rows[i+1]
		if row[0] != b.Book || row[6] != b.Closing.Amount() || number(t, row[5]) != b.Closing.Decimal().InexactFloat64() {
			t.Errorf("%q is not %+v", row, b)
		}
	}
	for cell, want := range map[string]excelize.CellType{"A2": excelize.CellTypeInlineString, "C2": excelize.CellTypeUnset, "G2": excelize.CellTypeInlineString} {
		if got, err := f.GetCellType("Books", cell); err != nil || got != want {
			t.Errorf("%s has type %d, %v", cell, got, err)
		}
	}
	if shown, err := f.GetCellValue("Books", "C2"); err != nil || !regexp.MustCompile(`^-?[\d,]+\.\d\d$`).MatchString(shown) {
		t.Errorf("an amount shows as %q, %v", shown, err)
	}
	props, err := f.GetDocProps()
	if err != nil || !strings.Contains(props.Description, "position "+r.Head.Position.String()) || !strings.Contains(props.Description, "root abcd over 5") {
		t.Errorf("properties %+v, %v", props, err)
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Movements add up to what the books say moved, on one sheet or on many.
func TestMovementsAddUp(t *testing.T) {
	t.Parallel()
	raw, r := workbook(t, theMonth(6), 100)
	f := read(t, raw)
	sum, sheets, rows := map[string]int64{}, 0, 0
	for _, name := range f.GetSheetList() {
		if !strings.HasPrefix(name, "Movements") {
			continue
		}
		sheets++
		got := rowsOf(t, f, name)
		if len(got) > 100 {
			t.Errorf("%s has %d rows", name, len(got))
		}
		for _, row := range got[1:] {
			m, err := domain.ParseSigned(row[12], domain.Currency(row[11]))
			if err != nil || number(t, row[10]) != m.Decimal().InexactFloat64() {
				t.Fatalf("%q: %v", row, err)
			}
			sum[row[8]+" "+row[11]] += m.Minor()
			rows++
		}
	}
	if sheets < 3 || rows < 2*r.Bookings {
		t.Errorf("%d sheets with %d rows of %d bookings", sheets, rows, r.Bookings)
	}
	for _, b := range r.Books {
		if k := b.Book + " " + string(b.Closing.Currency()); sum[k] != b.Debits.Minor()+b.Credits.Minor() {
			t.Errorf("%s moved %d, the book says %+v", k, sum[k], b)
		}
	}
}

// The file itself: no formula that a program would have to work out, headers
// that stay, filters over all rows, days and instants on the zone's clock.
func TestWorkbookFile(t *testing.T) {
	t.Parallel()
	a := theMonth(2)
	raw, _ := workbook(t, a, 0)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	sheets := 0
	for _, file := range z.File {
		if !strings.HasPrefix(file.Name, "xl/worksheets/sheet") {
			continue
		}
		sheets++
		part, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		xml, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`state="frozen"`, `<autoFilter ref="$A$1:`, `ySplit="1"`} {
			if !bytes.Contains(xml, []byte(want)) {
				t.Errorf("%s has no %s", file.Name, want)
			}
		}
		if bytes.Contains(xml, []byte("<f>")) || bytes.Contains(xml, []byte("<f ")) {
			t.Errorf("%s has a formula", file.Name)
		}
	}
	if sheets != 10 {
		t.Errorf("%d sheets", sheets)
	}
	f := read(t, raw)
	for _, n := range f.GetDefinedName() {
		if !strings.HasPrefix(n.RefersTo, "'"+n.Scope+"'!") {
			t.Errorf("the filter of %s covers %s", n.Scope, n.RefersTo)
		}
	}
	at := time.Date(2026, 10, 20, 15, 0, 0, 0, shanghai)
	if got, err := f.GetCellValue("Corrections", "L2"); err != nil || got != at.Format(time.DateTime) {
		t.Errorf("proposed at %q, %v", got, err)
	}
	if got, err := f.GetCellValue("Runs", "B2"); err != nil || got != "2026-10-01" {
		t.Errorf("day %q, %v", got, err)
	}
}

// Bytes that XML cannot hold do not break the file.
func TestWorkbookTakesAnyText(t *testing.T) {
	t.Parallel()
	a := newAuthor()
	a.at = time.Date(2026, 10, 2, 0, 0, 0, 0, shanghai)
	a.differ("epay-a", "2026-10-02", 1, domain.OnlyTheirs, "run\x00\x1f\xff\ufffe", cny(1), cny(2))
	raw, _ := workbook(t, a, 0)
	rows := rowsOf(t, read(t, raw), "Differences")
	if len(rows) != 2 || !strings.HasPrefix(rows[1][14], "run\ufffd") || rows[1][6] != "=cmd|'1'!A1" {
		t.Errorf("%q", rows)
	}
}

// A month of a hundred thousand movements does not fill the memory: rows wait
// in a file.
func BenchmarkWorkbook(b *testing.B) {
	a := theMonth(1000)
	b.ReportAllocs()
	for b.Loop() {
		w, err := NewWorkbook(shanghai)
		if err != nil {
			b.Fatal(err)
		}
		r := a.report(b, october, w.Booking)
		if err := w.Write(r, io.Discard); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Bookings)*2, "rows/op")
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
