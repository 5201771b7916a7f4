package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/tamperlog"
)

func newTreeSealCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "seal", Short: "Seal what is in the log now and print the signed head",
		Long: `Adds every event to the tree and signs it, as the reconciler does all the time;
while a reconciler runs, this waits for it and fails. Exit status 5: the log
contradicts what was signed, and nothing is signed any more.`,
		Example: "  counterfoil tree seal --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.sealTree(ctx) }),
	}
}

func (p *program) sealTree(ctx context.Context) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	events, err := p.openEvents(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	if err := assembly.SealNow(ctx, cfg, events, p.clock); err != nil {
		if domain.KindOf(err) == domain.KindCorrupt {
			return broken(err)
		}
		return err
	}
	f, head, err := p.openTree()
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(head.Note)
	return errors.Join(err, f.Close())
}

func newTreeExportCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "export FOLDER", Short: "Write checkpoint and hash tiles as a static site",
		Long: `Writes the newest checkpoint and all hash tiles under the paths of C2SP tlog-tiles,
for a mirror or a witness. Nothing but hashes is in them. Run again, it adds.`,
		Example: "  counterfoil tree export /var/www/log --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(_ context.Context, args []string) (err error) {
			f, _, err := p.openTree()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // a web server reads it
				return domain.E(domain.KindUnavailable, "make %s: %w", args[0], err)
			}
			head, err := f.Export(args[0])
			if err == nil {
				fmt.Fprintf(p.stdout, "%d leaves, root %s\n", head.Size, head.Hex())
			}
			return err
		}),
	}
}

func newTreeCosignCommand(p *program) *cobra.Command {
	var key, witness string
	cmd := &cobra.Command{
		Use: "cosign FILE", Short: "Add a witness's signature to a checkpoint",
		Long: `Checks the checkpoint with the log's key and prints it with one signature more.
A witness should have run "counterfoil tree check" with the checkpoint it signed
before. With --new NAME a witness key pair is made instead: the private one goes
to the file of --witness-key, the public one is printed.`,
		Example: `  counterfoil tree cosign --new witness.example.org --witness-key witness.key
  counterfoil tree cosign now.checkpoint --key pay.key --witness-key witness.key`,
		Args: cobra.MaximumNArgs(1),
	}
	name := cmd.Flags().String("new", "", "make a key of this `NAME`")
	cmd.Flags().StringVar(&key, "key", "", "public `KEY` of the log, or a file with it")
	cmd.Flags().StringVar(&witness, "witness-key", "", "`FILE` with the witness's private key")
	_ = cmd.MarkFlagRequired("witness-key")
	cmd.RunE = p.begin(func(_ context.Context, args []string) error {
		if *name != "" {
			return p.newWitness(*name, witness)
		}
		if len(args) == 0 || key == "" {
			return domain.E(domain.KindInvalid, "name a checkpoint and the log's --key, or --new NAME")
		}
		return p.cosign(args[0], key, witness)
	})
	return cmd
}

func (p *program) newWitness(name, file string) error {
	private, public, err := tamperlog.NewKey(name)
	if err != nil {
		return err
	}
	if err := writeDurably(file, private+"\n"); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, public)
	return nil
}

func (p *program) cosign(file, key, witness string) error {
	msg, err := os.ReadFile(file)
	if err != nil {
		return domain.EField(domain.KindInvalid, "checkpoint", "%w", err)
	}
	keys, err := readKeys([]string{key})
	if err != nil {
		return err
	}
	private, err := tamperlog.ReadKey(witness)
	if err != nil {
		return domain.EField(domain.KindInvalid, "--witness-key", "%w", err)
	}
	if msg, err = tamperlog.Cosign(msg, keys[0], private); err != nil {
		return broken(err)
	}
	_, err = p.stdout.Write(msg)
	return err
}

func newTreeResumeCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "resume", Short: "Let sealing go on after a person has looked",
		Long: `Sealing stops when the log contradicts what was signed, and stays stopped. This
lets it try again once the log is right; it does not make anything right.`,
		Example: "  counterfoil tree resume --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(context.Context, []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			err = tamperlog.Resume(assembly.Path(cfg, assembly.TreeFolder))
			if domain.KindOf(err) == domain.KindNotFound {
				return domain.E(domain.KindNotFound, "sealing is not stopped")
			}
			return err
		}),
	}
}

func newTreeRebuildCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "rebuild", Short: "Make the tree's files from the log again",
		Long: `Drops tiles and index and makes them from the log again, which must come to the
root that is signed already. For a log that moved to another store, where every
position is another, and for lost files. Stop the reconciler first.

Exit status 5: the log is not the one that was signed.`,
		Example: "  counterfoil tree rebuild --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if err := tamperlog.Rebuild(assembly.Path(cfg, assembly.TreeFolder)); err != nil {
				return err
			}
			return p.sealTree(ctx)
		}),
	}
}
