package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newCallbacksCommand(p *program) *cobra.Command {
	var r remote
	list, recheck := newCallbacksListCommand(p, &r), newCallbacksRecheckCommand(p, &r)
	r.addFlags(list, recheck)
	return group("callbacks", "See which callbacks came and what was answered; verify refused ones again", list, recheck)
}

// callbackFilter is what the flags of callbacks list ask for.
type callbackFilter struct {
	channel, order, outcome, since string
	limit                          int
}

func newCallbacksListCommand(p *program, r *remote) *cobra.Command {
	var f callbackFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List received callbacks with the answers given, newest first",
		Example: `  counterfoil callbacks list --dir /srv/pay --order USR1NO0001
  counterfoil callbacks list --dir /srv/pay --outcome refused --since 24h`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.listCallbacks(ctx, *r, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.channel, "channel", "", "only this `CHANNEL`")
	fl.StringVar(&f.order, "order", "", "only this order `NUMBER`")
	fl.StringVar(&f.outcome, "outcome", "", "only this `OUTCOME`: "+outcomeList())
	fl.StringVar(&f.since, "since", "", "only since `TIME`: RFC 3339, or a duration such as 24h")
	fl.IntVar(&f.limit, "limit", 50, "at most `N` rows")
	p.addOutput(cmd, "table")
	return cmd
}

func outcomeList() string {
	var text string
	for i, o := range domain.Outcomes() {
		if i > 0 {
			text += ", "
		}
		text += string(o)
	}
	return text
}

func (p *program) listCallbacks(ctx context.Context, r remote, f callbackFilter) error {
	since, err := p.instant("--since", f.since)
	if err != nil {
		return err
	}
	if f.outcome != "" && !slices.Contains(domain.Outcomes(), domain.Outcome(f.outcome)) {
		return domain.EField(domain.KindInvalid, "--outcome", "%q: must be one of %s", f.outcome, outcomeList())
	}
	rows, err := listed[httpapi.Callback](ctx, p, r, f.limit, "/v1/callbacks", "callbacks",
		"channel", f.channel, "order_no", f.order, "outcome", f.outcome, "since", since)
	if err != nil {
		return err
	}
	t := newTable("RECEIVED (UTC)", "CHANNEL", "ORDER", "TRADE", ">AMOUNT", "OUTCOME", "REASON", ">STATUS", "ANSWER", "FROM")
	return printRows(p, rows, t, func(b httpapi.Callback) {
		t.add(b.ReceivedAt, b.Channel, b.OrderNo, b.TradeNo, apiMoney(b.Amount), b.Outcome, b.Reason, b.Reply.Status,
			b.Reply.Body, b.Remote)
	})
}

func apiMoney(m *httpapi.Money) string {
	if m == nil {
		return ""
	}
	return m.Amount + " " + m.Currency
}

// instant reads a time: RFC 3339, or so long ago. The result is RFC 3339, or
// empty.
func (p *program) instant(flag, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return p.clock().Add(-d).UTC().Format(time.RFC3339Nano), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", domain.EField(domain.KindInvalid, flag, "%q: must be RFC 3339, e.g. 2026-11-22T05:00:00Z, or a duration, e.g. 24h", text)
	}
	return t.UTC().Format(time.RFC3339Nano), nil
}

func newCallbacksRecheckCommand(p *program, r *remote) *cobra.Command {
	var since string
	var dryRun bool
	cmd := &cobra.Command{
		Use: "recheck CHANNEL", Short: "Verify refused callbacks again, after a key was mended",
		Long: `A mistyped key must cost no money: refused callbacks are kept for 30 days. After
the key was mended and the daemons restarted, those that verify now are taken
in, each once, however often this runs.`,
		Example: `  counterfoil callbacks recheck epay-main --dir /srv/pay --dry-run
  counterfoil callbacks recheck epay-main --dir /srv/pay --since 48h`,
		Args: cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			return p.recheckCallbacks(ctx, *r, args[0], since, dryRun)
		}),
	}
	cmd.Flags().StringVar(&since, "since", "", "only refused since `TIME`: RFC 3339, or a duration such as 24h")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say how many would verify")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) recheckCallbacks(ctx context.Context, r remote, channel, since string, dryRun bool) error {
	from, err := p.instant("--since", since)
	if err != nil {
		return err
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	in := map[string]any{"channel": channel, "dry_run": dryRun}
	if from != "" {
		in["since"] = from
	}
	var out httpapi.Rechecked
	if err := c.call(ctx, http.MethodPost, "/v1/callbacks/recheck", nil, in, &out); err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(out)
	}
	t := newTable("REFUSED", "VERIFY NOW", "KNOWN BEFORE", "CAME TO")
	came := ""
	for _, o := range slices.Sorted(maps.Keys(out.Outcomes)) {
		came = words(came, fmt.Sprintf("%d %s", out.Outcomes[o], o))
	}
	if dryRun {
		came = "(dry run: nothing was taken in)"
	}
	t.add(out.Refused, out.Verified, out.Known, came)
	return t.print(p.stdout)
}
