package reconcile

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"slices"

	"counterfoil/domain"
)

// sorting orders lines by trade number in bounded memory: lines are packed into
// chunks, each chunk is sorted and written behind the others into one file
// without a name, and the chunks are merged while they are read. A bill that
// fits into one chunk never touches the disk.
type sorting[T any] struct {
	dir   string // for the file; empty is the system's
	chunk int    // bytes of packed lines in one chunk
	codec lineCodec[T]
}

// sortChunk keeps two chunks, the one being filled and the one being written,
// and what the collector lets grow beside them far below 200 MB. Larger ones
// are also slower: a chunk is sorted in the processor's cache, or is not.
const sortChunk = 8 << 20

// lines yields in sorted by key. It reads all of in before the first line comes
// out. An error of in, of the disk (KindUnavailable) or of ctx ends it.
func (s sorting[T]) lines(ctx context.Context, in iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		spill := &spill{dir: s.dir}
		defer spill.close()
		last, err := s.fill(ctx, in, spill)
		if err != nil {
			yield(none, err)
			return
		}
		runs, err := spill.runs()
		if err != nil {
			yield(none, err)
			return
		}
		for rec, err := range merged(ctx, append(runs, last)) {
			if err != nil {
				yield(none, err)
				return
			}
			line, err := s.codec.decode(string(rec))
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// fill packs in into chunks; all but the last are spilled. While one chunk is
// sorted and written the next is filled.
func (s sorting[T]) fill(ctx context.Context, in iter.Seq2[T, error], to *spill) (*chunk, error) {
	size := s.chunk
	if size == 0 {
		size = sortChunk
	}
	now, other := newChunk(size), newChunk(size)
	writing := make(chan error, 1)
	writing <- nil
	rows := 0
	for line, err := range in {
		if rows++; err == nil && rows%1024 == 0 {
			err = ctx.Err()
		}
		if err == nil && now.full() {
			if err = <-writing; err == nil {
				full := now
				now, other = other, full
				now.reset()
				go func() { writing <- to.write(full) }()
			} else {
				writing <- nil
			}
		}
		if err == nil {
			err = now.add(s.codec.key(&line), func(b []byte) []byte { return s.codec.append(b, &line) })
		}
		if err != nil {
			return nil, errors.Join(err, <-writing)
		}
	}
	if err := <-writing; err != nil {
		return nil, err
	}
	other.reset()
	now.sort()
	return now, ctx.Err()
}

// chunk is packed lines in memory.
type chunk struct {
	size   int
	bytes  []byte
	lines  []packed
	common int    // leading bytes that all keys share
	first  []byte // the first key
	at     int    // while it is read
}

// packed is where a line lies, and the bytes of its key behind those that all
// keys share: trade numbers begin alike, with a date or a merchant's number.
type packed struct {
	prefix   uint64
	off, len uint32
}

func newChunk(size int) *chunk { return &chunk{size: size} }

func (c *chunk) reset() { c.bytes, c.lines, c.common, c.first = c.bytes[:0], c.lines[:0], 0, nil }

func (c *chunk) full() bool { return len(c.bytes) >= c.size }

// maxPacked bounds one packed line. Bills are read in lines of bounded length,
// so a longer one is a mistake.
const maxPacked = 1 << 20

// add packs a line: the key behind its length, then what pack appends.
func (c *chunk) add(key string, pack func([]byte) []byte) error {
	off := len(c.bytes)
	c.bytes = binary.AppendUvarint(c.bytes, uint64(len(key)))
	c.bytes = append(c.bytes, key...)
	c.bytes = pack(c.bytes)
	size := len(c.bytes) - off
	if size > maxPacked {
		return domain.E(domain.KindTooLarge, "a line of %d bytes cannot be sorted", size)
	}
	c.lines = append(c.lines, packed{off: uint32(off), len: uint32(size)}) // a chunk is far below 4 GiB
	if len(c.lines) == 1 {
		c.first, c.common = []byte(key), len(key)
	}
	n := 0
	for n < c.common && n < len(key) && key[n] == c.first[n] {
		n++
	}
	c.common = n
	return nil
}

// record is a packed line.
func (c *chunk) record(l packed) []byte { return c.bytes[l.off : l.off+l.len] }

// keyOf is the key of a packed line.
func keyOf(record []byte) []byte {
	n, size := binary.Uvarint(record)
	return record[size : size+int(n)] // written by add
}

// sort orders the lines by key, equal ones as they came.
func (c *chunk) sort() {
	c.at = 0
	for i := range c.lines {
		var eight [8]byte
		copy(eight[:], keyOf(c.record(c.lines[i]))[c.common:])
		c.lines[i].prefix = binary.BigEndian.Uint64(eight[:])
	}
	slices.SortFunc(c.lines, func(a, b packed) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(slices.Compare(keyOf(c.record(a)), keyOf(c.record(b))), cmp.Compare(a.off, b.off))
	})
}

// next is the next line of a sorted chunk, nil at its end.
func (c *chunk) next() ([]byte, error) {
	if c.at == len(c.lines) {
		return nil, nil
	}
	c.at++
	return c.record(c.lines[c.at-1]), nil
}

// spill is the file of sorted chunks.
type spill struct {
	dir  string
	file *os.File
	ends []int64 // where each chunk ends
}

// write sorts a chunk and writes it behind the others.
func (s *spill) write(c *chunk) error {
	c.sort()
	if err := s.open(); err != nil {
		return err
	}
	out := bufio.NewWriterSize(s.file, 256<<10)
	var size int64
	var head []byte
	for _, l := range c.lines {
		head = binary.AppendUvarint(head[:0], uint64(l.len))
		if _, err := out.Write(head); err != nil {
			return spillFailed("write", err)
		}
		if _, err := out.Write(c.record(l)); err != nil {
			return spillFailed("write", err)
		}
		size += int64(len(head)) + int64(l.len)
	}
	if err := out.Flush(); err != nil {
		return spillFailed("write", err)
	}
	s.ends = append(s.ends, s.end()+size)
	return nil
}

func (s *spill) end() int64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// open makes the file and takes its name away at once: whatever becomes of this
// process, the file is gone with it.
func (s *spill) open() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "counterfoil-sort-*")
	if err != nil {
		return spillFailed("make", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return spillFailed("unlink", err)
	}
	return nil
}

func (s *spill) close() {
	if s.file != nil {
		_ = s.file.Close() // nothing is kept in it
	}
}

// runs are the chunks as sources to merge.
func (s *spill) runs() ([]source, error) {
	out := make([]source, 0, len(s.ends)+1)
	var begin int64
	for _, end := range s.ends {
		out = append(out, &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, begin, end-begin), 64<<10)})
		begin = end
	}
	return out, nil
}

// run reads one spilled chunk.
type run struct {
	in  *bufio.Reader
	buf []byte
}

// next is the run's next line, nil at its end.
func (r *run) next() ([]byte, error) {
	size, err := binary.ReadUvarint(r.in)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil || size > maxPacked {
		return nil, spillFailed("read", errors.Join(err, io.ErrUnexpectedEOF))
	}
	r.buf = slices.Grow(r.buf[:0], int(size))[:size]
	if _, err := io.ReadFull(r.in, r.buf); err != nil {
		return nil, spillFailed("read", err)
	}
	return r.buf, nil
}

func spillFailed(what string, err error) error {
	return domain.E(domain.KindUnavailable, "%s the file to sort in: %w", what, err)
}
