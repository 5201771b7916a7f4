package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

func newReportCommand(p *program, r *remote) *cobra.Command {
	var s span
	cmd := &cobra.Command{
		Use: "report --channel CHANNEL --from DAY [--to DAY]", Short: "Say of each day whether its bill and the books agree",
		Long: `Prints, for each day, the newest comparison with the provider's bill: what both
sides came to and what differs. A day without a complete comparison is named as
such, so that a month can be closed when all of its days are there.

Exit status: 0 every day is compared and agrees, 3 differences are open, 4 a day
has no complete comparison.`,
		Example: "  counterfoil reconcile report --channel wechat-main --from 2026-11-01 --to 2026-11-30 --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.report(ctx, *r, s) }),
	}
	f := cmd.Flags()
	f.StringVar(&s.channel, "channel", "", "`CHANNEL` to report of")
	f.StringVar(&s.from, "from", "", "first `DAY`, YYYY-MM-DD")
	f.StringVar(&s.to, "to", "", "last `DAY`; the first one when left out")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) report(ctx context.Context, r remote, s span) error {
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
	runs, err := pages[httpapi.BillRun](ctx, c, 0, "/v1/reconciliations/bills", "bills", "channel", s.channel, "from", string(from), "to", string(to))
	if err != nil {
		return err
	}
	days := newestOf(runs, s.channel, from, to)
	if err := p.printDays(days); err != nil {
		return err
	}
	return billVerdict(days)
}

// newestOf is the newest comparison of each day and bill, a complete one where
// there is any; a day without any is told as missing.
func newestOf(runs []httpapi.BillRun, channel string, from, to domain.Day) []httpapi.BillRun {
	newest := map[[2]string]httpapi.BillRun{}
	have := map[string]bool{}
	for _, r := range runs {
		key := [2]string{r.Day, r.Bill}
		was, seen := newest[key]
		if complete := string(operations.RunComplete); !seen || was.State != complete && r.State == complete {
			newest[key] = r
		}
		have[r.Day] = true
	}
	out := slices.Collect(maps.Values(newest))
	for day := from; day <= to; day = day.Add(1) {
		if !have[string(day)] {
			out = append(out, httpapi.BillRun{Channel: channel, Day: string(day), State: "missing"})
		}
	}
	slices.SortFunc(out, func(a, b httpapi.BillRun) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Bill, b.Bill)) })
	return out
}

func (p *program) printDays(days []httpapi.BillRun) error {
	t := newTable("DAY", "BILL", "STATE", "CAUSE", ">MATCHED", ">WAITING", ">DIFFERING", "CURRENCY", ">OUR PAYMENTS", ">THEIR PAYMENTS",
		">OUR REFUNDS", ">THEIR REFUNDS", ">FEES")
	return printRows(p, days, t, func(r httpapi.BillRun) {
		totals := r.Totals
		if len(totals) == 0 {
			totals = []httpapi.BillTotal{{}}
		}
		for i, sum := range totals {
			if i > 0 { // a further currency of the same day
				t.add("", "", "", "", "", "", "", sum.Currency, sum.OurPayments, sum.TheirPayments, sum.OurRefunds, sum.TheirRefunds, sum.Fees)
				continue
			}
			t.add(r.Day, r.Bill, r.State, r.Cause, r.Matched, r.Waiting, fmt.Sprint(r.Differing), sum.Currency, sum.OurPayments,
				sum.TheirPayments, sum.OurRefunds, sum.TheirRefunds, sum.Fees)
		}
	})
}
