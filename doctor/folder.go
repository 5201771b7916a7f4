package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Free space, in bytes. Below the first the event store takes no appends.
const (
	spaceNeeded = 64 << 20
	spaceWanted = 1 << 30
)

// folder sees that the installation is there and that others cannot read what
// is secret.
func (e *examiner) folder(context.Context) []Finding {
	f := about("folder", e.Dir)
	dir, err := os.Stat(e.Dir)
	switch {
	case err != nil:
		return one(f.fail(err.Error(), "name the folder that `counterfoil init` made, with --dir", "请用 --dir 指定 init 创建的目录"))
	case !dir.IsDir():
		return one(f.fail("it is no folder", "name the folder that `counterfoil init` made", "请用 --dir 指定 init 创建的目录"))
	}
	found := one(f.ok("is there, permissions " + dir.Mode().Perm().String()))
	for _, file := range e.Files {
		if open := readableBy(e.Dir, file.Path); file.Secret && open != "" {
			found = append(found, about("permissions", e.name(file.Path)).warn(
				open+" may read it, and it holds keys",
				fmt.Sprintf("chmod go-rwx %s", file.Path), "密钥文件不应被他人读取：请收紧权限"))
		}
	}
	if len(found) == 1 {
		found = append(found, about("permissions").ok("keys can be read by their owner only"))
	}
	return found
}

// name is a path as people know it, below the installation's folder.
func (e *examiner) name(path string) string {
	if rel, err := filepath.Rel(e.Dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// readableBy says who besides the owner may read a file: "its group",
// "everyone", or "". A folder above it, up to the installation's own, that
// shuts them out protects it.
func readableBy(dir, path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	open := info.Mode().Perm() & 0o044
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		folder, err := os.Stat(at)
		if err != nil {
			return ""
		}
		// The x bit of a folder lets through to what is in it.
		open &= folder.Mode().Perm() << 2
		if at == dir || filepath.Dir(at) == at || !within(dir, at) {
			break
		}
	}
	switch {
	case open&0o004 != 0:
		return "everyone"
	case open&0o040 != 0:
		return "its group"
	}
	return ""
}

// within reports whether path lies below dir.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// disk sees that there is room.
func (e *examiner) disk(context.Context) []Finding {
	f := about("disk")
	if e.Store.Log == nil {
		return one(f.skip("the event store is not open"))
	}
	if e.Store.Server != "" {
		return one(f.skip("the log is on a server: watch the disks there"))
	}
	seen := fmt.Sprintf("%s free, the log has %s", size(e.Store.Free), size(e.Store.Bytes))
	do, zh := "make room on this disk, or move the installation to a larger one", "磁盘空间不足：请清理或扩容"
	switch {
	case e.Store.Free < spaceNeeded:
		return one(f.fail(seen+": callbacks are refused until there is room", do, zh))
	case e.Store.Free < spaceWanted:
		return one(f.warn(seen, do, zh))
	}
	return one(f.ok(seen))
}

// size is bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v := float64(n)
	for _, u := range units {
		if v < 1024 {
			return fmt.Sprintf("%.4g %s", v, u)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g PiB", v)
}

// missing reports whether an error says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
