package assembly

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/alerts"
	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/config"
	"counterfoil/ledger"
	"counterfoil/tamperlog"
)

// The tree over the log and the key that signs it, in the installation's folder.
const (
	TreeFolder  = "tree"
	TreeKeyFile = "secrets/tree.key"
)

func createTree(cfg config.Config, id domain.ID) error {
	return tamperlog.Create(Path(cfg, TreeFolder), Path(cfg, TreeKeyFile), tamperlog.Origin(id))
}

// Tree is the installation's tree, to be read. It need not be there yet.
func (a *App) Tree() *tamperlog.Folder { return tamperlog.OpenFolder(Path(a.Config, TreeFolder)) }

// Sealer follows the log with the installation's tree. An installation from
// before there were trees gets one; a tree that is gone while its key is there
// is never begun anew by itself. tell brings an alert to people.
func (a *App) Sealer(reg prometheus.Registerer, tell func(context.Context, alerts.Alert) error) (*tamperlog.Sealer, error) {
	if !there(Path(a.Config, TreeFolder)) && !there(Path(a.Config, TreeKeyFile)) {
		if err := createTree(a.Config, a.Ledger.ID()); err != nil && domain.KindOf(err) != domain.KindConflict {
			return nil, err
		}
	}
	cfg := sealing(a.Config, a.Ledger.ID(), a.Clock)
	cfg.Logger, cfg.Alert = a.Logger, a.sealAlert(tell)
	s := tamperlog.NewSealer(a.Events, cfg)
	for _, g := range []struct {
		name, help string
		value      func(tamperlog.Status) float64
	}{
		{"counterfoil_tree_active", "1 in the process that seals.", func(st tamperlog.Status) float64 { return number(st.Active) }},
		{"counterfoil_tree_size", "Events added to the tree by this process.", func(st tamperlog.Status) float64 { return float64(st.Size) }},
		{"counterfoil_tree_signed", "Events under the newest signed head.", func(st tamperlog.Status) float64 { return float64(st.Signed) }},
		{
			"counterfoil_tree_stopped", "1 when the log contradicts what was signed, or the tree's files are wrong: a person must look.",
			func(tamperlog.Status) float64 { return number(s.Ready(context.Background()) != nil) },
		},
	} {
		err := reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return g.value(s.Status()) }))
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// sealing is how an installation seals.
func sealing(cfg config.Config, id domain.ID, clock func() time.Time) tamperlog.Config {
	return tamperlog.Config{
		Dir: Path(cfg, TreeFolder), KeyFile: Path(cfg, TreeKeyFile), Origin: tamperlog.Origin(id),
		Every: cfg.Tree.Every, Quiet: cfg.Tree.Quiet, Clock: clock,
	}
}

// sealWait is how long SealNow waits for another process that seals.
const sealWait = 2 * time.Second

// SealNow seals what is in the log and signs it, unless another process is at
// it: KindUnavailable.
func SealNow(ctx context.Context, cfg config.Config, log eventstore.Reader, clock func() time.Time) error {
	opened, err := ledger.Opened(ctx, log)
	if err != nil {
		return err
	}
	s := tamperlog.NewSealer(log, sealing(cfg, opened.Ledger, clock))
	return s.CatchUp(ctx, sealWait)
}

// sealAlert tells people that sealing stopped.
func (a *App) sealAlert(tell func(context.Context, alerts.Alert) error) func(context.Context, error) {
	return func(ctx context.Context, cause error) {
		err := tell(ctx, alerts.Alert{
			Kind: "tree_stopped",
			Text: "The signed tree over the log no longer grows: " + cause.Error() + ". Run `counterfoil verify`. " +
				"防篡改日志已停止签名：账本与已签名的内容不一致，请立即运行 counterfoil verify 并保全现场。",
		})
		if err != nil {
			a.Logger.ErrorContext(ctx, "alert not delivered", slog.String("error", err.Error()))
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
