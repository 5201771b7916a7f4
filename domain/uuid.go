package domain

import (
	"crypto/sha1" //nolint:gosec // RFC 9562 defines version 5 with SHA-1; it names, it does not protect
	"encoding/binary"
	"encoding/hex"
	"io"
)

// ID is a UUID (RFC 9562). The zero ID stands for none.
type ID [16]byte

// idText is the length of the canonical form, 8-4-4-4-12.
const idText = 36

// ParseID reads the canonical form only: lower-case hex, four hyphens, nothing
// around. KindInvalid for all else.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != idText {
		return ID{}, E(KindInvalid, "id %s is not a UUID in lower case", quote(s))
	}
	var digits [32]byte
	n := 0
	for i := range idText {
		b := s[i]
		if isHyphenPlace(i) {
			if b != '-' {
				return ID{}, E(KindInvalid, "id %s is not a UUID in lower case", quote(s))
			}
			continue
		}
		if b >= 'A' && b <= 'F' {
			b = 'x' // hex.Decode would take it
		}
		digits[n] = b
		n++
	}
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return ID{}, E(KindInvalid, "id %s is not a UUID in lower case", quote(s))
	}
	return id, nil
}

func isHyphenPlace(i int) bool { return i == 8 || i == 13 || i == 18 || i == 23 }

// NewV5 is the UUID version 5 of a list of names in a namespace. What is
// hashed after the namespace is each part behind its length as four bytes,
// big-endian: lists that differ, ("ab","c") and ("a","bc"), share no bytes.
func NewV5(namespace ID, parts ...string) ID {
	var room [256]byte // most lists fit: each event's id is checked by way of here
	all := append(room[:0], namespace[:]...)
	for _, part := range parts {
		all = binary.BigEndian.AppendUint32(all, uint32(len(part)))
		all = append(all, part...)
	}
	sum := sha1.Sum(all) //nolint:gosec // see the import
	return versioned(ID(sum[:16]), 5)
}

// NewRandom is a UUID version 4 of 16 bytes from r, which is crypto/rand's
// Reader outside tests. KindInternal if r fails.
func NewRandom(r io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(r, id[:]); err != nil {
		return ID{}, E(KindInternal, "read random bytes for an id: %w", err)
	}
	return versioned(id, 4), nil
}

// versioned sets the version and the variant of RFC 9562.
func versioned(id ID, version byte) ID {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero reports whether id stands for none.
func (id ID) IsZero() bool { return id == ID{} }

// String is the canonical form.
func (id ID) String() string {
	var buf [idText]byte
	return string(id.Append(buf[:0]))
}

// Append appends the canonical form to b.
func (id ID) Append(b []byte) []byte {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// MarshalText is the canonical form, also of the zero ID.
func (id ID) MarshalText() ([]byte, error) { return id.Append(nil), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
