package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"counterfoil/internal/strictjson"
)

// EncodeFact is the stored form of f: its type name and compact JSON.
func EncodeFact(f Fact) (typ string, data []byte, err error) {
	data, err = encode(f)
	if err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", f.FactType(), err)
	}
	return f.FactType(), data, nil
}

// EncodeMeta is the stored form of m.
func EncodeMeta(m Meta) ([]byte, error) { return encode(m) }

// DecodeMeta reads what EncodeMeta wrote; anything else is KindCorrupt.
func DecodeMeta(data []byte) (Meta, error) { return decode[Meta](data) }

// Encode is the evidence as it is hashed and sealed.
func (e Evidence) Encode() ([]byte, error) { return encode(e) }

// DecodeEvidence reads what Encode wrote; anything else is KindCorrupt.
func DecodeEvidence(data []byte) (Evidence, error) { return decode[Evidence](data) }

// encode writes compact JSON without escaping <, > and &: stored bytes are read
// by people too.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode is strict: no duplicate, unknown or differently spelt names, no
// trailing data. What we wrote ourselves passes; anything else was not written
// by us.
func decode[T any](data []byte) (T, error) {
	var v T
	if err := strictjson.UnmarshalKnown(data, &v); err != nil {
		var zero T
		return zero, E(KindCorrupt, "stored JSON: %w", err)
	}
	return v, nil
}

// decodeFact is decode for one fact type. Postings are checked again (R5).
func decodeFact[F Fact](data []byte) (Fact, error) {
	f, err := decode[F](data)
	if err != nil {
		return nil, err
	}
	if ps := PostingsOf(f); ps != nil {
		if err := CheckPostings(ps); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// decoders holds every type and version ever written. An old version keeps its
// own shape and decoder here and is turned into today's fact by it: upcasting
// is pure and works on the decoded copy, never on stored bytes.
var decoders = map[string]func([]byte) (Fact, error){
	TypeLedgerOpened:      decodeFact[LedgerOpened],
	TypeChannelConfigured: decodeFact[ChannelConfigured],
	TypePaymentPlaced:     decodeFact[PaymentPlaced],
	TypePaymentNotified:   decodeFact[PaymentNotified],
	TypePaymentHeld:       decodeFact[PaymentHeld],
	TypePaymentCredited:   decodeFact[PaymentCredited],
	TypePaymentParked:     decodeFact[PaymentParked],
	TypePaymentAllocated:  decodeFact[PaymentAllocated],
	TypePaymentClosed:     decodeFact[PaymentClosed],
	TypeDiscrepancyFound:  decodeFact[DiscrepancyFound],
	TypeCorrectionIssued:  decodeFact[CorrectionIssued],
}

// Types lists every stored name this software reads, sorted.
func Types() []string {
	out := make([]string, 0, len(decoders))
	for t := range decoders {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// DecodeFact reads a stored fact. A type or version this software does not
// know is KindMismatch: it was written by newer software, and guessing would
// make balances wrong, so the reader must stop. Bytes that do not decode are
// KindCorrupt.
func DecodeFact(typ string, data []byte) (Fact, error) {
	d, ok := decoders[typ]
	if !ok {
		return nil, EField(KindMismatch, "type",
			"%q is unknown to this software: it was written by a newer one; upgrade before going on", typ)
	}
	f, err := d(data)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	return f, nil
}
