package tamperlog

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"counterfoil/domain"
)

// Stamps is a folder of signed heads and the time stamps over them: for each,
// the head as NAME.checkpoint and the authority's reply as NAME.tsr, so that
// `openssl ts -verify -data NAME.checkpoint -in NAME.tsr` checks it without us.
// NAME is the head's size in twenty digits.
type Stamps struct{ dir string }

// StampedHead is a signed head with the reply of a time stamping authority.
type StampedHead struct {
	Note  []byte // the signed checkpoint
	Reply []byte // see CheckStamp
	Name  string // of its files, without the end
}

const (
	headEnd  = ".checkpoint"
	replyEnd = ".tsr"
)

// OpenStamps is the folder dir, which need not be there yet.
func OpenStamps(dir string) Stamps { return Stamps{dir} }

// Add keeps a stamped head. The stamp comes last: a head without one was only
// about to be stamped.
func (s Stamps) Add(c Checkpoint, h StampedHead) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return domain.E(domain.KindUnavailable, "%w", err)
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%020d", c.Size))
	if err := writeFile(path+headEnd, h.Note); err != nil {
		return err
	}
	return writeFile(path+replyEnd, h.Reply)
}

// All are the stamped heads, the oldest first; none where the folder is not
// there.
func (s Stamps) All() ([]StampedHead, error) {
	files, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError(err)
	}
	var out []StampedHead
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), replyEnd)
		if !ok {
			continue
		}
		h := StampedHead{Name: name}
		var herr, rerr error
		h.Note, herr = os.ReadFile(filepath.Join(s.dir, name+headEnd))
		h.Reply, rerr = os.ReadFile(filepath.Join(s.dir, name+replyEnd))
		if err := errors.Join(herr, rerr); err != nil {
			return nil, fileError(err)
		}
		out = append(out, h)
	}
	return out, nil
}

// Open checks both signatures: the log's over the head by keys, see
// OpenCheckpoint, and the authority's over the head's bytes by roots.
func (h StampedHead) Open(roots *x509.CertPool, keys ...string) (Signed, Stamp, error) {
	c, err := OpenCheckpoint(h.Note, keys...)
	if err != nil {
		return c, Stamp{}, fmt.Errorf("head %s: %w", h.Name, err)
	}
	t, err := CheckStamp(h.Note, h.Reply, roots)
	if err != nil {
		return c, t, fmt.Errorf("time stamp of head %s: %w", h.Name, err)
	}
	return c, t, nil
}
