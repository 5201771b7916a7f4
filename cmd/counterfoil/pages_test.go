package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
)

// numbers is a list of 450 rows, given out in pages as the API does it. It
// keeps the limits that it was asked for.
func numbers(t *testing.T) (c *client, asked *[]int) {
	t.Helper()
	asked = new([]int)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil || limit < 1 || limit > pageRows || r.FormValue("state") != "open" {
			t.Errorf("asked for %s", r.URL)
		}
		*asked = append(*asked, limit)
		from, _ := strconv.Atoi(r.FormValue("cursor"))
		body, next := "", ""
		for n := from; n < min(from+limit, 450); n++ {
			body += fmt.Sprintf(",%d", n)
		}
		if from+limit < 450 {
			next = fmt.Sprintf(`,"next_cursor":"%d"`, from+limit)
		}
		_, _ = fmt.Fprintf(w, `{"numbers":[%s]%s}`, body[1:], next)
	}))
	t.Cleanup(api.Close)
	return &client{base: api.URL, key: "cf_key", http: &http.Client{}}, asked
}

// A list is fetched to its end, or to the limit, and no row more is asked for.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, want := range []struct {
		limit, rows int
		asked       []int
	}{
		{0, 450, []int{200, 200, 200}},
		{1, 1, []int{1}},
		{200, 200, []int{200}},
		{300, 300, []int{200, 100}},
		{450, 450, []int{200, 200, 50}},
		{1000, 450, []int{200, 200, 200}},
	} {
		c, asked := numbers(t)
		rows, err := pages[int](t.Context(), c, want.limit, "/v1/numbers", "numbers", "state", "open")
		if err != nil || len(rows) != want.rows || !slices.Equal(*asked, want.asked) {
			t.Errorf("limit %d: %d rows, asked for %v, %v; want %d and %v", want.limit, len(rows), *asked, err, want.rows, want.asked)
			continue
		}
		for i, n := range rows {
			if n != i {
				t.Fatalf("limit %d: row %d is %d", want.limit, i, n)
			}
		}
	}
}
