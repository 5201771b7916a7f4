package reports

import (
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"counterfoil/domain"
)

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
