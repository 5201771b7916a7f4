package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"counterfoil/domain"
)

// pageRows is the most rows one page of the API has.
const pageRows = 200

// pages fetches the rows that a list of the API has under name, page by page:
// at most limit of them, or all when it is 0. filter are names and values of
// the query.
func pages[T any](ctx context.Context, c *client, limit int, path, name string, filter ...string) ([]T, error) {
	var all []T
	for cursor := ""; ; {
		want := pageRows
		if limit > 0 {
			want = min(want, limit-len(all))
		}
		at := query(path, append(filter[:len(filter):len(filter)], "cursor", cursor, "limit", strconv.Itoa(want))...)
		var out map[string]json.RawMessage
		if err := c.call(ctx, http.MethodGet, at, nil, nil, &out); err != nil {
			return nil, err
		}
		var rows []T
		if err := json.Unmarshal(out[name], &rows); err != nil {
			return nil, fmt.Errorf("GET %s: the answer has no %s as this API's: %w", path, name, err)
		}
		all, cursor = append(all, rows...), ""
		if next, ok := out["next_cursor"]; ok {
			if err := json.Unmarshal(next, &cursor); err != nil {
				return nil, fmt.Errorf("GET %s: the answer's cursor is not of this API: %w", path, err)
			}
		}
		if cursor == "" || len(all) == limit {
			return all, nil
		}
	}
}

// listed is pages for a command with --limit.
func listed[T any](ctx context.Context, p *program, r remote, limit int, path, name string, filter ...string) ([]T, error) {
	if limit < 1 {
		return nil, domain.EField(domain.KindInvalid, "--limit", "%d: must be at least 1", limit)
	}
	c, err := p.connect(r)
	if err != nil {
		return nil, err
	}
	return pages[T](ctx, c, limit, path, name, filter...)
}
