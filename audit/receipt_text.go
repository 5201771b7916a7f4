package audit

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"counterfoil/domain"
	"counterfoil/tamperlog"
)

// dictionary holds what most receipts have in common, so that the short form
// needs few bytes for it. It belongs to the format and never changes.
const dictionary = `payment-payment.allocated.v1payment.credited.v1{"trade_no":","account":"user:","amount":{"amount":".00","currency":"CNY"},` +
	`"late":true,"source":"query","source":"callback","basis":"","dates":{"occurred_at":"2026-01-01T00:00:00Z","received_at":"2026-","recorded_at":"` +
	`2026-","value_date":"2026-","period":"2026-"},"postings":[{"book":"assets:psp:","amount":{"amount":"","currency":"CNY"}},{"book":` +
	`"liabilities:wallet","wallet":"","amount":{"amount":"-","currency":"CNY"}}],"rules":1}{"recorded_at":"2026-","actor":"channel:","actor":` +
	`"reconciler","cause":"","software":"counterfoil/0.1.0"}`

// Text is the receipt as a word for a QR code, below 2,000 characters for an
// ordinary credit in a log of ten million events: the root is left out, since
// the path leads to it. It carries the log's own signature and no witness's.
func (r Receipt) Text() (string, error) {
	head, keyHash, sig, err := splitNote(r.Note)
	if err != nil {
		return "", err
	}
	id, err := domain.ParseID(strings.TrimPrefix(head.Origin, "counterfoil/"))
	if err != nil {
		return "", domain.E(domain.KindInvalid, "log %q has no short receipts: %w", head.Origin, err)
	}
	out := append([]byte{}, id[:]...)
	out = binary.AppendUvarint(out, head.Size)
	out = binary.AppendUvarint(out, r.Index)
	out = append(append(out, keyHash...), sig...)
	out = binary.AppendUvarint(out, uint64(len(r.Path)))
	for _, h := range r.Path {
		out = append(out, h[:]...)
	}
	out = append(append(out, r.Event.Event.ID[:]...), r.Event.Sealed[:]...)
	out = binary.AppendUvarint(out, r.Event.Revision)
	var packed bytes.Buffer
	w, err := flate.NewWriterDict(&packed, flate.BestCompression, []byte(dictionary))
	if err != nil {
		return "", err
	}
	for _, part := range []string{string(r.Event.Stream), r.Event.Event.Type, string(r.Event.Event.Data), string(r.Event.Event.Meta)} {
		if _, err := w.Write(append(binary.AppendUvarint(nil, uint64(len(part))), part...)); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return receiptText + base64.RawURLEncoding.EncodeToString(append(out, packed.Bytes()...)), nil
}

// splitNote takes the log's own signature out of a signed head.
func splitNote(msg []byte) (head tamperlog.Checkpoint, keyHash, sig []byte, err error) {
	head, lines, err := tamperlog.Unverified(msg)
	if err != nil {
		return head, nil, nil, err
	}
	for _, l := range lines {
		if l.Name == head.Origin && len(l.Signature) == 4+64 {
			return head, l.Signature[:4], l.Signature[4:], nil
		}
	}
	return head, nil, nil, domain.E(domain.KindInvalid, "the checkpoint has no Ed25519 signature by its own log")
}

// parseText reads the short form; what it leaves out follows from the rest.
func parseText(text string) (Receipt, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Receipt{}, domain.E(domain.KindInvalid, "this is no receipt: %w", err)
	}
	s := scanner{b: raw}
	id := domain.ID(s.take(16))
	head := tamperlog.Checkpoint{Origin: tamperlog.Origin(id), Size: s.number()}
	r := Receipt{Index: s.number()}
	signature := s.take(4 + 64)
	n := s.number()
	if n > maxPath {
		return Receipt{}, domain.E(domain.KindInvalid, "this is no receipt: a path of %d hashes", n)
	}
	for range n {
		r.Path = append(r.Path, [32]byte(s.take(32)))
	}
	r.Event.Event.ID, r.Event.Sealed = domain.ID(s.take(16)), [32]byte(s.take(32))
	r.Event.Revision = s.number()
	if s.short {
		return Receipt{}, domain.E(domain.KindInvalid, "this is no receipt: it is cut short")
	}
	if err := r.Event.unpack(s.b); err != nil {
		return Receipt{}, err
	}
	if head.Root, err = tamperlog.PathRoot(r.Index, head.Size, r.Event.leaf(), r.Path); err != nil {
		return Receipt{}, err
	}
	r.Note = fmt.Appendf(nil, "%s\n\u2014 %s %s\n", head.Text(), head.Origin, base64.StdEncoding.EncodeToString(signature))
	return r, nil
}

// unpack reads what the short form packs.
func (p *Preimage) unpack(b []byte) error {
	in := bytes.NewReader(b)
	plain, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(in, []byte(dictionary)), MaxReceipt))
	if err != nil || in.Len() > 0 {
		return domain.E(domain.KindInvalid, "this is no receipt: it does not unpack")
	}
	s := scanner{b: plain}
	stream, typ := s.take(s.number()), s.take(s.number())
	data, meta := s.take(s.number()), s.take(s.number())
	if s.short || len(s.b) > 0 {
		return domain.E(domain.KindInvalid, "this is no receipt: its parts have other lengths")
	}
	p.Stream, p.Event.Type, p.Event.Data, p.Event.Meta = domain.Stream(stream), string(typ), data, meta
	return nil
}

// scanner reads binary parts; behind the end it gives zeros and notes it.
type scanner struct {
	b     []byte
	short bool
}

func (s *scanner) take(n uint64) []byte {
	if n > uint64(len(s.b)) {
		s.short, s.b = true, nil
		return make([]byte, min(n, 128))
	}
	out := s.b[:n:n]
	s.b = s.b[n:]
	return out
}

func (s *scanner) number() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 {
		s.short, s.b = true, nil
		return 0
	}
	s.b = s.b[n:]
	return v
}
