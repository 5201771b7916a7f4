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

// signAside signs a person's word that a discrepancy needs nothing more: the
// statement is made here, out of what the API shows of it.
func (p *program) signAside(ctx context.Context, c *client, id, reason, file string) (*httpapi.Signature, error) {
	private, err := readSignKey(file)
	if err != nil {
		return nil, err
	}
	var shown httpapi.Discrepancy
	var parts httpapi.AsideStatementParts
	path := "/v1/discrepancies" + (&url.URL{Path: "/" + id}).EscapedPath()
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &shown); err != nil {
		return nil, err
	}
	if err := c.call(ctx, http.MethodGet, path+"/statement", nil, nil, &parts); err != nil {
		return nil, err
	}
	ledger, err := domain.ParseID(parts.Ledger)
	if err != nil {
		return nil, fmt.Errorf("the API's statement: %w", err)
	}
	word, leaf, err := shownWord(shown, parts, reason)
	if err != nil {
		return nil, err
	}
	return p.signStatement(private, func(at time.Time) []byte {
		return domain.WordStatement(ledger, domain.Stream(parts.Stream), leaf, word, at)
	}), nil
}

// shownWord is the word of the person who acts about a discrepancy as it is
// shown, and the leaf hash of the word it agrees to.
func shownWord(d httpapi.Discrepancy, parts httpapi.AsideStatementParts, reason string) (word domain.Fact, leaf [32]byte, err error) {
	f, err := shownDifference(d)
	if err != nil {
		return nil, leaf, err
	}
	if f.Proposal, err = domain.ParseID(parts.Proposal); err != nil {
		return nil, leaf, fmt.Errorf("the API's statement: %w", err)
	}
	f.How, f.By, f.AskedBy = reason, parts.Person, parts.AskedBy
	switch {
	case !f.Kind.NeedsTwo():
		f.AskedBy = ""
		return f, leaf, nil
	case parts.AskedBy == "":
		return f.Asked(), leaf, nil
	}
	leaf, err = leafOf(parts.Leaf)
	return f, leaf, err
}

// shownDifference is a discrepancy as the API shows it, as far as it is signed.
func shownDifference(d httpapi.Discrepancy) (f domain.ReconciliationDiffered, err error) {
	if f.Discrepancy, err = domain.ParseID(d.ID); err != nil {
		return f, err
	}
	f.Kind, f.Line = domain.DiscrepancyKind(d.Kind), domain.LineKind(d.Item)
	f.OrderNo, f.TradeNo, f.Ref = d.OrderNo, d.TradeNo, d.Ref
	if f.Ours, err = shownSigned(d.Ours); err == nil {
		f.Theirs, err = shownSigned(d.Theirs)
	}
	return f, err
}

// shownSigned is an amount that may be absent or negative.
func shownSigned(m *httpapi.Money) (domain.Money, error) {
	if m == nil {
		return domain.Money{}, nil
	}
	return domain.ParseSigned(m.Amount, domain.Currency(m.Currency))
}
