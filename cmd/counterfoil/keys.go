package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/operations"
)

var scopes = []operations.Scope{
	operations.ScopePaymentsWrite, operations.ScopePaymentsRead, operations.ScopeBalancesRead, operations.ScopeDrawsWrite,
	operations.ScopeEventsRead, operations.ScopeCallbacksRead, operations.ScopeReconcile, operations.ScopeCorrections, operations.ScopeAdmin,
}

func newKeysCommand(p *program) *cobra.Command {
	return group("keys", "Add, list and revoke API keys", newKeysAddCommand(p), newKeysListCommand(p), newKeysRevokeCommand(p), newSignKeyCommand(p))
}

func newKeysAddCommand(p *program) *cobra.Command {
	var k operations.APIKey
	var rights []string
	cmd := &cobra.Command{
		Use: "add --person NAME --scope SCOPE", Short: "Make an API key; its text is shown this once",
		Long: `Makes an API key. Its text goes to standard output and is kept nowhere.

Scopes: ` + scopeList() + `
A key belongs to a person: where two people must agree, two keys of one person
count as one. A service's key never approves anything.`,
		Example: `  counterfoil keys add --dir /srv/pay --person bob --service --scope payments:write --channel epay-main
  counterfoil keys add --dir /srv/pay --person carol --scope balances:read --account user:42`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.addKey(ctx, k, rights) }),
	}
	f := cmd.Flags()
	f.StringVar(&k.Person, "person", "", "`NAME` of the person who owns the key")
	f.StringSliceVar(&rights, "scope", nil, "`SCOPE` the key has; repeat for more")
	f.StringSliceVar(&k.Channels, "channel", nil, "`CHANNEL` the key is limited to; repeat for more")
	f.StringSliceVar(&k.Accounts, "account", nil, "`ACCOUNT` the key is limited to; repeat for more")
	f.BoolVar(&k.Service, "service", false, "a machine's key")
	return cmd
}

func scopeList() string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func (p *program) addKey(ctx context.Context, k operations.APIKey, rights []string) error {
	if k.Person == "" {
		return domain.EField(domain.KindInvalid, "--person", "name who owns the key")
	}
	if len(rights) == 0 {
		return domain.EField(domain.KindInvalid, "--scope", "name at least one of %s", scopeList())
	}
	for _, r := range rights {
		if !slices.Contains(scopes, operations.Scope(r)) {
			return domain.EField(domain.KindInvalid, "--scope", "%q: must be one of %s", r, scopeList())
		}
		k.Scopes = append(k.Scopes, operations.Scope(r))
	}
	for _, c := range k.Channels {
		if _, err := domain.ParseChannelID(c); err != nil {
			return domain.EField(domain.KindInvalid, "--channel", "%w", err)
		}
	}
	for _, a := range k.Accounts {
		if _, err := domain.ParseAccountID(a); err != nil {
			return domain.EField(domain.KindInvalid, "--account", "%w", err)
		}
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	token, err := p.newKey(ctx, cfg, k, true)
	if err != nil {
		return err
	}
	p.say("%s's key, shown this once:", k.Person)
	fmt.Fprintln(p.stdout, token)
	return nil
}

// keyRow is a key as it is listed: never its secret nor the hash of it.
type keyRow struct {
	ID        string             `json:"id"`
	Person    string             `json:"person"`
	Service   bool               `json:"service"`
	Scopes    []operations.Scope `json:"scopes"`
	Channels  []string           `json:"channels,omitempty"`
	Accounts  []string           `json:"accounts,omitempty"`
	CreatedAt time.Time          `json:"created_at"`
	RevokedAt *time.Time         `json:"revoked_at,omitempty"`
}

func newKeysListCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List API keys, without their secrets", Example: "  counterfoil keys list --dir /srv/pay",
		Args: cobra.NoArgs, RunE: p.begin(func(ctx context.Context, _ []string) error { return p.listKeys(ctx) }),
	}
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listKeys(ctx context.Context) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	ops, err := p.openOperations(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	keys, err := ops.APIKeys(ctx)
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	rows := make([]keyRow, len(keys))
	for i, k := range keys {
		rows[i] = keyRow{
			ID: k.ID, Person: k.Person, Service: k.Service, Scopes: k.Scopes, Channels: k.Channels, Accounts: k.Accounts,
			CreatedAt: k.CreatedAt,
		}
		if !k.RevokedAt.IsZero() {
			rows[i].RevokedAt = &k.RevokedAt
		}
	}
	t := newTable("ID", "PERSON", "KIND", "SCOPES", "LIMITED TO", "CREATED", "STATE")
	return printRows(p, rows, t, func(k keyRow) {
		kind, state := "person", "valid"
		if k.Service {
			kind = "service"
		}
		if k.RevokedAt != nil {
			state = "revoked " + moment(*k.RevokedAt)
		}
		var names []string
		for _, s := range k.Scopes {
			names = append(names, string(s))
		}
		limits := strings.Join(slices.Concat(k.Channels, k.Accounts), " ")
		t.add(k.ID, k.Person, kind, strings.Join(names, " "), limits, k.CreatedAt, state)
	})
}

func newKeysRevokeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "Revoke an API key for ever", Args: cobra.ExactArgs(1),
		Long:    "Revokes a key for ever. A running API believes it for ten seconds more at most.",
		Example: "  counterfoil keys revoke 0a1b2c3d4e5f --dir /srv/pay",
		RunE:    p.begin(func(ctx context.Context, args []string) error { return p.revokeKey(ctx, args[0]) }),
	}
}

func (p *program) revokeKey(ctx context.Context, id string) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	ops, err := p.openOperations(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	if _, err := ops.APIKey(ctx, id); err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	if err := p.actLocally(ctx, cfg, ops, domain.Act{What: domain.ActKeyRevoked, Subject: "api key " + id}); err != nil {
		return err
	}
	if err := ops.RevokeAPIKey(ctx, id, domain.Instant(p.clock())); err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	p.say("Key %s is revoked.", id)
	return nil
}
