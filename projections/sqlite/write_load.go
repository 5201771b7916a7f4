package sqlite

import (
	"context"

	"counterfoil/domain"
	"counterfoil/projections"
)

// LoadPayments implements projections.Writer.
func (d *DB) LoadPayments(_ context.Context, streams []domain.Stream) ([]*projections.PaymentRow, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if d.writer == nil {
		return nil, errNotLoaded
	}
	return d.writer.loadPayments(streams)
}

// lookUps are how many rows one statement looks for, largest first.
var lookUps = [...]int{32, 8, 1}

func (w *writer) loadPayments(streams []domain.Stream) ([]*projections.PaymentRow, error) {
	out := make([]*projections.PaymentRow, 0, len(streams))
	refs := make(map[domain.ChannelID][]any)
	for _, s := range streams {
		ch, ref, _ := projections.SplitPayment(s)
		refs[ch] = append(refs[ch], ref)
	}
	for ch, wanted := range refs {
		for len(wanted) > 0 {
			n := lookUpSize(len(wanted))
			err := w.c.query(context.Background(), multi(ownPaymentSQL+" WHERE p.channel = ? AND p.ref IN ", n, "", 1),
				append([]any{w.names[string(ch)]}, wanted[:n]...), func(r row) error {
					p, err := w.scanPayment(r, ch)
					out = append(out, p)
					return err
				})
			if err != nil {
				return nil, err
			}
			wanted = wanted[n:]
		}
	}
	return out, nil
}

func lookUpSize(left int) int {
	for _, n := range lookUps {
		if n <= left {
			return n
		}
	}
	return 1
}

// LoadLedgers implements projections.Writer.
func (d *DB) LoadLedgers(_ context.Context, keys []projections.LedgerKey) ([]*projections.LedgerRow, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if d.writer == nil {
		return nil, errNotLoaded
	}
	return d.writer.loadLedgers(keys)
}

func (w *writer) loadLedgers(keys []projections.LedgerKey) ([]*projections.LedgerRow, error) {
	out := make([]*projections.LedgerRow, 0, len(keys))
	for _, k := range keys {
		_, err := w.c.one(context.Background(),
			ledgerSQL+" WHERE l.wallet = ? AND l.book = ? AND l.currency = ?",
			[]any{string(k.Wallet), k.Book, string(k.Currency)}, func(r row) error {
				out = append(out, &projections.LedgerRow{
					LedgerKey: k, Row: r.num(0), Balance: domain.NewMoney(r.num(4), k.Currency), Position: position(r.num(5)),
				})
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
