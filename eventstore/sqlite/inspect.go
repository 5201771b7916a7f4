package sqlite

import (
	"context"
	"fmt"
	"strconv"

	"counterfoil/domain"
)

// maxDamage bounds what one inspection lists.
const maxDamage = 100

// strays are rows and values that no reader would meet, or would read as if
// they were in order: what this program never writes.
var strays = []struct{ what, sql string }{
	{"event at position %d: below the first position, where nobody reads", `SELECT position FROM events WHERE position <= 0`},
	{"event at position %d: a column has a type or a length that was never written", `SELECT position FROM events WHERE
typeof(stream) <> 'text' OR typeof(revision) <> 'integer' OR revision < 0 OR typeof(id) <> 'blob' OR length(id) <> 16
OR typeof(type) <> 'text' OR typeof(data) <> 'blob' OR typeof(meta) <> 'blob' OR typeof(leaf) <> 'blob' OR length(leaf) <> 32
OR sealed_hash IS NOT NULL AND (typeof(sealed_hash) <> 'blob' OR length(sealed_hash) <> 32)`},
	{"evidence at position %d: its type was never written", `SELECT position FROM evidence WHERE typeof(sealed) <> 'blob'`},
	{
		"evidence at position %d: no event there has a sealed part",
		`SELECT v.position FROM evidence v LEFT JOIN events e ON e.position = v.position WHERE e.sealed_hash IS NULL`,
	},
}

// Inspect looks at the file itself, as reading its events cannot: pages,
// indexes, schema, rows that nobody would read. It returns what is wrong, in
// SQLite's words where it has some, at most a hundred sentences; an error means
// that the file could not be looked at, or that ctx ended. It reads the whole
// file.
func (s *Store) Inspect(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, domain.E(domain.KindUnavailable, "inspect %s: %w", s.path, err)
	}
	c, err := s.dialReader()
	if err != nil {
		return nil, err
	}
	defer c.close()
	defer c.interruptedBy(ctx)()
	found, err := c.list("PRAGMA integrity_check("+strconv.Itoa(maxDamage)+")", func(q *stmt) string { return string(q.bytes(0)) })
	if len(found) == 1 && found[0] == "ok" {
		found = nil
	}
	limit := " LIMIT " + strconv.Itoa(maxDamage)
	for _, stray := range strays {
		if err != nil || len(found) >= maxDamage {
			break
		}
		var more []string
		more, err = c.list(stray.sql+limit, func(q *stmt) string { return fmt.Sprintf(stray.what, q.int64(0)) })
		found = append(found, more...)
	}
	if err != nil {
		if err = readError(s.path, err); domain.KindOf(err) != domain.KindCorrupt {
			return found, err
		}
		found = append(found, err.Error())
	}
	return found, nil
}

// list is what a query says, row by row.
func (c *conn) list(sql string, say func(*stmt) string) ([]string, error) {
	var out []string
	err := c.query(sql, func(q *stmt) { out = append(out, say(q)) })
	return out, err
}
