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

// newPolicyCommands are the subcommands of config that decide about looser
// policies.
func newPolicyCommands(p *program) []*cobra.Command {
	var r remote
	pending := newPolicyPendingCommand(p, &r)
	approve := newPolicyDecideCommand(p, &r, "approve", "Approve a looser policy: with the second person's yes it is in force")
	reject := newPolicyDecideCommand(p, &r, "reject", "Reject a looser policy, with a reason")
	r.addFlags(pending, approve, reject)
	return []*cobra.Command{pending, approve, reject}
}

func newPolicyPendingCommand(p *program, r *remote) *cobra.Command {
	var channel, state string
	cmd := &cobra.Command{
		Use: "pending", Short: "List settings that loosen a policy and wait for two persons",
		Long: `A daemon whose configuration loosens a channel's policy goes on with the old one
until two different persons approved the change. Here is what waits.`,
		Example: "  counterfoil config pending --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var out struct {
				Changes []httpapi.PolicyChange `json:"changes"`
			}
			if err := c.call(ctx, http.MethodGet, query("/v1/config", "channel", channel, "state", state), nil, nil, &out); err != nil {
				return err
			}
			return p.printPolicies(nothingPending(state), out.Changes)
		}),
	}
	cmd.Flags().StringVar(&channel, "channel", "", "only of this `CHANNEL`")
	cmd.Flags().StringVar(&state, "state", "waiting", "only in this `STATE`: waiting, approved, in_force or rejected; empty for all")
	p.addOutput(cmd, "table")
	return cmd
}

func newPolicyDecideCommand(p *program, r *remote, verb, short string) *cobra.Command {
	var reason, sign string
	cmd := &cobra.Command{
		Use: verb + " ID", Short: short,
		Example: "  counterfoil config " + verb + " 5d0c9c2e-1f2e-5d4c-8a8b-1f2e3d4c5b6a --reason \"agreed with the bank\" --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			c, err := p.connect(*r)
			if err != nil {
				return err
			}
			var one httpapi.PolicyChange
			in := map[string]any{"reason": reason}
			path := "/v1/config/" + url.PathEscape(args[0])
			if sign != "" {
				if in["signature"], err = p.signPolicy(ctx, c, path, args[0], sign); err != nil {
					return err
				}
			}
			if err := c.call(ctx, http.MethodPost, path+"/"+verb, nil, in, &one); err != nil {
				return err
			}
			return p.printPolicies("", []httpapi.PolicyChange{one})
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why")
	if verb == "approve" {
		addSignKey(cmd, &sign)
	}
	p.addOutput(cmd, "table")
	return cmd
}

// nothingPending says that no change is in a state; empty is any.
func nothingPending(state string) string {
	switch domain.PolicyState(state) {
	case "":
		return "No setting was ever loosened."
	case domain.PolicyWaiting:
		return "No setting waits for approval."
	case domain.PolicyApproved, domain.PolicyRejected, domain.PolicyInForce:
	}
	return "No change of a policy is " + strings.ReplaceAll(state, "_", " ") + "."
}

func (p *program) printPolicies(none string, rows []httpapi.PolicyChange) error {
	t := newTable("ID", "CHANNEL", "STATE", "LOOSENS", "ASKED AT", "BY", "APPROVED BY")
	return printRowsOr(p, none, rows, t, func(c httpapi.PolicyChange) {
		var yes []string
		for _, a := range c.Approved {
			yes = append(yes, a.By)
		}
		t.add(c.ID, c.Channel, c.State, strings.Join(c.Loosens, "; "), c.AskedAt, c.By, strings.Join(yes, ", "))
	})
}
