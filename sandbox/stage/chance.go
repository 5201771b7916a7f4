package stage

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"
)

// Digest mixes a seed with names: the only source of chance in a sandbox.
func Digest(seed uint64, names ...string) [32]byte {
	h := sha256.New()
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], seed)
	h.Write(head[:])
	for _, n := range names {
		binary.BigEndian.PutUint64(head[:], uint64(len(n)))
		h.Write(head[:])
		h.Write([]byte(n))
	}
	return [32]byte(h.Sum(nil))
}

// CutText cuts s to at most n bytes without splitting a character.
func CutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
