package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/internal/progress"
	"counterfoil/ledger"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	types                              []string
	stream, category, channel, account string
	from, to                           string
	summary                            bool
}

func newReplayCommand(p *program) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use: "replay", Short: "Stream the history, or the part of it that filters let through",
		Long: `Streams events from the store's files in the order of the log, up to its head, at
full speed: as JSON lines with the very bytes that were stored, or as a table.
No daemon is needed; over HTTP the same is GET /v1/events?after=.

--from and --to take a position (from it is left out, to it is part) or an instant
of recording (both are part): what was known between the two. With --account a
payment is shown from the first event on that names the account.

--summary prints only how many events of each type there are. How fast it went is
told on standard error.`,
		Example: `  counterfoil replay --dir /srv/pay --type payment.credited.v1 --from 2026-11-01T00:00:00Z
  counterfoil replay --dir /srv/pay --account user:42 --output table
  counterfoil replay --dir /srv/pay --channel epay-main --from 1200 --to 1300 --summary`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.replay(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.types, "type", nil, "only these `TYPES`, e.g. payment.credited.v1; may be given several times")
	fl.StringVar(&f.stream, "stream", "", "only this `STREAM`")
	fl.StringVar(&f.category, "category", "", "only streams of this `CATEGORY`: payment, channel, book, payout, reconciliation, …")
	fl.StringVar(&f.channel, "channel", "", "only streams of this `CHANNEL`")
	fl.StringVar(&f.account, "account", "", "only payments that name this `ACCOUNT`")
	fl.StringVar(&f.from, "from", "", "`POSITION` to begin behind, or instant as 2026-11-22T01:00:00Z")
	fl.StringVar(&f.to, "to", "", "last `POSITION` or instant; the head of the log when left out")
	fl.BoolVar(&f.summary, "summary", false, "print counts by type instead of events")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(domain.Types(), cobra.ShellCompDirectiveNoFileComp))
	p.addOutput(cmd, "json")
	return cmd
}

// filter is what the flags ask for.
func (f replayFlags) filter() (audit.ReplayFilter, error) {
	out := audit.ReplayFilter{
		Types: f.types, Stream: domain.Stream(f.stream), Category: f.category,
		Channel: domain.ChannelID(f.channel), Account: domain.AccountID(f.account),
	}
	known := domain.Types()
	for _, name := range f.types {
		if !slices.Contains(known, name) {
			return out, domain.EField(domain.KindInvalid, "--type", "%q is no type; `counterfoil catalog` lists them", name)
		}
	}
	if err := momentFlag(f.from, "--from", &out.After, &out.Since); err != nil {
		return out, err
	}
	return out, momentFlag(f.to, "--to", &out.To, &out.Until)
}

// momentFlag reads a position or an instant.
func momentFlag(text, flag string, at *eventstore.Position, instant *time.Time) error {
	if text == "" {
		return nil
	}
	position, err := eventstore.ParsePosition(text)
	if err == nil {
		*at = position
		return nil
	}
	if *instant, err = time.Parse(time.RFC3339, text); err != nil {
		return domain.EField(domain.KindInvalid, flag, "%q is neither a position nor an instant as 2026-11-22T01:00:00Z", text)
	}
	return nil
}

func (p *program) replay(ctx context.Context, f replayFlags) (err error) {
	filter, err := f.filter()
	if err != nil {
		return err
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	w := bufio.NewWriterSize(p.stdout, 256<<10)
	out := &printer{w: w}
	if p.output == "table" {
		out.table = newTable(">POSITION", "RECORDED (UTC)", "TYPE", "STREAM", "SAYS")
	}
	visit := out.one
	if f.summary {
		visit = nil
	}
	began := p.clock()
	bar := progress.New(p.stderr, p.environ, "replay")
	done, err := audit.Replay(ctx, events, filter, visit, func(r audit.Replayed) { bar.Set(uint64(r.Position), uint64(r.Head)) })
	bar.End()
	if err = errors.Join(err, out.flush(), w.Flush()); err != nil {
		return err
	}
	took := p.clock().Sub(began)
	if f.summary {
		err = p.summary(done)
	}
	fmt.Fprintf(p.stderr, "%d of %d events, up to position %s, in %s: %.0f events/s\n",
		done.Matched, done.Read, done.Position, took.Round(time.Millisecond), float64(done.Read)/max(took.Seconds(), 1e-6))
	return err
}

// summary prints what was let through, by type.
func (p *program) summary(r audit.Replayed) error {
	if p.output == "json" {
		return p.json(r)
	}
	t := newTable("TYPE", ">EVENTS")
	for _, name := range slices.Sorted(maps.Keys(r.Types)) {
		t.add(name, r.Types[name])
	}
	return t.print(p.stdout)
}

// printer prints events as lines or rows.
type printer struct {
	w     *bufio.Writer
	table *table
	line  []byte
}

func (o *printer) one(r eventstore.Recorded) error {
	if o.table == nil {
		o.line = httpapi.AppendEvent(o.line[:0], r, false)
		_, err := o.w.Write(o.line)
		return err
	}
	e, err := ledger.Decode(r)
	if err != nil {
		return err
	}
	o.table.add(r.Position, e.Meta.RecordedAt, r.Type, r.Stream, describe(e.Fact))
	if len(o.table.rows) < tableRows {
		return nil
	}
	return o.flush()
}

// flush prints the rows gathered so far.
func (o *printer) flush() error {
	if o.table == nil || len(o.table.rows) == 0 {
		return nil
	}
	err := o.table.print(o.w)
	o.table.rows = nil
	return err
}
