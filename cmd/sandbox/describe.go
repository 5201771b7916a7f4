package main

import (
	"fmt"
	"io"
	"strings"

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
	fmt.Fprintf(out, "  sandbox-%s:\n    provider: epay\n    protocol: %s\n    gateway: %s\n    pid: %q\n    test: true\n",
		m.PID, m.Version, m.BaseURL, m.PID)
	if strings.HasPrefix(m.BaseURL, "http:") {
		fmt.Fprintln(out, "    allow_plain_http: true")
	}
	if m.Version == sandbox.V1 {
		fmt.Fprintf(out, "    key: %q\n", m.Key)
		return
	}
	fmt.Fprintf(out, "    merchant_key: %q\n    platform_key: %q\n", m.MerchantKey, m.PlatformPublicKey)
}
