package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newCorrectionsCommand(p *program) *cobra.Command {
	var r remote
	propose, list, show := newCorrectionProposeCommand(p, &r), newCorrectionListCommand(p, &r), newCorrectionShowCommand(p, &r)
	approve := newCorrectionDecideCommand(p, &r, "approve", "Approve a correction: the money moves now", `Says the second person's yes. It takes another person's key than the proposer's; a
service's key approves nothing. What a run proposed takes two persons: the first
yes seconds it and moves nothing.`)
	reject := newCorrectionDecideCommand(p, &r, "reject", "Reject a correction, or withdraw your own", "Ends a proposal with a reason.")
	r.addFlags(propose, list, show, approve, reject)
	return group("corrections", "Corrections of the books, which take two persons", propose, list, show, approve, reject)
}

func newCorrectionProposeCommand(p *program, r *remote) *cobra.Command {
	in := map[string]any{}
	var channel, order, trade, account, amount, discrepancy, day, reason string
	cmd := &cobra.Command{
		Use: "propose ACTION --channel CHANNEL --order NUMBER --trade NUMBER --reason TEXT", Short: "Propose a correction to a second person",
		Long: `Proposes what is to be done about an order's money. Nothing moves until another
person approves it.

Actions:
  allocate   parked money goes to --account
  credit     the order is credited without the provider's word (补单)
  reverse    a credit or an allocation is taken back (冲正); the right one can be
             proposed then: another --trade or order, or where nobody placed the
             order another --account or --amount
  move       credited money goes to --account
  write_off  parked money that nobody claims becomes income`,
		Example: `  counterfoil corrections propose allocate --channel epay-main --order USR1NO0001 --trade 2026112212000012345 \
    --account user:42 --reason "ticket 12: right buyer, wrong amount" --dir /srv/pay`,
		Args: cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			in["action"], in["channel"], in["order_no"], in["trade_no"], in["reason"] = args[0], channel, order, trade, reason
			for name, text := range map[string]string{"account": account, "discrepancy": discrepancy, "value_date": day} {
				if text != "" {
					in[name] = text
				}
			}
			if amount != "" {
				m, err := moneyFlag(amount)
				if err != nil {
					return err
				}
				in["amount"] = m
			}
			return p.oneCorrection(ctx, *r, http.MethodPost, "", in)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", "`CHANNEL` of the order")
	f.StringVar(&order, "order", "", "order `NUMBER`")
	f.StringVar(&trade, "trade", "", "the provider's `NUMBER` of the money")
	f.StringVar(&account, "account", "", "`ACCOUNT` that gets the money")
	f.StringVar(&amount, "amount", "", "`MONEY` such as \"7.30 CNY\", for the credit of an order nobody placed; after a reversal, as it was when left out")
	f.StringVar(&discrepancy, "discrepancy", "", "`ID` of the difference it repairs")
	f.StringVar(&day, "value-date", "", "`DAY` to book it on, in a period that is open; that of the approval when left out")
	f.StringVar(&reason, "reason", "", "`TEXT` that says why, for the one who approves and for auditors")
	for _, name := range []string{"channel", "order", "trade", "reason"} {
		_ = cmd.MarkFlagRequired(name)
	}
	p.addOutput(cmd, "table")
	return cmd
}

// moneyFlag reads "7.30 CNY".
func moneyFlag(text string) (httpapi.Money, error) {
	amount, currency, ok := strings.Cut(text, " ")
	if !ok {
		return httpapi.Money{}, domain.EField(domain.KindInvalid, "--amount", "%q is not an amount and a currency, as in \"7.30 CNY\"", text)
	}
	return httpapi.Money{Amount: amount, Currency: currency}, nil
}

func newCorrectionListCommand(p *program, r *remote) *cobra.Command {
	var channel, state string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List corrections, newest first",
		Example: "  counterfoil corrections list --state proposed --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			return p.listCorrections(ctx, *r, limit, "channel", channel, "state", state)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", "only of this `CHANNEL`")
	f.StringVar(&state, "state", "", "only in this `STATE`: proposed, issued or rejected")
	f.IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listCorrections(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Correction](ctx, p, r, limit, "/v1/corrections", "corrections", filter...)
	if err != nil {
		return err
	}
	return p.printCorrections(all)
}

func newCorrectionShowCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a correction",
		Example: "  counterfoil corrections show 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --dir /srv/pay --output json",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			return p.oneCorrection(ctx, *r, http.MethodGet, "/"+args[0], nil)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func newCorrectionDecideCommand(p *program, r *remote, verb, short, long string) *cobra.Command {
	var reason, sign string
	cmd := &cobra.Command{
		Use: verb + " ID", Short: short, Long: long,
		Example: "  counterfoil corrections " + verb + " 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --reason \"seen the receipt\" --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			in := map[string]any{"reason": reason}
			if sign != "" {
				c, err := p.connect(*r)
				if err != nil {
					return err
				}
				if in["signature"], err = p.signApproval(ctx, c, args[0], sign); err != nil {
					return err
				}
			}
			return p.oneCorrection(ctx, *r, http.MethodPost, "/"+args[0]+"/"+verb, in)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why")
	if verb == "approve" {
		addSignKey(cmd, &sign)
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) oneCorrection(ctx context.Context, r remote, method, place string, in any) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var one httpapi.Correction
	if err := c.call(ctx, method, "/v1/corrections"+(&url.URL{Path: place}).EscapedPath(), nil, in, &one); err != nil {
		return err
	}
	return p.printCorrections([]httpapi.Correction{one})
}

func (p *program) printCorrections(rows []httpapi.Correction) error {
	t := newTable("ID", "ACTION", "STATE", "CHANNEL", "ORDER", "TRADE", ">AMOUNT", "ACCOUNT", "PROPOSED BY", "SECONDED BY", "DECIDED BY", "REASON")
	return printRows(p, rows, t, func(c httpapi.Correction) {
		t.add(c.ID, c.Action, c.State, c.Channel, c.OrderNo, c.TradeNo, apiMoney(&c.Amount), c.Account, c.ProposedBy, c.SecondedBy, c.DecidedBy, c.Reason)
	})
}
