package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/assembly"
	"counterfoil/tamperlog"
)

func newTreeCommand(p *program) *cobra.Command {
	return group("tree", "The signed tree over the log: heads, proofs, checks",
		newTreeCheckpointCommand(p), newTreeKeyCommand(p), newTreeProveCommand(p), newTreeCheckCommand(p), newTreeSealCommand(p),
		newTreeExportCommand(p), newTreeCosignCommand(p), newTreeStampCommand(p), newTreeResumeCommand(p), newTreeRebuildCommand(p))
}

// openTree opens the installation's tree with its newest signed head.
func (p *program) openTree() (*tamperlog.Folder, tamperlog.Signed, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, tamperlog.Signed{}, err
	}
	f := tamperlog.OpenFolder(assembly.Path(cfg, assembly.TreeFolder))
	head, err := f.Checkpoint()
	if err != nil {
		return nil, head, errors.Join(fmt.Errorf("open the tree: %w", err), f.Close())
	}
	return f, head, nil
}

func newTreeCheckpointCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "checkpoint", Short: "Print the newest signed head",
		Long: `Prints the newest signed head of the tree (C2SP tlog-checkpoint): name of the log,
number of events, root, signature. Keep it outside of this machine: with it
"counterfoil verify --checkpoint FILE" later finds any change to what it covers.`,
		Example: "  counterfoil tree checkpoint --dir /srv/pay >2026-11-22.checkpoint",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(context.Context, []string) error {
			f, head, err := p.openTree()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(head.Note)
			return errors.Join(err, f.Close())
		}),
	}
}

func newTreeKeyCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print the log's public key",
		Long: `Prints the key that checkpoints, receipts and bundles verify with. Hand it to
auditors once, by another way than the checkpoints.`,
		Example: "  counterfoil tree key --dir /srv/pay >pay.key",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(context.Context, []string) error {
			f, _, err := p.openTree()
			if err != nil {
				return err
			}
			key, err := f.Key()
			fmt.Fprintln(p.stdout, key)
			return errors.Join(err, f.Close())
		}),
	}
}

// treeQuestion is what `tree prove` is asked.
type treeQuestion struct {
	event, position string
	size, from, to  uint64
}

func newTreeProveCommand(p *program) *cobra.Command {
	var q treeQuestion
	cmd := &cobra.Command{
		Use: "prove (--event ID | --position POSITION | --from SIZE)", Short: "Prove an event, or that an older tree was only added to",
		Long: `With --event or --position: prints the path from that event's leaf to the signed
root. With --from: prints the proof that the tree of so many events is the
beginning of the newest one, or of the one of --to events. Hashes are hex, in
the order of RFC 6962.`,
		Example: `  counterfoil tree prove --dir /srv/pay --position 1200
  counterfoil tree prove --dir /srv/pay --from 1000`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(context.Context, []string) error { return p.prove(q) }),
	}
	f := cmd.Flags()
	f.StringVar(&q.event, "event", "", "`ID` of an event")
	f.StringVar(&q.position, "position", "", "`POSITION` of an event")
	f.Uint64Var(&q.size, "size", 0, "prove it in the tree of the first `N` events; 0 means the newest")
	f.Uint64Var(&q.from, "from", 0, "size `N` of the older tree")
	f.Uint64Var(&q.to, "to", 0, "size `N` of the newer tree; 0 means the newest")
	cmd.MarkFlagsOneRequired("event", "position", "from")
	cmd.MarkFlagsMutuallyExclusive("event", "position", "from")
	return cmd
}

// inclusionProof and consistencyProof are what `tree prove` prints.
type inclusionProof struct {
	Event      domain.ID           `json:"event"`
	Position   eventstore.Position `json:"position"`
	Index      uint64              `json:"index"`
	Leaf       string              `json:"leaf"`
	Size       uint64              `json:"size"`
	Root       string              `json:"root"`
	Path       []string            `json:"path"`
	Checkpoint string              `json:"checkpoint"`
}

type consistencyProof struct {
	From       uint64   `json:"from"`
	To         uint64   `json:"to"`
	FromRoot   string   `json:"from_root"`
	ToRoot     string   `json:"to_root"`
	Path       []string `json:"path"`
	Checkpoint string   `json:"checkpoint"`
}

func (p *program) prove(q treeQuestion) (err error) {
	f, head, err := p.openTree()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if q.from > 0 {
		return p.proveConsistency(f, head, q)
	}
	leaf, err := findLeaf(f, head, q)
	if err != nil {
		return err
	}
	if q.size == 0 {
		q.size = head.Size
	}
	path, err := f.Inclusion(head.Checkpoint, leaf.Index, q.size)
	if err != nil {
		return err
	}
	root, err := f.RootAt(head.Checkpoint, q.size)
	if err != nil {
		return err
	}
	return p.json(inclusionProof{
		leaf.ID, leaf.Position, leaf.Index, hex.EncodeToString(leaf.Hash[:]), q.size, hex.EncodeToString(root[:]), hexes(path), string(head.Note),
	})
}

func findLeaf(f *tamperlog.Folder, head tamperlog.Signed, q treeQuestion) (tamperlog.Leaf, error) {
	if q.event != "" {
		id, err := domain.ParseID(q.event)
		if err != nil {
			return tamperlog.Leaf{}, domain.EField(domain.KindInvalid, "--event", "%w", err)
		}
		return f.ByID(id, head.Size)
	}
	at, err := eventstore.ParsePosition(q.position)
	if err != nil {
		return tamperlog.Leaf{}, domain.EField(domain.KindInvalid, "--position", "%w", err)
	}
	return f.ByPosition(at, head.Size)
}

func (p *program) proveConsistency(f *tamperlog.Folder, head tamperlog.Signed, q treeQuestion) error {
	if q.to == 0 {
		q.to = head.Size
	}
	path, err := f.Consistency(head.Checkpoint, q.from, q.to)
	if err != nil {
		return err
	}
	from, err := f.RootAt(head.Checkpoint, q.from)
	if err != nil {
		return err
	}
	to, err := f.RootAt(head.Checkpoint, q.to)
	if err != nil {
		return err
	}
	return p.json(consistencyProof{
		q.from, q.to, hex.EncodeToString(from[:]), hex.EncodeToString(to[:]), hexes(path), string(head.Note),
	})
}

func hexes(p tamperlog.Proof) []string {
	out := make([]string, len(p))
	for i, h := range p {
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}

func newTreeCheckCommand(p *program) *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use: "check FILE", Short: "Check that the tree still begins with an older checkpoint",
		Long: `Checks the signature of a checkpoint kept earlier, and that the tree as it stands
begins with what it covers. It reads hashes only; "counterfoil verify
--checkpoint FILE" reads the events, too.

Exit status 5: the checkpoint is forged, or the log was rewritten or cut off.`,
		Example: "  counterfoil tree check 2026-11-22.checkpoint --key pay.key --dir /srv/pay",
		Args:    cobra.ExactArgs(1),
		RunE: p.begin(func(_ context.Context, args []string) error {
			return p.checkTree(args[0], keys)
		}),
	}
	p.addTreeKeys(cmd, &keys)
	return cmd
}

func (p *program) addTreeKeys(cmd *cobra.Command, keys *[]string) {
	cmd.Flags().StringArrayVar(keys, "key", nil,
		"public `KEY` of the log, or a file with it, then those of witnesses; without it the installation's own word counts")
}

func (p *program) checkTree(file string, keys []string) (err error) {
	f, head, err := p.openTree()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	brought, err := p.openCheckpoint(file, keys, f.Key)
	if err != nil {
		return err
	}
	root, err := f.RootAt(head.Checkpoint, brought.Size)
	switch {
	case brought.Origin != head.Origin:
		err = domain.E(domain.KindForged, "it is a checkpoint of log %s, this is %s", brought.Origin, head.Origin)
	case domain.KindOf(err) == domain.KindNotFound:
		err = domain.E(domain.KindForged, "it covers %d events, and the signed tree has %d: events are missing", brought.Size, head.Size)
	case err == nil && root != brought.Root:
		err = domain.E(domain.KindForged, "the first %d events hash to %s, and it says %s", brought.Size, hex.EncodeToString(root[:]), brought.Hex())
	case err == nil:
		fmt.Fprintf(p.stdout, "the tree of %d events begins with these %d (root %s)\n", head.Size, brought.Size, brought.Hex())
		return nil
	}
	return broken(err)
}

// openCheckpoint reads a checkpoint from a file and checks its signatures. own
// is the installation's key, for when none is brought.
func (p *program) openCheckpoint(file string, keys []string, own func() (string, error)) (tamperlog.Signed, error) {
	msg, err := os.ReadFile(file)
	if err != nil {
		return tamperlog.Signed{}, domain.EField(domain.KindInvalid, "checkpoint", "%w", err)
	}
	if keys, err = readKeys(keys); err != nil {
		return tamperlog.Signed{}, err
	}
	if len(keys) == 0 {
		key, err := own()
		if err != nil {
			return tamperlog.Signed{}, err
		}
		p.say("No --key: the checkpoint is checked with the key that the installation itself shows.")
		keys = []string{key}
	}
	c, err := tamperlog.OpenCheckpoint(msg, keys...)
	if err != nil {
		return c, broken(fmt.Errorf("%s: %w", file, err))
	}
	return c, nil
}

// readKeys takes keys as text or as names of files with one.
func readKeys(keys []string) ([]string, error) {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k
		if strings.Count(k, "+") >= 2 && !exists(k) {
			continue
		}
		text, err := tamperlog.ReadKey(k)
		if err != nil {
			return nil, domain.EField(domain.KindInvalid, "--key", "%q is neither a public key nor a file with one", k)
		}
		out[i] = text
	}
	return out, nil
}

// broken ends a command whose check failed.
func broken(err error) error { return &verdict{exitBroken, fmt.Errorf("verification FAILED: %w", err)} }
