package wechatpay

import (
	"bufio"
	"compress/gzip"
	"io"

	"counterfoil/domain"
)

// Bounds of a bill. Ten million rows are legal and have some 4 GB; ten GB of
// zeros are not.
const (
	maxPacked   = 2 << 30 // bytes as they come
	maxUnpacked = 8 << 30 // bytes of text
	maxRatio    = 200     // text to packed bytes; a bill has some 15
	freeRatio   = 1 << 20 // bytes of text before the ratio counts
)

const (
	mediaCSV  = "text/csv"
	mediaGzip = "application/gzip"
)

// counted counts what is read of r, and ends it beyond most.
type counted struct {
	r    io.Reader
	n    int64
	most int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.most {
		return 0, domain.E(domain.KindTooLarge, "bill has more than %d bytes", c.most)
	}
	return n, err
}

// unpacked is the text of a bill that may be packed.
type unpacked struct {
	packed *counted
	text   io.Reader
	zip    bool
	out    int64
}

// unpack looks at the first bytes: a bill that was asked for in gzip comes as a
// bare gzip stream, without a Content-Encoding (trade bill page of v3).
func unpack(r io.Reader) (*unpacked, error) {
	packed := &counted{r: r, most: maxPacked}
	buffered := bufio.NewReaderSize(packed, 32<<10)
	u := &unpacked{packed: packed, text: buffered}
	if magic, _ := buffered.Peek(2); string(magic) != "\x1f\x8b" {
		return u, nil
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, domain.E(domain.KindCorrupt, "bill is no whole gzip stream: %w", err)
	}
	u.text, u.zip = z, true
	return u, nil
}

// Read is the text, within the bounds.
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.text.Read(p)
	u.out += int64(n)
	if u.out > maxUnpacked || (u.zip && u.out > freeRatio && u.out > maxRatio*u.packed.n) {
		return 0, domain.E(domain.KindTooLarge, "bill unpacks to far more than it can be: %d bytes from %d", u.out, u.packed.n)
	}
	return n, err
}

func (u *unpacked) mediaType() string {
	if u.zip {
		return mediaGzip
	}
	return mediaCSV
}
