package reports

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"counterfoil/domain"
)

// maxRows is how many rows a sheet of a workbook can hold, its header too.
const maxRows = 1 << 20

// Workbook writes a report as XLSX. Rows go to a temporary file as they come,
// so memory does not grow with them. Amounts are numbers, with the exact figure
// beside them as text; ids are text; there is no formula in it, so every program
// shows the same figures. Close removes the temporary files.
type Workbook struct {
	file      *excelize.File
	zone      *time.Location
	header    int            // style
	money     map[int]int    // style by places
	styles    map[string]int // of days and instants
	movements *sheetWriter
	parts     int // sheets of movements
	perSheet  int // most rows of one; tests make it small
}

// NewWorkbook begins a workbook whose instants are shown in zone; nil means UTC.
func NewWorkbook(zone *time.Location) (*Workbook, error) {
	if zone == nil {
		zone = time.UTC
	}
	w := &Workbook{file: excelize.NewFile(), zone: zone, money: map[int]int{}, styles: map[string]int{}, perSheet: maxRows}
	var err error
	w.header, err = w.file.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true, Color: "FFFFFF"}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"1F3A5F"}},
		Alignment: &excelize.Alignment{Vertical: "center", WrapText: true},
	})
	for name, format := range map[string]string{"day": "yyyy-mm-dd", "instant": "yyyy-mm-dd hh:mm:ss", "count": "#,##0"} {
		id, e := w.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
		err = errors.Join(err, e)
		w.styles[name] = id
	}
	err = errors.Join(err, w.layOut())
	if err != nil {
		return nil, fmt.Errorf("begin the workbook: %w", errors.Join(err, w.file.Close()))
	}
	return w, nil
}

// layOut makes the sheets in the order people read them. Filters name sheets by
// their place, so none is moved later.
func (w *Workbook) layOut() error {
	var none Report
	names := []string{Movements().Name}
	for _, s := range slices.Backward(none.Sheets()) {
		names = slices.Insert(names, 0, s.Name)
	}
	err := w.file.SetSheetName("Sheet1", names[0]) // a new file has it
	for _, name := range names[1:] {
		_, e := w.file.NewSheet(name)
		err = errors.Join(err, e)
	}
	return err
}

// Close ends the workbook, whether or not it was written.
func (w *Workbook) Close() error { return w.file.Close() }

// Booking adds the rows of a booking. It is what Make hands bookings to.
func (w *Workbook) Booking(b Booking) error {
	for _, row := range MovementRows(b) {
		if w.movements == nil || w.movements.row == w.perSheet {
			if err := w.nextMovements(); err != nil {
				return err
			}
		}
		if err := w.movements.add(row); err != nil {
			return err
		}
	}
	return nil
}

// nextMovements begins the first or a further sheet of movements.
func (w *Workbook) nextMovements() (err error) {
	if err := w.movements.flush(); err != nil {
		return err
	}
	s := Movements()
	if w.parts++; w.parts > 1 {
		s.Name = fmt.Sprintf("%s %d", s.Name, w.parts)
		if _, err := w.file.NewSheet(s.Name); err != nil {
			return err
		}
	}
	w.movements, err = w.sheet(s)
	return err
}

// Write ends the workbook with the report's tables and writes it.
func (w *Workbook) Write(r *Report, to io.Writer) error {
	if w.movements == nil {
		if err := w.nextMovements(); err != nil {
			return err
		}
	}
	err := w.movements.flush()
	for _, s := range r.Sheets() {
		if err == nil {
			err = w.whole(s)
		}
	}
	if err == nil {
		err = w.finish(r)
	}
	if err == nil {
		err = w.file.Write(to)
	}
	if err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	return nil
}

func (w *Workbook) whole(s Sheet) error {
	sw, err := w.sheet(s)
	if err != nil {
		return err
	}
	for _, row := range s.Rows {
		if err := sw.add(row); err != nil {
			return err
		}
	}
	return sw.flush()
}

// finish sets the properties.
func (w *Workbook) finish(r *Report) error {
	proof := fmt.Sprintf("position %s, %d events", r.Head.Position, r.Head.Events)
	if r.Head.Root != "" {
		proof += fmt.Sprintf(", root %s over %d events", r.Head.Root, r.Head.Sealed)
	}
	if r.Scope.Run != "" {
		proof = "run " + r.Scope.Run + ", " + proof
	}
	made := r.Head.AsOf.UTC().Format(time.RFC3339)
	if err := w.file.SetDocProps(&excelize.DocProperties{
		Title: "Counterfoil " + r.Title(), Subject: "Reconciliation and books 对账与账簿", Creator: r.Software, LastModifiedBy: r.Software,
		Description: proof, Identifier: r.Head.Event.String(), Created: made, Modified: made, Keywords: r.Head.Ledger.String(),
	}); err != nil {
		return err
	}
	for _, p := range []struct{ name, value string }{
		{"counterfoil_run", r.Scope.Run},
		{"counterfoil_period", string(r.Scope.Period)},
		{"counterfoil_position", r.Head.Position.String()},
		{"counterfoil_root", r.Head.Root},
		{"counterfoil_ledger", r.Head.Ledger.String()},
	} {
		if p.value == "" {
			continue
		}
		if err := w.file.SetCustomProps(excelize.CustomProperty{Name: p.name, Value: p.value}); err != nil {
			return err
		}
	}
	return nil
}

// sheetWriter is a sheet while its rows come.
type sheetWriter struct {
	book    *Workbook
	to      *excelize.StreamWriter
	name    string
	columns int
	row     int // the last one written, from 1
}

// sheet begins a sheet: widths, a header that stays in sight.
func (w *Workbook) sheet(s Sheet) (*sheetWriter, error) {
	to, err := w.file.NewStreamWriter(s.Name)
	if err != nil {
		return nil, err
	}
	for i, c := range s.Columns {
		if err := to.SetColWidth(i+1, i+1, c.Width); err != nil {
			return nil, err
		}
	}
	if err := to.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	titles := make([]any, len(s.Columns))
	for i, c := range s.Columns {
		titles[i] = excelize.Cell{StyleID: w.header, Value: c.Zh + "\n" + c.En}
	}
	sw := &sheetWriter{book: w, to: to, name: s.Name, columns: len(s.Columns), row: 1}
	return sw, to.SetRow("A1", titles, excelize.RowOpts{Height: 32})
}

// add writes a row.
func (s *sheetWriter) add(values []any) error {
	cells := make([]any, len(values))
	for i, v := range values {
		cell, err := s.book.cell(v)
		if err != nil {
			return err
		}
		cells[i] = cell
	}
	s.row++
	at, err := excelize.CoordinatesToCellName(1, s.row)
	if err != nil {
		return err
	}
	return s.to.SetRow(at, cells)
}

// flush ends the sheet; the filter covers what was written.
func (s *sheetWriter) flush() error {
	if s == nil {
		return nil
	}
	last, err := excelize.CoordinatesToCellName(s.columns, s.row)
	if err != nil {
		return err
	}
	if err := s.book.file.AutoFilter(s.name, "A1:"+last, nil); err != nil {
		return err
	}
	return s.to.Flush()
}

// cell is a value as the workbook holds it. Days and instants are numbers that
// show as the zone's wall clock: a workbook knows no zones.
func (w *Workbook) cell(v any) (any, error) {
	switch v := v.(type) {
	case domain.Money:
		if v.Currency() == "" {
			return nil, nil //nolint:nilnil // an empty cell
		}
		style, err := w.moneyStyle(v.Currency().Places())
		return excelize.Cell{StyleID: style, Value: v.Decimal().InexactFloat64()}, err
	case domain.Day:
		if v == "" {
			return nil, nil //nolint:nilnil // an empty cell
		}
		return excelize.Cell{StyleID: w.styles["day"], Value: serial(v.Start(time.UTC))}, nil
	case time.Time:
		if v.IsZero() {
			return nil, nil //nolint:nilnil // an empty cell
		}
		_, offset := v.In(w.zone).Zone()
		return excelize.Cell{StyleID: w.styles["instant"], Value: serial(v.Add(time.Duration(offset) * time.Second))}, nil
	case int:
		return excelize.Cell{StyleID: w.styles["count"], Value: v}, nil
	case exact:
		return string(v), nil
	case string:
		if v == "" {
			return nil, nil //nolint:nilnil // an empty cell
		}
		return clean(v), nil
	}
	return v, nil
}

// epoch is day 0 of a workbook's calendar, as all programs count since they
// took over that 1900 had a 29 February.
var epoch = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)

// serial is an instant in days since epoch, in whole seconds: a second is far
// above what the number can hold.
func serial(t time.Time) float64 {
	return float64(t.Unix()-epoch.Unix()) / (24 * 60 * 60)
}

func (w *Workbook) moneyStyle(places int) (int, error) {
	if id, ok := w.money[places]; ok {
		return id, nil
	}
	format := "#,##0"
	if places > 0 {
		format += "." + strings.Repeat("0", places)
	}
	format += ";[Red]-" + format
	id, err := w.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
	w.money[places] = id
	return id, err
}

// clean leaves out what XML cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
