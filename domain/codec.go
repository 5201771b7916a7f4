package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"counterfoil/internal/strictjson"
)

// EncodeFact is the stored form of f: its type name and compact JSON. Nothing
// is written that DecodeFact refuses: a fact that could not be read back as it
// is, or whose postings break R5, is KindInternal.
func EncodeFact(f Fact) (typ string, data []byte, err error) {
	typ = f.FactType()
	if data, err = encode(f); err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", typ, err)
	}
	if _, err := DecodeFact(typ, data); err != nil {
		return "", nil, E(KindInternal, "encode %s: it could not be read back: %w", typ, err)
	}
	return typ, data, nil
}

// EncodeMeta is the stored form of m.
func EncodeMeta(m Meta) ([]byte, error) { return encode(m) }

// readMeta is how metadata is usually read: it is written by one writer.
var readMeta = readerOf[Meta]()

// DecodeMeta reads what EncodeMeta wrote; anything else is KindCorrupt.
func DecodeMeta(data []byte) (Meta, error) {
	if m, r := readMeta(data); r.whole() {
		return m, nil
	}
	return decode[Meta](data) // times of other zones, texts that are no UTF-8
}

// Encode is the evidence as it is hashed and sealed.
func (e Evidence) Encode() ([]byte, error) { return encode(e) }

// readEvidence is how evidence is usually read: it is written by one writer.
var readEvidence = readerOf[Evidence]()

// DecodeEvidence reads what Encode wrote; anything else is KindCorrupt.
func DecodeEvidence(data []byte) (Evidence, error) {
	if e, r := readEvidence(data); r.whole() {
		return e, nil
	}
	return decode[Evidence](data) // as for DecodeMeta
}

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
	if err := (strictjson.Limits{ObjectOnly: true}).UnmarshalKnown(data, &v); err != nil {
		var zero T
		return zero, E(KindCorrupt, "stored JSON: %w", err)
	}
	return v, nil
}

// readerOf reads a T in the one form in which encode writes it, so that what is
// read whole encodes to the same bytes (R9).
func readerOf[T any]() func(data []byte) (T, reader) {
	read := shapeOf(reflect.TypeFor[T]())
	rooms := sync.Pool{New: func() any { return new(T) }} // what is read leaves its room as a copy
	return func(data []byte) (v T, r reader) {
		room := rooms.Get().(*T) //nolint:forcetypeassert // nothing else is in there
		r = reader{all: data, rest: data}
		read(&r, reflect.ValueOf(room).Elem())
		v, *room = *room, v
		rooms.Put(room)
		return v, r
	}
}

// factDecoder reads one fact type. What it posts is checked again (R5).
func factDecoder[F Fact]() func([]byte) (Fact, error) {
	read := readerOf[F]()
	return func(data []byte) (Fact, error) {
		f, r := read(data)
		if !r.whole() {
			return nil, r.unreadable(new(F))
		}
		fact := Fact(f)
		return fact, checkPosted(fact)
	}
}

// unreadable is what is wrong with the data of something like v, told by the
// strict scanner where that finds a reason.
func (r *reader) unreadable(v any) error {
	if err := strictjson.UnmarshalKnown(r.all, v); err != nil {
		return E(KindCorrupt, "stored JSON: %w", err)
	}
	return E(KindCorrupt, "stored JSON is not in the form it was written in, at or before byte %d", r.offset())
}

// decoders holds every type and version ever written. An old version keeps its
// own shape and decoder here and is turned into today's fact by it: upcasting
// is pure and works on the decoded copy, never on stored bytes.
var decoders = map[string]func([]byte) (Fact, error){
	TypeLedgerOpened:       factDecoder[LedgerOpened](),
	TypeChannelConfigured:  factDecoder[ChannelConfigured](),
	TypePaymentPlaced:      factDecoder[PaymentPlaced](),
	TypePaymentNotified:    factDecoder[PaymentNotified](),
	TypePaymentHeld:        factDecoder[PaymentHeld](),
	TypePaymentCredited:    factDecoder[PaymentCredited](),
	TypePaymentParked:      factDecoder[PaymentParked](),
	TypePaymentAllocated:   factDecoder[PaymentAllocated](),
	TypePaymentClosed:      factDecoder[PaymentClosed](),
	TypePaymentRefunded:    factDecoder[PaymentRefunded](),
	TypeRefundFailed:       factDecoder[RefundFailed](),
	TypeDisputeWithdrawn:   factDecoder[DisputeWithdrawn](),
	TypeDisputeReinstated:  factDecoder[DisputeReinstated](),
	TypeDisputeLost:        factDecoder[DisputeLost](),
	TypeDiscrepancyFound:   factDecoder[DiscrepancyFound](),
	TypeCorrectionProposed: factDecoder[CorrectionProposed](),
	TypeCorrectionSeconded: factDecoder[CorrectionSeconded](),
	TypeCorrectionApproved: factDecoder[CorrectionApproved](),
	TypeCorrectionRejected: factDecoder[CorrectionRejected](),
	TypeCorrectionIssued:   factDecoder[CorrectionIssued](),

	TypeReconciliationCompared: factDecoder[ReconciliationCompared](),
	TypeReconciliationDiffered: factDecoder[ReconciliationDiffered](),
	TypeReconciliationAsked:    factDecoder[ReconciliationAsked](),
	TypeFeesBooked:             factDecoder[FeesBooked](),
	TypeDiscountBooked:         factDecoder[DiscountBooked](),
	TypeFXBooked:               factDecoder[FXBooked](),
	TypeMovementBooked:         factDecoder[MovementBooked](),
	TypePayoutSent:             factDecoder[PayoutSent](),
	TypePayoutArrived:          factDecoder[PayoutArrived](),
	TypePayoutFailed:           factDecoder[PayoutFailed](),
	TypePeriodClosing:          factDecoder[PeriodClosing](),
	TypePeriodRejected:         factDecoder[PeriodRejected](),
	TypePeriodClosed:           factDecoder[PeriodClosed](),
	TypeOpeningProposed:        factDecoder[OpeningProposed](),
	TypeOpeningRejected:        factDecoder[OpeningRejected](),
	TypeOpeningBooked:          factDecoder[OpeningBooked](),
	TypeAccountDrawn:           factDecoder[AccountDrawn](),
	TypeDrawReversed:           factDecoder[DrawReversed](),

	TypePersonActed:    factDecoder[PersonActed](),
	TypeConfigProposed: factDecoder[ConfigProposed](),
	TypeConfigApproved: factDecoder[ConfigApproved](),
	TypeConfigRejected: factDecoder[ConfigRejected](),
	TypeConfigApplied:  factDecoder[ConfigApplied](),
	TypeKeyProposed:    factDecoder[KeyProposed](),
	TypeKeyAdded:       factDecoder[KeyAdded](),
	TypeKeyRetired:     factDecoder[KeyRetired](),
	TypeEvidenceErased: factDecoder[EvidenceErased](),
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
