package main

import (
	"context"

	"github.com/spf13/cobra"

	"counterfoil/httpapi"
)

func newActsCommand(p *program) *cobra.Command {
	var r remote
	list := newActsListCommand(p, &r)
	r.addFlags(list)
	return group("acts", "What people did: logins, exports, approvals, keys, policies, erasures", list)
}

func newActsListCommand(p *program, r *remote) *cobra.Command {
	var person, what, since, until string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List what people did, newest first",
		Long: `Lists who did what, when, from where and why. The first use of a key on a day is
its login. Where a request came from stands sealed in the log, not here.`,
		Example: `  counterfoil acts list --person li --since 2026-11-01T00:00:00Z --dir /srv/pay
  counterfoil acts list --what evidence.erased --output json --dir /srv/pay`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			return p.listActs(ctx, *r, limit, "person", person, "what", what, "since", since, "until", until)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&person, "person", "", "only of this `PERSON`")
	f.StringVar(&what, "what", "", "only `WHAT`: login, export, config.approved, ...")
	f.StringVar(&since, "since", "", "recorded at `TIME` or later")
	f.StringVar(&until, "until", "", "recorded before `TIME`")
	f.IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listActs(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Act](ctx, p, r, limit, "/v1/acts", "acts", filter...)
	if err != nil {
		return err
	}
	t := newTable("AT", "PERSON", "WHAT", "SUBJECT", "FROM", "KEY", "WHY")
	return printRows(p, all, t, func(a httpapi.Act) { t.add(a.At, a.Person, a.What, a.Subject, a.From, a.Key, a.Why) })
}
