package httpapi

import (
	"strconv"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// page is what of rows goes on a page of limit rows, and the cursor of the next
// page, that of the last row here; empty when there is none. rows hold one more
// than limit where there are further ones.
func page[R any](rows []R, limit int, cursor func(R) string) (fit []R, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	rows = rows[:limit]
	return rows, cursor(rows[limit-1])
}

// rowsOf shows each row as the API has it; never nil, so that an empty list is
// one in JSON.
func rowsOf[R, T any](rows []R, show func(R) T) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = show(r)
	}
	return out
}

// positionCursor reads a cursor that was made of a row's position.
func positionCursor(cursor string) (eventstore.Position, error) {
	if cursor == "" {
		return 0, nil
	}
	p, err := eventstore.ParsePosition(cursor)
	if err != nil {
		return 0, notGivenOut(cursor)
	}
	return p, nil
}

// seqCursor reads a cursor that was made of a row's number in its table.
func seqCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n < 1 {
		return 0, notGivenOut(cursor)
	}
	return n, nil
}

// seqText is the cursor that seqCursor reads.
func seqText(n int64) string { return strconv.FormatInt(n, 10) }

func notGivenOut(cursor string) error {
	return domain.EField(domain.KindInvalid, "cursor", "%.40q was not given out by this API", cursor)
}
