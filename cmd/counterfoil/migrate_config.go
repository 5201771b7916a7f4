package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"counterfoil/domain"
	"counterfoil/internal/assembly"
	"counterfoil/internal/config"
)

// storeLines are the lines of a configuration that name a server.
func storeLines(cfg config.Config) string {
	lines := "store: " + strconv.Quote(cfg.Store) + "\nstore_namespace: " + strconv.Quote(cfg.StoreNamespace) + "\n"
	for _, l := range [][2]string{{"store_user_file", cfg.StoreUserFile}, {"store_password_file", cfg.StorePasswordFile}} {
		if l[1] != "" {
			lines += l[0] + ": " + strconv.Quote(l[1]) + "\n"
		}
	}
	return lines
}

var storeLine = regexp.MustCompile(`(?m)^store(_namespace|_user_file|_password_file)?\s*:.*\n?`)

// rewriteStore puts lines in the place of those that name the store, and
// leaves every other byte of the file as it is. The new file takes the place of
// the old one at once, and only when it says what is wanted.
func rewriteStore(path, lines string, want config.Config) (err error) {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	text := string(old)
	at := 0
	if first := storeLine.FindStringIndex(text); first != nil {
		at = first[0]
	}
	text = text[:at] + lines + storeLine.ReplaceAllString(text[at:], "")
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what a crash left: %w", err)
	}
	if err := writeDurably(draft, text); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(draft))
		}
	}()
	got, err := config.Load(draft, nil)
	if err != nil {
		return err
	}
	if assembly.StoreName(got) != assembly.StoreName(want) {
		return domain.E(domain.KindConflict, "%s names its store in a way that this program does not change", path)
	}
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", path, err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync the folder %s: %w", path, err)
	}
	return nil
}
