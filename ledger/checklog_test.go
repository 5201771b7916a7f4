package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/strictjson"
)

// history is what a checked log holds.
type history struct {
	streams    map[domain.Stream][]Entry
	deliveries map[domain.ID]bool
	head       eventstore.Position
}

// checkLog reads the whole log and asserts everything that must hold of it
// whatever happened: revisions, ids, references, R2, R3, R5, and that every
// sealed part opens in its place and has the hash its event names. Streams
// whose key was erased are named.
func checkLog(t failer, w *world, erased ...domain.Stream) history {
	t.Helper()
	h := history{streams: map[domain.Stream][]Entry{}, deliveries: map[domain.ID]bool{}}
	for b, err := range w.store.Follow(context.Background(), 0, eventstore.FollowOptions{Sealed: true}) {
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		for _, r := range b.Events {
			h.add(t, w, r, erased)
		}
		if b.CaughtUp {
			break
		}
	}
	for s, events := range h.streams {
		checkMoney(t, s, events)
	}
	return h
}

func (h *history) add(t failer, w *world, r eventstore.Recorded, erased []domain.Stream) {
	t.Helper()
	e, err := Decode(r)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	before := h.streams[r.Stream]
	switch {
	case r.Position <= h.head:
		t.Errorf("position %s stands behind %s", r.Position, h.head)
	case r.Revision != uint64(len(before)):
		t.Errorf("%s: revision %d, want %d", r.Stream, r.Revision, len(before))
	case r.ID != domain.FactID(testID, r.Stream, e.Fact):
		t.Errorf("%s/%d: id %s is not the fact's", r.Stream, r.Revision, r.ID)
	case e.Meta.Software != "counterfoil/test" || e.Meta.Actor == "" || e.Meta.RecordedAt.IsZero():
		t.Errorf("%s/%d: meta %+v", r.Stream, r.Revision, e.Meta)
	}
	for _, other := range before {
		if other.ID == r.ID {
			t.Errorf("%s: id %s stands at revisions %d and %d", r.Stream, r.ID, other.Revision, r.Revision)
		}
	}
	if err := domain.CheckPostings(domain.PostingsOf(e.Fact)); err != nil {
		t.Errorf("%s/%d breaks R5: %v", r.Stream, r.Revision, err)
	}
	gone := false
	for _, s := range erased {
		gone = gone || s == r.Stream
	}
	checkSealed(t, w, e, gone)
	h.head = r.Position
	h.streams[r.Stream] = append(before, e)
	if n, ok := e.Fact.(domain.PaymentNotified); ok {
		h.deliveries[n.Delivery] = true
	}
}

// checkSealed opens what must be sealed beside an event, and finds nothing
// beside the others.
func checkSealed(t failer, w *world, e Entry, erased bool) {
	t.Helper()
	var ref *domain.EvidenceRef
	switch f := e.Fact.(type) {
	case domain.PaymentNotified:
		ref = &f.Evidence
	case domain.PaymentPlaced:
	default:
		if len(e.Sealed) != 0 {
			t.Errorf("%s carries a sealed part", e.Type)
		}
		return
	}
	if hash, ok := w.opened[e.ID]; ok && hash == sha256.Sum256(e.Sealed) {
		return
	}
	l := &Ledger{keys: w.keys, id: testID, store: w.store}
	plain, err := l.Unseal(context.Background(), e.Recorded)
	switch {
	case erased:
		return // nothing to open it with
	case err != nil:
		t.Errorf("%s at %s/%d does not open: %v", e.Type, e.Stream, e.Revision, err)
	case ref == nil:
		if err := strictjson.UnmarshalKnown(plain, new(Personal)); err != nil {
			t.Errorf("personal fields of %s: %v", e.Stream, err)
		}
	default:
		sum := sha256.Sum256(plain)
		if hex.EncodeToString(sum[:]) != ref.SHA256 || len(plain) != ref.Size {
			t.Errorf("%s/%d: the evidence is not the one its event names", e.Stream, e.Revision)
		}
		if _, err := domain.DecodeEvidence(plain); err != nil {
			t.Errorf("%s/%d: %v", e.Stream, e.Revision, err)
		}
	}
	w.opened[e.ID] = sha256.Sum256(e.Sealed)
}

// sums is money added up by trade.
type sums map[string]*domain.Totals

func (s sums) add(t failer, trade string, m domain.Money) {
	t.Helper()
	if s[trade] == nil {
		s[trade] = &domain.Totals{}
	}
	if err := s[trade].Add(m); err != nil {
		t.Fatalf("refunds of %s: %v", trade, err)
	}
}

// Of is the sum of a trade in a currency.
func (s sums) Of(trade string, c domain.Currency) domain.Money {
	if s[trade] == nil {
		return domain.NewMoney(0, c)
	}
	return s[trade].Of(c)
}

// checkMoney asserts of one payment: one own credit (R2), of the placed amount
// and for the placed account (R3), no trade_no decided to more than came under
// it, and every event named by another stands before it.
func checkMoney(t failer, s domain.Stream, events []Entry) {
	t.Helper()
	ids := map[domain.ID]bool{}
	out, parked := map[string]domain.Money{}, map[string]domain.Money{}
	refunds, back := map[string]domain.ID{}, sums{}
	var placed domain.PaymentPlaced
	credits := 0
	for _, e := range events {
		ids[e.ID] = true
		switch f := e.Fact.(type) {
		case domain.PaymentPlaced:
			placed = f
		case domain.PaymentCredited:
			if credits++; placed.OrderNo != "" && (f.Account != placed.Account || f.Amount != placed.Amount) {
				t.Errorf("%s credits %s to %s, placed were %s for %s (R3)", s, f.Amount, f.Account, placed.Amount, placed.Account)
			}
			if _, twice := out[f.TradeNo]; twice || !ids[f.Basis] {
				t.Errorf("%s: trade %q is decided twice, or has no basis", s, f.TradeNo)
			}
			out[f.TradeNo] = f.Amount
		case domain.PaymentParked:
			if _, twice := parked[f.TradeNo]; f.Confirmed && (twice || out[f.TradeNo] != (domain.Money{})) || !ids[f.Basis] {
				t.Errorf("%s: trade %q is decided twice, or has no basis", s, f.TradeNo)
			}
			if f.Confirmed {
				parked[f.TradeNo] = f.Amount
			}
		case domain.PaymentAllocated:
			left, err := parked[f.TradeNo].Sub(back.Of(f.TradeNo, f.Amount.Currency()))
			if _, twice := out[f.TradeNo]; twice || err != nil || left != f.Amount {
				t.Errorf("%s: trade %q is allocated twice, or was not parked", s, f.TradeNo)
			}
			out[f.TradeNo] = f.Amount
		case domain.PaymentRefunded:
			if _, twice := refunds[f.RefundID]; twice || !ids[f.Basis] {
				t.Errorf("%s: refund %s is booked twice, or has no basis", s, f.RefundID)
			}
			refunds[f.RefundID] = e.ID
			back.add(t, f.TradeNo, f.Amount)
		case domain.RefundFailed:
			if id, booked := refunds[f.RefundID]; !booked || id != f.Refund || !ids[f.Basis] {
				t.Errorf("%s: refund %s failed and was not booked, or has no basis", s, f.RefundID)
			}
			back.add(t, f.TradeNo, f.Amount.Neg())
		case domain.CorrectionProposed:
			if !f.Discrepancy.IsZero() {
				ids[f.Discrepancy] = true // a row of a comparison, not an event
			}
		case domain.CorrectionIssued:
			if !ids[f.Corrects] || ids[f.By] == (len(f.Postings) > 0) {
				t.Errorf("%s: a correction names events that are not there, or does not post where it should", s)
			}
			if f.Action == domain.ActionReverse {
				delete(out, f.TradeNo) // parked again, or to be given back by people
			} else if f.Action == domain.ActionCredit && len(f.Postings) > 0 {
				out[f.TradeNo] = f.Amount
			}
		default:
		}
	}
	if credits > 1 {
		t.Errorf("%s has %d credits (R2)", s, credits)
	}
}

// types are the stored names of a stream's events, in order.
func (h history) types(s domain.Stream) []string {
	var out []string
	for _, e := range h.streams[s] {
		out = append(out, e.Type)
	}
	return out
}

// count is how many events of a type a stream has.
func (h history) count(s domain.Stream, typ string) int {
	n := 0
	for _, e := range h.streams[s] {
		if e.Type == typ {
			n++
		}
	}
	return n
}
