package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newPeriodsCommand(p *program) *cobra.Command {
	var r remote
	list, show, propose := newPeriodListCommand(p, &r), newPeriodShowCommand(p, &r), newPeriodProposeCommand(p, &r)
	approve := newPeriodDecideCommand(p, &r, "approve", "Close a period for ever", `Says the second person's yes: the period is closed for ever, with the totals that
were proposed. It takes another person's key than the proposer's; a service's key
closes nothing. What comes late is booked in the oldest open period.`)
	reject := newPeriodDecideCommand(p, &r, "reject", "Reject a proposal to close a period, or withdraw your own", "Ends a proposal with a reason. The period stays open.")
	r.addFlags(list, show, propose, approve, reject)
	return group("periods", "Closing months, which takes two persons", list, show, propose, approve, reject)
}

func newPeriodListCommand(p *program, r *remote) *cobra.Command {
	var state string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List proposals to close periods, newest first",
		Example: "  counterfoil periods list --state closed --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			return p.listPeriods(ctx, *r, limit, "state", state)
		}),
	}
	cmd.Flags().StringVar(&state, "state", "", "only in this `STATE`: proposed, superseded, rejected or closed")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listPeriods(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Closing](ctx, p, r, limit, "/v1/periods", "closings", filter...)
	if err != nil {
		return err
	}
	t := newTable("PERIOD", "STATE", "PROPOSED BY", "PROPOSED", "DECIDED BY", "DECIDED", ">EVENTS", ">INCOMPLETE RUNS", ">OPEN DIFFERENCES", "REASON")
	return printRows(p, all, t, func(o httpapi.Closing) {
		t.add(o.Period, o.State, o.ProposedBy, o.ProposedAt, o.DecidedBy, o.DecidedAt, o.Events, len(o.Incomplete), o.Exceptions, o.Reason)
	})
}

func newPeriodShowCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show MONTH", Short: "Show a month's books and what stands in the way of closing it",
		Example: "  counterfoil periods show 2026-10 --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var out httpapi.PeriodStatus
			if err := c.call(ctx, http.MethodGet, "/v1/periods/"+url.PathEscape(args[0]), nil, nil, &out); err != nil {
				return err
			}
			if p.output == "json" {
				return p.json(out)
			}
			return p.printPeriod(out)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) printPeriod(o httpapi.PeriodStatus) error {
	if _, err := fmt.Fprintf(p.stdout, "%s is %s\n\n", o.Period, o.State); err != nil {
		return err
	}
	if err := p.printBooks(o.Books, o.Sums); err != nil {
		return err
	}
	if err := p.printExceptions("runs are not complete", len(o.Incomplete), o.Incomplete); err != nil {
		return err
	}
	if err := p.printExceptions("differences are open", o.Exceptions, o.Open); err != nil {
		return err
	}
	for _, c := range o.Closings {
		if err := p.printClosing(c, false); err != nil {
			return err
		}
	}
	return nil
}

// printExceptions lists what is not as it should be; nothing when all is.
func (p *program) printExceptions(what string, count int, xs []httpapi.PeriodException) error {
	if count == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(p.stdout, "\n%d %s:\n", count, what); err != nil {
		return err
	}
	t := newTable("NAME", "WHAT", ">AMOUNT")
	for _, x := range xs {
		t.add(x.Name, x.What, apiMoney(x.Amount))
	}
	return t.print(p.stdout)
}

// printClosing tells of one proposal, with its totals where they are wanted.
func (p *program) printClosing(c httpapi.Closing, totals bool) error {
	text := fmt.Sprintf("\n%s %s: proposed by %s at %s (%s)\n", c.Period, c.State, c.ProposedBy, moment(c.ProposedAt), c.Reason)
	switch {
	case c.DecidedAt != nil:
		text += fmt.Sprintf("%s by %s at %s %s\n", c.State, c.DecidedBy, moment(*c.DecidedAt), c.Decision)
	case c.State == string(domain.PeriodProposed):
		text += fmt.Sprintf("nothing is dated into it from %s on; another person can approve from %s on\n", moment(c.EffectiveAt), moment(c.ApproveFrom))
	}
	if _, err := fmt.Fprint(p.stdout, text); err != nil || !totals {
		return err
	}
	t := newTable("BOOK", "CURRENCY", ">OPENING", ">MOVED", ">CLOSING")
	for _, b := range c.Totals {
		t.add(b.Book, b.Currency, b.Opening, b.Moved, b.Closing)
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	if err := p.printExceptions("runs were accepted as they are", len(c.Incomplete), c.Incomplete); err != nil {
		return err
	}
	return p.printExceptions("differences were open", c.Exceptions, c.Open)
}

func newPeriodProposeCommand(p *program, r *remote) *cobra.Command {
	var reason, sign string
	var accept []string
	cmd := &cobra.Command{
		Use: "propose MONTH --reason TEXT", Short: "Propose to close a month to a second person",
		Long: `Proposes to close a month, and shows its totals. It is refused while the month is
not over in every channel's zone, an earlier one is open, comparisons with its
bills are not complete, or the books do not balance. A comparison that will never
be complete is accepted by its name, and recorded.

A few seconds later nothing is dated into the month any more; what comes late is
booked in the next one. Then another person can approve the totals.`,
		Example: "  counterfoil periods propose 2026-10 --reason \"all bills compared\" --accept run:epay-main --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			in := map[string]any{"reason": reason}
			if len(accept) > 0 {
				in["accept"] = accept
			}
			return p.oneClosing(ctx, *r, args[0], "propose", sign, in)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for the one who approves and for auditors")
	cmd.Flags().StringArrayVar(&accept, "accept", nil, "`NAME` of an incomplete run to close with, or run:CHANNEL for all of a channel; may be given again")
	addSignKey(cmd, &sign)
	_ = cmd.MarkFlagRequired("reason")
	p.addOutput(cmd, "table")
	return cmd
}

func newPeriodDecideCommand(p *program, r *remote, verb, short, long string) *cobra.Command {
	var reason, sign string
	cmd := &cobra.Command{
		Use: verb + " MONTH", Short: short, Long: long,
		Example: "  counterfoil periods " + verb + " 2026-10 --reason \"compared with the providers' statements\" --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			return p.oneClosing(ctx, *r, args[0], verb, sign, map[string]any{"reason": reason})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why")
	if verb == "approve" {
		addSignKey(cmd, &sign)
	}
	p.addOutput(cmd, "table")
	return cmd
}

// oneClosing says a word about a period; sign is the file of the person's own
// key, empty to say it unsigned.
func (p *program) oneClosing(ctx context.Context, r remote, period, verb, sign string, in map[string]any) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	if sign != "" {
		reason, _ := in["reason"].(string)
		if in["signature"], err = p.signClosing(ctx, c, period, verb, reason, sign); err != nil {
			return err
		}
	}
	var one httpapi.Closing
	if err := c.call(ctx, http.MethodPost, "/v1/periods/"+url.PathEscape(period)+"/"+verb, nil, in, &one); err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(one)
	}
	return p.printClosing(one, true)
}
