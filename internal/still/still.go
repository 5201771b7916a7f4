// Package still tells which files of SQLite are read as files that nobody
// changes: those on a medium that cannot be written, as an auditor is handed.
//
// Who only reads writes, too: the index of the write-ahead log stands beside the
// file, so that SQLite refuses a file whose folder cannot be written. Opened as
// immutable it is read without locks and without a log. Then nothing would tell
// of a log that is there, or of somebody who writes meanwhile: such a file is
// refused here.
package still

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"counterfoil/domain"
)

// mayWrite asks access(2) whether a file can be written.
const mayWrite = 2

// Unwritable reports whether this process cannot write the file at path, or beside
// it.
func Unwritable(path string) bool {
	return syscall.Access(path, mayWrite) != nil || syscall.Access(filepath.Dir(path), mayWrite) != nil
}

// Is reports whether the file at path is unwritable, so that it is to be opened
// by URI. KindDenied when what stands beside such a file says that it is not
// all, or that somebody is at it.
func Is(path string) (bool, error) {
	if !Unwritable(path) {
		return false, nil
	}
	for _, beside := range []string{"-wal", "-journal", "-shm"} {
		info, err := os.Stat(path + beside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return false, domain.E(domain.KindUnavailable, "look beside %s: %w", path, err)
		case info.Size() > 0:
			return false, domain.E(domain.KindDenied, "%s cannot be written here, and %s beside it holds what it does not have yet or shows "+
				"that it is in use: copy %[1]s, %[1]s-wal and %[1]s-shm to where they may be written and read the copy", path, filepath.Base(path)+beside)
		}
	}
	return true, nil
}

// URI names the file at path to SQLite as one that nobody changes.
func URI(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "mode=ro&immutable=1"}
	return u.String()
}
