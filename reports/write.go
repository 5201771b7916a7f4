package reports

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// Format is what a report is written as.
type Format string

// The formats of a report. A journal is an archive of its files here.
const (
	FormatXLSX      Format = "xlsx"
	FormatCSV       Format = "csv"
	FormatJSON      Format = "json"
	FormatHTML      Format = "html"
	FormatHledger   Format = "hledger"
	FormatBeancount Format = "beancount"
)

// formats are all of them.
var formats = []Format{FormatXLSX, FormatCSV, FormatJSON, FormatHTML, FormatHledger, FormatBeancount}

// ContentType is the format's media type.
func (f Format) ContentType() string {
	switch f {
	case FormatXLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case FormatCSV:
		return "text/csv; charset=utf-8"
	case FormatJSON:
		return "application/json"
	case FormatHTML:
		return "text/html; charset=utf-8"
	case FormatHledger, FormatBeancount:
		return "application/zip"
	}
	return "application/octet-stream"
}

// Query asks for a report: a month or a run, one of them.
type Query struct {
	Period  string
	Run     string
	Channel domain.ChannelID
	Format  Format
	Table   string // with FormatCSV: one of the report's tables; empty means every posting
	Lang    Lang   // with FormatHTML
	BOM     bool   // with FormatCSV
}

// Check is KindInvalid for a question that cannot be answered.
func (q Query) Check() error {
	switch {
	case (q.Period == "") == (q.Run == ""):
		return domain.EField(domain.KindInvalid, "period", "name a month or a run, one of them")
	case !slices.Contains(formats, q.Format):
		return domain.EField(domain.KindInvalid, "format", "%.20q: must be one of %v", q.Format, formats)
	case q.Table != "" && q.Format != FormatCSV:
		return domain.EField(domain.KindInvalid, "table", "only CSV holds one table")
	}
	if q.Period != "" {
		if _, err := ParsePeriod(q.Period); err != nil {
			return err
		}
	}
	if q.Table != "" {
		if _, err := new(Report).Sheet(q.Table); err != nil {
			return err
		}
	}
	if q.Lang != "" && !slices.Contains([]Lang{LangBoth, LangEn, LangZh}, q.Lang) {
		return domain.EField(domain.KindInvalid, "lang", "%.20q: must be en, zh or both", q.Lang)
	}
	return nil
}

// FileName is what the report is called when it is kept.
func (q Query) FileName() string {
	name := "counterfoil-" + cmp.Or(q.Period, q.Run)
	if q.Channel != "" {
		name += "-" + string(q.Channel)
	}
	if q.Table != "" {
		name += "-" + q.Table
	}
	if q.Format == FormatHledger || q.Format == FormatBeancount {
		return name + "-" + string(q.Format) + ".zip"
	}
	return name + "." + string(q.Format)
}

// Source is where reports come from.
type Source struct {
	Log      eventstore.Reader
	Index    projections.Extracts // finds a month in the log; nil: the log is read from its first event
	Bills    operations.Bills     // tells comparisons that left no fact; nil: none are told
	Zone     *time.Location       // of days and times; nil means UTC
	Software string
	Sealed   uint64 // events that the signed tree covers
	Root     []byte // of that tree
}

// Scope is what a query is about. A run that is not known is KindNotFound, one
// that is not complete KindConflict: nothing was concluded from it.
func (s Source) Scope(ctx context.Context, q Query) (Scope, error) {
	if err := q.Check(); err != nil {
		return Scope{}, err
	}
	if q.Run == "" {
		return Scope{Period: Period(q.Period), Channel: q.Channel, Range: Period(q.Period).Range()}, nil
	}
	if s.Bills == nil {
		return s.findRun(ctx, q.Run)
	}
	run, err := s.Bills.BillRun(ctx, q.Run)
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return s.findRun(ctx, q.Run) // another installation made it, or these rows were lost
	}
	if err != nil {
		return Scope{}, err
	}
	if run.State != operations.RunComplete {
		return Scope{}, domain.E(domain.KindConflict, "run %s is %s (%s): nothing was concluded from it", run.ID, run.State, run.Cause)
	}
	return Scope{Run: run.ID, Channel: run.Channel, Range: Range{From: run.Day, To: run.Day}, told: run.EndedAt}, nil
}

// findRun is FindRun, in the part of the log that the run's own name points to
// before all of it.
func (s Source) findRun(ctx context.Context, run string) (Scope, error) {
	text, _, _ := strings.Cut(strings.TrimPrefix(run, "bill-"), "-")
	began, err := time.Parse("20060102T150405.000Z", text)
	if err == nil && s.Index != nil {
		month := string(monthOf(domain.DayOf(began, time.UTC)))
		x, err := s.Index.Extract(ctx, projections.ExtractFilter{From: month, To: month, Since: began.Add(-around), Until: began.Add(around)})
		if err != nil {
			return Scope{}, fmt.Errorf("find when %.64q was told: %w", run, err)
		}
		if scope, err := FindRun(stretch(ctx, s.Log, x.After, x.Until), run); x.Until != 0 && (err == nil || domain.KindOf(err) != domain.KindNotFound) {
			return scope, err
		}
	}
	return FindRun(Events(ctx, s.Log, 0), run)
}

// Report folds the log into the report of a scope, see Make.
func (s Source) Report(ctx context.Context, scope Scope, each func(Booking) error) (*Report, error) {
	o := Options{Scope: scope, Zone: s.Zone, Software: s.Software, Sealed: s.Sealed, Root: s.Root}
	if s.Bills != nil && scope.Run == "" {
		var err error
		if o.Unfinished, err = unfinished(ctx, s.Bills, scope); err != nil {
			return nil, err
		}
	}
	var err error
	if o.from, err = s.read(ctx, scope); err != nil {
		return nil, err
	}
	return Make(o.from.events(ctx), o, each)
}

// Bookings are the bookings of some days at one channel, or at all for "". What
// lies before the days' first month is one booking before it; what lies behind
// them may be among them. What proof needs is noted there; it may be nil.
func (s Source) Bookings(ctx context.Context, days Range, ch domain.ChannelID, proof *Proof) (iter.Seq2[Booking, error], error) {
	from, err := s.read(ctx, Scope{Channel: ch, Range: days})
	if err != nil {
		return nil, err
	}
	if proof != nil {
		var h Head
		from.head(&h)
		proof.Position, proof.Events = h.Position, h.Events
	}
	return from.bookings(ctx, proof), nil
}

// Write writes what q asks for, of a scope that Scope gave for it. The log is
// read once, and the first byte is written when that went well, but for postings
// as CSV, which are written while the log is read.
func (s Source) Write(ctx context.Context, q Query, scope Scope, w io.Writer) (err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	defer func() { err = errors.Join(err, out.Flush()) }()
	switch {
	case q.Format == FormatXLSX:
		return s.workbook(ctx, scope, out)
	case q.Format == FormatCSV && q.Table == "":
		bookings, err := s.Bookings(ctx, scope.Range, scope.Channel, nil)
		if err != nil {
			return err
		}
		_, err = CSV(out, bookings, scope.Range, CSVOptions{BOM: q.BOM})
		return err
	case q.Format == FormatHledger || q.Format == FormatBeancount:
		return s.journal(ctx, q.Format, scope, out)
	}
	r, err := s.Report(ctx, scope, nil)
	if err != nil {
		return err
	}
	switch q.Format { //nolint:exhaustive // the others are written above
	case FormatHTML:
		return r.HTML(out, q.Lang)
	case FormatJSON:
		return r.JSON(out)
	}
	t, err := r.Sheet(q.Table)
	if err != nil {
		return err
	}
	return CSVTable(out, t, s.Zone, CSVOptions{BOM: q.BOM})
}

func (s Source) journal(ctx context.Context, f Format, scope Scope, w io.Writer) error {
	write := Hledger
	if f == FormatBeancount {
		write = Beancount
	}
	proof := &Proof{Sealed: s.Sealed, Root: hex.EncodeToString(s.Root)}
	bookings, err := s.Bookings(ctx, scope.Range, scope.Channel, proof)
	if err != nil {
		return err
	}
	return Zip(w, "", func(files Files) error {
		_, err := write(files, bookings, scope.Range, proof)
		return err
	})
}

func (s Source) workbook(ctx context.Context, scope Scope, w io.Writer) (err error) {
	book, err := NewWorkbook(s.Zone)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	r, err := s.Report(ctx, scope, book.Booking)
	if err != nil {
		return err
	}
	return book.Write(r, w)
}

// unfinished are the comparisons of the scope that could not be finished, the
// last of each bill; those whose bill was compared otherwise are left out.
func unfinished(ctx context.Context, bills operations.Bills, scope Scope) ([]Unfinished, error) {
	type bill struct {
		channel domain.ChannelID
		day     domain.Day
		kind    string
	}
	seen := map[bill]bool{}
	var out []Unfinished
	f := operations.BillRunFilter{Channel: scope.Channel, From: scope.From, To: scope.To, Limit: 1000}
	for {
		runs, err := bills.BillRuns(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("find unfinished comparisons: %w", err)
		}
		for _, r := range runs { // newest first
			b := bill{r.Channel, r.Day, r.Bill}
			if r.State == operations.RunIncomplete && !seen[b] {
				out = append(out, Unfinished{ID: r.ID, Channel: r.Channel, Day: r.Day, Bill: r.Bill, Cause: string(r.Cause), Note: r.Note, At: r.StartedAt})
			}
			if r.State == operations.RunComplete {
				out = slices.DeleteFunc(out, func(u Unfinished) bool { return bill{u.Channel, u.Day, u.Bill} == b })
			}
			seen[b] = true
		}
		if len(runs) < f.Limit {
			break
		}
		f.Before = runs[len(runs)-1].Seq
	}
	slices.SortFunc(out, func(a, b Unfinished) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Bill, b.Bill))
	})
	return out, nil
}

// BookZone is the zone in which a report shows days and times: the one that most
// channels have, by name the first of several; UTC without any.
func BookZone(zones []string) *time.Location {
	count, best := map[string]int{}, ""
	for _, z := range zones {
		count[z]++
	}
	for z, n := range count {
		if best == "" || n > count[best] || n == count[best] && z < best {
			best = z
		}
	}
	zone, err := time.LoadLocation(best)
	if err != nil {
		return time.UTC
	}
	return zone
}
