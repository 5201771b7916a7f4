package files

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"

	"counterfoil/archive"
	"counterfoil/domain"
)

// reader yields a file's bytes and hashes them on the way.
type reader struct {
	ctx  context.Context //nolint:containedctx // a reader ends with the call that opened it
	file *os.File
	zip  *gzip.Reader
	id   archive.ID
	sum  hash.Hash
	left int64 // bytes that may still come
	err  error // what every further Read returns
}

func newReader(ctx context.Context, f *os.File, id archive.ID, maxSize int64) *reader {
	return &reader{ctx: ctx, file: f, id: id, sum: sha256.New(), left: maxSize}
}

// Read implements io.Reader. The end of the file is the end only when its bytes
// make its name.
func (r *reader) Read(p []byte) (int, error) {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err == nil && r.zip == nil {
		r.zip, r.err = gzip.NewReader(bufio.NewReaderSize(r.file, 64<<10))
		r.err = r.damaged(r.err)
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.zip.Read(p)
	r.sum.Write(p[:n]) // a hash never fails
	if r.left -= int64(n); r.left < 0 {
		r.err = domain.E(domain.KindCorrupt, "%s in the archive holds more than was ever put there", r.id)
		return 0, r.err
	}
	r.err = r.damaged(err)
	return n, r.err
}

// damaged says what an error of the packing means: a file that was kept whole
// cannot be cut or garbled, so it was damaged since.
func (r *reader) damaged(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF) && r.zip != nil:
		if [32]byte(r.sum.Sum(nil)) == r.id {
			return io.EOF
		}
		return domain.E(domain.KindCorrupt, "%s in the archive holds other bytes than its name says", r.id)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return domain.E(domain.KindCorrupt, "%s in the archive is damaged: %s", r.id, err)
	}
	if _, broken := err.(*os.PathError); !broken { //nolint:errorlint // an error of the disk comes as it is
		return domain.E(domain.KindCorrupt, "%s in the archive is damaged: %s", r.id, err)
	}
	return domain.E(domain.KindUnavailable, "read %s in the archive: %w", r.id, err)
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if err := r.file.Close(); err != nil {
		return domain.E(domain.KindUnavailable, "close %s in the archive: %w", r.id, err)
	}
	return nil
}
