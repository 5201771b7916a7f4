package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
)

// signClosing signs the proposal to close a period, or a person's yes to one:
// the statement is made here, out of what the period shows.
func (p *program) signClosing(ctx context.Context, c *client, period, verb, reason, file string) (*httpapi.Signature, error) {
	private, err := readSignKey(file)
	if err != nil {
		return nil, err
	}
	var shown httpapi.PeriodStatus
	var parts httpapi.CloseStatementParts
	path := "/v1/periods/" + url.PathEscape(period)
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &shown); err != nil {
		return nil, err
	}
	if err := c.call(ctx, http.MethodGet, query(path+"/statement", "decision", verb), nil, nil, &parts); err != nil {
		return nil, err
	}
	ledger, err := domain.ParseID(parts.Ledger)
	if err != nil {
		return nil, fmt.Errorf("the API's statement: %w", err)
	}
	if verb == "propose" {
		ask, err := shownPeriod(shown, parts, reason)
		if err != nil {
			return nil, err
		}
		return p.signStatement(private, func(at time.Time) []byte { return domain.ClosingStatement(ledger, ask, at) }), nil
	}
	ask, err := shownClosing(shown, parts)
	if err != nil {
		return nil, err
	}
	leaf, err := leafOf(parts.Leaf)
	if err != nil {
		return nil, err
	}
	return p.signStatement(private, func(at time.Time) []byte { return domain.ClosedStatement(ledger, leaf, ask, parts.Person, at) }), nil
}

// shownPeriod is the proposal to close a period as it is shown, as far as it is
// signed.
func shownPeriod(s httpapi.PeriodStatus, parts httpapi.CloseStatementParts, reason string) (f domain.PeriodClosing, err error) {
	f.Period, f.Reason, f.By = s.Period, reason, parts.Person
	if f.Proposal, err = domain.ParseID(parts.Proposal); err != nil {
		return f, err
	}
	f.Basis.Incomplete = incompleteRuns(s.Incomplete)
	for _, b := range s.Books {
		if err := addShown(&f.Basis, b.Book, b.Currency, b.Opening, b.Closing); err != nil {
			return f, err
		}
	}
	return f, nil
}

// shownClosing is a proposal that stands, as it is shown.
func shownClosing(s httpapi.PeriodStatus, parts httpapi.CloseStatementParts) (f domain.PeriodClosing, err error) {
	for _, c := range s.Closings {
		if c.ID != parts.Proposal {
			continue
		}
		f.Period, f.Reason, f.By, f.Basis.Incomplete = c.Period, c.Reason, c.ProposedBy, incompleteRuns(c.Incomplete)
		if f.Proposal, err = domain.ParseID(c.ID); err != nil {
			return f, err
		}
		for _, b := range c.Totals {
			if err := addShown(&f.Basis, b.Book, b.Currency, b.Opening, b.Closing); err != nil {
				return f, err
			}
		}
		return f, nil
	}
	return f, domain.E(domain.KindMismatch, "the period does not show proposal %s", parts.Proposal)
}

func addShown(b *domain.PeriodBasis, book, currency, opening, closing string) (err error) {
	t := domain.PeriodTotal{Book: book}
	if t.Opening, err = domain.ParseSigned(opening, domain.Currency(currency)); err != nil {
		return err
	}
	t.Closing, err = domain.ParseSigned(closing, domain.Currency(currency))
	b.Totals = append(b.Totals, t)
	return err
}

func incompleteRuns(shown []httpapi.PeriodException) []domain.PeriodException {
	out := make([]domain.PeriodException, len(shown))
	for i, x := range shown {
		out[i] = domain.PeriodException{Name: x.Name, What: x.What}
	}
	return out
}
