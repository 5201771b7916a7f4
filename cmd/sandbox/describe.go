package main

import (
	"fmt"
	"io"

	"counterfoil/sandbox"
)

// describe prints where the gateway is and what to put into Counterfoil's
// configuration.
func describe(out io.Writer, box *sandbox.Sandbox, c sandbox.Config) {
	fmt.Fprintf(out, "# Epay sandbox at %s (pages and control: %s/sandbox/)\n", c.BaseURL, c.BaseURL)
	fmt.Fprintf(out, "# seed %d, speed %g. For counterfoil's config, in a test store:\n", c.Seed, c.Speed)
	fmt.Fprintln(out, "channels:")
	for _, m := range box.Credentials() {
		describeMerchant(out, m)
	}
}

func describeMerchant(out io.Writer, m sandbox.Credentials) {
	fmt.Fprintf(out, "  - id: sandbox-%s\n", m.PID)
	fmt.Fprintf(out, "    provider: epay\n    version: %s\n    gateway: %s\n    pid: %q\n", m.Version, m.BaseURL, m.PID)
	if m.Version == sandbox.V1 {
		fmt.Fprintf(out, "    key: %q\n", m.Key)
		return
	}
	fmt.Fprintf(out, "    merchant_private_key: %q\n    platform_public_key: %q\n", m.MerchantKey, m.PlatformPublicKey)
}
