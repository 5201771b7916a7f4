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

func newDiscrepanciesCommand(p *program) *cobra.Command {
	var r remote
	list, show, resolve := newDiscrepancyListCommand(p, &r), newDiscrepancyShowCommand(p, &r), newDiscrepancyResolveCommand(p, &r)
	r.addFlags(list, show, resolve)
	return group("discrepancies", "Items in which the books and a provider's bill do not agree", list, show, resolve)
}

func newDiscrepancyListCommand(p *program, r *remote) *cobra.Command {
	var limit int
	filter := map[string]*string{}
	cmd := &cobra.Command{
		Use: "list", Short: "List discrepancies, newest first",
		Long:    "Lists discrepancies, newest first.\n\nExit status: 0 none is listed that is open, 3 open ones are.",
		Example: "  counterfoil discrepancies list --state open --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			var given []string
			for name, value := range filter {
				given = append(given, strings.ReplaceAll(name, "-", "_"), *value)
			}
			return p.listDiscrepancies(ctx, *r, limit, given...)
		}),
	}
	f := cmd.Flags()
	for name, usage := range map[string]string{
		"channel":  "only of this `CHANNEL`",
		"bill":     "only first shown by this `BILL`: trade, fund_flow or answers; order for what single orders show",
		"kind":     "only of this `KIND`, e.g. only_ours",
		"state":    "only in this `STATE`: open or resolved",
		"day":      "only first shown by the bill of this `DAY`",
		"from":     "only first shown by the bill of this `DAY` or a later one",
		"to":       "only first shown by the bill of this `DAY` or an earlier one",
		"order-no": "only about this order `NUMBER`",
		"trade-no": "only about money under this `NUMBER`",
	} {
		filter[name] = f.String(name, "", usage)
	}
	f.IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listDiscrepancies(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Discrepancy](ctx, p, r, limit, "/v1/discrepancies", "discrepancies", filter...)
	if err != nil {
		return err
	}
	if err := p.printDiscrepancies(all); err != nil {
		return err
	}
	for _, d := range all {
		if d.State == "open" {
			return &verdict{code: exitDiffers}
		}
	}
	return nil
}

func newDiscrepancyShowCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a discrepancy",
		Example: "  counterfoil discrepancies show 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --dir /srv/pay --output json",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			return p.oneDiscrepancy(ctx, *r, http.MethodGet, args[0], nil)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func newDiscrepancyResolveCommand(p *program, r *remote) *cobra.Command {
	var reason, file string
	cmd := &cobra.Command{
		Use: "resolve ID --reason TEXT [--sign-key FILE]", Short: "Set a discrepancy aside: it needs nothing more",
		Long: `Notes a person's word that a discrepancy needs nothing more, with the reason. It
moves no money: what is to be corrected in the books is corrected there.

A discrepancy that may stand for money takes two persons: the first one's word is
kept, and it stays open until another person says the same. If its amounts changed
meanwhile, that is a first word again.

With --sign-key the word is signed with your own key, and what is signed is shown.
Who has a key of their own must sign; see keys sign-key.`,
		Example: "  counterfoil discrepancies resolve 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --reason \"agreed with the bank\" --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			if reason == "" {
				return domain.EField(domain.KindInvalid, "--reason", "is missing")
			}
			return p.resolveDiscrepancy(ctx, *r, args[0], reason, file)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for people")
	addSignKey(cmd, &file)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) resolveDiscrepancy(ctx context.Context, r remote, id, reason, file string) error {
	in := map[string]any{"reason": reason}
	if file != "" {
		c, err := p.connect(r)
		if err != nil {
			return err
		}
		if in["signature"], err = p.signAside(ctx, c, id, reason, file); err != nil {
			return err
		}
	}
	return p.oneDiscrepancy(ctx, r, http.MethodPost, id+"/resolve", in)
}

func (p *program) oneDiscrepancy(ctx context.Context, r remote, method, place string, in any) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var one httpapi.Discrepancy
	if err := c.call(ctx, method, "/v1/discrepancies/"+(&url.URL{Path: place}).EscapedPath(), nil, in, &one); err != nil {
		return err
	}
	return p.printDiscrepancies([]httpapi.Discrepancy{one})
}

func (p *program) printDiscrepancies(rows []httpapi.Discrepancy) error {
	t := newTable("ID", "KIND", "STATE", "CHANNEL", "DAY", "ORDER", "TRADE", "REF", ">OURS", ">THEIRS", "NOTE")
	return printRows(p, rows, t, func(d httpapi.Discrepancy) {
		note := d.Note
		switch {
		case d.Resolution != "":
			note = d.Resolution
		case d.AskedBy != "":
			note = d.AskedBy + " asks to set it aside: " + d.Asked
		}
		t.add(d.ID, d.Kind, d.State, d.Channel, d.Day, d.OrderNo, d.TradeNo, d.Ref, apiMoney(d.Ours), apiMoney(d.Theirs), note)
	})
}
