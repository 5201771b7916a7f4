package main

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/providers"
)

func newConfigCommand(p *program) *cobra.Command {
	return group("config", "Check the configuration, and agree to looser policies",
		append([]*cobra.Command{newConfigCheckCommand(p)}, newPolicyCommands(p)...)...)
}

func newConfigCheckCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and print it as it is in force, secrets masked",
		Long: `Reads the file and the environment as a daemon would, builds every channel, and
prints what is in force, one setting a line. The first wrong setting is named,
with exit status 2. Secrets are never printed.`,
		Example: `  counterfoil config check --dir /srv/pay
  counterfoil config check --config /etc/counterfoil.yaml --output json`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.checkConfig(ctx) }),
	}
	p.addOutput(cmd, "table")
	return cmd
}

// configRow is one setting in force.
type configRow struct {
	Setting string `json:"setting"`
	Value   any    `json:"value"`
}

func (p *program) checkConfig(context.Context) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := assembly.CheckStore(cfg); err != nil {
		return &verdict{exitUsage, err}
	}
	ledger := domain.NewV5(domain.ID{}, "config check") // no store is opened; the id only salts fingerprints
	if _, err := assembly.Channels(cfg, ledger, p.clock); err != nil {
		return &verdict{exitUsage, err}
	}
	rows := flatten("", reflect.ValueOf(cfg))
	sort.SliceStable(rows, func(i, j int) bool { return section(rows[i].Setting) < section(rows[j].Setting) })
	t := newTable("SETTING", "VALUE")
	err = printRows(p, rows, t, func(r configRow) { t.add(r.Setting, r.Value) })
	if err == nil {
		p.say("The configuration is good. Channels: %d.", len(cfg.Channels))
	}
	return err
}

// section brings single settings before those of groups.
func section(name string) string {
	group, _, nested := strings.Cut(name, ".")
	if !nested {
		return ""
	}
	return group
}

// flatten lists the settings of a struct by the names the file has for them.
func flatten(prefix string, v reflect.Value) []configRow {
	var rows []configRow
	for f, value := range v.Fields() {
		name := f.Tag.Get("koanf")
		if name == "-" {
			continue
		}
		rows = append(rows, setting(prefix+name, value)...)
	}
	return rows
}

func setting(name string, v reflect.Value) []configRow {
	switch x := v.Interface().(type) {
	case providers.Secret:
		if x.IsZero() {
			return []configRow{{name, ""}}
		}
		return []configRow{{name, x.String()}}
	case map[string]config.Channel:
		var rows []configRow
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			rows = append(rows, flatten(name+"."+k.String()+".", v.MapIndex(k))...)
		}
		return rows
	case []string:
		return []configRow{{name, "[" + strings.Join(x, ", ") + "]"}}
	case fmt.Stringer:
		return []configRow{{name, x.String()}}
	}
	switch {
	case v.Kind() == reflect.Struct:
		return flatten(name+".", v)
	case v.Kind() == reflect.Pointer && v.IsNil():
		return []configRow{{name, ""}}
	case v.Kind() == reflect.Pointer:
		return setting(name, v.Elem())
	}
	return []configRow{{name, v.Interface()}}
}
