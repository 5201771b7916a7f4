package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

// span names a channel and days.
type span struct{ channel, from, to string }

// days are the span's days; a missing end is the beginning.
func (s span) days() (from, to domain.Day, err error) {
	if s.to == "" {
		s.to = s.from
	}
	if from, err = domain.ParseDay(s.from); err != nil {
		return "", "", domain.EField(domain.KindInvalid, "--from", "%q is not a day as YYYY-MM-DD", s.from)
	}
	if to, err = domain.ParseDay(s.to); err != nil {
		return "", "", domain.EField(domain.KindInvalid, "--to", "%q is not a day as YYYY-MM-DD", s.to)
	}
	if to < from || to > from.Add(maxBackfill) {
		return "", "", domain.EField(domain.KindInvalid, "--to", "%s to %s: must be 1 to %d days", from, to, maxBackfill+1)
	}
	return from, to, nil
}

// maxBackfill is how many days after the first one command compares.
const maxBackfill = 366

func newBackfillCommand(p *program, r *remote) *cobra.Command {
	var s span
	cmd := &cobra.Command{
		Use: "backfill --channel CHANNEL --from DAY [--to DAY]", Short: "Compare the provider's bills of a range of days now",
		Long: `Fetches the provider's bills of each day, the oldest first, and compares them with
the books, whether or not that was done before. A bill that changed is kept
beside the earlier one. What a bill raises is asked of the provider; nothing is
ever taken.

Exit status: 0 all agree, 3 differences are open, 4 a bill could not be had or
read: then nothing was concluded from it.`,
		Example: "  counterfoil reconcile backfill --channel wechat-main --from 2026-11-01 --to 2026-11-21 --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.backfill(ctx, *r, s) }),
	}
	f := cmd.Flags()
	f.StringVar(&s.channel, "channel", "", "`CHANNEL` whose bills are compared")
	f.StringVar(&s.from, "from", "", "first `DAY`, YYYY-MM-DD")
	f.StringVar(&s.to, "to", "", "last `DAY`; the first one when left out")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) backfill(ctx context.Context, r remote, s span) error {
	if s.channel == "" {
		return domain.EField(domain.KindInvalid, "--channel", "is missing")
	}
	from, to, err := s.days()
	if err != nil {
		return err
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	defer p.follow(ctx, c, query("/v1/reconciliations/bills", "channel", s.channel, "state", string(operations.RunRunning), "limit", "1"))()
	var all []httpapi.BillRun
	for day := from; day <= to && err == nil; day = day.Add(1) {
		var out struct {
			Bills []httpapi.BillRun `json:"bills"`
		}
		in := map[string]string{"channel": s.channel, "day": string(day)}
		err = c.call(ctx, http.MethodPost, "/v1/reconciliations/bills", nil, in, &out)
		all = append(all, out.Bills...)
	}
	if len(all) > 0 {
		err = errors.Join(err, p.printBills(all))
	}
	if err != nil {
		return err
	}
	return billVerdict(all)
}

// billVerdict is the exit status of runs: what is open speaks before what could
// not be had.
func billVerdict(runs []httpapi.BillRun) error {
	code := exitOK
	for _, r := range runs {
		switch {
		case r.State == string(operations.RunComplete) && r.Differing > 0:
			return &verdict{code: exitDiffers}
		case r.State != string(operations.RunComplete):
			code = exitIncomplete
		}
	}
	if code != exitOK {
		return &verdict{code: code}
	}
	return nil
}

func newBillsCommand(p *program, r *remote) *cobra.Command {
	var s span
	var state string
	var limit int
	cmd := &cobra.Command{
		Use: "bills [ID]", Short: "List comparisons with bills, or show one",
		Example: `  counterfoil reconcile bills --channel wechat-main --from 2026-11-01 --dir /srv/pay
  counterfoil reconcile bills bill-20261122T021500.000Z-1f2e3d4c --dir /srv/pay --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			path := query("/v1/reconciliations/bills", "channel", s.channel, "from", s.from, "to", s.to, "state", state,
				"limit", strconv.Itoa(limit))
			return p.showBills(ctx, *r, args, path)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&s.channel, "channel", "", "only of this `CHANNEL`")
	f.StringVar(&s.from, "from", "", "only of this `DAY` and later")
	f.StringVar(&s.to, "to", "", "only of this `DAY` and earlier")
	f.StringVar(&state, "state", "", "only in this `STATE`: running, complete or incomplete")
	f.IntVar(&limit, "limit", 20, "at most `N`, 200 or fewer")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) showBills(ctx context.Context, r remote, ids []string, list string) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		var one httpapi.BillRun
		if err := c.call(ctx, http.MethodGet, "/v1/reconciliations/bills/"+url.PathEscape(ids[0]), nil, nil, &one); err != nil {
			return err
		}
		return p.printBill(one)
	}
	var out struct {
		Bills []httpapi.BillRun `json:"bills"`
	}
	if err := c.call(ctx, http.MethodGet, list, nil, nil, &out); err != nil {
		return err
	}
	return p.printBills(out.Bills)
}

// printBill prints one run with what it tells of balances.
func (p *program) printBill(r httpapi.BillRun) error {
	if err := p.printBills([]httpapi.BillRun{r}); err != nil || p.output == "json" || len(r.Balances) == 0 {
		return err
	}
	t := newTable("BALANCE", ">OPENING", ">IN", ">OUT", ">CLOSING", ">BOOK", ">OFF", ">BEFORE", "OF THE DAY: BILL / BOOK")
	for _, b := range r.Balances {
		parts := make([]string, len(b.Parts))
		for i, part := range b.Parts {
			parts[i] = part.What + " " + part.Bill + " / " + part.Book
		}
		t.add("balance:"+r.Channel+":"+b.Currency, b.Opening, b.In, b.Out, b.Closing, b.Book, b.Off, b.Before, strings.Join(parts, ", "))
	}
	fmt.Fprintln(p.stdout)
	return t.print(p.stdout)
}

func (p *program) printBills(runs []httpapi.BillRun) error {
	t := newTable("RUN", "CHANNEL", "DAY", "BILL", "STATE", "CAUSE", ">IMPORT", ">OURS", ">THEIRS", ">MATCHED", ">WAITING",
		">DIFFERING", ">HEALED", "NOTE")
	return printRows(p, runs, t, func(r httpapi.BillRun) {
		t.add(r.ID, r.Channel, r.Day, r.Bill, r.State, r.Cause, r.Import, r.Ours, r.Theirs, r.Matched, r.Waiting, r.Differing,
			r.Healed, r.Note)
	})
}
