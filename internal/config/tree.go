package config

import "time"

// Tree shapes the tamper-evident log, see the package tamperlog.
type Tree struct {
	Public bool          `koanf:"public"` // /checkpoint and /tile/ need no key
	Every  time.Duration `koanf:"every"`  // under load the tree is signed so often
	Quiet  time.Duration `koanf:"quiet"`  // and when no event came for so long
}

func treeDefaults() Tree { return Tree{Every: 10 * time.Second, Quiet: time.Second} }

func (t Tree) check() error {
	if err := between("tree.every", t.Every, 100*time.Millisecond, 24*time.Hour); err != nil {
		return err
	}
	return between("tree.quiet", t.Quiet, 10*time.Millisecond, time.Hour)
}
