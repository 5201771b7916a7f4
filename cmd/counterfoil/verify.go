package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/audit"
	"counterfoil/domain"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/internal/progress"
	psqlite "counterfoil/projections/sqlite"
	"counterfoil/tamperlog"
)

func newVerifyCommand(p *program) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use: "verify [BUNDLE]", Short: "Check the whole log, all evidence and all balances, or a bundle",
		Long: `Reads the log from its first event and trusts nothing that can be derived again:
bytes against hashes, ids against content, decisions against the rules, notices
against their evidence, which is verified again with the channels' keys, and
balances against a replay. Each event is held against what was sealed for it in
the tamper-evident log, so that a changed, missing, inserted, swapped or cut-off
one is named by its position. It records nothing, and daemons may go on.

With --checkpoint a signed head that you kept earlier is checked, too: the log
must still begin with the events it covers. With --key it is the key you kept
that must have signed it. Without a checkpoint from outside, verify cannot see a
hand that rewrote the log and signed the result with the log's own key.

A folder that cannot be written, as a copy on a read-only medium, is read where
it is, unless a write-ahead log (events.db-wal) lies beside: then copy all three
files to where they may be written. So do the other commands that only read.

With the name of a bundle (see "counterfoil audit bundle") that file is checked
instead, claim by claim, and no installation is needed.

With --bill a bill that you downloaded from the provider yourself is held against
the log, line by line in both directions: it is the one source that nobody here
has a hand in. Each line that either side lacks is named.

With --from-scratch every other projected row is compared, too: the log is
folded into a temporary file, which takes longer.

Exit status: 0 all is well, 3 the bill and the log differ, 4 nothing is wrong but
some evidence was erased or cannot be verified with the keys configured now, there
is neither a tree nor a checkpoint to hold the log against, the rows to compare
are missing, or the bill cannot be read, 5 something is wrong.`,
		Example: `  counterfoil verify --dir /srv/pay
  counterfoil verify --dir /srv/pay --checkpoint 2026-11-22.checkpoint --key pay.key
  counterfoil verify --dir /srv/pay --from-scratch --output json
  counterfoil verify --dir /srv/pay --bill downloaded.csv --channel wechat-main --day 2026-11-21
  counterfoil verify USR1NO0001.zip --key pay.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				return p.verifyBundle(ctx, args[0], o)
			}
			return p.verify(ctx, o)
		}),
	}
	cmd.Flags().BoolVar(&o.fromScratch, "from-scratch", false, "compare every projected row with a fold from nothing")
	cmd.Flags().StringArrayVar(&o.checkpoints, "checkpoint", nil, "`FILE` with a signed head kept earlier; may be given several times")
	cmd.Flags().StringVar(&o.stampRoots, "stamp-roots", "",
		"PEM `FILE` of the time stamping authority that counts: each stamped head is checked, too; left out, tree.time_stamps.roots")
	cmd.Flags().StringVar(&o.bill.file, "bill", "", "`FILE` with a bill that you downloaded from the provider")
	cmd.Flags().StringVar(&o.bill.channel, "channel", "", "`CHANNEL` the bill is of")
	cmd.Flags().StringVar(&o.bill.day, "day", "", "`DAY` the bill is of, YYYY-MM-DD in the channel's zone")
	cmd.MarkFlagsRequiredTogether("bill", "channel", "day")
	p.addTreeKeys(cmd, &o.keys)
	p.addOutput(cmd, "table")
	return cmd
}

// verifyOptions are the flags of verify.
type verifyOptions struct {
	fromScratch bool
	checkpoints []string
	keys        []string
	stampRoots  string
	bill        billFlags
}

func (p *program) verify(ctx context.Context, o verifyOptions) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	began := p.clock()
	defer p.fewerCollections()()
	rep, err := p.audit(ctx, cfg, o)
	if err != nil {
		if k := domain.KindOf(err); k == domain.KindCorrupt || k == domain.KindMismatch {
			return broken(err)
		}
		return err
	}
	if p.output == "json" {
		err = p.json(rep)
	} else {
		err = printReport(p.stdout, rep, p.clock().Sub(began))
	}
	switch {
	case err != nil:
		return err
	case !rep.OK():
		return &verdict{code: exitBroken}
	case broughtVerdict(rep) != exitOK:
		return &verdict{code: broughtVerdict(rep)}
	case !rep.Complete():
		return &verdict{code: exitIncomplete}
	}
	return nil
}

// audit opens an installation as it is and checks it.
func (p *program) audit(ctx context.Context, cfg config.Config, o verifyOptions) (rep audit.Report, err error) {
	tree := tamperlog.OpenFolder(assembly.Path(cfg, assembly.TreeFolder))
	defer func() { err = errors.Join(err, tree.Close()) }()
	brought, err := p.broughtHeads(o, tree)
	if err != nil {
		return rep, err
	}
	stamped, err := p.stampedHeads(cfg, o.stampRoots, o.keys, tree)
	if err != nil {
		return rep, err
	}
	brought = append(brought, stamped...)
	s, err := p.openToVerify(ctx, cfg)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := audit.Deps{Log: s.events, Ledger: s.ledger, Keys: s.keys, Tree: tree, Brought: brought}
	if file, ok := s.events.(inspector); ok {
		d.Inspect = file.Inspect
	}
	if d.Channels, err = assembly.Channels(cfg, s.ledger.ID(), p.clock); err != nil {
		return rep, err
	}
	if err := assembly.Recall(ctx, s.ledger, d.Channels); err != nil {
		return rep, err
	}
	// A log that has moved left its tree and its rows to the store where it goes
	// on; they have that store's positions.
	moved := assembly.Retired(s.events) != ""
	if moved {
		d.Tree = nil
	}
	if rows := assembly.Path(cfg, assembly.ProjectionsFile); exists(rows) && !moved {
		db, err := psqlite.Open(rows, psqlite.Config{OnlyReads: true})
		if err != nil {
			return rep, fmt.Errorf("open projections: %w", err)
		}
		defer db.Close()
		d.Rows = db
	}
	if o.fromScratch {
		db, remove, err := scratch()
		if err != nil {
			return rep, err
		}
		defer remove()
		d.Scratch = db
	}
	bar := progress.New(p.stderr, p.environ, "verify")
	rep, err = audit.Verify(ctx, d, func(g audit.Progress) { bar.Set(uint64(g.Done), uint64(g.Total)) })
	bar.End()
	if err != nil || o.bill.file == "" {
		return rep, err
	}
	return rep, o.bill.compareBill(ctx, s, d.Channels, &rep)
}

// checkMemory is from where on a check collects garbage as soon as it can.
const checkMemory = 384 << 20

// fewerCollections lets garbage grow to eight times what is in use while a log
// is checked, up to checkMemory: what is in use is bounded, and collecting it
// less often saves a tenth of the time. Who set GOGC or GOMEMLIMIT knows better.
func (p *program) fewerCollections() (restore func()) {
	if p.getenv("GOGC") != "" || p.getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(800), debug.SetMemoryLimit(checkMemory)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// openToVerify opens the stores, and a log that contradicts itself at its end,
// too: what is wrong there shall be named like anything else.
func (p *program) openToVerify(ctx context.Context, cfg config.Config) (*stores, error) {
	s, err := p.openStores(ctx, cfg)
	if err == nil || domain.KindOf(err) != domain.KindCorrupt || cfg.Remote() {
		return s, err
	}
	events, again := esqlite.Open(ctx, assembly.Path(cfg, assembly.EventsFile), esqlite.Options{Cache: readCache, SkipTail: true, OnlyReads: true})
	if again != nil {
		return nil, err
	}
	return p.openBeside(ctx, cfg, events)
}

// inspector is a store that can look at its own file.
type inspector interface {
	Inspect(ctx context.Context) ([]string, error)
}

// broughtHeads opens the checkpoints that the auditor brings.
func (p *program) broughtHeads(o verifyOptions, tree *tamperlog.Folder) ([]audit.Brought, error) {
	var out []audit.Brought
	for _, file := range o.checkpoints {
		c, err := p.openCheckpoint(file, o.keys, tree.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, audit.Brought{Checkpoint: c.Checkpoint, Whose: filepath.Base(file)})
	}
	return out, nil
}

// exists reports whether there is something at path, be it a broken link.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// scratch is an empty set of rows in a temporary folder.
func scratch() (*psqlite.DB, func(), error) {
	dir, err := os.MkdirTemp("", "counterfoil-verify-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	db, err := psqlite.Open(filepath.Join(dir, assembly.ProjectionsFile), psqlite.Config{})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() { _, _ = db.Close(), os.RemoveAll(dir) }, nil
}

// meanings say what each check is about.
var meanings = map[audit.Check]string{
	audit.CheckBytes:     "bytes fit their hashes and decode",
	audit.CheckTree:      "events are those that were sealed, under the signed root",
	audit.CheckStore:     "the store's file is whole: pages, indexes, nothing besides",
	audit.CheckIdentity:  "ids follow from content, facts stand in their streams",
	audit.CheckSequence:  "revisions have no gaps, the log begins with its opening",
	audit.CheckDecisions: "the rules lead from what was kept to these facts and postings",
	audit.CheckEvidence:  "evidence verifies again and says what was kept",
	audit.CheckBalances:  "balances are those of a replay, books sum to zero",
	audit.CheckRows:      "every row is that of a fold from nothing",
}

// grades say who could have made evidence of each grade.
var gradeMeanings = map[domain.Grade]string{
	domain.GradeA: "signed by the provider: strangers can verify it",
	domain.GradeB: "shared secret: the operator could have made it",
	domain.GradeC: "unsigned, over TLS",
	domain.GradeD: "a person's word",
}

func printReport(w io.Writer, r audit.Report, took time.Duration) error {
	fmt.Fprintf(w, "ledger %s (%s), %d events in %d streams up to position %s, %s\nroot %s\n\n",
		r.Ledger, r.Mode, r.Events, r.Streams, r.Position, took.Round(time.Millisecond), r.Root)
	t := newTable("CHECK", ">CHECKED", ">BROKEN", "WHAT")
	for _, c := range audit.Checks() {
		n := r.Checks[c]
		t.add(c, n.Checked, n.Broken, meanings[c])
	}
	if err := t.print(w); err != nil {
		return err
	}
	for _, part := range []func(io.Writer, audit.Report) error{printTree, printEvidence, printBooks, printBills, printFindings} {
		fmt.Fprintln(w)
		if err := part(w, r); err != nil {
			return err
		}
	}
	return nil
}

func printTree(w io.Writer, r audit.Report) error {
	if r.Tree.Compared {
		fmt.Fprintf(w, "sealed: %d events, each held against its leaf; %d newer ones not signed yet\n", r.Tree.Sealed, r.Tree.Unsealed)
	} else {
		fmt.Fprintf(w, "sealed: not compared: %s; only a checkpoint that you bring can show that nothing was rewritten or cut off\n", r.Tree.Why)
	}
	for _, h := range r.Tree.Heads {
		says := "holds"
		if !h.OK {
			says = "DOES NOT HOLD"
		}
		fmt.Fprintf(w, "checkpoint (%s): %d events, root %s: %s\n", h.Whose, h.Size, h.Root, says)
	}
	return nil
}

func printEvidence(w io.Writer, r audit.Report) error {
	e := r.Evidence
	fmt.Fprintf(w, "evidence: %d kept, %d verified again, %d broken, %d erased; personal fields: %d kept, %d opened, %d erased\n",
		e.Kept, e.Verified, e.Broken, e.Erased, e.Personal.Kept, e.Personal.Opened, e.Personal.Erased)
	for _, class := range []struct {
		n    int64
		text string
	}{
		{e.Untied, "signed by the provider over what is encrypted: to read it needs the APIv3 key of that time"},
		{e.Shared, "by a shared secret, not provable to strangers"},
		{e.Unsigned, "never signed"},
	} {
		if class.n > 0 {
			fmt.Fprintf(w, "of it: %d %s\n", class.n, class.text)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(e.Unverifiable)) {
		fmt.Fprintf(w, "unverifiable: %d (%s)\n", e.Unverifiable[why], why)
	}
	if len(r.Grades) == 0 {
		return nil
	}
	t := newTable("EVIDENCE", ">NOTICES", ">MONEY EVENTS", "MONEY", "MEANS")
	for _, g := range r.Grades {
		sums := make([]string, len(g.Money))
		for i, m := range g.Money {
			sums[i] = m.String()
		}
		means, ok := gradeMeanings[g.Grade]
		if !ok {
			means = "no evidence"
		}
		t.add(g.Grade, g.Notices, g.Events, strings.Join(sums, ", "), means)
	}
	return t.print(w)
}

func printBooks(w io.Writer, r audit.Report) error {
	if len(r.Books) > 0 {
		t := newTable("BOOK", ">TOTAL (+ debit, - credit)")
		for _, b := range r.Books {
			t.add(b.Book, b.Total)
		}
		if err := t.print(w); err != nil {
			return err
		}
	}
	rows := r.Rows
	if rows.Duplicates > 0 {
		fmt.Fprintf(w, "look at: %d trade numbers decided money on more than one order\n", rows.Duplicates)
	}
	switch {
	case !rows.Compared:
		fmt.Fprintf(w, "projections: not compared: %s\n", rows.Why)
	case rows.Full:
		fmt.Fprintf(w, "projections: %d accounts and every row compared at position %s, %d events behind the log\n",
			rows.Wallets, rows.Position, rows.Behind)
	default:
		fmt.Fprintf(w, "projections: %d accounts compared at position %s, %d events behind the log; other rows with --from-scratch\n",
			rows.Wallets, rows.Position, rows.Behind)
	}
	return nil
}

func printFindings(w io.Writer, r audit.Report) error {
	for _, f := range r.Findings {
		where := ""
		if f.Position != 0 {
			where = " at position " + f.Position.String()
		}
		if f.Stream != "" {
			where += fmt.Sprintf(" (%s, revision %d)", f.Stream, f.Revision)
		}
		fmt.Fprintf(w, "BROKEN %s%s: %s\n", f.Check, where, f.Text)
	}
	if more := r.Broken - int64(len(r.Findings)); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	switch {
	case !r.OK():
		fmt.Fprintf(w, "verdict: FAILED, %d findings\n", r.Broken)
	case broughtVerdict(r) == exitDiffers:
		fmt.Fprintln(w, "verdict: nothing is wrong within the log, and it differs from the bill")
	case broughtVerdict(r) == exitIncomplete:
		fmt.Fprintln(w, "verdict: nothing is wrong within the log, but the bill cannot be read")
	case !r.Complete():
		fmt.Fprintln(w, "verdict: nothing is wrong, but not everything could be verified")
	default:
		fmt.Fprintln(w, "verdict: all is well")
	}
	return nil
}
