package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/tamperlog"
)

func newTreeStampCommand(p *program) *cobra.Command {
	var url, roots string
	cmd := &cobra.Command{
		Use: "stamp", Short: "Have the newest signed head dated by a time stamping authority",
		Long: `Sends the SHA-256 of the newest signed head to an RFC 3161 authority, checks its
reply and keeps both in the folder stamps: proof from outside that the log began
like this at that time, which nobody here can make later. The reconciler does so
by itself when tree.time_stamps is configured. "counterfoil verify" holds the log
against every stamped head; without us:

  openssl ts -verify -data NAME.checkpoint -in NAME.tsr -CAfile ROOTS`,
		Example: "  counterfoil tree stamp --dir /srv/pay --url http://timestamp.example.org --roots authority.pem",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.stampHead(ctx, url, roots) }),
	}
	cmd.Flags().StringVar(&url, "url", "", "`ADDRESS` of the authority; left out, tree.time_stamps.url of the configuration")
	cmd.Flags().StringVar(&roots, "roots", "", "PEM `FILE` of its root certificate; left out, tree.time_stamps.roots")
	return cmd
}

func (p *program) stampHead(ctx context.Context, url, roots string) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	set := &cfg.Tree.Stamps
	set.URL = cmp.Or(url, set.URL)
	if err := trust(set, roots); err != nil {
		return err
	}
	switch {
	case set.URL == "":
		return domain.EField(domain.KindInvalid, "--url", "name an authority, here or as tree.time_stamps.url")
	case set.Roots == "":
		return domain.EField(domain.KindInvalid, "--roots", "name the authority's root certificate, here or as tree.time_stamps.roots")
	}
	f, head, err := p.openTree()
	if err != nil {
		return err
	}
	stamp, err := assembly.Stamp(ctx, cfg, head)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d events, root %s\nstamped %s by %s, number %s\n",
		head.Size, head.Hex(), stamp.Time.Format(time.RFC3339), stamp.Authority, stamp.Serial)
	return nil
}

// trust replaces the configured certificates that count by those of a file
// named on the command line.
func trust(set *config.Stamps, file string) (err error) {
	if file != "" {
		set.Roots, err = filepath.Abs(file)
	}
	return err
}

// stampedHeads are the installation's stamped heads, as an auditor brings his
// checkpoints: signed with the log's key, the first of those he brings, and
// stamped by somebody whose certificate counts. Where none counts there are
// none.
func (p *program) stampedHeads(cfg config.Config, roots string, keys []string, tree *tamperlog.Folder) ([]audit.Brought, error) {
	if err := trust(&cfg.Tree.Stamps, roots); err != nil || cfg.Tree.Stamps.Roots == "" {
		return nil, err
	}
	pool, err := assembly.StampRoots(cfg)
	if err != nil {
		return nil, err
	}
	keys, err = readKeys(keys)
	if err == nil && len(keys) == 0 {
		var key string
		key, err = tree.Key()
		keys = []string{key}
	}
	if err != nil {
		return nil, err
	}
	all, err := assembly.Stamps(cfg).All()
	if err != nil {
		return nil, err
	}
	var out []audit.Brought
	for _, h := range all {
		c, stamp, err := h.Open(pool, keys[0])
		if err != nil {
			return nil, broken(err)
		}
		out = append(out, audit.Brought{
			Checkpoint: c.Checkpoint, Whose: "stamped " + stamp.Time.Format(time.RFC3339) + " by " + stamp.Authority,
		})
	}
	return out, nil
}
