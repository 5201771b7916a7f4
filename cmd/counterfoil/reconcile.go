package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/operations"
)

func newReconcileCommand(p *program) *cobra.Command {
	var r remote
	run, show := newReconcileRunCommand(p, &r), newReconcileShowCommand(p, &r)
	backfill, bills := newBackfillCommand(p, &r), newBillsCommand(p, &r)
	report := newReportCommand(p, &r)
	r.addFlags(run, show, backfill, bills, report)
	return group("reconcile", "Ask the providers now, compare their bills, and see earlier runs", run, show, backfill, bills, report)
}

func newReconcileRunCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Short: "Ask the providers about every payment that is due, and wait",
		Long: `Asks the providers about every unpaid, held and credited payment that is due.
Lost money is credited; nothing is ever taken.

Exit status: 0 complete, 3 differences were found, 4 a provider did not answer:
the run is incomplete, which is never a difference.`,
		Example: "  counterfoil reconcile run --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.runReconciliation(ctx, *r) }),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) runReconciliation(ctx context.Context, r remote) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var out httpapi.Run
	if err := c.call(ctx, http.MethodPost, "/v1/reconciliations", nil, nil, &out); err != nil {
		return err
	}
	if err := p.printRuns([]httpapi.Run{out}); err != nil {
		return err
	}
	switch {
	case out.Differing > 0:
		return &verdict{code: exitDiffers}
	case out.State != string(operations.RunComplete):
		return &verdict{code: exitIncomplete}
	}
	return nil
}

func newReconcileShowCommand(p *program, r *remote) *cobra.Command {
	var limit int
	var watch bool
	cmd := &cobra.Command{
		Use: "show [ID]", Short: "List sweeps, or show one run of any kind",
		Long: `Lists sweeps, or shows one run of any kind. With --watch it waits until the
comparison of that id has ended, and shows how far it has come where standard
error is a terminal; its exit status is then that of the comparison: 0 all agree,
3 differences are open, 4 it is incomplete.`,
		Example: `  counterfoil reconcile show --dir /srv/pay --limit 10
  counterfoil reconcile show sweep-20261122T050000Z-1f2e --dir /srv/pay --output json
  counterfoil reconcile show --watch bill-20261122T021500.000Z-1f2e3d4c --dir /srv/pay`,
		Args: cobra.MaximumNArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			if watch {
				return p.watchRun(ctx, *r, args)
			}
			return p.showRuns(ctx, *r, args, limit)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "at most `N` runs, 200 or fewer")
	cmd.Flags().BoolVar(&watch, "watch", false, "wait until the comparison has ended")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) showRuns(ctx context.Context, r remote, ids []string, limit int) error {
	if limit < 1 || limit > pageRows {
		return domain.EField(domain.KindInvalid, "--limit", "%d: must be 1 to %d", limit, pageRows)
	}
	if len(ids) == 1 && strings.HasPrefix(ids[0], "bill-") {
		return p.showBills(ctx, r, ids, "")
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		var one httpapi.Run
		if err := c.call(ctx, http.MethodGet, "/v1/reconciliations/"+url.PathEscape(ids[0]), nil, nil, &one); err != nil {
			return err
		}
		return p.printRuns([]httpapi.Run{one})
	}
	var out struct {
		Runs []httpapi.Run `json:"runs"`
	}
	if err := c.call(ctx, http.MethodGet, query("/v1/reconciliations", "limit", strconv.Itoa(limit)), nil, nil, &out); err != nil {
		return err
	}
	return p.printRuns(out.Runs)
}

func (p *program) printRuns(runs []httpapi.Run) error {
	t := newTable("RUN", "STATE", "STARTED (UTC)", ">ASKED", ">PAID", ">HEALED", ">CONFIRMED", ">CLOSED", ">UNKNOWN",
		">UNANSWERED", ">DIFFERING", "NOTE")
	return printRows(p, runs, t, func(r httpapi.Run) {
		t.add(r.ID, r.State, r.StartedAt, r.Asked, r.Paid, r.Healed, r.Confirmed, r.Closed, r.Unknown, r.Unanswered,
			r.Differing, r.Note)
	})
}
