package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// report merges what reader and shards found into rep.
func (w *walk) report(rep *Report) {
	rep.Position, rep.Root = w.last, w.tree.root()
	rep.Events = w.rep.Events
	rep.merge(w.rep)
	all := grades{}
	for _, s := range w.shards {
		rep.merge(s.rep)
		all.merge(s.grades)
	}
	rep.Grades = all.list()
	for _, g := range all {
		if g.over != nil {
			rep.add(Finding{Check: CheckBalances, Text: "money by grade of evidence: " + g.over.Error()})
		}
	}
}

// merge adds the counts and findings of a part.
func (r *Report) merge(part Report) {
	for c, t := range part.Checks {
		sum := r.Checks[c]
		r.Checks[c] = Tally{sum.Checked + t.Checked, sum.Broken + t.Broken}
	}
	for name, n := range part.Types {
		r.Types[name] += n
	}
	for name, n := range part.Evidence.Unverifiable {
		r.Evidence.Unverifiable[name] += n
	}
	e, p := &r.Evidence, part.Evidence
	e.Kept, e.Verified, e.Broken, e.Erased = e.Kept+p.Kept, e.Verified+p.Verified, e.Broken+p.Broken, e.Erased+p.Erased
	e.Shared, e.Unsigned, e.Untied = e.Shared+p.Shared, e.Unsigned+p.Unsigned, e.Untied+p.Untied
	e.Personal.Kept += p.Personal.Kept
	e.Personal.Opened += p.Personal.Opened
	e.Personal.Erased += p.Personal.Erased
	r.Streams += part.Streams
	r.Broken += part.Broken
	r.Findings = append(r.Findings, part.Findings...)
}

// sums are the books of all shards, at the end of the walk or at its mark.
func (w *walk) sums(of func(*shard) books) (books, error) {
	all := books{}
	for _, s := range w.shards {
		if err := all.merge(of(s)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// compareRows holds the balances of the projections against the replay, at the
// position where the projections stood when the check began.
func compareRows(ctx context.Context, d Deps, w *walk, rep *Report) error {
	all, err := w.sums(func(s *shard) books { return s.books })
	if err == nil {
		rep.Books, err = all.totals()
	}
	if err != nil {
		rep.add(Finding{Check: CheckBalances, Text: err.Error()})
		return nil
	}
	if why := w.incomparable(rep); why != "" {
		rep.Rows.Why = why
		return nil
	}
	rep.Rows.Position, rep.Rows.Behind = w.mark, w.behind
	if !w.marked {
		rep.add(Finding{Position: w.mark, Check: CheckBalances, Text: fmt.Sprintf(
			"the projections were folded up to position %s, where the log holds no event; it ends at %s: events are missing",
			w.mark, w.last)})
		rep.Rows.Why = "the log ends before the projections, or they are of another log"
		return nil
	}
	at, err := w.sums(func(s *shard) books { return s.atMark })
	if err != nil {
		rep.add(Finding{Check: CheckBalances, Text: err.Error()})
		return nil
	}
	c := comparison{rows: d.Rows, at: w.mark, rep: rep, progress: w.progress}
	rep.Rows.Compared = true
	twice, err := d.Rows.Duplicates(ctx)
	if err != nil {
		return fmt.Errorf("read duplicate trade numbers: %w", err)
	}
	rep.Rows.Duplicates = len(twice)
	return c.run(ctx, at)
}

// incomparable says why balances cannot be compared at all.
func (w *walk) incomparable(rep *Report) string {
	switch {
	case w.deps.Rows == nil:
		return "there are no projections"
	case w.holed.Load():
		return "the log is damaged"
	case rep.Checks[CheckBytes].Broken > 0:
		return "the log has events that cannot be folded"
	case w.mark == 0:
		return "the projections are empty"
	}
	return ""
}

type comparison struct {
	rows     projections.Reader
	at       eventstore.Position
	rep      *Report
	progress func(Progress)
}

func (c *comparison) run(ctx context.Context, want books) error {
	if err := c.trial(ctx, want); err != nil {
		return err
	}
	wallets := map[domain.AccountID]map[domain.Currency]domain.Money{}
	for k, m := range want {
		if k.Book != domain.BookWallet {
			continue
		}
		if wallets[k.Wallet] == nil {
			wallets[k.Wallet] = map[domain.Currency]domain.Money{}
		}
		if !m.IsZero() {
			wallets[k.Wallet][k.Currency] = m.Neg() // a wallet is a liability
		}
	}
	for i, account := range slices.Sorted(maps.Keys(wallets)) {
		if err := c.wallet(ctx, account, wallets[account]); err != nil {
			return err
		}
		if i%512 == 0 {
			c.progress(Progress{Stage: "balances", Done: eventstore.Position(i), Total: eventstore.Position(len(wallets))})
		}
	}
	return nil
}

// still reports whether the projections have not moved on.
func (c *comparison) still(ctx context.Context) (bool, error) {
	p, err := c.rows.Checkpoint(ctx)
	return p == c.at, err
}

// trial compares the sum of each book, if the projections stand still for it.
func (c *comparison) trial(ctx context.Context, want books) error {
	rows, err := c.rows.TrialBalance(ctx)
	if err != nil {
		return fmt.Errorf("read the trial balance: %w", err)
	}
	if ok, err := c.still(ctx); err != nil || !ok {
		return err
	}
	c.rep.checked(CheckBalances, 1)
	totals, err := want.totals()
	if err != nil {
		return err
	}
	replay := map[string]string{}
	for _, t := range totals {
		if !t.Total.IsZero() {
			replay[t.Book+" "+string(t.Total.Currency())] = t.Total.String()
		}
	}
	sum, found := domain.Totals{}, map[string]string{}
	for book, ms := range rows {
		for _, m := range ms {
			if err := sum.Add(m); err != nil {
				return err
			}
			if !m.IsZero() {
				found[book+" "+string(m.Currency())] = m.String()
			}
		}
	}
	if !sum.IsZero() {
		c.wrong("the projections' books do not sum to zero: %s", &sum)
	}
	for _, name := range union(replay, found) {
		if replay[name] != found[name] {
			book, currency, _ := strings.Cut(name, " ")
			c.wrong("book %s: the log gives %s, the projections have %s", book,
				orZero(replay[name], currency), orZero(found[name], currency))
		}
	}
	return nil
}

func orZero(text, currency string) string {
	if text == "" {
		return "0 " + currency
	}
	return text
}

func union(a, b map[string]string) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *comparison) wrong(format string, args ...any) {
	c.rep.add(Finding{Check: CheckBalances, Text: fmt.Sprintf("at position %s ", c.at) + fmt.Sprintf(format, args...)})
}

// wallet compares an account's balances: as of the position, and as they stand
// now where nothing was folded since.
func (c *comparison) wallet(ctx context.Context, account domain.AccountID, want map[domain.Currency]domain.Money) error {
	c.rep.checked(CheckBalances, 1)
	c.rep.Rows.Wallets++
	then, _, err := c.rows.Balances(ctx, account, projections.AsOf{Position: c.at})
	if err != nil {
		return fmt.Errorf("read the balances of %s as of %s: %w", account, c.at, err)
	}
	if got := byCurrency(then); !maps.Equal(got, want) {
		c.wrong("account %s: the log gives %s, its entries end with %s", account, list(want), list(got))
		return nil
	}
	now, at, err := c.rows.Balances(ctx, account, projections.AsOf{})
	if err != nil {
		return fmt.Errorf("read the balances of %s: %w", account, err)
	}
	if got := byCurrency(now); at == c.at && !maps.Equal(got, want) {
		c.wrong("account %s: the log gives %s, the projections have %s", account, list(want), list(got))
	}
	return nil
}

func byCurrency(bs []projections.Balance) map[domain.Currency]domain.Money {
	out := map[domain.Currency]domain.Money{}
	for _, b := range bs {
		if !b.Amount.IsZero() {
			out[b.Amount.Currency()] = b.Amount
		}
	}
	return out
}

func list(ms map[domain.Currency]domain.Money) string {
	if len(ms) == 0 {
		return "nothing"
	}
	parts := make([]string, 0, len(ms))
	for _, c := range slices.Sorted(maps.Keys(ms)) {
		parts = append(parts, ms[c].String())
	}
	return strings.Join(parts, ", ")
}
