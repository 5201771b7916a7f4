package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newPaymentsCommand(p *program) *cobra.Command {
	var r remote
	list, show, place := newPaymentsListCommand(p, &r), newPaymentsShowCommand(p, &r), newPaymentsPlaceCommand(p, &r)
	r.addFlags(list, show, place)
	return group("payments", "Place payments and see their history", place, list, show)
}

func newPaymentsListCommand(p *program, r *remote) *cobra.Command {
	var channel, account, state string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List payments, newest first",
		Example: "  counterfoil payments list --state parked --dir /srv/pay\n  counterfoil payments list --account user:42 --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			return p.listPayments(ctx, *r, limit, "channel", channel, "account", account, "state", state)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", "only of this `CHANNEL`")
	f.StringVar(&account, "account", "", "only of this `ACCOUNT`")
	f.StringVar(&state, "state", "", "only in this `STATE`: noticed, placed, held, credited, parked, expired, closed, cancelled, refunded, disputed or reversed")
	f.IntVar(&limit, "limit", 50, "at most `N` rows; further pages are fetched as needed")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) listPayments(ctx context.Context, r remote, limit int, filter ...string) error {
	all, err := listed[httpapi.Payment](ctx, p, r, limit, "/v1/payments", "payments", filter...)
	if err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(all)
	}
	t := newTable("CHANNEL", "ORDER", "STATE", ">AMOUNT", "ACCOUNT", "TRADE", "PLACED (UTC)", ">NOTICES", ">REFUNDED")
	for _, v := range all {
		t.add(v.Channel, v.OrderNo, v.State, apiMoney(v.Amount), v.Account, v.TradeNo, v.PlacedAt, v.Notices, apiMoney(v.Refunded))
	}
	return t.print(p.stdout)
}

func newPaymentsShowCommand(p *program, r *remote) *cobra.Command {
	var then string
	cmd := &cobra.Command{
		Use: "show CHANNEL ORDER", Short: "Show where a payment stands, or stood then, and how it came there",
		Example: `  counterfoil payments show epay-main USR1NO0001 --dir /srv/pay
  counterfoil payments show epay-main USR1NO0001 --as-of 2026-12-01T00:00:00Z --dir /srv/pay`,
		Args: cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error { return p.showPayment(ctx, *r, args[0], args[1], then) }),
	}
	addAsOf(cmd, &then)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) showPayment(ctx context.Context, r remote, channel, order, then string) error {
	at, err := asOf(then)
	if err != nil {
		return err
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var v httpapi.Payment
	path := query("/v1/payments/"+url.PathEscape(channel)+"/"+url.PathEscape(order), at...)
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &v); err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(v)
	}
	fmt.Fprintf(p.stdout, "%s %s: %s", v.Channel, v.OrderNo, v.State)
	if v.Account != "" {
		fmt.Fprintf(p.stdout, ", %s for %s", apiMoney(v.Amount), v.Account)
	}
	if v.TradeNo != "" {
		fmt.Fprintf(p.stdout, ", settled by trade %s", v.TradeNo)
	}
	fmt.Fprint(p.stdout, "\n\n")
	return p.printHistory(v)
}

func (p *program) printHistory(v httpapi.Payment) error {
	if len(v.Trades) > 0 {
		t := newTable("TRADE", "STATE", ">AMOUNT", "REASON", "FIRST SEEN (UTC)")
		for _, tr := range v.Trades {
			t.add(tr.TradeNo, tr.State, apiMoney(tr.Amount), tr.Reason, tr.FirstAt)
		}
		if err := t.print(p.stdout); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
	}
	t := newTable("WHEN (UTC)", ">POSITION", "WHAT", "WHO", "SAYS")
	for _, m := range v.Timeline {
		fact, err := domain.DecodeFact(m.Type, m.Fact)
		if err != nil {
			return fmt.Errorf("the API's software and this one differ: %w", err)
		}
		t.add(m.At, m.Position, m.Type, m.Actor, describe(fact))
	}
	return t.print(p.stdout)
}

// placing is what the flags of payments place say.
type placing struct {
	order  httpapi.Order
	expire time.Duration
	key    string
}

func newPaymentsPlaceCommand(p *program, r *remote) *cobra.Command {
	var a placing
	cmd := &cobra.Command{
		Use: "place CHANNEL ORDER --account ACCOUNT --amount AMOUNT", Short: "Place a payment and print the address to pay at",
		Long: `Records what is to be paid and for whom, and prints the provider's signed order.
No provider is called. Placing the same order again changes nothing.`,
		Example: "  counterfoil payments place epay-main USR1NO0001 --account user:42 --amount 7.30 --subject \"100 points\" --dir /srv/pay",
		Args:    cobra.ExactArgs(2),
		RunE: p.begin(func(ctx context.Context, args []string) error {
			a.order.Channel, a.order.OrderNo = args[0], args[1]
			return p.placePayment(ctx, *r, a)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&a.order.Account, "account", "", "`ACCOUNT` to credit; opaque, no personal data")
	f.StringVar(&a.order.Amount, "amount", "", "decimal `AMOUNT`, e.g. 7.30")
	f.StringVar(&a.order.Currency, "currency", string(domain.CNY), "`CODE` of the currency")
	f.StringVar(&a.order.Method, "method", "", "the provider's pay `METHOD`, e.g. alipay; empty lets the provider ask")
	f.StringVar(&a.order.Subject, "subject", "", "goods `NAME` the payer sees; kept sealed")
	f.StringVar(&a.order.ReturnURL, "return-url", "", "`URL` the browser goes to after paying")
	f.StringVar(&a.order.ClientIP, "client-ip", "", "the payer's `ADDRESS`; kept sealed")
	f.DurationVar(&a.expire, "expire-after", 0, "`TIME` to pay, e.g. 2h; 0 is the configured one")
	f.StringVar(&a.key, "idempotency-key", "", "`KEY` that makes a repeat of this request harmless; random when empty")
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) placePayment(ctx context.Context, r remote, a placing) error {
	for _, f := range [][2]string{{"--account", a.order.Account}, {"--amount", a.order.Amount}} {
		if f[1] == "" {
			return domain.EField(domain.KindInvalid, f[0], "is missing")
		}
	}
	if a.expire < 0 {
		return domain.EField(domain.KindInvalid, "--expire-after", "%s is negative", a.expire)
	}
	if a.expire > 0 {
		until := p.clock().Add(a.expire).UTC()
		a.order.ExpiresAt = &until
	}
	if a.key == "" {
		a.key = rand.Text()
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var out httpapi.Placed
	if err := c.call(ctx, http.MethodPost, "/v1/payments", http.Header{"Idempotency-Key": {a.key}}, a.order, &out); err != nil {
		return err
	}
	if p.output == "json" {
		return p.json(out)
	}
	v := out.Payment
	t := newTable("CHANNEL", "ORDER", "STATE", ">AMOUNT", "ACCOUNT", "CALLBACK ADDRESS", "PAY AT")
	payAt := ""
	if out.Form != nil {
		payAt = out.Form.URL
	}
	t.add(v.Channel, v.OrderNo, v.State, apiMoney(v.Amount), v.Account, v.CallbackURL, payAt)
	return t.print(p.stdout)
}
