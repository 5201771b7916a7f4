package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/reports"
)

// exporting is what the flags of export say.
type exporting struct {
	from, to, out string
	period        string
	channel       string
	why           string
	bom           bool
}

func newExportCommand(p *program) *cobra.Command {
	cmd := group("export", "Write the books and reports for other programs and for people",
		newJournalCommand(p, "hledger", "hledger check --strict -f main.journal", reports.Hledger),
		newJournalCommand(p, "beancount", "bean-check main.beancount", reports.Beancount),
		newReportFileCommand(p, reports.FormatXLSX, "Write a month or a comparison as a workbook"),
		newExportCSVCommand(p),
		newReportFileCommand(p, reports.FormatHTML, "Write a month or a comparison as a page to print"),
		newReportFileCommand(p, reports.FormatJSON, "Write a month or a comparison as JSON"))
	cmd.PersistentFlags().BoolVar(&p.fromLog, "from-log", false, "read the log from its first event and no projections")
	return cmd
}

func (e *exporting) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.from, "from", "", "first `DAY` of the books, YYYY-MM-DD; what lies before is the opening balance")
	f.StringVar(&e.to, "to", "", "last `DAY`")
	f.StringVar(&e.period, "period", "", "`MONTH`, YYYY-MM, instead of --from and --to")
	f.StringVar(&e.channel, "channel", "", "only what this `CHANNEL` moved")
	addWhy(cmd, &e.why)
}

// taking is what leaves, as the log tells it.
func (e *exporting) taking(name string) taking {
	text := name
	for _, part := range []struct{ name, value string }{{"of", e.period}, {"from", e.from}, {"to", e.to}, {"channel", e.channel}} {
		if part.value != "" {
			text += " " + part.name + " " + part.value
		}
	}
	return taking{domain.ActExport, text, e.why}
}

// days are the range asked for.
func (e *exporting) days() (r reports.Range, err error) {
	if e.period != "" {
		if e.from != "" || e.to != "" {
			return r, domain.EField(domain.KindInvalid, "--period", "names its days itself: leave out --from and --to")
		}
		period, err := reports.ParsePeriod(e.period)
		if err != nil {
			return r, domain.EField(domain.KindInvalid, "--period", "%q is not a month as YYYY-MM", e.period)
		}
		return period.Range(), nil
	}
	for _, d := range []struct {
		flag, text string
		to         *domain.Day
	}{{"--from", e.from, &r.From}, {"--to", e.to, &r.To}} {
		if d.text == "" {
			continue
		}
		if *d.to, err = domain.ParseDay(d.text); err != nil {
			return r, domain.EField(domain.KindInvalid, d.flag, "%q is not a day as YYYY-MM-DD", d.text)
		}
	}
	if r.To != "" && r.To < r.From {
		return r, domain.EField(domain.KindInvalid, "--to", "%s lies before %s", r.To, r.From)
	}
	return r, nil
}

// writer makes a journal.
type writer func(reports.Files, iter.Seq2[reports.Booking, error], reports.Range, *reports.Proof) (reports.Summary, error)

func newJournalCommand(p *program, name, check string, write writer) *cobra.Command {
	var e exporting
	cmd := &cobra.Command{
		Use: name + " --out FOLDER", Short: "Write a plain text journal for " + name,
		Long: fmt.Sprintf(`Writes the postings of the log as a journal: a file a month, a main file that
includes them, and at the end of each month and of all the balances, which the
program checks:

  %s

It names the place of the log it was written from, the root of the signed tree
and the hashes of the bills that were compared. The folder must be new or empty.`, check),
		Example: "  counterfoil export " + name + " --out journal --period 2026-11 --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.exportJournal(ctx, e, name, write) }),
	}
	e.addFlags(cmd)
	cmd.Flags().StringVar(&e.out, "out", "", "`FOLDER` to write into")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) exportJournal(ctx context.Context, e exporting, name string, write writer) error {
	r, err := e.days()
	if err != nil {
		return err
	}
	files, err := newFolder(e.out)
	if err != nil {
		return err
	}
	return p.withSource(ctx, e.channel, func(s source) error {
		if err := s.tell(e.taking("journal " + name)); err != nil {
			return err
		}
		proof := &reports.Proof{Sealed: s.Sealed, Root: hex.EncodeToString(s.Root)}
		bookings, err := s.Bookings(ctx, r, domain.ChannelID(e.channel), proof)
		if err != nil {
			return err
		}
		sum, err := write(files, bookings, r, proof)
		if err != nil {
			return err
		}
		t := newTable("BOOK", ">BALANCE")
		return printRows(p, sum.Closing, t, func(c reports.Closing) { t.add(c.Book, c.Amount) })
	})
}

// folder is where a journal goes.
type folder string

// newFolder makes a folder, or takes an empty one: a file of an older journal
// must not be taken for one of this.
func newFolder(path string) (folder, error) {
	if path == "" {
		return "", domain.EField(domain.KindInvalid, "--out", "is missing")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", domain.EField(domain.KindInvalid, "--out", "%s", err)
	}
	there, err := os.ReadDir(path)
	if err != nil || len(there) > 0 {
		return "", domain.EField(domain.KindInvalid, "--out", "%s is not an empty folder", path)
	}
	return folder(path), nil
}

// Create implements reports.Files.
func (f folder) Create(name string) (io.WriteCloser, error) {
	return os.OpenFile(filepath.Join(string(f), name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // the operator names the folder
}

func newExportCSVCommand(p *program) *cobra.Command {
	var e exporting
	var q reports.Query
	var r remote
	cmd := &cobra.Command{
		Use: "csv", Short: "Write every posting, or a table of a report, as CSV",
		Long: `Writes every posting as a row of CSV, to standard output or to a new file. With
--table it is one table of the report of a month or of a comparison: Summary,
Runs, Balances, Differences, Corrections, Fees, Exchange, Payouts or Books.

Text that a spreadsheet would take for a formula gets an apostrophe before it.`,
		Example: `  counterfoil export csv --period 2026-11 --bom --out november.csv --dir /srv/pay
  counterfoil export csv --period 2026-11 --table Differences --dir /srv/pay`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.exportCSV(ctx, r, e, q) }),
	}
	e.addFlags(cmd)
	r.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&e.out, "out", "o", "", "new `FILE` to write into; standard output when left out")
	f.StringVar(&q.Run, "run", "", "`ID` of a complete comparison with a bill, instead of --period")
	f.StringVar(&q.Table, "table", "", "only this `TABLE` of the report")
	f.BoolVar(&e.bom, "bom", false, "begin with the mark by which Excel takes the file for UTF-8")
	return cmd
}

func (p *program) exportCSV(ctx context.Context, r remote, e exporting, q reports.Query) error {
	days, err := e.days()
	if err != nil {
		return err
	}
	if q.Run != "" || q.Table != "" || r.api != "" {
		q.Period, q.Channel, q.Format, q.BOM = e.period, domain.ChannelID(e.channel), reports.FormatCSV, e.bom
		return p.exportReport(ctx, r, q, e.out, e.why)
	}
	return p.withSource(ctx, e.channel, func(s source) error {
		return p.intoFile(e.out, func(w io.Writer) error {
			if err := s.tell(e.taking("postings csv")); err != nil {
				return err
			}
			bookings, err := s.Bookings(ctx, days, domain.ChannelID(e.channel), nil)
			if err != nil {
				return err
			}
			out := bufio.NewWriterSize(w, 64<<10)
			_, err = reports.CSV(out, bookings, days, reports.CSVOptions{BOM: e.bom})
			return errors.Join(err, out.Flush())
		})
	})
}
