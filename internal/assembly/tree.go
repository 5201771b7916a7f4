package assembly

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"counterfoil/alerts"
	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/tamperlog"
)

// The tree over the log and the key that signs it, in the installation's folder.
const (
	TreeFolder  = "tree"
	TreeKeyFile = "secrets/tree.key"
)

func createTree(cfg config.Config, ledger domain.ID) error {
	return tamperlog.Create(Path(cfg, TreeFolder), Path(cfg, TreeKeyFile), tamperlog.Origin(ledger))
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
	s := tamperlog.NewSealer(a.Events, tamperlog.Config{
		Dir: Path(a.Config, TreeFolder), KeyFile: Path(a.Config, TreeKeyFile), Origin: tamperlog.Origin(a.Ledger.ID()),
		Every: a.Config.Tree.Every, Quiet: a.Config.Tree.Quiet, Clock: a.Clock, Logger: a.Logger, Alert: a.sealAlert(tell),
	})
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
