package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"counterfoil/httpapi"
	"counterfoil/reports"
)

func newRestsCommand(p *program) *cobra.Command {
	var r remote
	var channel, older string
	cmd := &cobra.Command{
		Use: "rests", Short: "List money that has not gone all of its way, by stage and age",
		Long: `Lists what waits on the way from the provider to the bank: which event is
missing, late or wrong (the callback, the credit, the line of the bill, the fund
flow, the payout's arrival), how many, how much, how old, and what to do.

Exit status: 0 nothing is missing or wrong, 3 something is.`,
		Example: "  counterfoil rests --older-than 24h --channel wechat-main --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE:    p.begin(func(ctx context.Context, _ []string) error { return p.rests(ctx, r, channel, older) }),
	}
	r.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", "only of this `CHANNEL`")
	f.StringVar(&older, "older-than", "", "leave out what is younger, e.g. `24h`")
	p.addOutput(cmd, "table")
	cmd.AddCommand(newStagesCommand(p))
	return cmd
}

func (p *program) rests(ctx context.Context, r remote, channel, older string) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var out struct {
		Rests []httpapi.Rest `json:"rests"`
	}
	if err := c.call(ctx, http.MethodGet, query("/v1/rests", "channel", channel, "older_than", older), nil, nil, &out); err != nil {
		return err
	}
	titles := []string{"STAGE", "FAULT", "KIND", "CHANNEL", "LINE", ">COUNT", ">AMOUNT"}
	for _, a := range reports.Ages() {
		titles = append(titles, ">"+string(a))
	}
	t := newTable(append(titles, "OLDEST", "SINCE", "NEXT")...)
	const none = "Nothing is open: no event is missing, late or wrong."
	if err := printRowsOr(p, none, out.Rests, t, func(r httpapi.Rest) { t.add(restCells(r)...) }); err != nil {
		return err
	}
	for _, r := range out.Rests {
		if r.Fault != string(reports.FaultLate) {
			return &verdict{code: exitDiffers}
		}
	}
	return nil
}

func restCells(r httpapi.Rest) []any {
	var sums []string
	for _, m := range r.Amounts {
		sums = append(sums, m.Amount+" "+m.Currency)
	}
	cells := []any{r.Stage, r.Fault, r.Kind, r.Channel, r.Line, r.Count, strings.Join(sums, ", ")}
	for _, a := range reports.Ages() {
		cells = append(cells, r.Ages[string(a)])
	}
	oldest := r.Oldest.OrderNo
	if oldest == "" {
		oldest = r.Oldest.TradeNo + r.Oldest.Ref
	}
	return append(cells, oldest, r.Oldest.Since, r.Next)
}

func newStagesCommand(p *program) *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use: "show CHANNEL ORDER", Short: "Show the stages of one payment as dates",
		Example: "  counterfoil rests show wechat-main A1001 --dir /srv/pay",
		Args:    cobra.ExactArgs(2),
		RunE:    p.begin(func(ctx context.Context, args []string) error { return p.stages(ctx, r, args[0], args[1]) }),
	}
	r.addFlags(cmd)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) stages(ctx context.Context, r remote, channel, order string) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var out struct {
		Stages []httpapi.StageDate `json:"stages"`
	}
	path := "/v1/payments/" + url.PathEscape(channel) + "/" + url.PathEscape(order) + "/stages"
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &out); err != nil {
		return err
	}
	t := newTable("STAGE", "AT", "BILL OF", "RUN", "OPEN")
	return printRows(p, out.Stages, t, func(s httpapi.StageDate) { t.add(s.Stage, s.At, s.Day, s.Run, s.Open) })
}
