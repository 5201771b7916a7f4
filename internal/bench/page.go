package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// page is the result as Markdown, written as it comes.
type page struct {
	out  io.Writer
	disk time.Duration
	base Result
}

func (p *page) head() {
	fmt.Fprintf(p.out, "# Benchmarks\n\nMade by `make bench`. Load generator and server share %d cores (%s, %s/%s, %s).\n"+
		"Medians; callbacks are signed V1, `confirm_by_query: never`, answered after fsync, projector running.\n\n",
		runtime.NumCPU(), cpu(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintln(p.out, "| what | per second | p50 | p99 | beside |")
	fmt.Fprintln(p.out, "|---|---:|---:|---:|---|")
}

func (p *page) row(what string, r Result, beside string) {
	fmt.Fprintf(p.out, "| %s | %.0f | %s | %s | %s |\n", what, r.Rate, short(r.P50), short(r.P99), beside)
}

func short(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// cpu is the processor's name where the system tells it.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown processor"
}
