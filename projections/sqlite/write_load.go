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

func (w *writer) loadPayments(streams []domain.Stream) ([]*projections.PaymentRow, error) {
	out := make([]*projections.PaymentRow, 0, len(streams))
	for _, s := range streams {
		ch, ref, _ := projections.SplitPayment(s)
		_, err := w.c.one(context.Background(), paymentSQL+" WHERE p.channel = ? AND p.ref = ?",
			[]any{w.names[string(ch)], ref}, func(r row) error {
				p, err := scanPayment(r)
				out = append(out, p)
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
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
