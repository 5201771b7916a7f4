package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/internal/bench"
	"counterfoil/internal/config"
	"counterfoil/internal/demo"
	"counterfoil/internal/progress"
)

func newDemoCommand(p *program) *cobra.Command {
	var o demo.Options
	var store initSettings
	cmd := &cobra.Command{
		Use: "demo", Short: "Play the main job against a sandbox of all providers with every fault",
		Long: `Starts a sandbox of Epay, WeChat Pay, Alipay and Stripe with every fault it
knows, the api program and two reconcilers on a new test store; sells, pays,
refunds, disputes, kills the api with -9 in the middle; then compares our books
with the providers'. Ends with a table and a verdict: exit status 1 if a paid
order is not credited exactly once, or a refund, a dispute or a balance differs.
No real money moves.

The programs api and reconciler must lie beside this one.`,
		Example: "  counterfoil demo\n  counterfoil demo --dir /tmp/demo --keep --seed 7 --payments 500\n  counterfoil demo --store 'esdb://127.0.0.1:2113?tls=false'",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			o.Dir, o.Out, o.Log, o.Progress = p.dir, p.stdout, p.stderr, p.steps
			bin, err := beside()
			if err != nil {
				return err
			}
			o.Bin = bin
			if o.Store, err = demoStore(store); err != nil {
				return err
			}
			return demo.Run(ctx, o)
		}),
	}
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "leave the store in --dir for verify, events and export")
	cmd.Flags().BoolVar(&o.Stay, "stay", false, "stay up after the verdict, until Ctrl-C")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "`N` of every choice: the same seed plays the same orders")
	cmd.Flags().IntVar(&o.Payments, "payments", 2000, "`N` payments to play")
	cmd.Flags().StringVar(&store.Store, "store", config.Embedded, "where events are kept: sqlite, or the `ADDRESS` of an EventStoreDB")
	cmd.Flags().StringVar(&store.UserFile, "store-user-file", "", "`FILE` with the name of its user")
	cmd.Flags().StringVar(&store.PasswordFile, "store-password-file", "", "`FILE` with its password")
	return cmd
}

// demoStore is the lines that name the demo's event store. On a server every
// demo has a namespace of its own, which it leaves behind.
func demoStore(s initSettings) (string, error) {
	if s.Store == config.Embedded {
		return "", nil
	}
	if err := absolute(&s.UserFile, &s.PasswordFile); err != nil {
		return "", err
	}
	namespace := "demo-" + strings.ToLower(rand.Text()[:12])
	cfg, err := config.Config{}.WithStore(s.Store, namespace, s.UserFile, s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("--%w", err)
	}
	return storeLines(cfg), nil
}

func newBenchCommand(p *program) *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure callbacks, repeats, balances and sealing on this machine",
		Long: `Measures the real api program over real sockets on a scratch store below --dir
(the system's folder for temporary files without it), beside a bare handler and
a bare write and sync. Prints a page of Markdown.`,
		Example: "  counterfoil bench\n  counterfoil bench --for 10s --rounds 5 --large 2000000",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) (err error) {
			if o.Bin, err = beside(); err != nil {
				return err
			}
			if o.Dir, err = os.MkdirTemp(p.dir, "counterfoil-bench-"); err != nil {
				return fmt.Errorf("make a scratch folder: %w", err)
			}
			defer func() { _ = os.RemoveAll(o.Dir) }()
			o.Out, o.Progress = p.stdout, p.steps
			return bench.Run(ctx, o)
		}),
	}
	cmd.Flags().DurationVar(&o.For, "for", 5*time.Second, "`TIME` each measurement takes")
	cmd.Flags().IntVar(&o.Rounds, "rounds", 3, "each figure is the median of `N` measurements")
	cmd.Flags().StringVar(&o.Only, "only", "", "`WHAT` to measure and nothing else: sealing")
	cmd.Flags().IntVar(&o.Large, "large", 0, "measure callbacks at `N` payments too, in order and scattered")
	return cmd
}

// beside is the folder this program lies in: its sisters lie there too.
func beside() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's folder: %w", err)
	}
	return filepath.Dir(path), nil
}

// steps shows a job of total steps; step may be called from many goroutines. A
// total of 0 is not known.
func (p *program) steps(label string, total int) (step, done func()) {
	bar := progress.New(p.stderr, p.environ, label)
	var mu sync.Mutex
	n := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		n++
		bar.Set(uint64(n), uint64(max(total, 0)))
	}, bar.End
}
