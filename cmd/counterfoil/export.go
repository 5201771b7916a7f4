package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/reports"
)

// exporting is what the flags of export say.
type exporting struct {
	from, to, out string
	bom           bool
}

func newExportCommand(p *program) *cobra.Command {
	return group("export", "Write the books for other programs", newJournalCommand(p, "hledger", "hledger check --strict -f main.journal", reports.Hledger),
		newJournalCommand(p, "beancount", "bean-check main.beancount", reports.Beancount), newExportCSVCommand(p))
}

func (e *exporting) addFlags(cmd *cobra.Command, out string) {
	f := cmd.Flags()
	f.StringVar(&e.from, "from", "", "first value `DAY`, YYYY-MM-DD; what lies before is the opening balance")
	f.StringVar(&e.to, "to", "", "last value `DAY`")
	f.StringVar(&e.out, "out", "", out)
}

// days are the range asked for.
func (e *exporting) days() (r reports.Range, err error) {
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
type writer func(reports.Files, iter.Seq2[reports.Booking, error], reports.Range) (reports.Summary, error)

func newJournalCommand(p *program, name, check string, write writer) *cobra.Command {
	var e exporting
	cmd := &cobra.Command{
		Use: name + " --out FOLDER", Short: "Write a plain text journal for " + name,
		Long: fmt.Sprintf(`Writes the postings of the log as a journal: a file a month, a main file that
includes them, and at the end the balances, which the program checks:

  %s

The folder must be new or empty.`, check),
		Example: "  counterfoil export " + name + " --out journal --from 2026-11-01 --to 2026-11-30 --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.exportJournal(ctx, e, write) }),
	}
	e.addFlags(cmd, "`FOLDER` to write into")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) exportJournal(ctx context.Context, e exporting, write writer) error {
	r, err := e.days()
	if err != nil {
		return err
	}
	files, err := newFolder(e.out)
	if err != nil {
		return err
	}
	return p.withBookings(ctx, func(bookings iter.Seq2[reports.Booking, error]) error {
		s, err := write(files, bookings, r)
		if err != nil {
			return err
		}
		t := newTable("BOOK", ">BALANCE")
		return printRows(p, s.Closing, t, func(c reports.Closing) { t.add(c.Book, c.Amount) })
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
	cmd := &cobra.Command{
		Use: "csv", Short: "Write every posting as a row of CSV",
		Long:    "Writes every posting as a row of CSV, to standard output or to a new file.",
		Example: "  counterfoil export csv --from 2026-11-01 --to 2026-11-30 --bom --out november.csv --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.exportCSV(ctx, e) }),
	}
	e.addFlags(cmd, "new `FILE` to write into; standard output when left out")
	cmd.Flags().BoolVar(&e.bom, "bom", false, "begin with the mark by which Excel takes the file for UTF-8")
	return cmd
}

func (p *program) exportCSV(ctx context.Context, e exporting) (err error) {
	r, err := e.days()
	if err != nil {
		return err
	}
	to := p.stdout
	if e.out != "" {
		f, err := folder(filepath.Dir(e.out)).Create(filepath.Base(e.out))
		if err != nil {
			return domain.EField(domain.KindInvalid, "--out", "%s", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		to = f
	}
	w := bufio.NewWriterSize(to, 64<<10)
	return p.withBookings(ctx, func(bookings iter.Seq2[reports.Booking, error]) error {
		_, err := reports.CSV(w, bookings, r, reports.CSVOptions{BOM: e.bom})
		return errors.Join(err, w.Flush())
	})
}

// withBookings opens the log and hands over what moved money.
func (p *program) withBookings(ctx context.Context, do func(iter.Seq2[reports.Booking, error]) error) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	return do(bookings(ctx, events))
}

// bookings are the events of the log that moved money, up to its head. The
// notice that one rests on stands right before it.
func bookings(ctx context.Context, log eventstore.Reader) iter.Seq2[reports.Booking, error] {
	return func(yield func(reports.Booking, error) bool) {
		var basis domain.PaymentNotified
		var from domain.Stream
		for batch, err := range log.Follow(ctx, 0, eventstore.FollowOptions{}) {
			if err != nil {
				yield(reports.Booking{}, fmt.Errorf("read the log: %w", err))
				return
			}
			for _, r := range batch.Events {
				e, err := ledger.Decode(r)
				if err != nil {
					yield(reports.Booking{}, err)
					return
				}
				if n, ok := e.Fact.(domain.PaymentNotified); ok {
					basis, from = n, r.Stream
				}
				b, ok := reports.Of(e.Fact, r.ID, r.Stream, e.Meta.RecordedAt)
				if !ok {
					continue
				}
				if from == r.Stream {
					b.Evidence = basis.Evidence.SHA256
				}
				if !yield(b, nil) {
					return
				}
			}
			if batch.CaughtUp {
				return
			}
		}
		yield(reports.Booking{}, ctx.Err())
	}
}
