package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/doctor"
	"counterfoil/domain"
	"counterfoil/eventstore"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/providers"
)

func newDoctorCommand(p *program) *cobra.Command {
	var w walkFlags
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out why callbacks do not arrive or balances do not rise",
		Long: `Looks at the whole installation: files, store, settings, the callback address of
each channel as a gateway would call it, each gateway's order query, clocks, the
daemons and the last day's callbacks. Each line says what was seen and, where
something is wrong, what to do. Nothing is changed; each probe leaves one refused
row in the callback log. Run it on the machine of the api, as its user.

With --pay it then walks one small payment through every stage, with real money
on a live store: it prints where to pay, waits, and tells when the gateway had
the money, whether the callback came and what was answered, when it was kept and
credited, and whether the balance of the account _test rose.

体检：检查回调地址、网关查单、密钥、时钟、守护进程；--pay 0.01 走一笔真实小额支付。

Exit status: 0 when nothing failed, 1 otherwise.`,
		Example: `  counterfoil doctor --dir /srv/pay
  counterfoil doctor --dir /srv/pay --pay 0.01 --channel epay-main
  counterfoil doctor --dir ./try --pay 0.01 --channel epay-test --pay-by-sandbox`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.doctor(ctx, w) }),
	}
	w.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) doctor(ctx context.Context, w walkFlags) (err error) {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := w.check(cfg); err != nil {
		return err
	}
	in, done := p.installation(ctx, cfg)
	defer func() { err = errors.Join(err, done()) }()
	counts := map[doctor.Result]int{}
	err = doctor.Examine(ctx, in, func(f doctor.Finding) {
		counts[f.Result]++
		p.finding(f)
	})
	if err != nil {
		return fmt.Errorf("broken off: %w", err)
	}
	p.say("%d ok, %d to look at, %d failed, %d skipped", counts[doctor.OK], counts[doctor.Warn], counts[doctor.Fail], counts[doctor.Skipped])
	if w.pay != "" {
		if counts[doctor.Fail] > 0 && !w.anyway {
			return &verdict{exitFailure, errors.New("no payment is made while a check fails: mend it first, or add --anyway")}
		}
		return p.walk(ctx, cfg, in, w)
	}
	if counts[doctor.Fail] > 0 {
		return &verdict{code: exitFailure}
	}
	return nil
}

// finding prints one finding as it is made.
func (p *program) finding(f doctor.Finding) {
	if p.output == "json" {
		_ = p.json(f) // a broken pipe ends the program by its signal
		return
	}
	p.line(f, "")
}

var resultWords = map[doctor.Result]string{
	doctor.OK: "ok", doctor.Warn: "WARN", doctor.Fail: "FAIL", doctor.Skipped: "--",
}

// line is a finding for people: what was seen, and below it what to do.
func (p *program) line(f doctor.Finding, after string) {
	name := f.Check
	if f.About != "" {
		name += " (" + f.About + ")"
	}
	if after != "" {
		after = fmt.Sprintf("%9s  ", after)
	}
	fmt.Fprintf(p.stdout, "%-4s  %s%s: %s\n", resultWords[f.Result], after, cell(name), cell(f.Seen))
	if f.Do != "" {
		fmt.Fprintf(p.stdout, "      -> %s\n         %s\n", cell(f.Do), f.DoZh)
	}
}

// installation opens what can be opened; what cannot is told with its error.
func (p *program) installation(ctx context.Context, cfg config.Config) (in doctor.Installation, done func() error) {
	in = doctor.Installation{
		Dir: cfg.Dir, Files: secretFiles(cfg), Software: assembly.Software, PublicURL: cfg.PublicURL,
		TrustedProxies: cfg.Limits.TrustedProxies, API: cfg.OpsListen, Reconciler: cfg.Reconciler.OpsListen,
		SweepEvery: cfg.Reconciler.SweepEvery, Clock: p.clock,
	}
	var closers []func() error
	done = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	if in.Operations, in.OpsErr = p.openOperations(ctx, cfg); in.OpsErr != nil {
		in.Operations = nil
	} else {
		closers = append(closers, in.Operations.Close)
	}
	id, closeStore := p.examineStore(ctx, cfg, &in)
	closers = append(closers, closeStore)
	if rows, err := openRows(cfg); err != nil {
		in.RowsErr = err
	} else {
		in.Rows = rows
		closers = append(closers, rows.Close)
	}
	in.Channels = p.channels(cfg, id)
	return in, done
}

// examineStore opens the event store and tells who the log is.
func (p *program) examineStore(ctx context.Context, cfg config.Config, in *doctor.Installation) (id domain.ID, done func() error) {
	store, err := p.openEvents(ctx, cfg)
	if err != nil {
		in.Store.Err = err
		return id, func() error { return nil }
	}
	if err = describeStore(ctx, cfg, store, in); err == nil && in.Operations != nil {
		err = unsealer(ctx, store, in, p.clock)
	}
	opened, oerr := ledger.Opened(ctx, store)
	if err = errors.Join(err, oerr); err != nil {
		in.Store.Err = err
		return id, store.Close
	}
	in.Mode = opened.Mode
	in.Store.Log = store
	return opened.Ledger, store.Close
}

// describeStore tells what kind of store it is.
func describeStore(ctx context.Context, cfg config.Config, store eventstore.Store, in *doctor.Installation) error {
	file, ok := store.(*esqlite.Store)
	if !ok {
		in.Store.Server = assembly.StoreName(cfg)
		return nil
	}
	info, err := file.Info(ctx)
	in.Store.SQLite, in.Store.Free, in.Store.Bytes = info.SQLite, info.Free, info.Bytes
	in.Store.Settings = "write-ahead log with a sync for every append (WAL, FULL read back)"
	return err
}

func unsealer(ctx context.Context, store eventstore.Store, in *doctor.Installation, clock func() time.Time) error {
	l, err := ledger.Open(ctx, store, in.Operations, ledger.Config{Software: assembly.Software, Clock: clock})
	if err != nil {
		return err
	}
	in.Store.Unseal = func(ctx context.Context, r eventstore.Recorded) error {
		_, err := l.Unseal(ctx, r)
		return err
	}
	return nil
}

// openRows opens the projections if they are there: looking makes none.
func openRows(cfg config.Config) (*psqlite.DB, error) {
	path := assembly.Path(cfg, assembly.ProjectionsFile)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return psqlite.Open(path, psqlite.Config{})
}

// channels builds each channel on its own, so that one with wrong settings
// hides no other. Without a readable log a made-up ledger id serves: it only
// marks secrets in the log.
func (p *program) channels(cfg config.Config, ledgerID domain.ID) []doctor.Channel {
	if ledgerID.IsZero() {
		ledgerID[0] = 1
	}
	var out []doctor.Channel
	for _, id := range cfg.ChannelIDs() {
		one := cfg
		c := cfg.Channels[string(id)]
		one.Channels = map[string]config.Channel{string(id): c}
		ports, err := assembly.Channels(one, ledgerID, p.clock)
		out = append(out, doctor.Channel{
			ID: id, Err: err, Port: ports[id], Key: c.Key, Test: c.Test, CallbackURL: providers.NotifyURL(cfg.PublicURL, id),
		})
	}
	return out
}

// secretFiles are the files with keys in them.
func secretFiles(cfg config.Config) []doctor.File {
	paths := []string{assembly.Path(cfg, assembly.OperationsFile)}
	for _, id := range cfg.ChannelIDs() {
		c := cfg.Channels[string(id)]
		paths = append(paths, c.SecretFiles(cfg.Dir)...)
		if c.Inline() {
			paths = append(paths, filepath.Join(cfg.Dir, config.FileName))
		}
	}
	_ = filepath.WalkDir(filepath.Join(cfg.Dir, secretsFolder), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return nil
	})
	seen := map[string]bool{}
	var out []doctor.File
	for _, path := range paths {
		if !seen[path] {
			seen[path] = true
			out = append(out, doctor.File{Path: path, Secret: true})
		}
	}
	return out
}
