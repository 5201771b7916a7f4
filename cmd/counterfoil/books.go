package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

func newBooksCommand(p *program) *cobra.Command {
	var r remote
	var period, then string
	cmd := &cobra.Command{
		Use: "books", Short: "Show the trial balance: what every book holds",
		Long: `Shows what every book held, got and gave, of one period or of all, now or as of
a place in the log. Debits are positive, credits negative; all wallets are one
book, but liabilities:wallet-test: payments that try a channel, as reports show
them. In each currency the books sum to zero, or the command fails with 5.`,
		Example: "  counterfoil books --period 2026-10 --dir /srv/pay\n  counterfoil books --as-of 2026-10-31T16:00:00Z --dir /srv/pay",
		Args:    cobra.NoArgs,
		RunE: p.begin(func(ctx context.Context, _ []string) error {
			at, err := asOf(then)
			if err != nil {
				return err
			}
			return p.showBooks(ctx, r, query("/v1/books", append(at, "period", period)...))
		}),
	}
	r.addFlags(cmd)
	cmd.Flags().StringVar(&period, "period", "", "only of this `MONTH`, as YYYY-MM")
	addAsOf(cmd, &then)
	p.addOutput(cmd, "table")
	return cmd
}

func (p *program) showBooks(ctx context.Context, r remote, path string) error {
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	var out struct {
		Period   string            `json:"period,omitempty"`
		Position string            `json:"position"`
		Books    []httpapi.BookRow `json:"books"`
		Sums     []httpapi.BookSum `json:"sums"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &out); err != nil {
		return err
	}
	if p.output == "json" {
		err = p.json(out)
	} else {
		err = p.printBooks(out.Books, out.Sums)
	}
	if err != nil {
		return err
	}
	for _, sum := range out.Sums {
		if sum.Closing != zeroOf(sum.Currency) {
			return &verdict{exitBroken, fmt.Errorf("the books of %s sum to %s, not to zero: run counterfoil verify", sum.Currency, sum.Closing)}
		}
	}
	return nil
}

func zeroOf(currency string) string { return domain.NewMoney(0, domain.Currency(currency)).Amount() }

// printBooks prints books with their sums below them.
func (p *program) printBooks(books []httpapi.BookRow, sums []httpapi.BookSum) error {
	t := newTable("BOOK", "CURRENCY", ">OPENING", ">DEBIT", ">CREDIT", ">CLOSING")
	for _, b := range books {
		t.add(b.Book, b.Currency, b.Opening, b.Debit, b.Credit, b.Closing)
	}
	for _, s := range sums {
		t.add("all books", s.Currency, "", s.Debit, s.Credit, s.Closing)
	}
	return t.print(p.stdout)
}
