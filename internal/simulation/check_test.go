package simulation

import (
	"context"
	"fmt"
	"io"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/sandbox"
)

func bodyOf(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// checker holds what the log says, folded anew beside the system.
type checker struct {
	w        *world
	head     eventstore.Position
	streams  map[domain.Stream]*stream
	books    map[string]domain.Money // by book and wallet
	notified map[ack]int
	decided  map[ack]domain.Money // credited, allocated or parked and confirmed
	moved    map[ack]domain.Money // credited or allocated
	back     map[ack]domain.Money // refunded
}

// stream is one payment.
type stream struct {
	name    domain.Stream
	events  uint64
	ids     map[domain.ID]bool
	payment domain.Payment
	credits int
	notices int
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, streams: map[domain.Stream]*stream{}, books: map[string]domain.Money{}, notified: map[ack]int{},
		decided: map[ack]domain.Money{}, moved: map[ack]domain.Money{}, back: map[ack]domain.Money{},
	}
}

// checkLog reads what is new in the log and asserts everything that must hold
// of all of it.
func (w *world) checkLog() {
	c := w.check
	for b, err := range w.store.Follow(context.Background(), c.head, eventstore.FollowOptions{}) {
		w.do(err)
		for _, r := range b.Events {
			c.add(r)
		}
		if b.CaughtUp {
			break
		}
	}
	c.acknowledged()
	c.sums()
	if w.bad != nil {
		w.fail("%w", w.bad)
	}
}

func (c *checker) add(r eventstore.Recorded) {
	e, err := ledger.Decode(r)
	c.w.do(err)
	s := c.streams[r.Stream]
	if s == nil {
		s = &stream{name: r.Stream, ids: map[domain.ID]bool{}}
		c.streams[r.Stream] = s
	}
	switch {
	case r.Position <= c.head:
		c.w.fail("%s: position %s stands behind %s", r.Stream, r.Position, c.head)
	case r.Revision != s.events:
		c.w.fail("%s: revision %d, want %d", r.Stream, r.Revision, s.events)
	case r.ID != domain.FactID(ledgerID, r.Stream, e.Fact):
		c.w.fail("%s/%d: the id is not the fact's", r.Stream, r.Revision)
	case s.ids[r.ID]:
		c.w.fail("%s/%d: the id stands there twice", r.Stream, r.Revision)
	}
	c.head = r.Position
	s.events++
	s.ids[r.ID] = true
	if err := domain.CheckPostings(domain.PostingsOf(e.Fact)); err != nil {
		c.w.fail("%s/%d breaks R5: %w", r.Stream, r.Revision, err)
	}
	c.post(e.Fact)
	c.fact(s, e.Fact)
	s.payment = s.payment.Apply(e.Fact)
}

func (c *checker) post(f domain.Fact) {
	for _, p := range domain.PostingsOf(f) {
		name := p.Book + " " + string(p.Wallet)
		was, ok := c.books[name]
		if !ok {
			was = domain.NewMoney(0, p.Amount.Currency())
		}
		sum, err := was.Add(p.Amount)
		c.w.do(err)
		c.books[name] = sum
	}
}

// fact asserts R2, R3 and what R7 says of automatic credits.
func (c *checker) fact(s *stream, f domain.Fact) {
	line := strings.TrimPrefix(string(s.name), "payment-")
	c.w.seen[kindOf(f)]++
	switch f := f.(type) {
	case domain.PaymentPlaced:
		line += " placed " + f.Amount.String()
	case domain.PaymentNotified:
		line += fmt.Sprintf(" notified %s %s %s %s %s", f.Source, f.TradeNo, f.Amount, f.Status, f.Decision.Outcome)
		s.notices++
		if f.Source == domain.SourceCallback {
			c.notified[ack{f.Channel, f.OrderNo, f.TradeNo, f.Status == domain.StatusPaid}]++
		}
	case domain.PaymentCredited:
		line += fmt.Sprintf(" credited %s %s late %t", f.TradeNo, f.Amount, f.Late)
		if s.payment.Closed == domain.ClosedMerchant || f.Late != (s.payment.Closed != "" || f.Dates.OccurredAt.After(s.payment.Placed.ExpiresAt)) {
			c.w.fail("%s: credited after %q, late %t", s.name, s.payment.Closed, f.Late)
		}
		c.ownCredit(s, f.Account, f.Amount)
		c.decide(s, f.TradeNo, f.Amount, c.moved)
		c.decide(s, f.TradeNo, f.Amount, c.decided)
	case domain.PaymentParked:
		line += fmt.Sprintf(" parked %s %s %s %t", f.TradeNo, f.Amount, f.Reason, f.Confirmed)
		if f.Confirmed {
			c.decide(s, f.TradeNo, f.Amount, c.decided)
		}
	case domain.PaymentAllocated:
		line += fmt.Sprintf(" allocated %s %s", f.TradeNo, f.Amount)
		c.ownCredit(s, f.Account, f.Amount)
		c.decide(s, f.TradeNo, f.Amount, c.moved)
	case domain.PaymentClosed:
		line += " closed " + string(f.Cause)
	case domain.DiscrepancyFound:
		line += fmt.Sprintf(" found %s %s", f.Kind, f.TradeNo)
	case domain.CorrectionIssued:
		line += " corrected"
		if !s.ids[f.Corrects] || !s.ids[f.By] {
			c.w.fail("%s: a correction names events that are not there", s.name)
		}
	case domain.PaymentHeld:
		line += " held " + f.TradeNo
	case domain.PaymentRefunded:
		line += fmt.Sprintf(" refunded %s %s", f.TradeNo, f.Amount)
		c.gaveBack(s, f)
	case domain.LedgerOpened, domain.ChannelConfigured:
	default: // disputes, bills and people's acts have no part in this workload
		c.w.fail("%s: a %s out of nowhere", s.name, f.FactType())
	}
	c.w.note("  %s", line)
}

// gaveBack asserts that a refund is known by the gateway's answer, and that the
// gateway has given back as much: V2 tells the sum.
func (c *checker) gaveBack(s *stream, f domain.PaymentRefunded) {
	ch := s.payment.Placed.Channel
	a := ack{ch, "", f.TradeNo, true}
	sum := f.Amount
	if was, ok := c.back[a]; ok {
		var err error
		sum, err = sum.Add(was)
		c.w.do(err)
	}
	c.back[a] = sum
	o, err := c.w.box.Order(f.TradeNo)
	c.w.do(err)
	if ch != signed || f.Source != domain.SourceQuery || o.Refunded == "" {
		c.w.fail("%s: a refund of %s out of nowhere", s.name, f.Amount)
		return
	}
	gone, err := domain.ParseMoney(o.Refunded, domain.CNY)
	c.w.do(err)
	if sum.Minor() > gone.Minor() {
		c.w.fail("%s: %s are booked as refunded of trade %s, the gateway gave %s back", s.name, sum, f.TradeNo, gone)
	}
}

func (c *checker) ownCredit(s *stream, account domain.AccountID, m domain.Money) {
	if s.credits++; s.credits > 1 {
		c.w.fail("%s is credited %d times (R2)", s.name, s.credits)
	}
	if p := s.payment.Placed; account != p.Account || m != p.Amount {
		c.w.fail("%s: %s for %s, placed were %s for %s (R3)", s.name, m, account, p.Amount, p.Account)
	}
}

// decide asserts that money is decided once, and that it is there: the gateway
// has it under this number.
func (c *checker) decide(s *stream, trade string, m domain.Money, in map[ack]domain.Money) {
	ch, _, _ := strings.Cut(strings.TrimPrefix(string(s.name), "payment-"), ":")
	k := ack{domain.ChannelID(ch), "", trade, true}
	if _, twice := in[k]; twice {
		c.w.fail("%s: trade %s is decided twice (R2)", s.name, trade)
	}
	in[k] = m
	o, err := c.w.box.Order(trade)
	if err != nil || o.Status == 0 || o.Money != m.Amount() {
		c.w.fail("%s: %s under trade %s is booked, the gateway has status %d and %s (R7)", s.name, m, trade, o.Status, o.Money)
	}
}

// acknowledged asserts R1 and R8: what was answered with success is in the log,
// or equals what is there often enough.
func (c *checker) acknowledged() {
	for k, n := range c.w.acks {
		s := c.streams[domain.PaymentStreamRaw(k.channel, k.order)]
		if s != nil && (c.notified[k] >= n || s.notices >= domain.MaxEqualNotices && c.notified[k] > 0) {
			continue
		}
		c.w.fail("order %s, trade %s: %d deliveries acknowledged, %d in the log (R1)", k.order, k.trade, n, c.notified[k])
	}
}

// sums asserts that the books sum to zero.
func (c *checker) sums() {
	total := domain.NewMoney(0, domain.CNY)
	for _, m := range c.books {
		var err error
		total, err = total.Add(m)
		c.w.do(err)
	}
	if !total.IsZero() {
		c.w.fail("the books sum to %s (R5)", total)
	}
}

// wallet is what the log says an account has.
func (c *checker) wallet(account domain.AccountID) domain.Money {
	m, ok := c.books[domain.BookWallet+" "+string(account)]
	if !ok {
		return domain.NewMoney(0, domain.CNY)
	}
	return m.Neg()
}

// settled is the trade that settled an order, as far as the check has read.
func (c *checker) settled(o *order) string {
	s := c.streams[domain.PaymentStreamRaw(o.channel, o.no)]
	if s == nil {
		return ""
	}
	return s.payment.Settled
}

// checkRows asserts R6: the rows stand where a fold of the log stands.
func (w *world) checkRows() {
	w.fold()
	w.checkLog()
	books, err := w.rows.TrialBalance(context.Background())
	w.do(err)
	want := map[string]domain.Money{}
	for name, m := range w.check.books {
		book, _, _ := strings.Cut(name, " ")
		if was, ok := want[book]; ok {
			m, err = was.Add(m)
			w.do(err)
		}
		want[book] = m
	}
	for book, sums := range books {
		for _, m := range sums {
			if want[book] != m {
				w.fail("rows: %s stands at %s, the log says %s (R6)", book, m, want[book])
			}
			delete(want, book)
		}
	}
	for book, m := range want {
		if !m.IsZero() {
			w.fail("rows: %s is missing, the log says %s (R6)", book, m)
		}
	}
}

// checkAtTheEnd asserts, with every fault healed, that what was paid stands in
// the books once.
func (w *world) checkAtTheEnd() {
	w.checkRows()
	psp := map[domain.ChannelID]domain.Money{}
	for i, b := range w.box.Books().Merchants {
		ch := channelIDs[i]
		psp[ch] = domain.NewMoney(0, domain.CNY)
		due := map[string]bool{}
		for _, p := range b.Paid {
			m, known := w.check.decided[ack{ch, "", p.TradeNo, true}]
			switch {
			case known:
				sum, err := psp[ch].Add(m)
				w.do(err)
				if back, gone := w.check.back[ack{ch, "", p.TradeNo, true}]; gone {
					sum, err = sum.Sub(back)
					w.do(err)
				}
				psp[ch] = sum
			case !w.excused(ch, p):
				w.fail("%s: trade %s of order %s over %s is paid, and not in the books", ch, p.TradeNo, p.OutTradeNo, p.Money)
			}
			s := w.check.streams[domain.PaymentStreamRaw(ch, p.OutTradeNo)]
			fits := known && p.Origin != sandbox.Ambiguous && p.Money == s.payment.Placed.Amount
			due[p.OutTradeNo] = due[p.OutTradeNo] || fits
		}
		w.checkCredits(ch, due)
		have, ok := w.check.books[domain.BookPSP(ch)+" "]
		if !ok {
			have = domain.NewMoney(0, domain.CNY)
		}
		if have != psp[ch] {
			w.fail("%s: the books hold %s, the gateway %s of what we know", ch, have, psp[ch])
		}
	}
}

// excused is money that nobody could tell us of: another session's on a settled
// order, or on one that nobody placed, of which no callback came through; or an
// order that the gateway has deleted.
func (w *world) excused(ch domain.ChannelID, p sandbox.PaidOrder) bool {
	if p.Purged {
		return true
	}
	if w.acks[ack{ch, p.OutTradeNo, p.TradeNo, true}] > 0 {
		return false
	}
	s := w.check.streams[domain.PaymentStreamRaw(ch, p.OutTradeNo)]
	return s == nil || !s.payment.IsPlaced() || s.payment.IsSettled()
}

// checkCredits asserts that every order with money due to it has its one
// credit, and no other order has one.
func (w *world) checkCredits(ch domain.ChannelID, due map[string]bool) {
	for _, o := range w.orders {
		if o.channel != ch {
			continue
		}
		s := w.check.streams[domain.PaymentStreamRaw(ch, o.no)]
		if s == nil {
			if o.placed {
				w.fail("%s was acknowledged as placed and is not in the log (R8)", o.no)
			}
			continue
		}
		p := s.payment
		switch {
		case p.IsSettled() && !due[o.no]:
			w.fail("%s is credited, and nothing is due to it", o.no)
		case !p.IsSettled() && due[o.no] && p.IsPlaced() && !barred(p):
			w.fail("%s is paid and not credited: %s", o.no, p.State())
		case o.placed && !p.IsPlaced():
			w.fail("%s was acknowledged as placed and is not in the log (R8)", o.no)
		case o.canceled && p.Closed != domain.ClosedMerchant:
			w.fail("%s was acknowledged as cancelled and is %s (R8)", o.no, p.State())
		}
	}
}

// barred reports money that the rules park although its order stands open for
// it: the merchant cancelled the order, or placed it long after the money came.
func barred(p domain.Payment) bool {
	if p.Closed == domain.ClosedMerchant {
		return true
	}
	for _, t := range p.Trades {
		if t.Reason == domain.ReasonPlacedTooLate || t.Reason == domain.ReasonUnknownOrder {
			return p.Placed.PlacedAt.Sub(t.FirstAt) > domain.AllocateWithin
		}
	}
	return false
}

// kindOf is a fact in a word or two.
func kindOf(f domain.Fact) string {
	switch f := f.(type) {
	case domain.PaymentNotified:
		return "notified " + string(f.Decision.Outcome)
	case domain.PaymentCredited:
		return fmt.Sprintf("credited by %s, late %t", f.Source, f.Late)
	case domain.PaymentParked:
		return fmt.Sprintf("parked %s, confirmed %t", f.Reason, f.Confirmed)
	case domain.PaymentClosed:
		return "closed " + string(f.Cause)
	case domain.DiscrepancyFound:
		return "found " + string(f.Kind)
	default:
		return fmt.Sprintf("%T", f)
	}
}
