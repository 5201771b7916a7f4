package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"counterfoil/domain"
)

// classify gives an error of the database its kind and says what was tried.
func classify(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*domain.Error](err); known {
		return fmt.Errorf("operations store: %s: %w", what, err)
	}
	return domain.E(kindOf(err), "operations store: %s: %w", what, err)
}

// kindOf says what a foreign error lets the caller conclude.
func kindOf(err error) domain.Kind {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return domain.KindUnavailable
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return domain.KindInternal
	}
	return codeKind(e.Code())
}

// codeKind is kindOf for SQLite's extended result codes.
func codeKind(code int) domain.Kind {
	switch code {
	case sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC:
		return domain.KindUnknown // whether it is on the disk
	}
	switch code & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return domain.KindCorrupt
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return domain.KindUnavailable
	}
	return domain.KindInternal
}

// isBusy reports that somebody else has the lock.
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	primary := e.Code() & 0xff
	return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
}
