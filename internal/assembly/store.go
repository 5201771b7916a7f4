package assembly

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/eventstoredb"
	esqlite "counterfoil/eventstore/sqlite"
	"counterfoil/internal/config"
	"counterfoil/tamperlog"
)

// StoreOptions shape how an event store is opened. The zero value is fit for
// commands that look.
type StoreOptions struct {
	Logger  *slog.Logger  // nil discards
	Cache   int           // bytes of an embedded store kept in memory; 0 means the store's default
	Connect time.Duration // a server is waited for so long; 0 means the store's default
	// OnlyReads opens an embedded store that cannot be written, too, and takes no
	// appends there.
	OnlyReads bool
}

// OpenEvents opens the event store that the configuration names: the file
// beside it, or a server. This is the one place where an adapter is chosen;
// nobody above the port knows which it is.
//
// A file that was retired opens, because its log can still be read; its appends
// fail, and Retired tells where it went.
func OpenEvents(ctx context.Context, cfg config.Config, o StoreOptions) (eventstore.Store, error) {
	if cfg.Remote() {
		s, err := openServer(ctx, cfg, o)
		if err != nil {
			return nil, err // not s: a nil in an interface is none
		}
		return s, nil
	}
	s, err := esqlite.Open(ctx, Path(cfg, EventsFile), esqlite.Options{Logger: o.Logger, Cache: o.Cache, OnlyReads: o.OnlyReads})
	if err != nil {
		return nil, err // it names the file
	}
	return s, nil
}

func openServer(ctx context.Context, cfg config.Config, o StoreOptions) (*eventstoredb.Store, error) {
	s, err := eventstoredb.Open(ctx, serverOptions(cfg, o))
	if err != nil {
		return nil, fmt.Errorf("open event store %s: %w", StoreName(cfg), inConfig(err))
	}
	return s, nil
}

// CheckStore checks how the configuration names the event store, as far as that
// can be done without opening it.
func CheckStore(cfg config.Config) error {
	if !cfg.Remote() {
		return nil
	}
	return inConfig(serverOptions(cfg, StoreOptions{}).Check())
}

func serverOptions(cfg config.Config, o StoreOptions) eventstoredb.Options {
	return eventstoredb.Options{
		Connection: cfg.Store, Namespace: cfg.StoreNamespace, UserFile: cfg.StoreUserFile, PasswordFile: cfg.StorePasswordFile,
		Logger: o.Logger, Connect: o.Connect,
	}
}

// settingNames are the adapter's options by their names in the file.
var settingNames = map[string]string{
	"connection": "store", "namespace": "store_namespace", "user_file": "store_user_file", "password_file": "store_password_file",
}

// inConfig names a wrong option as the configuration does.
func inConfig(err error) error {
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || settingNames[e.Field] == "" {
		return err
	}
	return &domain.Error{Kind: e.Kind, Field: settingNames[e.Field], Msg: e.Msg, Err: e.Err}
}

// StoreName is where the events are, for people: a path, or an address with its
// namespace. It holds no secret, because none may stand in an address.
func StoreName(cfg config.Config) string {
	if cfg.Remote() {
		return cfg.Store + " (namespace " + cfg.StoreNamespace + ")"
	}
	return Path(cfg, EventsFile)
}

// Retired tells where the log of a store has gone, "" when it is in use.
func Retired(s eventstore.Store) string {
	if file, ok := s.(*esqlite.Store); ok {
		return file.Retired()
	}
	return ""
}

// Still reports whether the file of a store cannot be written here, and is read
// as it stands.
func Still(s eventstore.Store) bool {
	file, ok := s.(*esqlite.Store)
	return ok && file.Still()
}

// whose looks at whose log was opened; err is how that went. A server holds the
// logs of many, and one wrong letter in a namespace names another one: data keys
// and tree of this folder would not fit it.
func (a *App) whose(err error) error {
	switch {
	case err != nil && a.Config.Remote() && domain.KindOf(err) == domain.KindNotFound:
		return domain.EField(domain.KindNotFound, "store",
			"%s holds no log: make one with `counterfoil init --store`, or move one there with `counterfoil migrate`", StoreName(a.Config))
	case err != nil:
		return err
	}
	tree := a.Tree()
	head, err := tree.Checkpoint()
	if err = errors.Join(err, tree.Close()); domain.KindOf(err) == domain.KindNotFound {
		return nil // an installation from before there were trees
	}
	if want := tamperlog.Origin(a.Ledger.ID()); err == nil && head.Origin != want {
		return domain.EField(domain.KindMismatch, "store", "%s is the log of %s, this folder belongs to %s", StoreName(a.Config), want, head.Origin)
	}
	return nil // what is wrong with the tree is the sealer's to tell; callbacks go on
}
