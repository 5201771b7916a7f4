package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
	"counterfoil/operations"
	osqlite "counterfoil/operations/sqlite"
)

// The key that init leaves for the commands, below the installation's folder.
const (
	secretsFolder = "secrets"
	adminKeyFile  = "admin.key"
)

// initSettings are what the flags of init say.
type initSettings struct {
	Mode, PublicURL, Listen, OpsListen, Person string

	Store, Namespace, UserFile, PasswordFile string // of the event store, as in the configuration
}

func newInitCommand(p *program) *cobra.Command {
	s := initSettings{}
	cmd := &cobra.Command{
		Use: "init --dir DIR", Short: "Make a new installation: folder, configuration, stores, first API key",
		Long: `Makes DIR (readable by you only) with counterfoil.yaml to fill in, an empty
event log, the operations store, and one API key with all rights. The key is
printed once, on standard output, and kept in DIR/secrets/admin.key, where the
other commands find it.

A store is live or test for ever: choose test to try things out.

With --store the events are kept on an EventStoreDB, in a namespace that must be
empty; the other stores lie in DIR.`,
		Example: `  counterfoil init --dir /srv/pay --public-url https://pay.example.com --person alice
  counterfoil init --dir ./try --mode test
  counterfoil init --dir /srv/pay --store esdb+discover://cluster.example --store-user-file user --store-password-file password`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error { return p.init(ctx, s) }),
	}
	d := config.Defaults()
	f := cmd.Flags()
	f.StringVar(&s.Mode, "mode", string(domain.ModeLive), "live or test, for ever")
	f.StringVar(&s.PublicURL, "public-url", "", "`URL` under which providers reach this API; callback addresses are derived from it")
	f.StringVar(&s.Listen, "listen", d.Listen, "`ADDRESS` of the API")
	f.StringVar(&s.OpsListen, "ops-listen", d.OpsListen, "`ADDRESS` of health and metrics; keep it on loopback")
	f.StringVar(&s.Person, "person", "operator", "`NAME` of the person who owns the first key")
	f.StringVar(&s.Store, "store", d.Store, "where events are kept: sqlite, or the `ADDRESS` of an EventStoreDB, e.g. esdb://host:2113")
	f.StringVar(&s.Namespace, "store-namespace", "", "`NAME` that begins our streams on that server (default "+config.DefaultNamespace+")")
	f.StringVar(&s.UserFile, "store-user-file", "", "`FILE` with the name of its user")
	f.StringVar(&s.PasswordFile, "store-password-file", "", "`FILE` with its password")
	return cmd
}

func (p *program) init(ctx context.Context, s initSettings) error {
	switch {
	case p.dir == "" || p.config != "":
		return domain.EField(domain.KindInvalid, "--dir", "name the folder to make, e.g. --dir /srv/pay (and no --config)")
	case s.Mode != string(domain.ModeLive) && s.Mode != string(domain.ModeTest):
		return domain.EField(domain.KindInvalid, "--mode", "%q: must be live or test", s.Mode)
	case s.Person == "":
		return domain.EField(domain.KindInvalid, "--person", "must name who owns the first key")
	}
	if err := absolute(&s.UserFile, &s.PasswordFile); err != nil {
		return err
	}
	text := configText(s)
	if err := tryConfig(text); err != nil {
		return err
	}
	existed, err := emptyFolder(p.dir)
	if err != nil {
		return err
	}
	token, err := p.make(ctx, s, text)
	if err != nil {
		return errors.Join(err, cleanUp(p.dir, existed))
	}
	p.say("Made a %s store in %s.", s.Mode, p.dir)
	p.say("Next: enter your channels in %s, then start\n  api --dir %s\n  reconciler --dir %s",
		filepath.Join(p.dir, config.FileName), p.dir, p.dir)
	p.say("This is %s's API key, shown this once; it is also in %s:",
		s.Person, filepath.Join(p.dir, secretsFolder, adminKeyFile))
	fmt.Fprintln(p.stdout, token)
	return nil
}

// make fills the empty folder and returns the first key.
func (p *program) make(ctx context.Context, s initSettings, text string) (string, error) {
	if err := os.MkdirAll(filepath.Join(p.dir, secretsFolder), 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", p.dir, err)
	}
	if err := os.Chmod(p.dir, 0o700); err != nil { //nolint:gosec // a folder needs its x bit
		return "", fmt.Errorf("keep %s to its owner: %w", p.dir, err)
	}
	path := filepath.Join(p.dir, config.FileName)
	if err := writeDurably(path, text); err != nil {
		return "", err
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		return "", err
	}
	if _, err := assembly.Create(ctx, cfg, domain.Mode(s.Mode), p.clock); err != nil {
		return "", fmt.Errorf("make the stores: %w", err)
	}
	token, err := p.newKey(ctx, cfg, operations.APIKey{Person: s.Person, Scopes: []operations.Scope{operations.ScopeAdmin}}, false)
	if err != nil {
		return "", err
	}
	key := filepath.Join(p.dir, secretsFolder, adminKeyFile)
	return token, writeDurably(key, token+"\n")
}

// writeDurably makes a file that is on the disk when it returns: an
// installation must not come back from a power cut with an empty configuration.
func writeDurably(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// newKey makes a key in the operations store and returns its text, which is
// kept nowhere. With told its making stands in the log before that: that of the
// first one is told by the ledger's opening.
func (p *program) newKey(ctx context.Context, cfg config.Config, k operations.APIKey, told bool) (token string, err error) {
	var secret [32]byte
	var id [6]byte
	_, _ = rand.Read(secret[:]) // never fails
	_, _ = rand.Read(id[:])
	k.ID = hex.EncodeToString(id[:])
	token, k.SHA256 = httpapi.NewKey(k.ID, secret)
	k.CreatedAt = domain.Instant(p.clock())
	ops, err := p.openOperations(ctx, cfg)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ops.Close()) }()
	if told {
		act := domain.Act{What: domain.ActKeyMade, Subject: "api key " + k.ID, Detail: map[string]string{
			"person": k.Person, "service": fmt.Sprint(k.Service), "scopes": fmt.Sprint(k.Scopes),
			"channels": fmt.Sprint(k.Channels), "accounts": fmt.Sprint(k.Accounts),
		}}
		if err := p.actLocally(ctx, cfg, ops, act); err != nil {
			return "", err
		}
	}
	if err := ops.PutAPIKey(ctx, k); err != nil {
		return "", fmt.Errorf("keep the key: %w", err)
	}
	return token, nil
}

func (p *program) openOperations(ctx context.Context, cfg config.Config) (operations.Store, error) {
	return p.operations(ctx, cfg, osqlite.Options{Clock: p.clock})
}

func (p *program) operations(ctx context.Context, cfg config.Config, o osqlite.Options) (operations.Store, error) {
	ops, err := osqlite.Open(ctx, assembly.Path(cfg, assembly.OperationsFile), o)
	if err != nil {
		return nil, fmt.Errorf("open operations store: %w", err)
	}
	return ops, nil
}

// emptyFolder refuses a folder with anything in it.
func emptyFolder(dir string) (existed bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, domain.EField(domain.KindInvalid, "--dir", "%w", err)
	case len(entries) == 0:
		return true, nil
	}
	for _, e := range entries {
		if e.Name() == config.FileName {
			return true, domain.EField(domain.KindConflict, "--dir", "%s holds an installation already: init never writes over one", dir)
		}
	}
	return true, domain.EField(domain.KindConflict, "--dir",
		"%s is not empty (it has %s): init needs a new or an empty folder", dir, entries[0].Name())
}

// cleanUp takes away what a failed init has made, so that it can be tried
// again.
func cleanUp(dir string, existed bool) error {
	if !existed {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// tryConfig checks the settings before anything is made.
func tryConfig(text string) (err error) {
	dir, err := os.MkdirTemp("", "counterfoil-init-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, config.FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		return err
	}
	return assembly.CheckStore(cfg)
}

// absolute makes paths given to a command good for a file in another folder.
func absolute(paths ...*string) error {
	for _, p := range paths {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return domain.E(domain.KindInvalid, "path %s: %w", *p, err)
		}
		*p = abs
	}
	return nil
}
