package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	"counterfoil/reports"
	"counterfoil/tamperlog"
)

func newReportFileCommand(p *program, format reports.Format, short string) *cobra.Command {
	q := reports.Query{Format: format}
	var r remote
	var channel, out, lang, why string
	cmd := &cobra.Command{
		Use: string(format) + " --period MONTH | --run ID", Short: short,
		Long: `Writes the report of a month, or of one comparison with a bill: what agreed, what
differs by kind and age, corrections with who and why, fees, payouts, and every
book from its opening to its closing balance. It names the place of the log it
goes up to and the root of the signed tree: the same log up to the same place
gives the same report. Projections that are there say which part of the log a
month needs, and are held against it; with --from-log they are not looked at. The files are read and the daemons need not run; with
--api it is downloaded. The log keeps who took it, and --why.`,
		Example: fmt.Sprintf(`  counterfoil export %[1]s --period 2026-11 --out november.%[1]s --dir /srv/pay
  counterfoil export %[1]s --run bill-20261122T021500.000Z-1f2e3d4c --dir /srv/pay >run.%[1]s`, format),
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			q.Channel, q.Lang = domain.ChannelID(channel), reports.Lang(lang)
			return p.exportReport(ctx, r, q, out, why)
		}),
	}
	r.addFlags(cmd)
	addWhy(cmd, &why)
	f := cmd.Flags()
	f.StringVar(&q.Period, "period", "", "`MONTH`, YYYY-MM")
	f.StringVar(&q.Run, "run", "", "`ID` of a complete comparison with a bill")
	f.StringVar(&channel, "channel", "", "only this `CHANNEL`")
	f.StringVarP(&out, "out", "o", "", "new `FILE` to write into; standard output when left out")
	if format == reports.FormatHTML {
		f.StringVar(&lang, "lang", string(reports.LangBoth), "`LANGUAGE` of the page: en, zh or both")
	}
	return cmd
}

func (p *program) exportReport(ctx context.Context, r remote, q reports.Query, out, why string) error {
	if err := q.Check(); err != nil {
		return err
	}
	if out == "" && q.Format == reports.FormatXLSX && isTerminal(p.stdout) {
		return domain.EField(domain.KindInvalid, "--out", "is missing: a workbook is nothing for a terminal")
	}
	if r.api != "" {
		return p.downloadReport(ctx, r, q, out, why)
	}
	return p.withSource(ctx, string(q.Channel), func(s source) error {
		scope, err := s.Scope(ctx, q)
		if err != nil {
			return err
		}
		return p.intoFile(out, func(w io.Writer) error {
			if err := s.tell(taking{domain.ActExport, "report " + q.FileName(), why}); err != nil {
				return err
			}
			return s.Write(ctx, q, scope, w)
		})
	})
}

func (p *program) downloadReport(ctx context.Context, r remote, q reports.Query, out, why string) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	bom := ""
	if q.BOM {
		bom = "true"
	}
	path := query("/v1/reports", "period", q.Period, "run", q.Run, "channel", string(q.Channel), "format", string(q.Format),
		"table", q.Table, "lang", string(q.Lang), "bom", bom, "why", why)
	return p.intoFile(out, func(w io.Writer) error { return c.download(ctx, path, w) })
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// intoFile hands write a new file, or standard output for "". A file that could
// not be written whole is taken away again.
func (p *program) intoFile(path string, write func(io.Writer) error) (err error) {
	if path == "" {
		return write(p.stdout)
	}
	f, err := folder(filepath.Dir(path)).Create(filepath.Base(path))
	if err != nil {
		return domain.EField(domain.KindInvalid, "--out", "%s", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	return write(f)
}

// source is what reports are made from. tell records that one is taken, and is
// called before it is made.
type source struct {
	reports.Source
	tell func(taking) error
}

// withSource opens what reports are made from.
func (p *program) withSource(ctx context.Context, channel string, do func(source) error) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	open, err := p.openStores(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	s := source{
		Source: reports.Source{Log: open.events, Zone: bookZone(cfg, channel), Software: assembly.Software},
		tell:   func(t taking) error { return p.tellTaken(ctx, open.events, open.ledger, t) },
	}
	s.Bills, _ = open.ops.(operations.Bills)
	if s.Sealed, s.Root, err = sealedRoot(cfg); err != nil {
		return err
	}
	if p.fromLog {
		return do(s)
	}
	rows, err := openRows(cfg)
	if err != nil {
		return do(s) // there are none, or of another version: the log has everything
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	s.Index = rows
	return do(s)
}

// sealedRoot is the newest signed root; none where nothing was signed yet.
func sealedRoot(cfg config.Config) (sealed uint64, root []byte, err error) {
	f := tamperlog.OpenFolder(assembly.Path(cfg, assembly.TreeFolder))
	head, err := f.Checkpoint()
	err = errors.Join(err, f.Close())
	if domain.KindOf(err) == domain.KindNotFound && err != nil {
		return 0, nil, nil
	}
	return head.Size, head.Root[:], err
}

// bookZone is the zone of a channel's days, or for all of them the one that most
// channels have.
func bookZone(cfg config.Config, channel string) *time.Location {
	var zones []string
	for id, ch := range cfg.Channels {
		if channel == "" || id == channel {
			zones = append(zones, ch.Zone)
		}
	}
	return reports.BookZone(zones)
}
