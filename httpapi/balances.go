package httpapi

import (
	"net/http"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/operations"
	"counterfoil/projections"
)

// plainBalances is the account of a request for balances now. It is what nearly
// every reader asks for, so it is answered without the machinery of the other
// operations, which costs several times the answer itself. Anything beyond the
// bare path goes the common way; both give the same bytes.
func plainBalances(r *http.Request) (account string, ok bool) {
	if r.Method != http.MethodGet || r.URL.RawQuery != "" || r.URL.ForceQuery || r.URL.RawPath != "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/accounts/")
	account, ok2 := strings.CutSuffix(rest, "/balances")
	return account, ok && ok2 && account != "" && !strings.Contains(account, "/")
}

func (s *Server) serveBalances(w http.ResponseWriter, r *http.Request, c *caller, text string) {
	var account domain.AccountID
	var rows []projections.Balance
	var position eventstore.Position
	err := allow(c.key, operations.ScopeBalancesRead)
	if err == nil {
		account, err = allowedAccount(c.key, text)
	}
	if err == nil {
		rows, position, err = s.Rows.Balances(r.Context(), account, projections.AsOf{})
	}
	if err != nil {
		s.refuse(w, r, c, showBalancesID, err)
		return
	}
	s.metrics.balances.Inc()
	tag := etag(position)
	w.Header().Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(appendBalances(make([]byte, 0, 256), account, position, rows)) //nolint:gosec // G705: an account has a grammar
}

// appendBalances writes Balances as JSON. Nothing in it needs an escape:
// accounts and currencies have grammars.
func appendBalances(b []byte, account domain.AccountID, at eventstore.Position, rows []projections.Balance) []byte {
	b = append(b, `{"account":"`...)
	b = append(b, account...)
	b = append(b, `","position":"`...)
	b = append(b, at.String()...)
	b = append(b, `","balances":[`...)
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"amount":"`...)
		b = r.Amount.AppendAmount(b)
		b = append(b, `","currency":"`...)
		b = append(b, r.Amount.Currency()...)
		b = append(b, `"}`...)
	}
	return append(b, "]}\n"...)
}

// matches reports whether an If-None-Match names a tag (RFC 9110: a list, weak
// comparison, or a star).
func matches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == tag || t == "*" {
			return true
		}
	}
	return false
}
