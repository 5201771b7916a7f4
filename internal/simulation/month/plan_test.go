package month

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/sandbox/stage"
	"counterfoil/sandbox/stripe"
	"counterfoil/sandbox/wechatpay"
)

// days are those of the month on which the shop sells; after them come days on
// which the last bills are made.
const (
	days  = 31
	after = 4
)

// The reconciler is off from just after the first midnight to just after the
// last one.
const (
	offFrom = 14
	offTill = 16
)

// slot is what happens at one time of the month.
type slot struct {
	first []func() // before the shop opens
	sales []*sale
	acts  []func() // when the payments are through
	lasts []func() // seconds later
}

// plan is the month as it will be played, and what must be found of it.
type plan struct {
	w     *world
	slots []slot
	sales []*sale

	rows    []finding
	heals   []string // what must stand on the payments themselves
	broken  []string // bills that could not be compared at first
	aside   []string // money that is set aside
	desk    []decision
	runs    int
	stopped map[string]bool
	waits   map[string]bool // days whose bill lacks what a later one may bring
	late    []string        // what these must be
	coupons map[string]bool // orders of which the merchant gets less
	trial   *sale           // a real payment that tries the channel
	silent  []silence       // questions that may stay without an answer
}

func newPlan(w *world, payments int) *plan {
	p := &plan{
		w: w, slots: make([]slot, (days+after)*len(slots)), stopped: map[string]bool{}, waits: map[string]bool{}, coupons: map[string]bool{},
	}
	p.off()
	p.bills()
	for _, t := range p.w.tills {
		p.wrongHand(t)
	}
	p.sale(p.w.tillOf("card"), 0) // in London it is still September
	p.banks()
	p.payouts(p.w.tillOf("card"))
	p.paidLater(p.w.tillOf("card"))
	p.silence(p.w.tillOf("wx"), 12)
	p.trial = p.sale(p.w.tillOf("ali"), slotOf(2, noon))
	p.trial.trial = true
	for range max(1, payments/2000) {
		p.plants()
	}
	for range max(1, payments/4000) {
		p.plantsUnseen()
	}
	for len(p.sales) < payments {
		p.ordinary()
	}
	p.tooMany()
	return p
}

// finding is a difference that a bill must show.
type finding struct {
	till  *till
	day   domain.Day // of the bill
	kind  domain.DiscrepancyKind
	state operations.DiscrepancyState // before people resolve it
	order string
	swept bool // the sweep would mend it, too
}

func (f finding) String() string {
	return fmt.Sprintf("%s %s %s %s %s", f.till.id, f.day, f.kind, f.state, f.order)
}

// tooMany: a day that differs so much that something else must be wrong is not
// judged. So it is at the till whose every callback waits for the provider's
// word, on the day on which nobody asks; the sweep mends it afterwards.
func (p *plan) tooMany() {
	t, off := p.w.tillOf("wx2"), p.w.tillOf("wx2").day(slotOf(offFrom, noon))
	n := 0
	for _, f := range p.rows {
		if f.till == t && f.day == off {
			n++
		}
	}
	if n <= 20 {
		return
	}
	p.rows = slices.DeleteFunc(p.rows, func(f finding) bool { return f.till == t && f.day == off && f.swept })
	p.broken = append(p.broken, fmt.Sprintf("%s %s too_many", t.id, off))
}

// before does what belongs to a slot before anybody buys.
func (p *plan) before(at int) {
	for _, act := range p.slots[at].first {
		act()
	}
}

func (p *plan) first(at int, act func()) { p.slots[at].first = append(p.slots[at].first, act) }

func (p *plan) then(at int, act func()) { p.slots[at].acts = append(p.slots[at].acts, act) }

func (p *plan) last(at int, act func()) { p.slots[at].lasts = append(p.slots[at].lasts, act) }

// off is two days without a reconciler and, in the evening of the first one,
// without an API.
func (p *plan) off() {
	p.first(slotOf(offFrom, 1), func() { p.w.asleep = true })
	p.first(slotOf(offTill, 0), func() { p.w.asleep = false })
	p.first(slotOf(offFrom, evening), func() { p.w.closed.Store(true) })
	p.first(slotOf(offFrom, evening+1), func() { p.w.closed.Store(false) })
}

// anySlot is a time on a day when the reconciler works, early enough for what
// follows.
func (p *plan) anySlot() int {
	for {
		at := p.w.rnd.IntN((days - 1) * len(slots))
		if at < slotOf(offFrom-1, 0) || at >= slotOf(offTill, 1) {
			return at
		}
	}
}

// unseen is a time on the first day without a reconciler, the same day in every
// zone, and not while the API is away.
func (p *plan) unseen() int {
	return slotOf(offFrom, []int{morning, noon, evening + 1}[p.w.rnd.IntN(3)])
}

// sale is an order of a till, placed and paid as it should be.
func (p *plan) sale(t *till, at int) *sale {
	t.serial++
	c := t.currencies[p.w.rnd.IntN(len(t.currencies))]
	s := &sale{till: t, no: fmt.Sprintf("%s%07d", strings.ReplaceAll(string(t.id), "-", ""), t.serial), amount: domain.NewMoney(int64(500+p.w.rnd.IntN(50_000)), c)}
	s.placed = s.amount
	p.slots[at].sales = append(p.slots[at].sales, s)
	p.sales = append(p.sales, s)
	return s
}

// till is one by the shares of the payments.
func (p *plan) till() *till {
	at := p.w.rnd.IntN(100)
	for _, t := range p.w.tills {
		if at -= t.share; at < 0 {
			return t
		}
	}
	return p.w.tills[0]
}

// ordinary is a payment of which nothing is to be found, however late, often or
// disorderly its callbacks come, whatever is refunded of it and told.
func (p *plan) ordinary() {
	t, at := p.till(), p.w.rnd.IntN(days*len(slots))
	s := p.sale(t, at)
	defer func() {
		if s.unpaid {
			return
		}
		p.unasked(s, at, domain.StatusMismatch)
		if t.isEpay() && at == slotOf(offFrom, evening) { // gives up long before the API is back
			p.heal(s, domain.MissingCredit)
		}
	}()
	switch n := p.w.rnd.IntN(100); {
	case n < 60:
	case n < 72 && !hurried(at) && at != slotOf(offFrom, evening):
		s.fault.Class = t.harmless[p.w.rnd.IntN(len(t.harmless))]
		if s.fault.Class == wechatpay.Coupon {
			p.coupons[s.no] = true
		}
	case n < 75:
		s.unpaid = true
	case n < 85 && !t.isEpay():
		p.refunds(s, at)
	case n < 88 && t.face.Name() == stripe.Name:
		p.disputed(s, at)
	case n < 89 && t.face.Name() == stripe.Name && at >= len(slots) && at < (days-2)*len(slots): // the money comes a day later, in the same month
		s.fault.Class = stripe.Delayed
	case n < 91 && s.till.grade == domain.GradeA && !t.isEpay():
		s.placed, s.attach = domain.Money{}, p.w.account(s) // the payment itself says whose it is
	}
}

// hurried says that the next slot comes before a callback that was put off: the
// provider is asked first then, and rightly.
func hurried(at int) bool { return slotTime(at+1).Sub(slotTime(at)) < time.Hour }

// later is a slot some time after another one, on which the shop still sells.
func (p *plan) later(at int) int {
	last := days*len(slots) - 1
	if at >= last {
		return last
	}
	return at + 1 + p.w.rnd.IntN(min(last-at, 60))
}

// refunds gives some of a payment back, once or twice, or all of it.
func (p *plan) refunds(s *sale, at int) {
	parts := []int64{1 + p.w.rnd.Int64N(s.amount.Minor()-1)}
	switch p.w.rnd.IntN(3) {
	case 0:
		parts = []int64{s.amount.Minor()}
	case 1:
		parts = append(parts, 1+p.w.rnd.Int64N(max(1, s.amount.Minor()-parts[0])))
	}
	for i, part := range parts {
		if at = p.later(at); at == days*len(slots)-1 {
			return
		}
		p.then(at, func() { p.w.refund(s, i, part, stage.Fault{}, false) })
		p.unasked(s, at, domain.RefundMissing)
	}
}

// unasked expects what a bill shows of money that waits for the provider's word
// on the first day on which nobody asks for it.
func (p *plan) unasked(s *sale, at int, kind domain.DiscrepancyKind) {
	if s.till.asks && !s.till.isEpay() && at >= slotOf(offFrom, 1) && at < slotOf(offFrom+1, 0) {
		p.mends(s, at, kind)
		p.rows[len(p.rows)-1].swept = true
	}
}

func (w *world) refund(s *sale, i int, minor int64, f stage.Fault, fails bool) {
	_, err := s.till.face.Refund(stage.RefundOrder{
		ID: s.id, Amount: domain.NewMoney(minor, s.amount.Currency()), No: fmt.Sprintf("R%s-%d", s.no, i), Fault: f, Fails: fails,
	})
	if err != nil {
		w.tb.Fatalf("refund %d of %s: %v", i, s.no, err)
	}
}

// disputed lets the payer's bank claim a payment back; most claims are decided.
func (p *plan) disputed(s *sale, at int) {
	begin := p.later(at)
	end := p.later(begin)
	won, open := p.w.rnd.IntN(2) == 0, p.w.rnd.IntN(4) == 0
	if begin == end || begin == days*len(slots)-1 {
		open = true
	}
	p.then(begin, func() {
		d, err := s.till.face.(stage.Disputer).Dispute(s.id, domain.Money{})
		p.w.do(err)
		if open {
			return
		}
		p.then(end, func() {
			_, err := s.till.face.(stage.Disputer).Decide(d.ID, won)
			p.w.do(err)
		})
	})
}

// account is whose wallet a sale is for.
func (w *world) account(s *sale) string {
	if s.trial {
		return string(domain.TestAccount)
	}
	return fmt.Sprint("user:", s.till.serial%40)
}

func (w *world) place(s *sale) error {
	_, _, err := w.app.Ledger.Place(w.tb.Context(), domain.Order{
		Channel: s.till.id, OrderNo: domain.OrderNo(s.no), Account: domain.AccountID(w.account(s)), Amount: s.placed,
		ExpiresAt: w.clock.Now().Add(2 * time.Hour),
	}, ledger.Personal{Subject: "积分"}, ledger.By{Actor: "key:shop"})
	if err != nil {
		return fmt.Errorf("place %s: %w", s.no, err)
	}
	if s.canceled {
		_, err = w.app.Ledger.Cancel(w.tb.Context(), s.till.id, domain.OrderNo(s.no), "out of stock", ledger.By{Actor: "key:shop"})
	}
	return err
}

// mends expects a difference on the bill of a slot's day that the provider's own
// answer mends.
func (p *plan) mends(s *sale, at int, kind domain.DiscrepancyKind) {
	p.find(s.till, at, kind, operations.DiscrepancyResolved, s.no)
}

// opens expects one that people must look at.
func (p *plan) opens(s *sale, at int, kind domain.DiscrepancyKind) {
	p.find(s.till, at, kind, operations.DiscrepancyOpen, s.no)
}

func (p *plan) find(t *till, at int, kind domain.DiscrepancyKind, state operations.DiscrepancyState, orderNo string) {
	p.rows = append(p.rows, finding{till: t, day: t.day(at), kind: kind, state: state, order: orderNo})
}

// heal expects a difference to stand on the payment itself.
func (p *plan) heal(s *sale, kind domain.DiscrepancyKind) {
	p.heals = append(p.heals, fmt.Sprintf("%s %s %s", s.till.id, kind, s.no))
}

// compared notes what came of a run.
func (p *plan) compared(r operations.BillRun) {
	place := fmt.Sprintf("%s %s", r.Channel, r.Day)
	p.runs++
	if r.State != operations.RunComplete {
		p.w.tb.Logf("%s %s at %s: %s: %s", place, r.Bill, r.StartedAt.Format(time.DateTime), r.Cause, r.Note)
		p.stopped[fmt.Sprintf("%s %s", place, r.Cause)] = true
		return
	}
	if r.Waiting > 0 {
		p.w.waitingAfter(r)
	}
}

// waiting expects that something is looked for on later bills than a slot's.
func (p *plan) waiting(t *till, at int) {
	if place := fmt.Sprintf("%s %s", t.id, t.day(at)); !slices.Contains(p.late, place) {
		p.late = append(p.late, place)
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
