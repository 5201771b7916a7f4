package reports

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/xuri/excelize/v2"
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
