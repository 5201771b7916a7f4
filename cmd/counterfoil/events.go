package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/httpapi"
	"counterfoil/ledger"
)

// eventFilter is what the flags of events ask for.
type eventFilter struct {
	after, typ, stream, why string
	limit                   int
	follow, evidence        bool
}

func newEventsCommand(p *program) *cobra.Command {
	var f eventFilter
	cmd := &cobra.Command{
		Use: "events", Short: "Print the log, one event a line",
		Long: `Prints events in the order of the log. JSON lines hold data and meta as the
very bytes that were stored.

With --evidence the sealed parts are opened and printed: callbacks and answers
byte by byte, and personal fields of payers. Mind where they go: the log keeps who
looked, and --why.`,
		Example: `  counterfoil events --dir /srv/pay --type payment.credited.v1 --output table
  counterfoil events --dir /srv/pay --stream payment-epay-main:USR1NO0001 --evidence
  counterfoil events --dir /srv/pay --after 1200 --follow`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.events(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.after, "after", "0", "`POSITION` to begin behind")
	fl.StringVar(&f.typ, "type", "", "only this `TYPE`, e.g. payment.credited.v1")
	fl.StringVar(&f.stream, "stream", "", "only this `STREAM`, e.g. payment-epay-main:USR1NO0001")
	fl.IntVar(&f.limit, "limit", 0, "at most `N` events; 0 means all")
	fl.BoolVar(&f.follow, "follow", false, "stay and print new events as they come")
	fl.BoolVar(&f.evidence, "evidence", false, "open and print the sealed parts: evidence and personal fields")
	addWhy(cmd, &f.why)
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(domain.Types(), cobra.ShellCompDirectiveNoFileComp))
	p.addOutput(cmd, "json")
	return cmd
}

// subject is whose evidence is looked at.
func (f eventFilter) subject() string {
	text := "events after " + f.after
	if f.typ != "" {
		text += ", type " + f.typ
	}
	if f.stream != "" {
		text += ", stream " + f.stream
	}
	return text
}

func (p *program) events(ctx context.Context, f eventFilter) (err error) {
	after, err := eventstore.ParsePosition(f.after)
	switch {
	case err != nil:
		return domain.EField(domain.KindInvalid, "--after", "%q is no position: a decimal number", f.after)
	case f.limit < 0:
		return domain.EField(domain.KindInvalid, "--limit", "%d is negative", f.limit)
	case f.evidence && p.output == "table":
		return domain.EField(domain.KindInvalid, "--evidence", "evidence is printed with --output json only")
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	s, err := p.openStores(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if f.evidence {
		if err := p.tellTaken(ctx, s.events, s.ledger, taking{domain.ActViewed, f.subject(), f.why}); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(p.stdout, 64<<10)
	l := &lister{stores: s, filter: f, w: w}
	if p.output == "table" {
		l.table = newTable(">POSITION", "RECORDED (UTC)", "TYPE", "STREAM", "SAYS")
	}
	if err := l.list(ctx, after); err != nil {
		return err
	}
	return w.Flush()
}

// lister prints the events that its filter lets through.
type lister struct {
	stores *stores
	filter eventFilter
	w      *bufio.Writer
	table  *table
	sent   int
	line   []byte
}

// tableRows is how many rows are aligned with each other.
const tableRows = 500

func (l *lister) list(ctx context.Context, after eventstore.Position) error {
	for b, err := range l.stores.events.Follow(ctx, after, eventstore.FollowOptions{Sealed: l.filter.evidence}) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		for _, e := range b.Events {
			if !l.wanted(e) {
				continue
			}
			if err := l.one(ctx, e); err != nil {
				return err
			}
			if l.sent++; l.sent == l.filter.limit {
				return l.flush(true)
			}
		}
		end := b.CaughtUp && !l.filter.follow
		if err := l.flush(end || l.filter.follow); err != nil || end {
			return err
		}
	}
	return nil // told to stop
}

func (l *lister) wanted(e eventstore.Recorded) bool {
	return (l.filter.typ == "" || e.Type == l.filter.typ) && (l.filter.stream == "" || string(e.Stream) == l.filter.stream)
}

func (l *lister) one(ctx context.Context, r eventstore.Recorded) error {
	if l.table != nil {
		e, err := ledger.Decode(r)
		if err != nil {
			return err
		}
		l.table.add(r.Position, e.Meta.RecordedAt, r.Type, r.Stream, describe(e.Fact))
		return nil
	}
	l.line = httpapi.AppendEvent(l.line[:0], r, false)
	if l.filter.evidence && len(r.Sealed) > 0 {
		if err := l.unseal(ctx, r); err != nil {
			return err
		}
	}
	_, err := l.w.Write(l.line)
	return err
}

// unseal puts the opened part into the line; null when its key was destroyed.
func (l *lister) unseal(ctx context.Context, r eventstore.Recorded) error {
	plain, err := l.stores.ledger.Unseal(ctx, r)
	if err != nil && domain.KindOf(err) != domain.KindNotFound {
		return err
	}
	if err != nil {
		plain = []byte("null")
	}
	l.line = append(l.line[:len(l.line)-2], `,"unsealed":`...)
	l.line = append(append(l.line, plain...), "}\n"...)
	return nil
}

// flush hands on what was printed; a table is written in pieces, so that it
// needs no memory for the whole log.
func (l *lister) flush(now bool) error {
	if l.table != nil && len(l.table.rows) > 0 && (now || len(l.table.rows) >= tableRows) {
		if err := l.table.print(l.w); err != nil {
			return err
		}
		l.table.rows = nil
	}
	return l.w.Flush()
}
