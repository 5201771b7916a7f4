package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"counterfoil/internal/assembly"
)

func newVersionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs, Example: "  counterfoil version",
		RunE: p.begin(func(context.Context, []string) error {
			revision := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			_, err := fmt.Fprintf(p.stdout, "%s (revision %s, %s %s/%s)\n", assembly.Software, revision, runtime.Version(),
				runtime.GOOS, runtime.GOARCH)
			return err
		}),
	}
}
