package config

import (
	"net/url"
	"strings"
	"time"

	"counterfoil/domain"
)

// Tree shapes the tamper-evident log, see the package tamperlog.
type Tree struct {
	Public bool          `koanf:"public"` // /checkpoint and /tile/ need no key
	Every  time.Duration `koanf:"every"`  // under load the tree is signed so often
	Quiet  time.Duration `koanf:"quiet"`  // and when no event came for so long
	Stamps Stamps        `koanf:"time_stamps"`
}

// Stamps shapes the time stamps over signed heads.
type Stamps struct {
	URL   string        `koanf:"url"`   // of an RFC 3161 authority; empty: none are asked for
	Roots string        `koanf:"roots"` // PEM file of the certificates that count
	Every time.Duration `koanf:"every"`
}

func treeDefaults() Tree {
	return Tree{Every: 10 * time.Second, Quiet: time.Second, Stamps: Stamps{Every: 24 * time.Hour}}
}

func (t Tree) check() error {
	if err := between("tree.every", t.Every, 100*time.Millisecond, 24*time.Hour); err != nil {
		return err
	}
	if err := between("tree.quiet", t.Quiet, 10*time.Millisecond, time.Hour); err != nil {
		return err
	}
	return t.Stamps.check()
}

func (s Stamps) check() error {
	if err := between("tree.time_stamps.every", s.Every, time.Minute, 31*24*time.Hour); err != nil || s.URL == "" {
		return err
	}
	// The reply is signed, and the question a hash: plain http is how most
	// authorities are asked.
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return domain.EField(domain.KindInvalid, "tree.time_stamps.url", "%.80q is no http or https address", withoutLogin(s.URL))
	}
	if s.Roots == "" {
		return domain.EField(domain.KindInvalid, "tree.time_stamps.roots", "name the PEM file of the authority's root certificate")
	}
	return nil
}

// withoutLogin is an address without what stands before its @, which may be a
// name and a password; it need not be a right one.
func withoutLogin(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "…" + address[i:]
	}
	return address
}
