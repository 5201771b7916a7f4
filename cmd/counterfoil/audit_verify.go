package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"counterfoil/audit"
	"counterfoil/domain"
)

// verifyBundle checks a bundle with nothing but what it holds and the keys that
// are brought.
func (p *program) verifyBundle(ctx context.Context, file string, o verifyOptions) (err error) {
	keys, err := readKeys(o.keys)
	if err != nil {
		return err
	}
	brought, err := p.broughtToBundle(o, keys)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return domain.EField(domain.KindInvalid, "bundle", "%w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return domain.E(domain.KindUnavailable, "%w", err)
	}
	rep, err := audit.VerifyBundle(ctx, f, info.Size(), audit.BundleCheck{Keys: keys, Brought: brought, Channels: p.strangers, Describe: describe})
	if err != nil {
		return err
	}
	if p.output == "json" {
		err = p.json(rep)
	} else {
		err = p.printBundle(file, rep)
	}
	switch {
	case err != nil:
		return err
	case !rep.OK():
		return &verdict{code: exitBroken}
	case !rep.Complete():
		return &verdict{code: exitIncomplete}
	}
	return nil
}

// broughtToBundle opens the checkpoints that the auditor kept.
func (p *program) broughtToBundle(o verifyOptions, keys []string) ([]audit.Brought, error) {
	var out []audit.Brought
	for _, file := range o.checkpoints {
		c, err := p.openCheckpoint(file, keys, func() (string, error) {
			return "", domain.EField(domain.KindInvalid, "--key", "a checkpoint that you bring is checked with the log's key that you bring: name it")
		})
		if err != nil {
			return nil, err
		}
		out = append(out, audit.Brought{Checkpoint: c.Checkpoint, Whose: filepath.Base(file)})
	}
	return out, nil
}

func (p *program) printBundle(file string, rep audit.BundleReport) error {
	fmt.Fprintf(p.stdout, "%s: %s %s of ledger %s\n\n", file, rep.Subject.Kind, rep.Subject.Name, rep.Ledger)
	t := newTable("CLAIM", "HOLDS", "WHAT")
	for _, c := range rep.Claims {
		holds := "yes"
		if !c.OK {
			holds = "NO"
		}
		t.add(c.Name, holds, c.Text)
	}
	if err := t.print(p.stdout); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	if rep.OK() {
		if err := printEvidence(p.stdout, rep.Report); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
	}
	if rep.Own {
		fmt.Fprintln(p.stdout, "look at: the log's key came out of the bundle itself; bring your own with --key, else anyone could have signed it")
	}
	if rep.Summary == audit.SummaryOther {
		fmt.Fprintln(p.stdout, "look at: summary.html is not the page that this program makes of these events: it was changed, or another version wrote it; believe nothing on it")
	}
	switch {
	case !rep.OK():
		last := rep.Claims[len(rep.Claims)-1]
		fmt.Fprintf(p.stdout, "verdict: FAILED at the claim %q: %s\n", last.Name, last.Text)
	case rep.Summary == audit.SummaryOther:
		fmt.Fprintln(p.stdout, "verdict: the events hold, and the summary is not known to be theirs")
	case !rep.Complete():
		fmt.Fprintln(p.stdout, "verdict: nothing is wrong, but evidence is missing, or was signed by a key that is not in the log")
	default:
		fmt.Fprintln(p.stdout, "verdict: all is well; what strangers can prove is proven, see the grades")
	}
	return nil
}
