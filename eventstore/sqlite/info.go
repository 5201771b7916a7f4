package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Info says what a store file is, for people.
type Info struct {
	Path     string              // of the store file
	Bytes    int64               // of the store file
	LogBytes int64               // of the write-ahead log beside it
	Free     int64               // bytes that may still be written on its disk
	Head     eventstore.Position // of the last event
	Shape    int                 // version of the schema
	SQLite   string              // version of the library
}

// Info is read now.
func (s *Store) Info(ctx context.Context) (Info, error) {
	head, err := s.Head(ctx)
	if err != nil {
		return Info{}, err
	}
	i := Info{Path: s.path, Head: head, Shape: schemaVersion, SQLite: libraryVersion()}
	if i.Bytes, err = fileSize(s.path); err != nil {
		return Info{}, err
	}
	if i.LogBytes, err = fileSize(s.path + "-wal"); err != nil {
		return Info{}, err
	}
	if i.Free, err = freeSpace(s.path); err != nil {
		return Info{}, domain.E(domain.KindUnavailable, "free space of %s: %w", s.path, err)
	}
	return i, nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, domain.E(domain.KindUnavailable, "size of %s: %w", path, err)
	}
	return info.Size(), nil
}
