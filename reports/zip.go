package reports

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Zip writes the files of a journal as one archive. They wait in a folder
// below dir, which is the system's own for "", until the journal is whole.
func Zip(w io.Writer, dir string, write func(Files) error) (err error) {
	folder, err := os.MkdirTemp(dir, "counterfoil-journal-")
	if err != nil {
		return fmt.Errorf("make a folder for the journal: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	files := &spool{dir: folder}
	if err := write(files); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, name := range files.names {
		if err := pack(z, folder, name); err != nil {
			return fmt.Errorf("pack %s: %w", name, err)
		}
	}
	return z.Close()
}

func pack(z *zip.Writer, dir, name string) (err error) {
	from, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}

// spool keeps files in a folder and remembers their names.
type spool struct {
	dir   string
	names []string
}

// Create implements Files.
func (s *spool) Create(name string) (io.WriteCloser, error) {
	s.names = append(s.names, name)
	return os.OpenFile(filepath.Join(s.dir, filepath.Base(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}
