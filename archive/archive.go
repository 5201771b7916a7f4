// Package archive is the port to the place where large foreign files lie: the
// providers' bills, as they came. A file is named by the SHA-256 of its bytes,
// so a name tells whether the bytes are still those that were put there, and
// putting the same bytes twice keeps them once. Nothing is ever overwritten or
// deleted. archivetest is the suite that every adapter passes.
package archive

import (
	"context"
	"encoding/hex"
	"io"

	"counterfoil/domain"
)

// ID names a file by the SHA-256 of its bytes. Values compare with ==.
type ID [32]byte

// ParseID reads 64 lower-case hex digits; anything else is KindInvalid.
func ParseID(s string) (ID, error) {
	var id ID
	n, err := hex.Decode(id[:], []byte(s[:min(len(s), 64)]))
	if err != nil || n != len(id) || id.String() != s {
		return ID{}, domain.EField(domain.KindInvalid, "sha256", "%.70q is not 64 lower-case hex digits", s)
	}
	return id, nil
}

// String is the hash in lower-case hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// File is what is kept: its name and its size in bytes.
type File struct {
	ID   ID
	Size int64
}

// Archive keeps files for ever. It is safe for concurrent use, by several
// processes too.
type Archive interface {
	// Put keeps what r yields. When it returns, the file is durable; after an
	// error nothing is kept that Open would find. More bytes than the archive
	// takes are KindTooLarge; an error of r comes back as it is.
	Put(ctx context.Context, r io.Reader) (File, error)
	// Open reads a file from its beginning; KindNotFound for one that is not
	// kept. Where the bytes do not make the name any more, the reader ends with
	// KindCorrupt in place of io.EOF: only who has read to the end knows.
	Open(ctx context.Context, id ID) (io.ReadCloser, error)
	// Has reports whether a file is kept.
	Has(ctx context.Context, id ID) (bool, error)
}
