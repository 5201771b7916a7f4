package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/reports"
)

// BookRow is a book in one currency.
type BookRow struct {
	Book     string `json:"book" doc:"E.g. assets:psp:epay-main; all wallets are one book, but liabilities:wallet-test, which holds payments that try a channel"`
	Currency string `json:"currency" doc:"ISO 4217 code"`
	Opening  string `json:"opening" doc:"What it held before the period: + debit, - credit"`
	Debit    string `json:"debit" doc:"What came in the period"`
	Credit   string `json:"credit" doc:"What went in the period"`
	Closing  string `json:"closing" doc:"What it holds at the end: + debit, - credit"`
}

// BookSum is what all books of a currency come to.
type BookSum struct {
	Currency string `json:"currency" doc:"ISO 4217 code"`
	Debit    string `json:"debit" doc:"All debits"`
	Credit   string `json:"credit" doc:"All credits; equal to the debits"`
	Closing  string `json:"closing" doc:"Always zero"`
}

type booksInput struct {
	Period   string `query:"period" doc:"YYYY-MM; without it all of time"`
	AsOf     string `query:"as_of_position" doc:"The books as the log stood at this position"`
	AsOfTime string `query:"as_of_time" format:"date-time" doc:"The books as the log stood at this instant"`
}

type booksOutput struct {
	Body struct {
		Period   string              `json:"period,omitempty" doc:"The period asked for"`
		Position eventstore.Position `json:"position" doc:"Place in the log that the rows hold for"`
		Books    []BookRow           `json:"books" doc:"In order of book and currency"`
		Sums     []BookSum           `json:"sums" doc:"What all books come to, by currency"`
	}
}

func (s *Server) registerBooks(api huma.API) {
	operation(s, api, huma.Operation{
		OperationID: "show-books", Method: http.MethodGet, Path: "/v1/books", Summary: "Show the trial balance",
		Description: "What every book held, got and gave, of one period or of all, now or as of a place in the log. In each " +
			"currency debits equal credits. The key must not be limited to channels or accounts.",
	}, operations.ScopeBalancesRead, s.showBooks)
}

func (s *Server) showBooks(ctx context.Context, in *booksInput) (*booksOutput, error) {
	if err := allowAll(keyOf(ctx)); err != nil {
		return nil, err
	}
	if in.Period != "" {
		if _, err := domain.ParsePeriod(in.Period); err != nil {
			return nil, err
		}
	}
	out := &booksOutput{}
	out.Body.Period, out.Body.Books, out.Body.Sums = in.Period, []BookRow{}, []BookSum{}
	at, none, err := s.asOf(ctx, in.AsOf, in.AsOfTime)
	if err != nil || none {
		return out, err
	}
	t, err := s.Rows.Trial(ctx, projections.TrialFilter{Period: in.Period, AsOf: at, Apart: true})
	if err != nil {
		return nil, err
	}
	out.Body.Position, out.Body.Books = t.Position, bookRows(t.Rows)
	out.Body.Sums, err = bookSums(t.Rows)
	return out, err
}

func bookRows(rows []projections.TrialRow) []BookRow {
	out := make([]BookRow, len(rows))
	for i, r := range rows {
		book := r.Book
		if r.Test {
			book = reports.BookTestWallet
		}
		out[i] = BookRow{
			Book: book, Currency: string(r.Closing.Currency()), Opening: r.Opening.Amount(), Debit: r.Debit.Amount(),
			Credit: r.Credit.Amount(), Closing: r.Closing.Amount(),
		}
	}
	return out
}

func bookSums(rows []projections.TrialRow) ([]BookSum, error) {
	var debit, credit, closing domain.Totals
	for _, r := range rows {
		for sum, m := range map[*domain.Totals]domain.Money{&debit: r.Debit, &credit: r.Credit, &closing: r.Closing} {
			if err := sum.Add(m); err != nil {
				return nil, err
			}
		}
	}
	out := []BookSum{}
	for m := range closing.All() {
		c := m.Currency()
		out = append(out, BookSum{Currency: string(c), Debit: debit.Of(c).Amount(), Credit: credit.Of(c).Amount(), Closing: m.Amount()})
	}
	return out, nil
}
