package tamperlog

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"counterfoil/domain"
)

// NewKey makes an Ed25519 key pair in the text form of signed notes: the
// private one begins with PRIVATE+KEY+.
func NewKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", "", domain.E(domain.KindUnavailable, "make a key: %w", err)
	}
	return private, public, nil
}

// Create makes the folder of an empty tree, signed, and the private key beside
// it, readable by its owner only. What is there already is KindConflict: a log
// must never begin a second history under one key.
func Create(dir, keyFile, origin string) error {
	for _, path := range []string{dir, keyFile} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return domain.E(domain.KindConflict, "%s is there already", path)
		}
	}
	private, public, err := NewKey(origin)
	if err != nil {
		return err
	}
	empty, err := Checkpoint{Origin: origin, Root: emptyRoot}.sign(private)
	if err != nil {
		return err
	}
	for _, d := range []string{filepath.Dir(keyFile), dir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return domain.E(domain.KindUnavailable, "make %s: %w", d, err)
		}
	}
	if err := writeFile(keyFile, []byte(private+"\n")); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, publicName), []byte(public+"\n")); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, checkpointName), empty)
}

// ReadKey reads a key file: one line.
func ReadKey(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fileError(err)
	}
	return strings.TrimSpace(string(b)), nil
}
