package tamperlog

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"counterfoil/domain"
)

// MaxCheckpoint is the longest checkpoint that is read, in bytes.
const MaxCheckpoint = 16 << 10

// maxSize bounds the number of leaves, so that sums of sizes stay in an int64.
const maxSize = 1 << 60

// Checkpoint is the head of a tree: its first Size leaves hash to Root.
type Checkpoint struct {
	Origin string // whose log it is, see Origin
	Size   uint64
	Root   [32]byte
}

// Origin is the name of a ledger's log in checkpoints and keys.
func Origin(ledger domain.ID) string { return "counterfoil/" + ledger.String() }

// Hex is the root as reports show it.
func (c Checkpoint) Hex() string { return hex.EncodeToString(c.Root[:]) }

// Text is the signed text: origin, size and root, a line each (C2SP
// tlog-checkpoint).
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Tree is c as tlog knows it.
func (c Checkpoint) tree() tlog.Tree { return tlog.Tree{N: int64(c.Size), Hash: c.Root} }

// parseText reads what Text writes. Extension lines behind it are allowed and
// mean nothing here.
func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" || lines[len(lines)-1] != "" {
		return Checkpoint{}, domain.E(domain.KindInvalid, "a checkpoint has three lines: origin, size, root")
	}
	for _, extension := range lines[3 : len(lines)-1] {
		if extension == "" {
			return Checkpoint{}, domain.E(domain.KindInvalid, "a checkpoint has no empty line in its text")
		}
	}
	c := Checkpoint{Origin: lines[0]}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || size > maxSize || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, domain.E(domain.KindInvalid, "the second line of a checkpoint, %.40q, is no number of leaves", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || base64.StdEncoding.EncodeToString(root) != lines[2] {
		return Checkpoint{}, domain.E(domain.KindInvalid, "the third line of a checkpoint, %.60q, is no base64 of 32 bytes", lines[2])
	}
	c.Size, c.Root = size, [32]byte(root)
	return c, nil
}

// Signed is a checkpoint with the signatures that were checked.
type Signed struct {
	Checkpoint
	Note   []byte   // text and all signatures, as they came
	Keys   []string // names with key hash of the keys that signed it and were asked for
	Others []string // names of signatures by other keys: nothing is known of them
}

// OpenCheckpoint reads a signed checkpoint and checks it with the public keys
// given: the first one must have signed it, further ones (witnesses) must have
// signed it as well. A note that says something else is KindInvalid, a
// signature that is missing or does not hold KindForged.
func OpenCheckpoint(msg []byte, keys ...string) (Signed, error) {
	if len(msg) > MaxCheckpoint {
		return Signed{}, domain.E(domain.KindTooLarge, "a checkpoint has at most %d bytes, this one has %d", MaxCheckpoint, len(msg))
	}
	var known []note.Verifier
	for _, k := range keys {
		v, err := note.NewVerifier(strings.TrimSpace(k))
		if err != nil {
			return Signed{}, domain.EField(domain.KindInvalid, "key", "%.80q is no public key of a signed note", k)
		}
		known = append(known, v)
	}
	n, err := note.Open(msg, note.VerifierList(known...))
	if err != nil {
		return Signed{}, unsigned(err, keys)
	}
	c, err := parseText(n.Text)
	if err != nil {
		return Signed{}, err
	}
	s := Signed{Checkpoint: c, Note: msg}
	for _, sig := range n.UnverifiedSigs {
		s.Others = append(s.Others, sig.Name)
	}
	for _, v := range known {
		if !signedBy(n, v) {
			return Signed{}, domain.E(domain.KindForged, "the checkpoint is not signed by key %s", keyName(v))
		}
		s.Keys = append(s.Keys, keyName(v))
	}
	return s, nil
}

func unsigned(err error, keys []string) error {
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return domain.E(domain.KindForged, "the checkpoint's signature does not hold: its text was changed, or it is forged")
	}
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return domain.E(domain.KindForged, "the checkpoint is not signed by key %.80s", strings.Join(keys, ", "))
	}
	return domain.E(domain.KindInvalid, "this is no signed checkpoint: %w", err)
}

func signedBy(n *note.Note, v note.Verifier) bool {
	for _, sig := range n.Sigs {
		if sig.Name == v.Name() && sig.Hash == v.KeyHash() {
			return true
		}
	}
	return false
}

func keyName(v note.Verifier) string {
	hash := v.KeyHash()
	return v.Name() + "+" + hex.EncodeToString([]byte{byte(hash >> 24), byte(hash >> 16), byte(hash >> 8), byte(hash)})
}

// Signature is one line below a checkpoint, not checked.
type Signature struct {
	Name      string
	Signature []byte // four bytes of key hash, then the signature itself
}

// Unverified reads a checkpoint without checking who signed it. Nothing in it
// may be believed.
func Unverified(msg []byte) (Checkpoint, []Signature, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, nil, domain.E(domain.KindTooLarge, "a checkpoint has at most %d bytes, this one has %d", MaxCheckpoint, len(msg))
	}
	_, err := note.Open(msg, note.VerifierList())
	unknown, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return Checkpoint{}, nil, domain.E(domain.KindInvalid, "this is no signed checkpoint: %w", err)
	}
	c, err := parseText(unknown.Note.Text)
	var lines []Signature
	for _, s := range unknown.Note.UnverifiedSigs {
		raw, bad := base64.StdEncoding.DecodeString(s.Base64)
		if bad == nil {
			lines = append(lines, Signature{s.Name, raw})
		}
	}
	return c, lines, err
}

// sign signs c with a private key.
func (c Checkpoint) sign(key string) ([]byte, error) {
	s, err := note.NewSigner(strings.TrimSpace(key))
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "the log's private key cannot be read")
	}
	return note.Sign(&note.Note{Text: c.Text()}, s)
}

// Cosign adds a witness's signature to a checkpoint that verifies with the
// log's public key. What the witness asserts is its own matter: it should have
// checked consistency with the checkpoint it signed before.
func Cosign(msg []byte, logKey, witness string) ([]byte, error) {
	if _, err := OpenCheckpoint(msg, logKey); err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(strings.TrimSpace(logKey))
	if err != nil {
		return nil, err
	}
	s, err := note.NewSigner(strings.TrimSpace(witness))
	if err != nil {
		return nil, domain.E(domain.KindInvalid, "the witness's private key cannot be read")
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return nil, err
	}
	return note.Sign(n, s)
}
