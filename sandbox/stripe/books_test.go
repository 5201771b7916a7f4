package stripe

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/memory"
	"counterfoil/ledger"
	"counterfoil/providers"
	"counterfoil/sandbox/stage"
)

// counter is a merchant's books: the real ledger over a store in memory.
type counter struct {
	t       *testing.T
	h       *shop
	store   *memory.Store
	ledger  *ledger.Ledger
	mu      sync.Mutex
	n       int
	orderOf map[string]string // by trade number
	keys    map[domain.Stream]domain.DataKey
}

func newCounter(t *testing.T, h *shop) *counter {
	t.Helper()
	c := &counter{t: t, h: h, store: memory.New(), orderOf: map[string]string{}, keys: map[domain.Stream]domain.DataKey{}}
	cfg := ledger.Config{Software: "test", Clock: time.Now, Orders: c}
	if err := ledger.Init(t.Context(), c.store, domain.NewV5(domain.ID{}, "sandbox"), domain.ModeTest, cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.ledger, err = ledger.Open(t.Context(), c.store, c, cfg); err != nil {
		t.Fatal(err)
	}
	if err := c.ledger.Configure(t.Context(), h.channel.Config(), ledger.By{Actor: "system"}); err != nil {
		t.Fatal(err)
	}
	h.keep = c.keep
	return c
}

// EnsureDataKey makes a key for each stream.
func (c *counter) EnsureDataKey(_ context.Context, s domain.Stream) (domain.DataKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, found := c.keys[s]
	if !found {
		key[0], key[1] = byte(len(c.keys)+1), byte((len(c.keys)+1)>>8)
		c.keys[s] = key
	}
	return key, nil
}

// DataKey is the key of a stream.
func (c *counter) DataKey(ctx context.Context, s domain.Stream) (domain.DataKey, error) {
	return c.EnsureDataKey(ctx, s)
}

// OrderOf knows what callbacks and answers have told so far.
func (c *counter) OrderOf(_ context.Context, _ domain.ChannelID, tradeNo string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if no, found := c.orderOf[tradeNo]; found {
		return no, nil
	}
	return "", domain.E(domain.KindNotFound, "no payment under %s", tradeNo)
}

func (c *counter) learn(n domain.Notice) domain.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.TradeNo != "" && n.OrderNo != "" {
		c.orderOf[n.TradeNo] = n.OrderNo
	}
	c.n++
	return domain.NewV5(domain.ID{}, fmt.Sprint("delivery ", c.n))
}

// keep takes what was told into the books.
func (c *counter) keep(read providers.Read) (outcome domain.Outcome, err error) {
	for _, n := range read.Notices {
		n.Delivery = c.learn(n)
		r, err := c.ledger.Notify(context.Background(), n, read.Evidence, c.h.channel.Reply)
		if err != nil {
			return "", err
		}
		outcome = r.Verdict.Outcome
	}
	return outcome, nil
}

// take brings an answer into the books.
func (c *counter) take(a providers.Answer, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Error(err)
		return
	}
	if !a.Found {
		return
	}
	for _, n := range append([]domain.Notice{a.Notice}, a.Also...) {
		n.Delivery, n.Run = c.learn(n), "run"
		if _, err := c.ledger.Notify(c.t.Context(), n, a.Evidence, nil); err != nil {
			c.t.Error(err)
		}
	}
}

// books adds up the postings of the whole log by book and currency, fees apart.
func (c *counter) books() map[string]int64 {
	c.t.Helper()
	sums := map[string]int64{}
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	for batch, err := range c.store.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range batch.Events {
			entry, err := ledger.Decode(e)
			if err != nil {
				c.t.Fatal(err)
			}
			for _, p := range domain.PostingsOf(entry.Fact) {
				sums[p.Book] += p.Amount.Minor()
			}
		}
		if batch.CaughtUp {
			break
		}
	}
	return sums
}

// TestTheBooksComeToTheTruth: every fault on some orders, refunds that fail and
// disputes on others; what callbacks, questions and the list of missed events
// say makes books that equal Stripe's own to the cent.
func TestTheBooksComeToTheTruth(t *testing.T) {
	t.Parallel()
	for _, missedFirst := range []bool{false, true} {
		t.Run(fmt.Sprint("missed first ", missedFirst), func(t *testing.T) {
			t.Parallel()
			play(t, nil, func(t *testing.T, face *Face, h *shop) {
				c := newCounter(t, h)
				orders := c.life(face)
				c.recover(orders, missedFirst)
				c.compare(face)
			})
		})
	}
}

// life lets three orders meet each fault, with what may happen to a payment
// afterwards.
func (c *counter) life(face *Face) []stage.Order {
	c.t.Helper()
	var orders []stage.Order
	for _, class := range face.Classes().List(func(n stage.Needs) bool { return !n.Bill }) {
		for i := range 3 {
			no := fmt.Sprintf("%s-%d", class, i)
			account := domain.AccountID("user:7")
			_, _, err := c.ledger.Place(c.t.Context(), domain.Order{
				Channel: "stripe", OrderNo: domain.OrderNo(no), Account: account, Amount: yuan(1000), ExpireAfter: 30 * 24 * time.Hour,
			}, ledger.Personal{}, ledger.By{Actor: "test"})
			if err != nil {
				c.t.Fatal(err)
			}
			o := open(c.t, face, no)
			orders = append(orders, o)
			fault := stage.Fault{Class: class}
			if i == 2 && face.Classes()[class].Spoof {
				fault.Unpaid = true
			}
			if _, err := face.Pay(o.ID, fault); err != nil {
				c.t.Fatal(err)
			}
			if class == Delayed {
				settle(c.t, face) // the money is not there yet
			}
			c.afterwards(face, o, i)
		}
	}
	settle(c.t, face)
	return orders
}

// afterwards refunds, disputes or leaves alone.
func (c *counter) afterwards(face *Face, o stage.Order, i int) {
	c.t.Helper()
	if !face.Orders(stage.OrderFilter{ID: o.ID})[0].WasPaid {
		return
	}
	switch i {
	case 0:
		for no, fails := range map[string]bool{"R1-": false, "R2-": true} {
			if _, err := face.Refund(stage.RefundOrder{ID: o.ID, Amount: yuan(40), No: no + o.OrderNo, Fails: fails}); err != nil {
				c.t.Fatal(err)
			}
		}
	case 1:
		d, err := face.Dispute(o.ID, yuan(60))
		if err != nil {
			c.t.Fatal(err)
		}
		if len(o.OrderNo)%3 == 0 {
			return // stays open
		}
		if _, err := face.Decide(d.ID, len(o.OrderNo)%3 == 1); err != nil {
			c.t.Fatal(err)
		}
	}
}

// recover is what the reconciler does: it asks for every order and everything
// that waits, and reads what did not arrive.
func (c *counter) recover(orders []stage.Order, missedFirst bool) {
	c.t.Helper()
	missed := func() {
		for a, err := range c.h.channel.Missed(c.t.Context(), "", time.Now()) {
			if domain.KindOf(err) != domain.KindUnavailable || err == nil {
				c.take(a, err)
			}
		}
	}
	if missedFirst {
		missed()
	}
	for range 4 { // planted trouble of answers wears off
		for _, o := range orders {
			a, err := c.h.channel.Query(c.t.Context(), providers.Question{OrderNo: o.OrderNo})
			if domain.KindOf(err) == domain.KindUnavailable {
				continue
			}
			c.take(a, err)
		}
	}
	unmatched, err := c.ledger.Unmatched(c.t.Context(), "stripe", 0, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range unmatched {
		c.take(c.h.channel.Query(c.t.Context(), providers.Question{TradeNo: n.TradeNo}))
	}
	for tradeNo := range c.orderOf {
		c.take(c.h.channel.Query(c.t.Context(), providers.Question{TradeNo: tradeNo}))
	}
	if !missedFirst {
		missed()
	}
}

// compare holds our books against Stripe's.
func (c *counter) compare(face *Face) {
	c.t.Helper()
	var wallet, parked, away, psp, borne int64
	for _, p := range face.Books()[0].Payments {
		owner := &wallet
		if !p.Due {
			owner = &parked
		}
		*owner += p.Amount.Minor()
		psp += p.Amount.Minor()
		for _, r := range p.Refunds {
			if !r.Failed {
				*owner -= r.Amount.Minor()
				psp -= r.Amount.Minor()
			}
		}
		for _, d := range p.Disputes {
			psp -= d.Fee.Minor()
			switch d.State {
			case stage.DisputeOpen:
				away += d.Amount.Minor()
				psp -= d.Amount.Minor()
			case stage.DisputeLost:
				if p.Due {
					wallet -= d.Amount.Minor()
				} else {
					borne += d.Amount.Minor() // nobody's wallet had it
				}
				psp -= d.Amount.Minor()
			case stage.DisputeWon:
			}
		}
	}
	got := c.books()
	if parked == 0 || away == 0 || borne == 0 || got[domain.BookChargeback] != borne || -got[domain.BookWallet] != wallet || -got[domain.BookParked] != parked ||
		got[domain.BookPSP("stripe")] != psp || got[domain.BookDisputes("stripe")] != away || got[domain.BookSuspense("stripe")] != 0 {
		c.t.Errorf("our books %v; Stripe's wallet %d, parked %d, psp %d, disputed %d", got, wallet, parked, psp, away)
	}
}
