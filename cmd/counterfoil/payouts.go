package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newPayoutsCommand(p *program) *cobra.Command {
	var r remote
	list, show, arrived := newPayoutListCommand(p, &r), newPayoutShowCommand(p, &r), newPayoutArrivedCommand(p, &r)
	r.addFlags(list, show, arrived)
	return group("payouts", "Money that left a provider's balance for the bank", list, show, arrived)
}

func newPayoutListCommand(p *program, r *remote) *cobra.Command {
	var channel, state string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List payouts, newest first",
		Example: "  counterfoil payouts list --state sent --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			return p.listPayouts(ctx, *r, limit, "channel", channel, "state", state)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", "only of this `CHANNEL`")
	f.StringVar(&state, "state", "", "only in this `STATE`: sent (on the way), arrived or failed")
	f.IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listPayouts(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Payout](ctx, p, r, limit, "/v1/payouts", "payouts", filter...)
	if err != nil {
		return err
	}
	return p.printPayouts(all)
}

func newPayoutShowCommand(p *program, r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show CHANNEL ID", Short: "Show a payout",
		Example: "  counterfoil payouts show stripe-main po_1Q2w3E --dir /srv/pay --output json",
		Args:    cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			return p.onePayout(ctx, *r, http.MethodGet, payoutPath(args[0], args[1], ""), nil)
		}),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func newPayoutArrivedCommand(p *program, r *remote) *cobra.Command {
	var amount, at, reference, statement, reason string
	cmd := &cobra.Command{
		Use: "arrived CHANNEL ID --reason TEXT", Short: "Say that a payout stands on the bank account",
		Long: `Books a payout on the bank account, by your word and the bank's statement: no
provider can know that it arrived. Another amount than was sent is refused: the
difference is for the provider or the bank to explain.`,
		Example: "  counterfoil payouts arrived stripe-main po_1Q2w3E --reason \"statement of 3 November, line 12\" \\\n" +
			"    --statement statement-2026-11.pdf --dir /srv/pay",
		Args: cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			in := map[string]any{"reason": reason}
			for name, text := range map[string]string{"at": at, "reference": reference} {
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
			if statement != "" {
				sum, err := hashOf(statement)
				if err != nil {
					return err
				}
				in["statement"] = sum
			}
			return p.onePayout(ctx, *r, http.MethodPost, payoutPath(args[0], args[1], "/arrived"), in)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&reason, "reason", "", "`TEXT` that says what shows it, for auditors")
	f.StringVar(&amount, "amount", "", "`MONEY` as the bank has it, such as \"730.00 CNY\"")
	f.StringVar(&at, "at", "", "`TIME` of the bank's credit (RFC 3339); without it now")
	f.StringVar(&reference, "reference", "", "the bank's `NUMBER` of the credit")
	f.StringVar(&statement, "statement", "", "the bank's statement as a `FILE`: its SHA-256 is kept, not the file")
	_ = cmd.MarkFlagRequired("reason")
	p.addOutput(cmd, "table")
	return cmd
}

// hashOf is the SHA-256 of a file, hex.
func hashOf(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", domain.EField(domain.KindInvalid, "--statement", "%w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

func payoutPath(channel, id, verb string) string {
	return "/v1/payouts/" + url.PathEscape(channel) + "/" + url.PathEscape(id) + verb
}

func (p *program) onePayout(ctx context.Context, r remote, method, path string, in any) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var one httpapi.Payout
	if err := c.call(ctx, method, path, nil, in, &one); err != nil {
		return fmt.Errorf("payout: %w", err)
	}
	return p.printPayouts([]httpapi.Payout{one})
}

func (p *program) printPayouts(rows []httpapi.Payout) error {
	t := newTable("CHANNEL", "ID", "STATE", ">AMOUNT", "SENT", "ARRIVED", "FAILED", "BY", "REASON")
	return printRows(p, rows, t, func(o httpapi.Payout) {
		t.add(o.Channel, o.ID, o.State, apiMoney(&o.Amount), o.SentAt, o.ArrivedAt, o.FailedAt, o.ArrivedBy, o.Reason)
	})
}
