package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/progress"
)

// erasing is what an erase command was asked for.
type erasing struct {
	channel, order, trade, reason, before string
	dry, finish                           bool
}

func newEraseCommand(p *program) *cobra.Command {
	var r remote
	var e erasing
	cmd := &cobra.Command{
		Use: "erase --channel CHANNEL (--order NUMBER | --before DATE) --reason TEXT", Short: "Erase the evidence of payments, for ever",
		Long: `Verifies the sealed parts of a payment once more, records that they are erased,
and destroys their key. Hashes, amounts, proofs and balances stay; nobody reads
the evidence and the personal fields again. Refused within the retention period,
while anything about the payment is open, and where evidence does not verify.

With --before every payment placed earlier is taken in turn; what is refused,
because something of it is younger or open, is counted and stays. Backups of operations.db hold the key: they must be
destroyed, too.`,
		Example: `  counterfoil erase --channel epay-main --order USR1NO0001 --reason "request 12" --dir /srv/pay
  counterfoil erase --channel epay-main --before 2016-01-01 --reason "retention is over" --dry-run --dir /srv/pay
  counterfoil erase --finish --dir /srv/pay`,
		Args: cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			c, err := p.connect(r)
			if err != nil {
				return err
			}
			switch {
			case e.finish:
				return p.finishErasures(ctx, c)
			case e.reason == "" || e.channel == "":
				return domain.EField(domain.KindInvalid, "--reason", "an erasure needs --channel and --reason")
			case (e.before == "") == (e.order == "" && e.trade == ""):
				return domain.EField(domain.KindInvalid, "--order", "name one order with --order, or all old ones with --before")
			case e.before != "":
				return p.eraseBefore(ctx, c, e)
			}
			one, err := eraseOne(ctx, c, e)
			if err != nil {
				return err
			}
			return p.printErasures([]httpapi.Erasure{one})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&e.channel, "channel", "", "`CHANNEL` of the payments")
	f.StringVar(&e.order, "order", "", "order `NUMBER`")
	f.StringVar(&e.trade, "trade", "", "the provider's `NUMBER`, for money without an order")
	f.StringVar(&e.before, "before", "", "all payments placed before `DATE`, YYYY-MM-DD")
	f.StringVar(&e.reason, "reason", "", "`TEXT` that says why, for auditors")
	f.BoolVar(&e.dry, "dry-run", false, "verify, and say what would be erased")
	f.BoolVar(&e.finish, "finish", false, "destroy keys that came back from a backup")
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

func eraseOne(ctx context.Context, c *client, e erasing) (one httpapi.Erasure, err error) {
	in := map[string]any{"channel": e.channel, "reason": e.reason, "dry_run": e.dry}
	for name, text := range map[string]string{"order_no": e.order, "trade_no": e.trade} {
		if text != "" {
			in[name] = text
		}
	}
	return one, c.call(ctx, http.MethodPost, "/v1/erasures", nil, in, &one)
}

// eraseBefore goes through the payments of a channel that are old enough, the
// newest first. What the API refuses is counted; what it cannot answer ends it.
func (p *program) eraseBefore(ctx context.Context, c *client, e erasing) error {
	day, err := time.Parse(time.DateOnly, e.before)
	if err != nil {
		return domain.EField(domain.KindInvalid, "--before", "%q: must be a day, YYYY-MM-DD", e.before)
	}
	old, err := oldPayments(ctx, c, e.channel, day)
	if err != nil {
		return err
	}
	bar := progress.New(p.stderr, p.environ, "erase")
	defer bar.End()
	var done []httpapi.Erasure
	refused := 0
	for i, no := range old {
		e.order = no
		one, err := eraseOne(ctx, c, e)
		switch {
		case err == nil && len(one.Parts) > 0:
			done = append(done, one)
		case err == nil:
		case domain.KindOf(err) == domain.KindConflict, domain.KindOf(err) == domain.KindDenied, domain.KindOf(err) == domain.KindCorrupt:
			refused++
			p.say("%s stays: %v", no, err)
		default:
			return err
		}
		bar.Set(uint64(i+1), uint64(len(old)))
	}
	p.say("%d payments, %d refused.", len(old), refused)
	return p.printErasures(done)
}

// oldPayments are the order numbers of payments placed before a day, or by nobody.
func oldPayments(ctx context.Context, c *client, channel string, day time.Time) (orders []string, err error) {
	rows, err := pages[httpapi.Payment](ctx, c, 0, "/v1/payments", "payments", "channel", channel)
	for _, row := range rows {
		if row.PlacedAt == nil || row.PlacedAt.Before(day) { // what nobody placed is refused while it is young
			orders = append(orders, row.OrderNo)
		}
	}
	return orders, err
}

func (p *program) finishErasures(ctx context.Context, c *client) error {
	var out struct {
		Erasures int `json:"erasures"`
	}
	if err := c.call(ctx, http.MethodPost, "/v1/erasures/finish", nil, map[string]any{}, &out); err != nil {
		return err
	}
	p.say("The keys of %d erasures are gone.", out.Erasures)
	return nil
}

func (p *program) printErasures(rows []httpapi.Erasure) error {
	t := newTable("CHANNEL", "ORDER", "ERASED", ">PARTS", "VERIFIED", "RETAINED UNTIL")
	return printRows(p, rows, t, func(e httpapi.Erasure) {
		verified := 0
		for _, part := range e.Parts {
			if part.Verdict == string(domain.PartVerified) {
				verified++
			}
		}
		t.add(e.Channel, e.OrderNo, e.Erased, len(e.Parts), verified, e.RetainedUntil)
	})
}
