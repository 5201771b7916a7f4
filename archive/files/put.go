package files

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"counterfoil/archive"
	"counterfoil/domain"
)

// Put implements archive.Archive.
func (a *Archive) Put(ctx context.Context, r io.Reader) (archive.File, error) {
	temp, err := os.CreateTemp(filepath.Join(a.dir, incoming), "bill-*")
	if err != nil {
		return archive.File{}, domain.E(domain.KindUnavailable, "begin an archive file: %w", err)
	}
	kept, err := a.fill(ctx, temp, r)
	if err != nil {
		return archive.File{}, errors.Join(err, temp.Close(), os.Remove(temp.Name()))
	}
	if err := temp.Close(); err != nil {
		return archive.File{}, errors.Join(domain.E(domain.KindUnavailable, "close an archive file: %w", err), os.Remove(temp.Name()))
	}
	return kept, a.place(ctx, temp.Name(), kept.ID)
}

// fill writes r into temp, packed, and syncs it.
func (a *Archive) fill(ctx context.Context, temp *os.File, r io.Reader) (archive.File, error) {
	sum, buf := sha256.New(), bufio.NewWriterSize(temp, 256<<10)
	// Speed before size: bills are text and shrink to a tenth at any level.
	zip, err := gzip.NewWriterLevel(buf, gzip.BestSpeed)
	if err != nil {
		return archive.File{}, err
	}
	in := &source{ctx: ctx, r: io.LimitReader(r, a.cfg.MaxSize+1)}
	size, err := io.CopyBuffer(io.MultiWriter(sum, zip), in, make([]byte, 64<<10))
	switch {
	case in.err != nil:
		return archive.File{}, in.err
	case err != nil:
		return archive.File{}, domain.E(domain.KindUnavailable, "write an archive file: %w", err)
	case size > a.cfg.MaxSize:
		return archive.File{}, domain.E(domain.KindTooLarge, "a file of more than %d bytes is not archived", a.cfg.MaxSize)
	}
	if err := errors.Join(zip.Close(), buf.Flush(), temp.Sync()); err != nil {
		return archive.File{}, domain.E(domain.KindUnavailable, "write an archive file: %w", err)
	}
	return archive.File{ID: archive.ID(sum.Sum(nil)), Size: size}, nil
}

// source tells the errors of what is read from those of what is written.
type source struct {
	ctx context.Context //nolint:containedctx // lives as long as one Put
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// place gives a finished file its name. The same bytes may be there already;
// should they have been damaged since, the new ones take their place.
func (a *Archive) place(ctx context.Context, temp string, id archive.ID) error {
	there, err := a.Has(ctx, id)
	if err == nil && there && a.whole(ctx, id) == nil {
		if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return domain.E(domain.KindUnavailable, "remove an archive file that is there already: %w", err)
		}
		return nil
	}
	path := a.path(id)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return domain.E(domain.KindUnavailable, "make a directory of the archive: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return domain.E(domain.KindUnavailable, "give an archive file its name: %w", err)
	}
	return errors.Join(syncDir(dir), syncDir(a.dir))
}
