package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/eventstore"
	"counterfoil/httpapi"
)

// balancesFlags are the flags of balances.
type balancesFlags struct{ asOf, valueDate string }

func newBalancesCommand(p *program) *cobra.Command {
	var r remote
	var f balancesFlags
	cmd := &cobra.Command{
		Use: "balances ACCOUNT", Short: "Show an account's balances, now, then, or as they were believed then about a day",
		Long: `Shows what an account has, by currency. There are two times. --as-of is what was
known: the log as it stood at a position or an instant. --value-date is what it is
about: only money that belongs to that day or an earlier one counts. Together they
answer what was believed on one day about another.`,
		Example: `  counterfoil balances user:42 --dir /srv/pay
  counterfoil balances user:42 --as-of 2026-12-01T00:00:00Z --value-date 2026-11-30 --dir /srv/pay`,
		Args: cobra.ExactArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error { return p.balances(ctx, r, args[0], f) }),
	}
	addAsOf(cmd, &f.asOf)
	cmd.Flags().StringVar(&f.valueDate, "value-date", "", "last `DAY` whose money counts, YYYY-MM-DD")
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

// addAsOf gives a command the flag that asOf reads.
func addAsOf(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "as-of", "", "as the log stood at this `POSITION`, or instant as 2026-11-22T01:00:00Z")
}

// asOf is how the API is asked for a moment: the name and the value of a query,
// or nothing for now.
func asOf(text string) ([]string, error) {
	var position eventstore.Position
	var instant time.Time
	switch err := momentFlag(text, "--as-of", &position, &instant); {
	case err != nil || text == "":
		return nil, err
	case !instant.IsZero():
		return []string{"as_of_time", text}, nil
	}
	return []string{"as_of_position", text}, nil
}

func (p *program) balances(ctx context.Context, r remote, account string, f balancesFlags) error {
	at, err := asOf(f.asOf)
	if err != nil {
		return err
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	path := query("/v1/accounts/"+url.PathEscape(account)+"/balances", append(at, "value_date", f.valueDate)...)
	var out httpapi.Balances
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &out); err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(out)
	}
	t := newTable("ACCOUNT", ">BALANCE")
	for _, b := range out.Balances {
		t.add(out.Account, apiMoney(&b))
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "at position %s\n", out.Position)
	return err
}
