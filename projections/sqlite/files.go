package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"counterfoil/domain"
)

// The path of a projection is a symbolic link to the file in use,
// projections-000001.db and so on. A rebuild makes the next file and moves the
// link. The link is what makes the switch safe: SQLite names the write-ahead
// log after the file it opened, so a file renamed over one in use would be read
// with the other's log. Whoever has the old file open goes on with it until it
// notices the link.

// current is the file that path stands for; "" when there is none.
func current(path string) (string, error) {
	target, err := os.Readlink(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, syscall.EINVAL): // a plain file, e.g. copied back without its link
		return path, nil
	case err != nil:
		return "", domain.E(domain.KindUnavailable, "find the projections file: %w", err)
	}
	return filepath.Join(filepath.Dir(path), target), nil
}

// reserve makes the next file's name by creating it, empty.
func reserve(path string) (string, error) {
	files, err := generations(path)
	if err != nil {
		return "", err
	}
	n := 0
	for _, f := range files {
		n = max(n, number(path, f))
	}
	for {
		n++
		name := fmt.Sprintf("%s-%06d.db", strings.TrimSuffix(path, ".db"), n)
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", domain.E(domain.KindUnavailable, "make the projections file: %w", err)
		}
		return name, f.Close()
	}
}

// generations lists the files made for path.
func generations(path string) ([]string, error) {
	dir, base := filepath.Split(strings.TrimSuffix(path, ".db"))
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil, domain.E(domain.KindUnavailable, "list projection files: %w", err)
	}
	var files []string
	for _, e := range entries {
		if f := filepath.Join(dir, e.Name()); strings.HasPrefix(e.Name(), base) && number(path, f) > 0 {
			files = append(files, f)
		}
	}
	return files, nil
}

// number is the generation of file, 0 for other names.
func number(path, file string) int {
	digits, ok := strings.CutPrefix(file, strings.TrimSuffix(path, ".db")+"-")
	digits, db := strings.CutSuffix(digits, ".db")
	if !ok || !db || len(digits) != 6 {
		return 0
	}
	n := 0
	for _, d := range []byte(digits) {
		if d < '0' || d > '9' {
			return 0
		}
		n = 10*n + int(d-'0')
	}
	return n
}

// point lets path stand for file, durably, and removes the files before it.
// The caller holds the switch lock.
func point(path, file string) error {
	old, err := current(path)
	if err != nil {
		return err
	}
	link := path + ".next"
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return domain.E(domain.KindUnavailable, "clear a left-over link: %w", err)
	}
	if err := os.Symlink(filepath.Base(file), link); err != nil {
		return domain.E(domain.KindUnavailable, "link %s: %w", file, err)
	}
	if err := os.Rename(link, path); err != nil {
		return domain.E(domain.KindUnavailable, "switch to %s: %w", file, err)
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return err
	}
	if old == path {
		discard(path + "-wal") // the plain file went with the rename
		discard(path + "-shm")
	} else if old != "" {
		remove(old)
	}
	return nil
}

// remove deletes a projections file and SQLite's files beside it. Whoever has
// them open keeps them until it closes them.
func remove(file string) {
	discard(file)
	discard(file + "-wal")
	discard(file + "-shm")
	discard(file + "-journal")
}

// discard deletes what nobody needs; what stays behind only takes room.
func discard(file string) { os.Remove(file) } //nolint:errcheck // see above

// syncFile makes a file's or folder's content durable.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return domain.E(domain.KindUnavailable, "open %s to sync it: %w", name, err)
	}
	defer f.Close() // nothing was written through it
	if err := f.Sync(); err != nil {
		return domain.E(domain.KindUnavailable, "sync %s: %w", name, err)
	}
	return nil
}

// ensure makes sure that path stands for a file of our shape, and is that file.
// One of an older shape is replaced by an empty one.
func ensure(path string) (string, error) {
	l, err := openLock(path + ".switch")
	if err != nil {
		return "", err
	}
	defer l.close()
	if err := l.lock(syscall.LOCK_EX); err != nil {
		return "", err
	}
	file, err := current(path)
	if err != nil {
		return "", err
	}
	if file != "" {
		if err := checkFile(file); !errors.Is(err, errOldSchema) && !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return replace(path)
}

// Reset lets path stand for a new, empty file, whatever stood there: what is
// damaged is folded anew from the log. The damaged file stays where it is for
// whoever wants to look at it.
func Reset(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return domain.E(domain.KindInvalid, "path %q: %w", path, err)
	}
	l, err := openLock(path + ".switch")
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.lock(syscall.LOCK_EX); err != nil {
		return err
	}
	_, err = replace(path)
	return err
}

// replace lets path stand for a new empty file.
func replace(path string) (string, error) {
	file, err := reserve(path)
	if err != nil {
		return "", err
	}
	if err := create(file); err != nil {
		remove(file)
		return "", err
	}
	return file, point(path, file)
}

// checkFile reads the shape of a file.
func checkFile(file string) error {
	if _, err := os.Stat(file); err != nil {
		return domain.E(domain.KindUnavailable, "look at the projections file: %w", err)
	}
	c, err := open(file, false)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // it only read
	return checkVersion(c, file)
}
