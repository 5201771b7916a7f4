package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"counterfoil/domain"
)

// pageSize of the file in bytes. An event with its evidence takes about a
// kilobyte, so that a page holds several.
const pageSize = 8192

// Create makes an empty store file, readable by its owner only. KindConflict if
// there is a file already; KindMismatch where a store cannot be (network file
// systems). A crash leaves either a whole store or none.
func Create(path string, o Options) error {
	o = o.withDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return domain.E(domain.KindInvalid, "path %q: %w", path, err)
	}
	if err := checkVersion(libraryVersion()); err != nil {
		return err
	}
	if err := checkDisk(filepath.Dir(path)); err != nil {
		return err
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return domain.E(domain.KindConflict, "%s is there already: a store is never written over", path)
	case !errors.Is(err, fs.ErrNotExist):
		return domain.E(domain.KindUnavailable, "create a store: %w", err)
	}
	draft := path + ".new"
	for _, name := range []string{draft, draft + "-wal", draft + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return domain.E(domain.KindUnavailable, "remove what a crash left: %w", err)
		}
	}
	if err := build(draft, o); err != nil {
		return openError(draft, err)
	}
	return publish(draft, path)
}

// build makes a whole store under another name.
func build(draft string, o Options) error {
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	c, err := dial(draft, openCreate, fmt.Sprintf("page_size=%d", pageSize), "synchronous=FULL", "journal_mode=WAL")
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.exec(sqlBegin); err != nil {
		return err
	}
	for _, part := range schema {
		if err := c.exec(part.sql); err != nil {
			return err
		}
	}
	return c.exec(fmt.Sprintf("PRAGMA application_id=%d; %s; COMMIT", applicationID, pragmaVersion(schemaVersion)))
}

// pragmaVersion sets the shape that a file says it has.
func pragmaVersion(v int) string { return fmt.Sprintf("PRAGMA user_version=%d", v) }

// publish gives the draft its name, durably.
func publish(draft, path string) error {
	if err := os.Rename(draft, path); err != nil {
		return domain.E(domain.KindUnavailable, "name the new store: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return domain.E(domain.KindUnavailable, "sync the folder of the new store: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return domain.E(domain.KindUnknown, "sync the folder of the new store: %w", err)
	}
	return nil
}
