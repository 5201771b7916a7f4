package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"counterfoil/httpapi"
)

func newDrawsCommand(p *program) *cobra.Command {
	var r remote
	report, reverse := newDrawReportCommand(p, &r), newDrawReverseCommand(p, &r)
	r.addFlags(report, reverse)
	return group("draws", "What customers have spent, as the application says", report, reverse)
}

func newDrawReportCommand(p *program, r *remote) *cobra.Command {
	var number, amount, at string
	cmd := &cobra.Command{
		Use: "report ACCOUNT --number NUMBER --amount MONEY", Short: "Report what an account has spent",
		Long: `Books what an account has spent: it has less from here on. Nothing is refused for
want of a balance, because it was spent already; an account below zero owes. The
same number reported again changes nothing, so a report that had no answer is
simply repeated.`,
		Example: "  counterfoil draws report user:42 --number log-8812 --amount \"0.35 CNY\" --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			m, err := moneyFlag(amount)
			if err != nil {
				return err
			}
			in := map[string]any{"number": number, "amount": m}
			if at != "" {
				in["at"] = at
			}
			return p.oneDraw(ctx, *r, "/v1/accounts/"+url.PathEscape(args[0])+"/draws", in)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&number, "number", "", "the application's own `NUMBER` of the draw, unique over all accounts")
	f.StringVar(&amount, "amount", "", "`MONEY` that was spent, such as \"0.35 CNY\"")
	f.StringVar(&at, "at", "", "`TIME` it was spent (RFC 3339); without it now")
	_ = cmd.MarkFlagRequired("number")
	_ = cmd.MarkFlagRequired("amount")
	p.addOutput(cmd, "table")
	return cmd
}

func newDrawReverseCommand(p *program, r *remote) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "reverse ACCOUNT NUMBER --reason TEXT", Short: "Take a draw back",
		Long: `Gives an account back what a draw took, whole and once. What is drawn anew has a
number of its own.`,
		Example: "  counterfoil draws reverse user:42 log-8812 --reason \"the task failed\" --dir /srv/pay",
		Args:    cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			path := "/v1/accounts/" + url.PathEscape(args[0]) + "/draws/" + url.PathEscape(args[1]) + "/reverse"
			return p.oneDraw(ctx, *r, path, map[string]any{"reason": reason})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for auditors")
	_ = cmd.MarkFlagRequired("reason")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) oneDraw(ctx context.Context, r remote, path string, in any) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var d httpapi.Draw
	if err := c.call(ctx, http.MethodPost, path, nil, in, &d); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	t := newTable("NUMBER", "ACCOUNT", ">AMOUNT", "STATE", "AT", "VALUE DATE", "PERIOD", "POSITION")
	return printRows(p, []httpapi.Draw{d}, t, func(d httpapi.Draw) {
		state := "drawn"
		if d.Reversed != nil {
			state = "reversed"
		}
		t.add(d.Number, d.Account, apiMoney(&d.Amount), state, d.At, d.ValueDate, d.Period, d.Position.String())
	})
}
