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
	cmd.Flags().StringVar(&f.asOf, "as-of", "", "`POSITION` of the log, or instant as 2026-11-22T01:00:00Z")
	cmd.Flags().StringVar(&f.valueDate, "value-date", "", "last `DAY` whose money counts, YYYY-MM-DD")
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

// query is what the flags ask the API for.
func (f balancesFlags) query() (url.Values, error) {
	q := url.Values{}
	var position eventstore.Position
	var instant time.Time
	if err := momentFlag(f.asOf, "--as-of", &position, &instant); err != nil {
		return nil, err
	}
	switch {
	case !instant.IsZero():
		q.Set("as_of_time", f.asOf)
	case f.asOf != "":
		q.Set("as_of_position", f.asOf)
	}
	if f.valueDate != "" {
		q.Set("value_date", f.valueDate)
	}
	return q, nil
}

func (p *program) balances(ctx context.Context, r remote, account string, f balancesFlags) error {
	q, err := f.query()
	if err != nil {
		return err
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	path := "/v1/accounts/" + url.PathEscape(account) + "/balances"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
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
