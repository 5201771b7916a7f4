package main

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newOpeningCommand(p *program) *cobra.Command {
	var r remote
	propose, list := newOpeningProposeCommand(p, &r), newOpeningListCommand(p, &r)
	approve := newOpeningDecideCommand(p, &r, "approve", "Book an opening balance", `Says the second person's yes. It takes another person's key than the proposer's; a
service's key books nothing.`)
	reject := newOpeningDecideCommand(p, &r, "reject", "Reject an opening balance, or withdraw your own", "Ends a proposal with a reason.")
	r.addFlags(propose, list, approve, reject)
	return group("opening", "What a channel and its accounts had before these books, which takes two persons", propose, list, approve, reject)
}

func newOpeningProposeCommand(p *program, r *remote) *cobra.Command {
	var day, reason, wallets string
	var balance []string
	cmd := &cobra.Command{
		Use: "propose CHANNEL --day DAY --reason TEXT", Short: "Propose an opening balance to a second person",
		Long: `Proposes what the provider held and what accounts had at the end of a day, taken
over from other books. Nothing is booked until another person approves it. The
file of accounts has lines of account, amount and currency; long ones become
several proposals.`,
		Example: "  counterfoil opening propose epay-main --day 2026-10-31 --balance \"1234.50 CNY\" --wallets accounts.csv \\\n" +
			"    --reason \"closing of the old system\" --dir /srv/pay",
		Args: cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			asks, err := openingAsks(balance, wallets)
			if err != nil {
				return err
			}
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var made []httpapi.Opening
			for _, in := range asks {
				in["channel"], in["day"], in["reason"] = args[0], day, reason
				var one httpapi.Opening
				if err := c.call(ctx, http.MethodPost, "/v1/openings", nil, in, &one); err != nil {
					return err
				}
				made = append(made, one)
			}
			return p.printOpenings(made)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&day, "day", "", "`DAY` at whose end they had it, YYYY-MM-DD in the channel's zone")
	f.StringArrayVar(&balance, "balance", nil, "`MONEY` the provider held, such as \"1234.50 CNY\"; may be given for each currency")
	f.StringVar(&wallets, "wallets", "", "`FILE` (CSV) of what accounts had: account,amount,currency")
	f.StringVar(&reason, "reason", "", "`TEXT` that says where the figures come from")
	_ = cmd.MarkFlagRequired("day")
	_ = cmd.MarkFlagRequired("reason")
	p.addOutput(cmd, "table")
	return cmd
}

// openingAsks are the bodies of the proposals: the balance goes with the first.
func openingAsks(balance []string, wallets string) ([]map[string]any, error) {
	first := map[string]any{}
	var amounts []httpapi.Money
	for _, text := range balance {
		m, err := moneyFlag(text)
		if err != nil {
			return nil, err
		}
		amounts = append(amounts, m)
	}
	if len(amounts) > 0 {
		first["balance"] = amounts
	}
	rows, err := readWallets(wallets)
	if err != nil {
		return nil, err
	}
	asks := []map[string]any{first}
	i := 0
	for part := range slices.Chunk(rows, domain.MaxOpeningWallets) {
		if i > 0 {
			asks = append(asks, map[string]any{})
		}
		asks[i]["wallets"] = part
		i++
	}
	return asks, nil
}

// readWallets reads lines of account, amount and currency; none without a file.
func readWallets(path string) ([]httpapi.OpeningWallet, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "--wallets", "%w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = 3
	var out []httpapi.OpeningWallet
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "--wallets", "%w", err)
		}
		if row[0] == "account" && len(out) == 0 {
			continue // a heading
		}
		out = append(out, httpapi.OpeningWallet{Account: row[0], Amount: httpapi.Money{Amount: row[1], Currency: row[2]}})
	}
}

func newOpeningListCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list CHANNEL", Short: "List a channel's opening balances, newest first",
		Example: "  counterfoil opening list epay-main --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var out struct {
				Openings []httpapi.Opening `json:"openings"`
			}
			if err := c.call(ctx, http.MethodGet, query("/v1/openings", "channel", args[0]), nil, nil, &out); err != nil {
				return err
			}
			return p.printOpenings(out.Openings)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func newOpeningDecideCommand(p *program, r *remote, verb, short, long string) *cobra.Command {
	var reason, sign string
	cmd := &cobra.Command{
		Use: verb + " CHANNEL ID", Short: short, Long: long,
		Example: "  counterfoil opening " + verb + " epay-main 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --reason \"as on the provider's page\" --dir /srv/pay",
		Args:    cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var one httpapi.Opening
			in := map[string]any{"reason": reason}
			path := "/v1/openings/" + url.PathEscape(args[0]) + "/" + url.PathEscape(args[1])
			if sign != "" {
				if in["signature"], err = p.signOpening(ctx, c, path, args[0], args[1], sign); err != nil {
					return err
				}
			}
			if err := c.call(ctx, http.MethodPost, path+"/"+verb, nil, in, &one); err != nil {
				return err
			}
			return p.printOpenings([]httpapi.Opening{one})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why")
	if verb == "approve" {
		addSignKey(cmd, &sign)
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) printOpenings(rows []httpapi.Opening) error {
	t := newTable("ID", "CHANNEL", "DAY", "STATE", ">BALANCE", ">ACCOUNTS", "PROPOSED BY", "DECIDED BY", "REASON")
	return printRows(p, rows, t, func(o httpapi.Opening) {
		balance := ""
		for i := range o.Balance {
			if i > 0 {
				balance += ", "
			}
			balance += apiMoney(&o.Balance[i])
		}
		t.add(o.ID, o.Channel, o.Day, o.State, balance, strconv.Itoa(len(o.Wallets)), o.ProposedBy, o.DecidedBy, o.Reason)
	})
}
