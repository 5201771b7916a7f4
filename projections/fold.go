package projections

import (
	"context"
	"fmt"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// event is a stored event, decoded.
type event struct {
	eventstore.Recorded
	fact     domain.Fact
	recorded time.Time
}

// decode reads what the fold needs of a stored event. An unknown type or
// version is KindMismatch, bytes that do not decode are KindCorrupt.
func decode(r eventstore.Recorded) (event, error) {
	fact, err := domain.DecodeFact(r.Type, r.Data)
	if err != nil {
		return event{}, fmt.Errorf("event at position %s of %s: %w", r.Position, r.Stream, err)
	}
	meta, err := domain.DecodeMeta(r.Meta)
	if err != nil {
		return event{}, fmt.Errorf("meta at position %s of %s: %w", r.Position, r.Stream, err)
	}
	return event{Recorded: r, fact: fact, recorded: domain.Instant(meta.RecordedAt)}, nil
}

// folder turns pages of events into Changes. It remembers the rows it saw last,
// so that a page reads few of them. After a failed commit it is stale and must
// be made anew.
type folder struct {
	rows     Writer
	at       Checkpoint
	payments *cache[domain.Stream, *PaymentRow]
	ledgers  *cache[LedgerKey, *LedgerRow]
	page     uint64
	out      Changes

	turnovers map[TurnoverKey]*TurnoverRow // nil until they were read
}

func newFolder(rows Writer, at Checkpoint, cached int) *folder {
	return &folder{
		rows: rows, at: at,
		payments: newCache[domain.Stream, *PaymentRow](cached),
		ledgers:  newCache[LedgerKey, *LedgerRow](2 * cached),
	}
}

// fold is what events, the next ones of the log, do to the rows.
func (f *folder) fold(ctx context.Context, events []event) (Changes, error) {
	f.page++
	f.out = Changes{From: f.at}
	if err := f.loadTurnovers(ctx); err != nil {
		return Changes{}, fmt.Errorf("read what periods moved: %w", err)
	}
	if err := f.prepare(ctx, events); err != nil {
		return Changes{}, err
	}
	for i := range events {
		if err := f.one(&events[i]); err != nil {
			return Changes{}, fmt.Errorf("fold %s at position %s of %s: %w",
				events[i].Type, events[i].Position, events[i].Stream, err)
		}
	}
	f.out.To = f.at
	return f.out, nil
}

// prepare has every row at hand that events touch. A first event of a stream
// needs no look: nothing can stand there yet.
func (f *folder) prepare(ctx context.Context, events []event) error {
	var streams []domain.Stream
	var keys []LedgerKey
	askedFor := make(map[domain.Stream]bool)
	asked := make(map[LedgerKey]bool)
	for i := range events {
		e := &events[i]
		if f.unknownPayment(e) && !askedFor[e.Stream] {
			askedFor[e.Stream] = true
			streams = append(streams, e.Stream)
		}
		for _, p := range domain.PostingsOf(e.fact) {
			k := keyOf(p)
			if _, ok := f.ledgers.get(k); !ok && !asked[k] {
				asked[k] = true
				keys = append(keys, k)
			}
		}
	}
	if err := f.loadPayments(ctx, streams); err != nil {
		return err
	}
	return f.loadLedgers(ctx, keys)
}

// unknownPayment reports whether e belongs to a payment whose row must be read.
// It numbers new ones on the way.
func (f *folder) unknownPayment(e *event) bool {
	ch, ref, ok := SplitPayment(e.Stream)
	if !ok {
		return false
	}
	if e.Revision == 0 {
		f.at.Payments++
		f.payments.put(e.Stream, newPayment(ch, ref, f.at.Payments))
		return false
	}
	_, known := f.payments.get(e.Stream)
	return !known
}

func (f *folder) loadPayments(ctx context.Context, streams []domain.Stream) error {
	if len(streams) == 0 {
		return nil
	}
	found, err := f.rows.LoadPayments(ctx, streams)
	if err != nil {
		return fmt.Errorf("read %d payment rows: %w", len(streams), err)
	}
	for _, p := range found {
		f.payments.put(PaymentStream(p.Channel, p.Ref), p)
	}
	return nil
}

func (f *folder) loadLedgers(ctx context.Context, keys []LedgerKey) error {
	if len(keys) == 0 {
		return nil
	}
	found, err := f.rows.LoadLedgers(ctx, keys)
	if err != nil {
		return fmt.Errorf("read %d balances: %w", len(keys), err)
	}
	for _, l := range found {
		f.ledgers.put(l.LedgerKey, l)
	}
	return nil
}

// one folds one event.
func (f *folder) one(e *event) error {
	if e.Position <= f.at.Position {
		return domain.E(domain.KindCorrupt, "the log went back: position %s after %s", e.Position, f.at.Position)
	}
	f.advance(e)
	pay, err := f.payment(e)
	if err != nil {
		return err
	}
	if opened, ok := e.fact.(domain.LedgerOpened); ok {
		f.at.Ledger = opened.Ledger
	}
	if notified, ok := e.fact.(domain.PaymentNotified); ok && pay != nil {
		f.at.Callbacks++
		f.arrive(pay, notified)
		f.out.Callbacks = append(f.out.Callbacks, CallbackRow{callback(notified, e.Position), pay})
	}
	if trade, ok := decided(e.fact); ok && trade != "" && pay != nil {
		f.at.Trades++
		f.out.Trades = append(f.out.Trades, TradeRow{TradeNo: trade, Payment: pay})
	}
	if c, ok := e.fact.(domain.CorrectionIssued); ok && pay != nil && takesBack(c, pay.Channel) {
		f.out.Trades = append(f.out.Trades, TradeRow{TradeNo: c.TradeNo, Payment: pay, TakenBack: true})
	}
	if pay != nil {
		f.correct(e, pay)
	}
	f.act(e)
	f.books(e)
	f.find(e)
	return f.post(e)
}

// advance moves the checkpoint onto e.
func (f *folder) advance(e *event) {
	f.at.Position, f.at.Stream, f.at.Revision, f.at.Event = e.Position, e.Stream, e.Revision, e.ID
	f.at.Events++
	if e.recorded.After(f.at.Recorded) {
		f.at.Recorded = e.recorded
		f.out.Steps = append(f.out.Steps, Step{e.Position, e.recorded})
	}
}

// payment is the row of e's payment with e folded in, nil for other streams.
func (f *folder) payment(e *event) (*PaymentRow, error) {
	if _, _, ok := SplitPayment(e.Stream); !ok {
		return nil, nil //nolint:nilnil // no payment, no error
	}
	p, ok := f.payments.get(e.Stream)
	if !ok {
		return nil, domain.E(domain.KindCorrupt, "revision %d has no row to go on from", e.Revision)
	}
	if p.page != f.page {
		p.page = f.page
		f.out.Payments = append(f.out.Payments, p)
	}
	p.touch(e.Position, e.recorded)
	p.apply(e.fact)
	return p, nil
}

// post adds the event's postings to their ledgers.
func (f *folder) post(e *event) error {
	postings := domain.PostingsOf(e.fact)
	if len(postings) == 0 {
		return nil
	}
	dates, _ := domain.DatesOf(e.fact)
	f.out.Posted = append(f.out.Posted, Posted{
		Position: e.Position, EventID: e.ID, Type: e.Type, Stream: e.Stream,
		ValueDate: dates.ValueDate, Period: dates.Period, Recorded: e.recorded, Line: lineOf(e.fact),
	})
	for leg, p := range postings {
		if err := f.leg(e, leg, p); err != nil {
			return err
		}
		if err := f.turn(e, p, dates.Period); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) leg(e *event, leg int, p domain.Posting) error {
	l := f.ledger(keyOf(p))
	after, err := l.Balance.Add(p.Amount)
	if err != nil {
		// Silence or a wrapped sum would both be a wrong balance.
		return domain.E(domain.KindCorrupt, "balance of %s %s: %w", l.Book, l.Wallet, err)
	}
	l.Balance, l.Position = after, e.Position
	f.at.Entries++
	f.out.Entries = append(f.out.Entries, EntryRow{
		Ledger: l, Position: e.Position, Leg: leg, Amount: p.Amount, After: after,
	})
	return nil
}

// ledger is the running balance of k, which is new when prepare found none.
func (f *folder) ledger(k LedgerKey) *LedgerRow {
	l, ok := f.ledgers.get(k)
	if !ok {
		f.at.Ledgers++
		l = &LedgerRow{LedgerKey: k, Row: f.at.Ledgers, Balance: domain.NewMoney(0, k.Currency), Fresh: true}
		f.ledgers.put(k, l)
	}
	if l.page != f.page {
		l.page = f.page
		f.out.Ledgers = append(f.out.Ledgers, l)
	}
	return l
}

// committed tells the rows that they are stored.
func (f *folder) committed(c Changes) {
	for _, l := range c.Ledgers {
		l.Fresh = false
	}
	for _, p := range c.Payments {
		p.Fresh = false
	}
}

func keyOf(p domain.Posting) LedgerKey {
	return LedgerKey{Book: p.Book, Wallet: p.Wallet, Currency: p.Amount.Currency()}
}
