package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// conditions are what scripts can ask about the machine: [medium], whether there
// can be one that nobody can write.
func conditions(name string) (bool, error) {
	if name != "medium" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if os.Geteuid() != 0 {
		return true, nil
	}
	dir, err := os.MkdirTemp("", "counterfoil-medium-")
	if err != nil {
		return false, err
	}
	defer os.Remove(dir)
	if mount("-t", "tmpfs", "tmpfs", dir) != nil {
		return false, nil
	}
	return true, exec.Command("umount", dir).Run() //nolint:noctx // it takes no time
}

func mount(args ...string) error {
	return exec.Command("mount", args...).Run() //nolint:noctx // it takes no time
}

// medium puts a copy of a folder on a medium that nobody can write: medium FROM
// TO. Root needs a file system for that which is read-only; for others the modes
// do.
func medium(ts *testscript.TestScript, _ bool, args []string) {
	from, to := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	root := os.Geteuid() == 0
	if root {
		ts.Check(os.Mkdir(to, 0o700))
		ts.Check(mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", to))
		ts.Defer(func() { ts.Check(exec.Command("umount", to).Run()) }) //nolint:noctx // it takes no time
	}
	copyTree(ts, from, to)
	if root {
		ts.Check(mount("-o", "remount,ro", to))
		return
	}
	ts.Check(filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		if d.IsDir() {
			ts.Defer(func() { _ = os.Chmod(path, 0o700) })
			return os.Chmod(path, 0o500)
		}
		return os.Chmod(path, 0o400)
	}))
}

// copyTree copies a folder with its links, which projections have.
func copyTree(ts *testscript.TestScript, from, to string) {
	ts.Check(filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at = filepath.Join(to, at)
		switch {
		case d.IsDir():
			return os.MkdirAll(at, 0o700)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, at)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, content, 0o600)
	}))
}
