package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/internal/progress"
)

// migrateFlags say where a log is to go.
type migrateFlags struct {
	to, namespace, userFile, passwordFile string
	write                                 bool
}

func newMigrateCommand(p *program) *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use: "migrate --to ADDRESS", Short: "Move the log from its file into an EventStoreDB",
		Long: `Copies the log event by event, with ids, order and sealed bytes, into a namespace
of the server that must be empty. Then it reads both from the beginning and
wants the same events, the same Merkle root and the same balances; only then the
file takes no more appends, for ever, and can still be read and verified.

It can be stopped or killed at any moment: run the same command again, and it
finds its place. The daemons may go on meanwhile. From the moment the file is
retired they answer callbacks with failure, so that providers come again, until
they are started with the new configuration. The other files of the
installation stay where they are and stay needed.

搬迁：逐条复制、核对事件数、Merkle 根和余额，再封存旧文件；可随时中断重来。`,
		Example: `  counterfoil migrate --dir /srv/pay --to esdb+discover://cluster.example --user-file user --password-file password
  counterfoil migrate --dir ./try --to 'esdb://127.0.0.1:2113?tls=false' --write-config`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.migrate(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.to, "to", "", "`ADDRESS` of the server, e.g. esdb://host:2113")
	fl.StringVar(&f.namespace, "namespace", config.DefaultNamespace, "`NAME` that begins our streams there")
	fl.StringVar(&f.userFile, "user-file", "", "`FILE` with the name of its user")
	fl.StringVar(&f.passwordFile, "password-file", "", "`FILE` with its password")
	fl.BoolVar(&f.write, "write-config", false, "change the configuration, too")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) migrate(ctx context.Context, f migrateFlags) error {
	if f.to == "" {
		return domain.EField(domain.KindInvalid, "--to", "name the server, e.g. --to esdb://host:2113")
	}
	if err := absolute(&f.userFile, &f.passwordFile); err != nil {
		return err
	}
	cfg, err := p.load()
	if err != nil {
		return err
	}
	target, err := cfg.WithStore(f.to, f.namespace, f.userFile, f.passwordFile)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if err := assembly.CheckStore(target); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if cfg.Remote() {
		if assembly.StoreName(cfg) != assembly.StoreName(target) {
			return domain.EField(domain.KindInvalid, "--to", "only a log in a file can be moved; this one is at %s", assembly.StoreName(cfg))
		}
		p.say("The log is at %s already.", assembly.StoreName(cfg))
		return nil
	}
	told, err := assembly.Migrate(ctx, cfg, target, assembly.MigrateOptions{Clock: p.clock, Step: p.eventSteps})
	if err != nil {
		return err
	}
	if p.output == "json" {
		err = p.json(told)
	} else {
		printMigrated(p.stdout, told)
	}
	if err != nil {
		return err
	}
	return p.newStore(target, f.write)
}

// newStore tells, or writes, what the configuration must say from now on.
func (p *program) newStore(target config.Config, write bool) error {
	path, err := config.Find(p.config, p.dir)
	if err != nil {
		return err
	}
	lines := storeLines(target)
	if write {
		if err := rewriteStore(path, lines, target); err != nil {
			return fmt.Errorf("the log has moved, but %s could not be changed: write these lines into it by hand\n%s%w", path, lines, err)
		}
		p.say("%s names the new store. Start the api and the reconciler again.", path)
		return nil
	}
	p.say("Now put this into %s in the place of its store, and start the api and the reconciler again:\n%s", path, lines)
	return nil
}

func printMigrated(w io.Writer, m assembly.Migrated) {
	fmt.Fprintf(w, "copied   %d events, %d of them by this run\n", m.Events, m.Copied)
	fmt.Fprintf(w, "from     %s (takes no appends any more; keep it)\n", m.From)
	fmt.Fprintf(w, "to       %s\n", m.To)
	fmt.Fprintf(w, "proven   the same %d events, event by event\n", m.Events)
	fmt.Fprintf(w, "         the same root %s\n", m.Root)
	fmt.Fprintf(w, "         the same %d balances and %d payments, digest %s\n", m.Balances, m.Payments, m.Digest)
}

// eventSteps shows parts of a work that count events.
func (p *program) eventSteps(what string) (set func(done, total uint64), end func()) {
	bar := progress.New(p.stderr, p.environ, what)
	return bar.Set, bar.End
}
