package domain_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// world is one order and everything that may happen to it, in any order: the
// log of its stream, kept as a store keeps it, and every fold ever taken.
type world struct {
	now     time.Time
	confirm domain.ConfirmMode
	narrow  *narrow // nil: notices of all kinds
	made    uint32  // deliveries so far

	log    []domain.Fact
	stored []record
	folds  []domain.Payment // folds[i] is the payment after i facts, kept as it was made
	tries  []try

	checked int // tries an invariant has looked at
}

// record is a fact as it is stored.
type record struct {
	typ  string
	data []byte
}

// try is one command and what came of it.
type try struct {
	notice  domain.Notice // zero Delivery: another command
	verdict domain.Verdict
	confirm domain.ConfirmMode
	from    int // facts before it
}

// command decides on a fold.
type command func(p domain.Payment, c domain.Context) domain.Verdict

// invariant is what holds after every try.
type invariant func(t *rapid.T, w *world)

// live plays random lives of an order and checks an invariant after each step.
func live(t *testing.T, holds invariant) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{now: noon, confirm: domain.ConfirmNever, folds: make([]domain.Payment, 1)}
		if rapid.Bool().Draw(t, "narrow") {
			w.narrowed(t)
		}
		if rapid.IntRange(0, 3).Draw(t, "placed first") > 0 { // as most orders are
			w.place(t)
		}
		actions := w.actions()
		actions[""] = func(t *rapid.T) {
			holds(t, w)
			if w.narrow != nil && len(w.fresh()) > 0 {
				w.narrow.hold(t, w)
			}
			w.checked = len(w.tries)
		}
		t.Repeat(actions)
	})
}

// actions are what may happen to the order. In a narrow life that is little else
// than messages and what people correct between them.
func (w *world) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){
		"callback": func(t *rapid.T) { w.notify(t, w.draw(t, domain.SourceCallback)) },
		"query":    func(t *rapid.T) { w.notify(t, w.draw(t, domain.SourceQuery)) },
		"again":    w.again,
		"place":    w.place,
		"correct":  w.correct,
	}
	if w.narrow != nil {
		all["another callback"], all["another query"] = all["callback"], all["query"]
		all["another correction"] = w.correct
		return all
	}
	all["flood"], all["race"], all["expire"], all["cancel"] = w.flood, w.race, w.expire, w.cancel
	all["propose"], all["decide"], all["wait"], all["confirm"] = w.propose, w.decide, w.wait, w.configure
	return all
}

// context is what a decision rests on now; callbacks up to 5.00 CNY need no
// confirmation where the channel confirms those above a limit.
func (w *world) context() domain.Context {
	c := at(w.now, w.confirm)
	c.Channel.ConfirmAbove = five
	return c
}

func (w *world) fold() domain.Payment { return w.folds[len(w.folds)-1] }

// attempt decides as the ledger does: perhaps on a fold that is behind, whose
// facts the store refuses, then again on the newest one.
func (w *world) attempt(t *rapid.T, n domain.Notice, decide command) {
	c := w.context()
	for {
		seen := rapid.IntRange(max(0, len(w.log)-4), len(w.log)).Draw(t, "decided at")
		v := decide(w.folds[seen], c)
		if len(v.Facts) > 0 && seen != len(w.log) {
			continue // conflict: reload, decide again
		}
		if len(v.Facts) == 0 && seen != len(w.log) {
			v = decide(w.fold(), c)
		}
		w.append(t, try{notice: n, verdict: v})
		return
	}
}

// append stores the facts and folds what is read back.
func (w *world) append(t *rapid.T, x try) {
	x.confirm, x.from = w.confirm, len(w.log)
	w.tries = append(w.tries, x)
	for _, f := range x.verdict.Facts {
		typ, data, err := domain.EncodeFact(f)
		if err != nil {
			t.Fatalf("encode %s: %v", f.FactType(), err)
		}
		w.log, w.stored = append(w.log, f), append(w.stored, record{typ, data})
		w.folds = append(w.folds, w.fold().Apply(f))
	}
}

// draw is a notice with a content of its own.
func (w *world) draw(t *rapid.T, s domain.Source) domain.Notice {
	n := callback(0, rapid.SampledFrom([]string{"T1", "T1", "T2", "T3", ""}).Draw(t, "trade"),
		rapid.SampledFrom([]domain.Money{
			ten, ten, ten, five, domain.NewMoney(1000, domain.USD), domain.NewMoney(0, domain.CNY), {},
		}).Draw(t, "amount"))
	n.Source, n.Delivery = s, w.delivery()
	n.ReceivedAt = w.now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Nanosecond, -time.Hour}).Draw(t, "received"))
	n.Status = rapid.SampledFrom([]domain.Status{
		domain.StatusPaid, domain.StatusPaid, domain.StatusPaid, domain.StatusPaid, domain.StatusWaiting,
		domain.StatusClosed, domain.StatusFailed, domain.StatusRefunded, domain.StatusFrozen, domain.StatusOther,
	}).Draw(t, "status")
	if rapid.IntRange(0, 4).Draw(t, "doubt") == 0 {
		n.Doubts = []domain.Doubt{domain.DoubtUnknownFields}
	}
	if rapid.Bool().Draw(t, "dated") {
		n.OccurredAt = w.now.Add(-time.Minute)
	}
	if s == domain.SourceQuery {
		n.Run = "run-1"
	}
	n.Account = rapid.SampledFrom([]domain.AccountID{"", "", alice, bob}).Draw(t, "account")
	if w.narrow != nil {
		return w.narrow.draw(t, n)
	}
	if rapid.IntRange(0, 2).Draw(t, "about") > 0 {
		return n
	}
	return drawAfter(t, n)
}

func (w *world) delivery() (id domain.ID) {
	w.made++
	binary.BigEndian.PutUint32(id[12:], w.made)
	return id
}

func (w *world) notify(t *rapid.T, n domain.Notice) {
	w.attempt(t, n, func(p domain.Payment, c domain.Context) domain.Verdict {
		return notify(p, c, n)
	})
}

// earlier is a notice that came before, with another delivery id.
func (w *world) earlier(t *rapid.T) domain.Notice {
	var before []domain.Notice
	for _, x := range w.tries {
		if !x.notice.Delivery.IsZero() {
			before = append(before, x.notice)
		}
	}
	if len(before) == 0 {
		t.Skip("nothing came yet")
	}
	n := rapid.SampledFrom(before).Draw(t, "again")
	n.Delivery, n.ReceivedAt = w.delivery(), w.now
	return n
}

func (w *world) again(t *rapid.T) { w.notify(t, w.earlier(t)) }

// flood is one notice over and over, as a provider does that hears no success.
func (w *world) flood(t *rapid.T) {
	n := w.earlier(t)
	for range domain.MaxEqualNotices + 2 {
		n.Delivery = w.delivery()
		w.append(t, try{notice: n, verdict: notify(w.fold(), w.context(), n)})
	}
}

// race is one notice that reaches two processes at once: both decide on the
// same fold, the later one is refused by the store and decides again.
func (w *world) race(t *rapid.T) {
	a, b := w.draw(t, domain.SourceCallback), w.draw(t, domain.SourceQuery)
	if rapid.Bool().Draw(t, "same content") {
		a.TradeNo, a.Amount, a.Status, a.About = b.TradeNo, b.Amount, b.Status, b.About
		a.RefundID, a.RefundNo, a.Total, a.DisputeID, a.Fee = b.RefundID, b.RefundNo, b.Total, b.DisputeID, b.Fee
	}
	p, c := w.fold(), w.context()
	first, second := notify(p, c, a), notify(p, c, b)
	w.append(t, try{notice: a, verdict: first})
	if len(first.Facts) > 0 {
		second = notify(w.fold(), c, b)
	}
	w.append(t, try{notice: b, verdict: second})
}

func (w *world) place(t *rapid.T) {
	o := order()
	o.ExpiresAt = w.now.Add(30 * time.Minute)
	o.Amount = rapid.SampledFrom([]domain.Money{ten, ten, five}).Draw(t, "amount")
	o.Account = rapid.SampledFrom([]domain.AccountID{alice, alice, bob}).Draw(t, "account")
	w.attempt(t, domain.Notice{}, func(p domain.Payment, c domain.Context) domain.Verdict {
		fs, err := p.Place(c, o)
		if err != nil && (len(fs) > 0 || domain.KindOf(err) != domain.KindConflict) {
			t.Fatalf("placing ends in %v and %v", err, fs)
		}
		return domain.Verdict{Facts: fs}
	})
}

func (w *world) expire(t *rapid.T) {
	w.attempt(t, domain.Notice{}, func(p domain.Payment, c domain.Context) domain.Verdict {
		return domain.Verdict{Facts: p.Expire(c)}
	})
}

func (w *world) cancel(t *rapid.T) {
	w.attempt(t, domain.Notice{}, func(p domain.Payment, _ domain.Context) domain.Verdict {
		fs, err := p.Cancel("buyer changed his mind")
		if err != nil && len(fs) > 0 {
			t.Fatalf("cancelling ends in %v and %v", err, fs)
		}
		return domain.Verdict{Facts: fs}
	})
}

// propose lets a person ask for some correction.
func (w *world) propose(t *rapid.T) {
	q := domain.Correction{
		Action:  rapid.SampledFrom(domain.Actions()).Draw(t, "action"),
		TradeNo: rapid.SampledFrom([]string{"T1", "T1", "T2", "T3", ""}).Draw(t, "trade"),
		Account: rapid.SampledFrom([]domain.AccountID{alice, bob, ""}).Draw(t, "account"),
		Amount:  rapid.SampledFrom([]domain.Money{ten, ten, five, {}}).Draw(t, "credited"), Reason: "ticket 12", By: rapid.SampledFrom(people).Draw(t, "proposed by"),
	}
	w.attempt(t, domain.Notice{}, func(p domain.Payment, c domain.Context) domain.Verdict {
		_, fs, err := p.Propose(c, q, domain.Spent{})
		if err != nil && len(fs) > 0 {
			t.Fatalf("proposing ends in %v and %v", err, fs)
		}
		return domain.Verdict{Facts: fs}
	})
}

var people = []string{"li", "wang", ""}

// decide lets a person approve or reject some proposal.
func (w *world) decide(t *rapid.T) {
	all := of[domain.CorrectionProposed](w.log)
	if len(all) == 0 {
		t.Skip("nothing was proposed")
	}
	id, by := rapid.SampledFrom(all).Draw(t, "proposal").Proposal, rapid.SampledFrom(people).Draw(t, "decided by")
	yes := rapid.IntRange(0, 3).Draw(t, "yes") > 0
	w.attempt(t, domain.Notice{}, func(p domain.Payment, c domain.Context) domain.Verdict {
		fs, err := p.Reject(id, by, "no receipt")
		if yes {
			fs, err = p.Approve(c, id, by, "", domain.Spent{})
		}
		if err != nil && len(fs) > 0 {
			t.Fatalf("deciding ends in %v and %v", err, fs)
		}
		return domain.Verdict{Facts: fs}
	})
}

// correct lets two persons do what the books allow.
func (w *world) correct(t *rapid.T) {
	q := domain.Correction{
		Action:  rapid.SampledFrom(domain.Actions()).Draw(t, "action"),
		TradeNo: rapid.SampledFrom([]string{"T1", "T1", "T2"}).Draw(t, "trade"),
		Account: rapid.SampledFrom([]domain.AccountID{alice, bob, ""}).Draw(t, "account"), Reason: "ticket 13", By: "li",
	}
	if q.Action == domain.ActionReverse || q.Action == domain.ActionWriteOff {
		q.Account = ""
	}
	proposal, fs, err := w.fold().Propose(w.context(), q, domain.Spent{})
	if err != nil {
		t.Skip("the books do not allow it")
	}
	w.append(t, try{verdict: domain.Verdict{Facts: fs}})
	if fs, err = w.fold().Approve(w.context(), proposal.ID(), "wang", "", domain.Spent{}); err == nil {
		w.append(t, try{verdict: domain.Verdict{Facts: fs}})
	}
}

func (w *world) wait(t *rapid.T) {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{
		time.Second, 14 * time.Minute, 16 * time.Minute, 2 * time.Hour,
	}).Draw(t, "wait"))
}

func (w *world) configure(t *rapid.T) {
	w.confirm = rapid.SampledFrom([]domain.ConfirmMode{
		domain.ConfirmNever, domain.ConfirmAbove, domain.ConfirmAlways,
	}).Draw(t, "confirm")
}

// fresh are the tries that no invariant has looked at.
func (w *world) fresh() []try { return w.tries[w.checked:] }

// before is the number of facts before the fresh tries.
func (w *world) before() int {
	if len(w.fresh()) == 0 {
		return len(w.log)
	}
	return w.fresh()[0].from
}

// of are the facts of one type.
func of[F domain.Fact](fs []domain.Fact) (out []F) {
	for _, f := range fs {
		if f, ok := f.(F); ok {
			out = append(out, f)
		}
	}
	return out
}

// sums adds money up by a name.
type sums map[string]*domain.Totals

func (s sums) add(t *rapid.T, name string, m domain.Money) {
	if s[name] == nil {
		s[name] = &domain.Totals{}
	}
	if err := s[name].Add(m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// of is the total of a name in a currency.
func (s sums) of(name string, c domain.Currency) domain.Money {
	if s[name] == nil {
		return domain.NewMoney(0, c)
	}
	return s[name].Of(c)
}

// names are all names of some sums, sorted.
func names(all ...sums) (out []string) {
	for _, s := range all {
		for name := range s {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
