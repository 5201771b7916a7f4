package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/strictjson"
	"counterfoil/ledger"
	"counterfoil/tamperlog"
)

// ReceiptFormat names the JSON of a receipt, receiptText begins its short form.
const (
	ReceiptFormat = "counterfoil-receipt/1"
	receiptText   = "CFR1."
)

// MaxReceipt is the longest receipt that is read, in bytes.
const MaxReceipt = 1 << 20

// Receipt proves one event to anyone who holds the log's public key.
type Receipt struct {
	Event Preimage
	Index uint64 // which leaf it is, from 0
	Path  tamperlog.Proof
	Note  []byte // the signed head
}

// Preimage is everything a leaf commits to.
type Preimage struct {
	Stream   domain.Stream
	Revision uint64
	Event    eventstore.Event // without its sealed part
	Sealed   [32]byte         // SHA-256 of it
}

func (p Preimage) leaf() [32]byte {
	return eventstore.LeafHashSealed(p.Stream, p.Revision, p.Event, p.Sealed)
}

func preimageOf(r eventstore.Recorded) Preimage {
	e := r.Event
	e.Sealed = nil
	return Preimage{r.Stream, r.Revision, e, r.SealedHash}
}

// preimageJSON is how a preimage stands in receipts and bundles: data and meta
// as strings, because their bytes are what is hashed.
type preimageJSON struct {
	Stream   domain.Stream `json:"stream"`
	Revision uint64        `json:"revision"`
	ID       string        `json:"id"`
	Type     string        `json:"type"`
	Data     string        `json:"data"`
	Meta     string        `json:"meta"`
	Sealed   string        `json:"sealed_sha256"`
}

func (p Preimage) json() preimageJSON {
	return preimageJSON{
		p.Stream, p.Revision, p.Event.ID.String(), p.Event.Type, string(p.Event.Data), string(p.Event.Meta), hex.EncodeToString(p.Sealed[:]),
	}
}

func (j preimageJSON) preimage() (Preimage, error) {
	p := Preimage{Stream: j.Stream, Revision: j.Revision}
	id, err := domain.ParseID(j.ID)
	if err != nil {
		return p, err
	}
	sealed, err := unhex(j.Sealed)
	p.Event, p.Sealed = eventstore.Event{ID: id, Type: j.Type, Data: []byte(j.Data), Meta: []byte(j.Meta)}, sealed
	return p, err
}

func unhex(s string) (h [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return h, domain.E(domain.KindInvalid, "%.80q is no SHA-256 in small hex digits", s)
	}
	return [32]byte(b), nil
}

type receiptJSON struct {
	Format     string       `json:"format"`
	Event      preimageJSON `json:"event"`
	Index      uint64       `json:"index"`
	Path       []string     `json:"path"`
	Checkpoint string       `json:"checkpoint"`
}

// ProvesCredit tells whether a fact is what receipts are made of: money that an
// account was credited with.
func ProvesCredit(f domain.Fact) bool {
	_, credited := f.(domain.PaymentCredited)
	_, allocated := f.(domain.PaymentAllocated)
	return credited || allocated
}

// MakeReceipt is the receipt for the credit of an order: its payment.credited,
// else its payment.allocated. KindNotFound when no money was credited, or it is
// not sealed yet.
func MakeReceipt(ctx context.Context, log eventstore.Reader, tree *tamperlog.Folder, ch domain.ChannelID, order domain.OrderNo) (Receipt, error) {
	stream := domain.PaymentStream(ch, order)
	events, err := log.ReadStream(ctx, stream, eventstore.ReadOptions{})
	if err != nil {
		return Receipt{}, err
	}
	for _, typ := range []string{domain.TypePaymentCredited, domain.TypePaymentAllocated} {
		for _, e := range events {
			if e.Type == typ {
				return receiptOf(tree, e)
			}
		}
	}
	return Receipt{}, domain.E(domain.KindNotFound, "no money was credited in %s", stream)
}

func receiptOf(tree *tamperlog.Folder, e eventstore.Recorded) (Receipt, error) {
	head, err := tree.Checkpoint()
	if err != nil {
		return Receipt{}, err
	}
	l, err := tree.ByPosition(e.Position, head.Size)
	if err != nil {
		return Receipt{}, err
	}
	path, err := tree.Inclusion(head.Checkpoint, l.Index, head.Size)
	return Receipt{preimageOf(e), l.Index, path, head.Note}, err
}

// JSON is the receipt for programs.
func (r Receipt) JSON() ([]byte, error) {
	j := receiptJSON{ReceiptFormat, r.Event.json(), r.Index, make([]string, len(r.Path)), string(r.Note)}
	for i, h := range r.Path {
		j.Path[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return plainJSON(j)
}

// plainJSON leaves <, > and & as they are: people read it, too.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// ParseReceipt reads a receipt in either form. KindInvalid for anything else.
func ParseReceipt(b []byte) (Receipt, error) {
	b = bytes.TrimSpace(b)
	if len(b) > MaxReceipt {
		return Receipt{}, domain.E(domain.KindTooLarge, "a receipt has at most %d bytes", MaxReceipt)
	}
	if text, ok := strings.CutPrefix(string(b), receiptText); ok {
		return parseText(text)
	}
	var j receiptJSON
	if err := (strictjson.Limits{MaxBytes: MaxReceipt, ObjectOnly: true}).UnmarshalKnown(b, &j); err != nil {
		return Receipt{}, domain.E(domain.KindInvalid, "this is no receipt: %w", err)
	}
	if j.Format != ReceiptFormat {
		return Receipt{}, domain.E(domain.KindInvalid, "receipt of format %.60q, this program reads %s", j.Format, ReceiptFormat)
	}
	p, err := j.Event.preimage()
	if err != nil {
		return Receipt{}, domain.E(domain.KindInvalid, "this is no receipt: %w", err)
	}
	path, err := pathOf(j.Path)
	return Receipt{p, j.Index, path, []byte(j.Checkpoint)}, err
}

// maxPath is the longest path of a tree whose leaves can be counted.
const maxPath = 64

func pathOf(hashes []string) (tamperlog.Proof, error) {
	if len(hashes) > maxPath {
		return nil, domain.E(domain.KindInvalid, "a path has at most %d hashes, this one has %d", maxPath, len(hashes))
	}
	out := make(tamperlog.Proof, len(hashes))
	for i, s := range hashes {
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || len(b) != 32 {
			return nil, domain.E(domain.KindInvalid, "hash %d of a path is no base64 of 32 bytes", i)
		}
		out[i] = [32]byte(b)
	}
	return out, nil
}

// Proven is what a receipt proves.
type Proven struct {
	Head  tamperlog.Signed
	Entry ledger.Entry
}

// Check verifies r with the log's public key, and those of witnesses. KindForged
// when it does not hold; KindCorrupt when the event is proven and cannot be read
// by this software.
func (r Receipt) Check(keys ...string) (Proven, error) {
	head, err := tamperlog.OpenCheckpoint(r.Note, keys...)
	if err != nil {
		return Proven{}, err
	}
	if err := tamperlog.CheckInclusion(head.Checkpoint, r.Index, r.Event.leaf(), r.Path); err != nil {
		return Proven{}, err
	}
	p := Proven{Head: head}
	p.Entry, err = ledger.Decode(eventstore.Recorded{
		Stream: r.Event.Stream, Revision: r.Event.Revision, Event: r.Event.Event, SealedHash: r.Event.Sealed,
		Position: eventstore.Position(r.Index + 1),
	})
	if err != nil {
		return p, domain.E(domain.KindCorrupt, "the event is in the log, and this program cannot read it: %w", err)
	}
	return p, nil
}
