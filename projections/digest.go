package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"
)

// Hasher makes a Digest. Every adapter feeds it the same rows in the same
// order, so equal logs give equal digests whoever folded them: first every
// ledger in byte order of book, wallet, currency; then every payment in byte
// order of channel and ref; then turnovers in byte order of book, wallet, channel,
// currency and period, payouts and proposals about periods in the order of the log; then the
// checkpoint.
type Hasher struct {
	sum  hash.Hash
	buf  []byte
	made Digest
}

// NewHasher begins a digest.
func NewHasher() *Hasher {
	h := &Hasher{sum: sha256.New()}
	h.text("counterfoil projections digest v1")
	return h
}

// Ledger adds a running balance.
func (h *Hasher) Ledger(l LedgerRow) {
	h.made.Balances++
	h.text("ledger", l.Book, string(l.Wallet), string(l.Currency))
	h.number(l.Balance.Minor(), int64(l.Position)) // positions stay below 2^63
}

// Payment adds a payment.
func (h *Hasher) Payment(p *PaymentRow) {
	h.made.Payments++
	h.text("payment", string(p.Channel), p.Ref, p.OrderNo, string(p.Account), string(p.Amount.Currency()),
		string(p.State), p.TradeNo, string(p.Closed), MarksText(p.Open))
	h.text(string(p.Stages.BookedOn))
	h.number(p.Amount.Minor(), int64(p.Notices), micros(p.PlacedAt), micros(p.ExpiresAt), micros(p.FirstAt),
		micros(p.Stages.NotifiedAt), micros(p.Stages.CreditedAt), micros(p.UpdatedAt), int64(p.Position)) // positions stay below 2^63
}

// Turnover adds what a book moved in a period.
func (h *Hasher) Turnover(t TurnoverRow) {
	h.text("turnover", t.Book, string(t.Wallet), string(t.Channel), string(t.Currency), t.Period)
	h.number(t.Debit.Minor(), t.Credit.Minor(), int64(t.First), int64(t.Last)) // positions stay below 2^63
}

// Payout adds a payout.
func (h *Hasher) Payout(p Payout) {
	h.text("payout", string(p.Channel), p.ID, string(p.State()), p.Amount().String())
	h.number(int64(p.Position)) // positions stay below 2^63
}

// Period adds a proposal to close a period.
func (h *Hasher) Period(p Period) {
	h.text("period", p.Ask.Proposal.String(), p.Ask.Period, string(p.State), p.DecidedBy)
	h.number(int64(p.Position)) // positions stay below 2^63
}

// Finish is the digest of everything added, at checkpoint c.
func (h *Hasher) Finish(c Checkpoint) Digest {
	h.text("checkpoint", c.Ledger.String(), c.Event.String())
	h.number(int64(c.Position), micros(c.Recorded), c.Events, c.Ledgers, // positions stay below 2^63
		c.Payments, c.Entries, c.Callbacks, c.Trades)
	h.made.Position, h.made.Entries = c.Position, int(c.Entries)
	h.made.SHA256 = hex.EncodeToString(h.sum.Sum(nil))
	return h.made
}

// text hashes each part behind its length.
func (h *Hasher) text(parts ...string) {
	h.buf = h.buf[:0]
	for _, s := range parts {
		h.buf = binary.BigEndian.AppendUint64(h.buf, uint64(len(s)))
		h.buf = append(h.buf, s...)
	}
	h.sum.Write(h.buf) // a hash never fails
}

func (h *Hasher) number(ns ...int64) {
	h.buf = h.buf[:0]
	for _, n := range ns {
		h.buf = binary.BigEndian.AppendUint64(h.buf, uint64(n)) // the bits are hashed
	}
	h.sum.Write(h.buf) // a hash never fails
}

// micros is t in microseconds since 1970, 0 for no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
