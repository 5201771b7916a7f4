package assembly

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"counterfoil/alerts"
	"counterfoil/domain"
	"counterfoil/internal/config"
	"counterfoil/tamperlog"
)

// StampFolder keeps the time stamps over signed heads, in the installation's
// folder.
const StampFolder = "stamps"

// stampWait bounds one question to the authority, stampLate is how long one may
// be overdue before people are told.
const (
	stampWait = 30 * time.Second
	stampLate = 24 * time.Hour
)

// Stamps are the time stamps that an installation has.
func Stamps(cfg config.Config) tamperlog.Stamps { return tamperlog.OpenStamps(Path(cfg, StampFolder)) }

// StampRoots are the certificates that count for the configured authority.
func StampRoots(cfg config.Config) (*x509.CertPool, error) {
	file := cfg.Tree.Stamps.Roots
	if !filepath.IsAbs(file) {
		file = Path(cfg, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, domain.EField(domain.KindInvalid, "tree.time_stamps.roots", "%w", err)
	}
	return tamperlog.ReadRoots(text)
}

// Stamp has the newest signed head stamped by the configured authority and
// keeps it.
func Stamp(ctx context.Context, cfg config.Config, head tamperlog.Signed) (tamperlog.Stamp, error) {
	roots, err := StampRoots(cfg)
	if err != nil {
		return tamperlog.Stamp{}, err
	}
	a := tamperlog.Authority{URL: cfg.Tree.Stamps.URL, Roots: roots, Client: &http.Client{Timeout: stampWait}}
	reply, stamp, err := a.Ask(ctx, head.Note)
	if err != nil {
		return stamp, err
	}
	return stamp, Stamps(cfg).Add(head.Checkpoint, tamperlog.StampedHead{Note: head.Note, Reply: reply})
}

// StampJob has a head stamped as often as configured, when events came since
// the last one. tell brings it to people when none could be had for a day.
func (a *App) StampJob(tell func(context.Context, alerts.Alert) error) func(context.Context) error {
	begun := a.Clock()
	return func(ctx context.Context) error {
		tree := a.Tree()
		defer tree.Close()
		head, err := tree.Checkpoint()
		if domain.KindOf(err) == domain.KindNotFound {
			return nil // nothing is signed yet
		}
		if err != nil {
			return err
		}
		last, at, err := a.lastStamp(tree)
		due := at.Add(a.Config.Tree.Stamps.Every)
		if err != nil || head.Size == last || a.Clock().Before(due) {
			return err
		}
		stamp, err := Stamp(ctx, a.Config, head)
		if err != nil {
			if since := later(due, begun); a.Clock().Sub(since) > stampLate {
				err = orTell(err, tell(ctx, alerts.Alert{
					Kind: "time_stamp", Since: since,
					Text: "No time stamp could be had for the signed log: " + err.Error() + ". Check tree.time_stamps in the configuration. " +
						"无法取得时间戳，请检查配置 tree.time_stamps。",
				}))
			}
			return err
		}
		a.Logger.InfoContext(ctx, "head stamped", slog.Uint64("size", head.Size), slog.Time("time", stamp.Time), slog.String("authority", stamp.Authority))
		return nil
	}
}

// lastStamp is the size of the newest head that was stamped, and when.
func (a *App) lastStamp(tree *tamperlog.Folder) (uint64, time.Time, error) {
	all, err := Stamps(a.Config).All()
	if err != nil || len(all) == 0 {
		return 0, time.Time{}, err
	}
	roots, err := StampRoots(a.Config)
	if err != nil {
		return 0, time.Time{}, err
	}
	key, err := tree.Key()
	if err != nil {
		return 0, time.Time{}, err
	}
	head, stamp, err := all[len(all)-1].Open(roots, key)
	return head.Size, stamp.Time, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func orTell(err, telling error) error {
	if telling != nil {
		return domain.E(domain.KindOf(err), "%w; and people could not be told: %w", err, telling)
	}
	return err
}
