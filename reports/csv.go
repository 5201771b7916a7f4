package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"counterfoil/domain"
)

// CSVOptions shape a table.
type CSVOptions struct {
	BOM bool // begin with the mark by which Excel takes the file for UTF-8
}

// csvTitles are the columns of CSV, in their order. New ones come at the end.
var csvTitles = []string{
	"date", "recorded_at", "event", "type", "channel", "order_no", "trade_no", "ref", "book", "wallet", "amount", "currency",
}

// CSV writes one row for each posting of the range. Text that a spreadsheet
// would take for a formula gets an apostrophe before it; amounts are numbers
// and stay as they are.
func CSV(w io.Writer, bookings iter.Seq2[Booking, error], r Range, o CSVOptions) (rows int, err error) {
	if o.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return 0, err
		}
	}
	out := csv.NewWriter(w)
	if err := out.Write(csvTitles); err != nil {
		return 0, err
	}
	none := func(Booking) error { return nil }
	err = chosen(bookings, r, none, func(b Booking) error {
		for _, p := range b.Postings {
			rows++
			if err := out.Write([]string{
				string(b.Date), b.Recorded.UTC().Format(time.RFC3339Nano), b.Event.String(), b.Type, harmless(string(b.Channel)),
				harmless(b.OrderNo), harmless(b.TradeNo), harmless(b.Ref), bookName(p), harmless(string(p.Wallet)), p.Amount.Amount(),
				string(p.Amount.Currency()),
			}); err != nil {
				return fmt.Errorf("write row %d: %w", rows, err)
			}
		}
		return nil
	})
	if err != nil {
		return rows, err
	}
	out.Flush()
	return rows, out.Error()
}

// harmless keeps a spreadsheet from running what a stranger wrote: order numbers
// and wallets come from outside.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// CSVTable writes one table of a report. Titles are the columns' English names
// in small letters with underscores; instants carry the zone's offset. Amounts
// are numbers and stay as they are.
func CSVTable(w io.Writer, s Sheet, zone *time.Location, o CSVOptions) error {
	if zone == nil {
		zone = time.UTC
	}
	if o.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(w)
	row := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		row[i] = strings.NewReplacer(" ", "_", ",", "").Replace(strings.ToLower(c.En))
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for n, values := range s.Rows {
		for i, v := range values {
			row[i] = csvCell(v, zone)
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write row %d: %w", n+1, err)
		}
	}
	out.Flush()
	return out.Error()
}

func csvCell(v any, zone *time.Location) string {
	switch v := v.(type) {
	case domain.Money:
		if v.Currency() == "" {
			return ""
		}
		return v.Amount()
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.In(zone).Format(time.RFC3339)
	case string:
		return harmless(v)
	}
	return fmt.Sprint(v)
}
