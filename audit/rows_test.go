package audit_test

import (
	"database/sql"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"counterfoil/projections"
	psqlite "counterfoil/projections/sqlite"
)

// rowsOf is all that a file of projections stores, one row a line, and why no
// more could be read.
func rowsOf(t *testing.T, file string) (out []string, err error) {
	t.Helper()
	db, err := psqlite.Open(file, psqlite.Config{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	err = db.Everything(t.Context(), func(_ projections.Checkpoint, rows iter.Seq2[projections.StoredRow, error]) error {
		for r, err := range rows {
			if err != nil {
				return err
			}
			out = append(out, r.Table+" "+r.Text)
		}
		return nil
	})
	return out, err
}

// texts are the answers to a query for one text.
func texts(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		must(t, rows.Scan(&s))
		out = append(out, s)
	}
	must(t, rows.Err())
	return out
}

// A value that no other row has: a far number, or the text with more behind it.
const otherValue = `CASE typeof(%[2]s) WHEN 'integer' THEN %[2]s + 987654321 WHEN 'null' THEN 7
	WHEN 'blob' THEN cast(%[2]s || 'x' AS BLOB) ELSE %[2]s || 'x' END`

// Every column of every table is compared with a fold from nothing, and every row
// must be there: what were left out could be forged. A log with every type of
// event fills the tables.
func TestNoColumnIsLeftOut(t *testing.T) {
	t.Parallel()
	w := everything(t)
	file, err := filepath.EvalSymlinks(w.file("projections.db"))
	must(t, err)
	w.close()
	exec(t, raw(t, file), "INSERT INTO duplicates(channel, trade_no, payment) SELECT channel, trade_no, payment FROM trades LIMIT 1")
	want, err := rowsOf(t, file)
	must(t, err)
	kept, err := os.ReadFile(file)
	must(t, err)
	other := filepath.Join(t.TempDir(), "projections.db")
	seen := func(change string) bool {
		must(t, os.WriteFile(other, kept, 0o600))
		db := raw(t, other)
		exec(t, db, "PRAGMA ignore_check_constraints = 1")
		exec(t, db, change)
		must(t, db.Close())
		got, err := rowsOf(t, other)
		return err != nil || !slices.Equal(got, want)
	}
	db := raw(t, file)
	for _, table := range texts(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
		key := strings.Join(texts(t, db, "SELECT name FROM pragma_table_info('"+table+"') WHERE pk > 0 ORDER BY pk"), ", ")
		if len(texts(t, db, "SELECT 1 FROM "+table+" LIMIT 1")) == 0 {
			t.Errorf("no row of %s: nothing is known of its columns", table)
			continue
		}
		where := fmt.Sprintf(" WHERE (%[2]s) = (SELECT %[2]s FROM %[1]s ORDER BY %[2]s LIMIT 1)", table, key)
		for _, name := range texts(t, db, "SELECT name FROM pragma_table_info('"+table+"')") {
			if !seen(fmt.Sprintf("UPDATE %[1]s SET %[2]s = "+otherValue, table, name) + where) {
				t.Errorf("%s.%s can be changed, and nobody sees it", table, name)
			}
		}
		if table != "names" && !seen("DELETE FROM "+table+where) {
			t.Errorf("a row of %s can be taken away, and nobody sees it", table)
		}
	}
	for _, change := range []string{
		"CREATE TRIGGER hides AFTER INSERT ON payments BEGIN DELETE FROM payments WHERE id = new.id; END",
		"DROP INDEX payments_account",
	} {
		if !seen(change) {
			t.Errorf("nobody sees %s", change)
		}
	}
}
