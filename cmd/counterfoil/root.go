package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/internal/config"
)

// The exit codes, for scripts.
const (
	exitOK         = 0
	exitFailure    = 1
	exitUsage      = 2 // wrong usage or configuration
	exitDiffers    = 3 // differences were found
	exitIncomplete = 4 // not everything could be asked or checked
	exitBroken     = 5 // verification failed
)

const about = `counterfoil keeps a counterfoil for every payment callback, credits each
payment once, and lets anyone check why.

An installation is a folder that "counterfoil init" makes. Name it with --dir,
or its configuration with --config; without either the working folder counts.

Exit status: 0 ok, 1 failure, 2 wrong usage or configuration, 3 differences
found, 4 incomplete, 5 verification failed.`

// newRootCommand is the whole command. Each subcommand is one line here.
func newRootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use: "counterfoil", Short: "A ledger for payment callbacks", Long: about,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		Args:              cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.PersistentFlags().StringVar(&p.config, "config", "", "configuration `FILE`")
	root.PersistentFlags().StringVar(&p.dir, "dir", "", "`DIR` that \"counterfoil init\" made")
	root.AddCommand(
		newInitCommand(p),
		newDemoCommand(p),
		newBenchCommand(p),
		newKeysCommand(p),
		newEventsCommand(p),
		newReplayCommand(p),
		newVerifyCommand(p),
		newTreeCommand(p),
		newAuditCommand(p),
		newDoctorCommand(p),
		newMigrateCommand(p),
		newCallbacksCommand(p),
		newReconcileCommand(p),
		newDiscrepanciesCommand(p),
		newExportCommand(p),
		newRestsCommand(p),
		newCorrectionsCommand(p),
		newBooksCommand(p),
		newPeriodsCommand(p),
		newPayoutsCommand(p),
		newOpeningCommand(p),
		newDrawsCommand(p),
		newReceivablesCommand(p),
		newPaymentsCommand(p),
		newBalancesCommand(p),
		newEntriesCommand(p),
		newProjectionsCommand(p),
		newConfigCommand(p),
		newActsCommand(p),
		newEraseCommand(p),
		newCatalogCommand(p),
		newVersionCommand(p),
	)
	return root
}

// run runs the command and returns its exit code. Errors are told on standard
// error, once.
func (p *program) run(ctx context.Context) int {
	root := newRootCommand(p)
	root.SetArgs(p.args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var said *verdict
	if !errors.As(err, &said) || said.err != nil {
		fmt.Fprintln(p.stderr, "counterfoil:", err)
	}
	if !p.started && domain.KindOf(err) == domain.KindInternal { // of the flags' library, which says no more
		fmt.Fprint(p.stderr, usageOf(cmd))
	}
	return p.exitCode(err)
}

// usageOf is what a command takes, for who called it wrongly.
func usageOf(cmd *cobra.Command) string {
	var b strings.Builder
	if cmd.HasSubCommands() {
		cmd.SuggestionsMinimumDistance = 2
		for _, name := range cmd.SuggestionsFor(cmd.Flags().Arg(0)) {
			fmt.Fprintf(&b, "Did you mean `%s %s`?\n", cmd.CommandPath(), name)
		}
	} else {
		fmt.Fprintf(&b, "Usage: %s\n", cmd.UseLine())
	}
	fmt.Fprintf(&b, "See `%s --help`.\n", cmd.CommandPath())
	return b.String()
}

// verdict ends a command with a code of its own. Without an err everything was
// said already.
type verdict struct {
	code int
	err  error
}

func (v *verdict) Error() string {
	if v.err == nil {
		return fmt.Sprintf("exit status %d", v.code)
	}
	return v.err.Error()
}

func (v *verdict) Unwrap() error { return v.err }

func (p *program) exitCode(err error) int {
	var v *verdict
	switch {
	case errors.As(err, &v):
		return v.code
	case !p.started, domain.KindOf(err) == domain.KindInvalid:
		return exitUsage
	}
	return exitFailure
}

// begin wraps a command's work: what fails before it is wrong usage.
func (p *program) begin(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.started = true
		return f(cmd.Context(), args)
	}
}

// load reads the configuration that --config or --dir name.
func (p *program) load() (config.Config, error) {
	path, err := config.Find(p.config, p.dir)
	if err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(path, p.environ)
	if err != nil {
		return c, &verdict{exitUsage, err}
	}
	return c, nil
}

// addOutput gives a command that prints rows its --output.
func (p *program) addOutput(cmd *cobra.Command, standard string, further ...string) {
	formats := append([]string{"table", "json"}, further...)
	words := strings.Join(formats[:len(formats)-1], ", ") + " or " + formats[len(formats)-1]
	output := cmd.Flags().StringP("output", "o", standard, "`FORMAT`: "+words)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if p.output = *output; !slices.Contains(formats, p.output) {
			return domain.EField(domain.KindInvalid, "--output", "%q: must be %s", p.output, words)
		}
		return run(cmd, args)
	}
}

// group is a command that only has subcommands.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return domain.E(domain.KindInvalid, "%s needs a subcommand: see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
	}}
	cmd.AddCommand(subs...)
	return cmd
}
