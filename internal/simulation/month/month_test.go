package month

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// setting is a number of the environment.
func setting(tb testing.TB, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// seeds are those of the environment, a list with commas.
func seeds(tb testing.TB, otherwise ...uint64) []uint64 {
	text := os.Getenv("COUNTERFOIL_MONTH_SEEDS")
	if text == "" {
		return otherwise
	}
	var out []uint64
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			tb.Fatalf("COUNTERFOIL_MONTH_SEEDS: %v", err)
		}
		out = append(out, n)
	}
	return out
}

// A month at every provider: whatever was planted is found where it was
// planted, with its kind, and nothing else; nothing is taken that the provider
// did not take; and when two people have decided what is theirs to decide, our
// books agree with the providers' own to the cent.
func TestMonth(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	payments := setting(t, "COUNTERFOIL_MONTH_PAYMENTS", 10_000)
	for _, seed := range seeds(t, 1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed, payments)
			w.play()
			w.judge()
			w.answered()
			w.decide()
			w.closes()
			w.close("2026-09")
			w.close("2026-10")
			w.reported(w.report())
			w.reread()
			t.Log(w.story())
		})
	}
}
