package month

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/operations"
	"counterfoil/projections"
	"counterfoil/reports"
	"counterfoil/sandbox/stage"
)

// same holds what was found against what was planted.
func (w *world) same(what string, got, want []string) {
	w.tb.Helper()
	got, want = sorted(got), sorted(want)
	var invented, missed []string
	for len(got) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(got) > 0 && got[0] < want[0]:
			invented, got = append(invented, got[0]), got[1:]
		case len(got) == 0 || want[0] < got[0]:
			missed, want = append(missed, want[0]), want[1:]
		default:
			got, want = got[1:], want[1:]
		}
	}
	if len(invented)+len(missed) > 0 {
		w.tb.Errorf("%s: %d invented, %d missed\ninvented\n  %s\nmissed\n  %s", what, len(invented), len(missed),
			strings.Join(invented[:min(len(invented), 40)], "\n  "), strings.Join(missed[:min(len(missed), 40)], "\n  "))
	}
}

// judge holds the books against the plan and the providers' own.
func (w *world) judge() {
	w.tb.Helper()
	var found, want []string
	for _, d := range w.differences("") {
		found = append(found, fmt.Sprintf("%s %s %s %s %s", d.Channel, d.Day, d.Kind, d.State, d.OrderNo))
	}
	for _, f := range w.plan.rows {
		want = append(want, f.String())
	}
	w.same("differences on bills", found, want)
	w.same("bills that could not be compared", slices.Collect(mapKeys(w.plan.stopped)), w.plan.broken)
	w.same("days that wait for later bills", slices.Collect(mapKeys(w.plan.waits)), w.plan.late)
	w.compared()
	l := w.readLog()
	w.same("differences on payments", l.differs, w.plan.heals)
	w.same("money that is set aside", l.parked, w.plan.aside)
}

func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// differences are those on bills, in a state or all.
func (w *world) differences(state operations.DiscrepancyState) (all []operations.Discrepancy) {
	w.tb.Helper()
	f := operations.DiscrepancyFilter{State: state, Limit: 1000}
	for {
		page, err := w.app.Bills.Discrepancies(w.tb.Context(), f)
		w.do(err)
		for _, d := range page {
			all = append(all, d)
			f.Before = d.Seq
		}
		if len(page) < f.Limit {
			return all
		}
	}
}

// compared sees that there is a complete comparison of each day at each till.
func (w *world) compared() {
	w.tb.Helper()
	for _, t := range w.tills {
		for n := range days {
			d := domain.DayOf(day(n+1), stage.China)
			for _, bill := range w.comparer.BillsOf(t.id) {
				runs, err := w.app.Bills.BillRuns(w.tb.Context(), operations.BillRunFilter{
					Channel: t.id, Bill: bill, From: d, To: d, State: operations.RunComplete, Limit: 10,
				})
				w.do(err)
				if len(runs) == 0 {
					w.tb.Errorf("%s: no %s of %s was ever compared", t.id, bill, d)
					continue
				}
				w.held(runs[0])
			}
		}
	}
}

// held sees that what is off between a bill's balance and our book of it is
// explained to the unit: it was off before, or it moved differently.
func (w *world) held(r operations.BillRun) {
	w.tb.Helper()
	for _, b := range r.Balances {
		moved, err := b.Opening.Add(b.In)
		w.do(err)
		moved, err = moved.Sub(b.Out)
		w.do(err)
		named := b.Before.Minor()
		for _, p := range b.Parts {
			named += p.Bill.Minor() - p.Book.Minor()
		}
		if moved != b.Closing || !b.Held || b.Off().Minor() != named {
			w.tb.Errorf("%s %s: %+v", r.Channel, r.Day, b)
		}
	}
}

// logged is what the log says, read anew from its first event.
type logged struct {
	differs []string
	parked  []string
}

// readLog reads the whole log and sees that each event keeps the rules.
func (w *world) readLog() logged {
	w.tb.Helper()
	var l logged
	for b, err := range w.app.Events.Follow(w.tb.Context(), 0, eventstore.FollowOptions{}) {
		w.do(err)
		for _, r := range b.Events {
			e, err := ledger.Decode(r)
			w.do(err)
			w.policy(r, e.Fact)
			w.tell(r)
			l.add(r, e.Fact)
		}
		if b.CaughtUp {
			break
		}
	}
	return l
}

// tell logs the events of the orders that COUNTERFOIL_MONTH_ORDERS names: for
// whoever looks for a cause.
func (w *world) tell(r eventstore.Recorded) {
	if no := projections.OrderOf(r.Stream); no != "" && slices.Contains(strings.Split(os.Getenv("COUNTERFOIL_MONTH_ORDERS"), ","), no) {
		w.tb.Logf("%s/%d %s %s %s", r.Stream, r.Revision, r.Type, r.Data, r.Meta)
	}
}

func (l *logged) add(r eventstore.Recorded, f domain.Fact) {
	ch, no := channelOf(r.Stream), projections.OrderOf(r.Stream)
	switch f := f.(type) {
	case domain.DiscrepancyFound:
		l.differs = append(l.differs, fmt.Sprintf("%s %s %s", ch, f.Kind, no))
	case domain.PaymentParked:
		if f.Confirmed {
			l.parked = append(l.parked, fmt.Sprintf("%s %s %s", ch, no, f.Amount))
		}
	default:
	}
}

func channelOf(s domain.Stream) string {
	ch, _, _ := strings.Cut(strings.TrimPrefix(string(s), "payment-"), ":")
	return ch
}

// policy: who may move money, event by event. Every fact balances; only what
// the provider said, or two people, moved any.
func (w *world) policy(r eventstore.Recorded, f domain.Fact) {
	if err := domain.CheckPostings(domain.PostingsOf(f)); err != nil {
		w.tb.Errorf("%s/%d: %v", r.Stream, r.Revision, err)
	}
	switch f := f.(type) {
	case domain.PaymentAllocated:
		if f.ProposedBy == "" || f.ApprovedBy == "" || f.ProposedBy == f.ApprovedBy {
			w.tb.Errorf("%s/%d: allocated by %q and %q", r.Stream, r.Revision, f.ProposedBy, f.ApprovedBy)
		}
	case domain.CorrectionIssued:
		if f.Auto && (len(f.Postings) > 0 || f.Kind != domain.MissingCredit) {
			w.tb.Errorf("%s/%d: corrected %s by itself, with %d postings", r.Stream, r.Revision, f.Kind, len(f.Postings))
		}
	default:
	}
}

// closes holds our books against the providers' own, in every currency.
func (w *world) closes() {
	w.tb.Helper()
	books := w.trialBalance()
	fees, changed := sums{}, sums{}
	for id, truth := range w.truth() {
		for c, minor := range truth.changed {
			changed[c] += minor
		}
		for _, c := range truth.currencies() {
			of := func(name string) int64 { return books[name+":"+string(id)][c] }
			for what, pair := range map[string][2]int64{
				"stands at the provider": {of("assets:psp"), truth.stands[c]},
				"dispute fees":           {of("expenses:dispute-fee"), truth.disputeFees[c]},
				"is away for disputes":   {of("assets:disputes"), truth.away[c]},
				"unexplained movements":  {-of("suspense"), truth.moved[c]},
			} {
				if pair[0] != pair[1] {
					w.tb.Errorf("%s: %s: our books have %s, the provider's %s", id, what, domain.NewMoney(pair[0], c), domain.NewMoney(pair[1], c))
				}
			}
			fees[c] += truth.fees[c]
			fees[c] -= of("expenses:fee")
		}
	}
	if len(changed) == 0 {
		w.tb.Error("nothing was changed into another currency")
	}
	w.sameSums("stands between the currencies", books[domain.BookConversion], changed)
	for c, off := range fees { // what each payment's fee was rounded by is no till's
		if rest := books[domain.BookFeeRounding][c]; rest != off {
			w.tb.Errorf("fees: our books have %s less than the providers', and %s for rounding", domain.NewMoney(off, c), domain.NewMoney(rest, c))
		}
	}
	for c, minor := range books[domain.BookParked] {
		if minor != 0 {
			w.tb.Errorf("%s is still set aside", domain.NewMoney(minor, c))
		}
	}
}

// sameSums holds what our books have of something against the providers' own.
func (w *world) sameSums(what string, ours, theirs sums) {
	w.tb.Helper()
	for _, all := range []sums{ours, theirs} {
		for c := range all {
			if ours[c] != theirs[c] {
				w.tb.Errorf("%s: our books have %s, the providers' %s", what, domain.NewMoney(ours[c], c), domain.NewMoney(theirs[c], c))
			}
		}
	}
}

// trialBalance is every book's sum; all of them together are nothing.
func (w *world) trialBalance() map[string]sums {
	w.tb.Helper()
	raw, err := w.app.Rows.TrialBalance(w.tb.Context())
	w.do(err)
	out, all := map[string]sums{}, sums{}
	for name, ms := range raw {
		out[name] = sums{}
		for _, m := range ms {
			out[name].add(m)
			all.add(m)
		}
	}
	for c, minor := range all {
		if minor != 0 {
			w.tb.Errorf("the books do not balance: %s", domain.NewMoney(minor, c))
		}
	}
	return out
}

// waitingAfter notes the days of what is looked for on later bills than a run's.
func (w *world) waitingAfter(r operations.BillRun) {
	w.tb.Helper()
	rows, err := w.app.Bills.Carried(w.tb.Context(), r.Channel, r.Bill, r.Day.Add(1))
	w.do(err)
	for _, c := range rows {
		if c.Line.Since != "" {
			w.plan.waits[fmt.Sprintf("%s %s", r.Channel, c.Line.Since)] = true
		}
	}
}

// monthReport is what is held against the plan of the month's report.
type monthReport struct {
	Closed struct {
		ProposedBy string `json:"proposed_by"`
		ApprovedBy string `json:"approved_by"`
	} `json:"closed"`
	Runs []struct {
		Channel domain.ChannelID       `json:"channel"`
		Bill    string                 `json:"bill"`
		Newest  bool                   `json:"newest"`
		Totals  []domain.ComparedTotal `json:"totals"`
	} `json:"runs"`
	Differences []struct {
		Channel domain.ChannelID       `json:"channel"`
		Day     domain.Day             `json:"day"`
		Kind    domain.DiscrepancyKind `json:"kind"`
		OrderNo string                 `json:"order_no"`
	} `json:"differences"`
	Exchanges []reports.Exchange `json:"exchanges"`
	Books     []reports.Book     `json:"books"`
}

// reported holds the month's report against the plan and the providers' books:
// what differed, and what was paid by the bills.
func (w *world) reported(r monthReport) {
	w.tb.Helper()
	if r.Closed.ProposedBy != "anna" || r.Closed.ApprovedBy != "ben" {
		w.tb.Errorf("closed: %+v", r.Closed)
	}
	inMonth := func(d domain.Day) bool { return strings.HasPrefix(string(d), "2026-10") }
	var found, want []string
	for _, d := range r.Differences {
		found = append(found, fmt.Sprintf("%s %s %s", d.Channel, d.Kind, d.OrderNo))
	}
	for _, f := range w.plan.rows {
		if inMonth(f.day) {
			want = append(want, fmt.Sprintf("%s %s %s", f.till.id, f.kind, f.order))
		}
	}
	want = append(want, w.plan.heals...)
	w.same("differences in the report", found, want)
	w.exchanged(r)
	w.tried(r)
	paid := map[string]int64{}
	for _, run := range r.Runs {
		if !run.Newest || run.Bill != w.comparer.BillsOf(run.Channel)[0] || run.Bill == "answers" {
			continue
		}
		for _, t := range run.Totals {
			paid[fmt.Sprint(run.Channel, " ", t.TheirPayments.Currency())] += t.TheirPayments.Minor()
		}
	}
	for name, minor := range w.paidIn(inMonth) {
		if paid[name] != minor {
			w.tb.Errorf("paid in the month at %s: %d by the report, %d by the provider", name, paid[name], minor)
		}
	}
}

// paidIn adds up the payments of some days by the providers' books, where they
// make bills.
func (w *world) paidIn(fits func(domain.Day) bool) map[string]int64 {
	out := map[string]int64{}
	for _, b := range w.box.Truth() {
		for _, t := range w.tills {
			if t.isEpay() || t.face.Name() != b.Face || t.merchant != b.Merchant {
				continue
			}
			for _, p := range b.Payments {
				if fits(domain.DayOf(p.PaidAt, t.zone)) {
					out[fmt.Sprint(t.id, " ", p.Amount.Currency())] += p.Amount.Minor()
				}
			}
		}
	}
	return out
}

// exchanged: what the report says was changed is what the provider changed, and
// what stands between the currencies.
func (w *world) exchanged(r monthReport) {
	w.tb.Helper()
	told, theirs := sums{}, sums{}
	for _, x := range r.Exchanges {
		told.add(x.From)
		told.add(x.To.Neg())
	}
	for _, truth := range w.truth() {
		for c, minor := range truth.changed {
			theirs[c] += minor
		}
	}
	w.sameSums("changed by the report", told, theirs)
}

// tried: the payment that tries a channel stands beside the wallets.
func (w *world) tried(r monthReport) {
	w.tb.Helper()
	for _, b := range r.Books {
		if b.Book == reports.BookTestWallet {
			if b.Closing != w.plan.trial.amount.Neg() {
				w.tb.Errorf("the test account has %s, paid were %s", b.Closing, w.plan.trial.amount)
			}
			return
		}
	}
	w.tb.Errorf("no test account among %d books", len(r.Books))
}

// reread: a month's report made from its part of the log is the one that all of
// it gives.
func (w *world) reread() {
	w.tb.Helper()
	w.fold()
	whole := reports.Source{Log: w.app.Events, Bills: w.app.Bills, Zone: stage.China}
	part := whole
	part.Index = w.app.Rows
	for _, month := range []string{"2026-09", "2026-10", "2026-11"} {
		for _, ch := range []domain.ChannelID{"", "card", "wx2"} {
			q := reports.Query{Period: month, Channel: ch, Format: reports.FormatJSON}
			scope, err := whole.Scope(w.tb.Context(), q)
			w.do(err)
			var a, b bytes.Buffer
			w.do(whole.Write(w.tb.Context(), q, scope, &a))
			w.do(part.Write(w.tb.Context(), q, scope, &b))
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				w.tb.Errorf("%s differs when it is made from its part of the log: %d bytes, %d from all of it", q.FileName(), b.Len(), a.Len())
			}
		}
	}
}
