package assembly

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"counterfoil/domain"
	"counterfoil/internal/config"
)

// Daemon runs a daemon's main: it finds and checks the configuration and calls
// serve until it ends or a signal comes. It returns the exit status: 0 stopped,
// 1 failure, 2 wrong usage or configuration.
func Daemon(name, usage string, serve func(ctx context.Context, cfg config.Config, out io.Writer) error) int {
	ctx, stop := Signals(context.Background())
	defer stop()
	collectLess()
	err := daemon(ctx, name, usage, serve)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if domain.KindOf(err) == domain.KindInvalid {
		return 2
	}
	return 1
}

func daemon(
	ctx context.Context, name, usage string, serve func(ctx context.Context, cfg config.Config, out io.Writer) error,
) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("config", "", "")
	dir := flags.String("dir", "", "")
	err := flags.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return domain.E(domain.KindInvalid, "%w\n\n%s", err, usage)
	case flags.NArg() > 0:
		return domain.E(domain.KindInvalid, "unexpected argument %q\n\n%s", flags.Arg(0), usage)
	}
	path, err := config.Find(*file, *dir)
	if err != nil {
		return err
	}
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return err
	}
	return serve(ctx, cfg, os.Stderr)
}

// gcPercent lets garbage grow to three times what lives: a daemon's live heap
// is small, so the default would collect it very often under load. GOGC in the
// environment wins.
const gcPercent = 300

func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
