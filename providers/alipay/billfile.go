package alipay

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"counterfoil/domain"
	"counterfoil/providers"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Bounds of a bill's ZIP file.
const (
	maxEntries  = 32
	maxUnpacked = 16 << 30 // bytes of one file in it: some forty million rows
	maxRatio    = 200      // of unpacked to packed bytes, beyond the first megabyte
	freeBytes   = 1 << 20
)

// utf8Names is the flag of an entry whose name is UTF-8. Alipay's are GBK
// without it.
const utf8Names = 0x800

// unpacked is one file of a bill.
type unpacked struct {
	io.Reader
	file io.Closer
	bill io.Closer // where the bill was copied, if it was
}

// Close lets go of the file and of what it was copied to.
func (u *unpacked) Close() {
	u.file.Close()
	if u.bill != nil {
		u.bill.Close()
	}
}

// detailFile opens the one file of a bill whose name ends in _<what>.csv: the
// rows, not their summary. Names are compared, never used as paths.
func detailFile(r io.Reader, what string) (*unpacked, error) {
	at, size, closer, err := random(r)
	if err != nil {
		return nil, err
	}
	opened, err := openDetail(at, size, what)
	if err != nil {
		if closer != nil {
			closer.Close()
		}
		return nil, err
	}
	opened.bill = closer
	return opened, nil
}

// random makes a bill readable from its end, where a ZIP file has its list:
// what cannot seek is copied to a file of our own.
func random(r io.Reader) (io.ReaderAt, int64, io.Closer, error) {
	if file, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		size, err := file.Seek(0, io.SeekEnd)
		return file, size, nil, err
	}
	file, err := newSpool()
	if err != nil {
		return nil, 0, nil, err
	}
	size, err := io.Copy(file, r)
	if err != nil {
		file.Close()
		return nil, 0, nil, domain.E(domain.KindUnavailable, "copy a bill: %w", err)
	}
	return file, size, file, nil
}

// spool is a file that nobody else finds: its name is gone at once, or where
// the system does not allow that, when it is closed.
type spool struct{ *os.File }

func newSpool() (spool, error) {
	file, err := os.CreateTemp("", "counterfoil-bill-")
	if err != nil {
		return spool{}, domain.E(domain.KindUnavailable, "make room for a bill: %w", err)
	}
	_ = os.Remove(file.Name()) // again in Close
	return spool{file}, nil
}

// Close gives the room back.
func (s spool) Close() error {
	err := s.File.Close()
	if gone := os.Remove(s.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

func openDetail(at io.ReaderAt, size int64, what string) (*unpacked, error) {
	archive, err := zip.NewReader(at, size)
	if err != nil {
		return nil, domain.E(domain.KindCorrupt, "bill is no whole ZIP file: %w", err)
	}
	if len(archive.File) > maxEntries {
		return nil, domain.E(domain.KindCorrupt, "bill has %d files, at most %d are expected", len(archive.File), maxEntries)
	}
	var detail *zip.File
	for _, f := range archive.File {
		name, err := entryName(f)
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(name, "_"+what+".csv") {
			continue
		}
		if detail != nil {
			return nil, domain.E(domain.KindCorrupt, "bill has two files of %s", what)
		}
		detail = f
	}
	if detail == nil {
		return nil, domain.E(domain.KindCorrupt, "bill has no file of %s", what)
	}
	return unpack(detail)
}

// entryName is an entry's name as text. One that could be a path is refused:
// no bill of Alipay's has such, whoever made it.
func entryName(f *zip.File) (string, error) {
	name := f.Name
	if f.Flags&utf8Names == 0 {
		decoded, err := simplifiedchinese.GB18030.NewDecoder().String(name)
		if err != nil {
			return "", domain.E(domain.KindCorrupt, "bill has a file whose name is not GBK")
		}
		name = decoded
	}
	if !providers.Readable(name) || strings.ContainsAny(name, `/\:`) || strings.Contains(name, "..") {
		return "", domain.E(domain.KindCorrupt, "bill has a file with the name %.80q", name)
	}
	return name, nil
}

// unpack opens an entry. What it says of its own size is not believed: the
// bytes are counted.
func unpack(f *zip.File) (*unpacked, error) {
	file, err := f.Open()
	if err != nil {
		return nil, domain.E(domain.KindCorrupt, "unpack a bill: %w", err)
	}
	most := int64(maxUnpacked)
	if packed := f.CompressedSize64; packed < maxUnpacked/maxRatio {
		most = int64(packed)*maxRatio + freeBytes
	}
	return &unpacked{Reader: &bounded{r: file, left: most}, file: file}, nil
}

// bounded refuses what unpacks to more than it should.
type bounded struct {
	r    io.Reader
	left int64
}

// Read is that of the reader behind it, until the bound.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, domain.E(domain.KindCorrupt, "bill unpacks to more than a bill can be")
	}
	return n, err
}
