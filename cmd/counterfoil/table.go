package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// table prints aligned rows. Columns whose title starts with '>' stand to the
// right: amounts and counts.
type table struct {
	titles []string
	rows   [][]string
}

func newTable(titles ...string) *table { return &table{titles: titles} }

// add appends a row; missing cells are empty.
func (t *table) add(cells ...any) {
	row := make([]string, len(t.titles))
	for i, c := range cells {
		row[i] = cell(c)
	}
	t.rows = append(t.rows, row)
}

// cell is a value as it stands in a table. Line breaks would end a row.
func cell(v any) string {
	switch v := v.(type) {
	case time.Time:
		return moment(v)
	case *time.Time:
		if v == nil {
			return ""
		}
		return moment(*v)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, fmt.Sprint(v))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// print writes the table; without rows its heads alone.
func (t *table) print(w io.Writer) error {
	widths := make([]int, len(t.titles))
	heads := make([]string, len(t.titles))
	for i, title := range t.titles {
		heads[i] = strings.TrimPrefix(title, ">")
		widths[i] = utf8.RuneCountInString(heads[i])
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range append([][]string{heads}, t.rows...) {
		if _, err := io.WriteString(w, t.line(row, widths)); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) line(row []string, widths []int) string {
	var b strings.Builder
	for i, c := range row {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if strings.HasPrefix(t.titles[i], ">") {
			b.WriteString(pad + c)
		} else {
			b.WriteString(c + pad)
		}
		b.WriteString("  ")
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

// rows prints values as --output says: one JSON object a line, or a table.
func printRows[T any](p *program, values []T, t *table, row func(T)) error {
	if p.output == "json" {
		for _, v := range values {
			if err := p.json(v); err != nil {
				return err
			}
		}
		return nil
	}
	for _, v := range values {
		row(v)
	}
	return t.print(p.stdout)
}

// printRowsOr is printRows with a sentence where there are no rows: a list of what
// is open says that nothing is.
func printRowsOr[T any](p *program, none string, values []T, t *table, row func(T)) error {
	if len(values) == 0 && p.output != "json" {
		_, err := fmt.Fprintln(p.stdout, none)
		return err
	}
	return printRows(p, values, t, row)
}

// json prints one value as a line of JSON.
func (p *program) json(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// say tells people something on standard error.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }
