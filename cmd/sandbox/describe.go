package main

import (
	"fmt"
	"io"

	"counterfoil/sandbox"
)

// describe prints where the providers are and what to put into Counterfoil's
// configuration.
func describe(out io.Writer, box *sandbox.Sandbox, c sandbox.Config) {
	fmt.Fprintf(out, "# Epay sandbox at %s (pages and control: %s/sandbox/)\n", c.BaseURL, c.BaseURL)
	for _, f := range box.Faces() {
		if f.Name() != sandbox.Name {
			fmt.Fprintf(out, "# %s at %s/%s (page: %s/sandbox/%s/)\n", f.Name(), c.BaseURL, f.Name(), c.BaseURL, f.Name())
		}
	}
	fmt.Fprintf(out, "# seed %d, speed %g. For counterfoil's config, in a test store:\n", c.Seed, c.Speed)
	fmt.Fprintln(out, "channels:")
	for _, channel := range box.Channels() {
		fmt.Fprint(out, channel.YAML(""))
	}
}
