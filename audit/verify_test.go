package audit_test

import (
	"database/sql"
	"strings"
	"testing"

	"counterfoil/audit"
	"counterfoil/domain"
	"counterfoil/eventstore"
)

func TestHealthyBooksPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.live()
	rep := w.verify()
	if !rep.OK() || !rep.Complete() {
		t.Fatalf("findings %+v\nevidence %+v", rep.Findings, rep.Evidence)
	}
	if rep.Events < 60 || rep.Position != rep.Head || rep.Evidence.Verified != rep.Evidence.Kept || rep.Evidence.Kept < 40 {
		t.Errorf("%+v", rep)
	}
	if !rep.Rows.Compared || rep.Rows.Wallets != 5 || rep.Rows.Behind != 0 || rep.Rows.Duplicates != 1 {
		t.Errorf("rows %+v", rep.Rows)
	}
	money := map[domain.Grade]string{}
	for _, g := range rep.Grades {
		for _, m := range g.Money {
			money[g.Grade] += m.String()
		}
	}
	want := map[domain.Grade]string{"A": "10.00 CNY", "B": "24.60 CNY", "C": "105.00 CNY"}
	for g, m := range want {
		if money[g] != m {
			t.Errorf("grade %s: %s, want %s", g, money[g], m)
		}
	}
	for _, b := range rep.Books {
		if b.Book == domain.BookWallet && !strings.HasPrefix(b.Total.String(), "-") {
			t.Errorf("wallets %s", b.Total)
		}
	}
	for _, c := range audit.Checks() {
		if c != audit.CheckRows && rep.Checks[c].Checked == 0 {
			t.Errorf("%s was not checked", c)
		}
	}
}

// Each way to tamper is found, with the place named. The hand that tampers
// knows the software: it restores triggers and computes leaf hashes anew.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	base := newWorld(t)
	base.live()
	base.fill(1200) // opening checks the end of the log: what is tampered with lies before that
	base.close()
	const a1 = "payment-epay-a:A1"
	for name, c := range map[string]struct {
		tamper func(t *testing.T, w *world, log *sql.DB) (position int64)
		check  audit.Check
		says   string
	}{
		"amount and account of a credit": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentCredited, a1)
			r.data = replaced(t, r.data, `"7.30"`, `"97.30"`)
			r.data = replaced(t, r.data, `"-7.30"`, `"-97.30"`)
			rewrite(t, log, r)
			return r.position
		}, audit.CheckDecisions, "97.30"},
		"account of a placing": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentPlaced, a1)
			r.data = replaced(t, r.data, "user:1", "user:9")
			rewrite(t, log, r)
			return find(t, log, domain.TypePaymentCredited, a1).position
		}, audit.CheckDecisions, "user:9"},
		"amount of a notice": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentNotified, "payment-epay-c:C1")
			r.data = replaced(t, r.data, "0.01", "1.01")
			rewrite(t, log, r)
			return r.position
		}, audit.CheckEvidence, "1.01"},
		"time of receipt": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentNotified, "payment-epay-a:A3")
			r.data = replaced(t, r.data, `"received_at":"2026-11-22`, `"received_at":"2026-11-20`)
			rewrite(t, log, r)
			return r.position
		}, audit.CheckEvidence, "was complete at"},
		"actor of a notice": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentNotified, a1)
			r.meta = replaced(t, r.meta, "channel:epay-a", "channel:epay-b")
			rewrite(t, log, r)
			return r.position
		}, audit.CheckIdentity, "channel:epay-b"},
		"time of a credit": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentCredited, a1)
			r.meta = replaced(t, r.meta, "2026-11-22T", "2026-11-21T")
			rewrite(t, log, r)
			return r.position
		}, audit.CheckDecisions, "its meta is another"},
		"time of a placing": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentPlaced, a1)
			r.meta = replaced(t, r.meta, "2026-11-22T", "2026-11-21T")
			rewrite(t, log, r)
			return r.position
		}, audit.CheckDecisions, "placed_at"},
		"settings of a channel": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypeChannelConfigured, "channel-epay-a")
			r.data = replaced(t, r.data, `"confirm":"never"`, `"confirm":"always"`)
			rewrite(t, log, r)
			return find(t, log, domain.TypePaymentNotified, a1).position
		}, audit.CheckDecisions, "held"},
		"evidence of another event": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			mine, other := find(t, log, domain.TypePaymentNotified, a1), find(t, log, domain.TypePaymentNotified, "payment-epay-c:C1")
			mine.sealed, mine.hash = other.sealed, other.hash
			rewrite(t, log, mine)
			return mine.position
		}, audit.CheckEvidence, "does not open"},
		"no evidence": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentNotified, a1)
			r.sealed, r.hash = nil, nil
			rewrite(t, log, r)
			return r.position
		}, audit.CheckEvidence, "without its evidence"},
		"stream of an event": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentPlaced, "payment-epay-a:A2")
			r.stream = "payment-epay-a:A9"
			rewrite(t, log, r)
			return r.position
		}, audit.CheckIdentity, "payment-epay-a:A2"},
		"type of an event": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentClosed, "payment-epay-a:A4")
			r.typ = "payment.closed.v9"
			rewrite(t, log, r)
			return r.position
		}, audit.CheckBytes, "payment.closed.v9"},
		"credit taken out": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentCredited, "payment-epay-c:C1")
			unguarded(t, log, func() { exec(t, log, "DELETE FROM events WHERE position = ?", r.position) })
			return r.position - 1 // the notice that leads to it
		}, audit.CheckDecisions, "the stream ends without it"},
		"event taken out of a stream": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			r := find(t, log, domain.TypePaymentNotified, "payment-epay-b:B1")
			unguarded(t, log, func() {
				exec(t, log, "DELETE FROM evidence WHERE position = ?", r.position)
				exec(t, log, "DELETE FROM events WHERE position = ?", r.position)
			})
			return r.position + 1
		}, audit.CheckSequence, "revision 2 stands where 1 belongs"},
		"end of the log": {func(t *testing.T, _ *world, log *sql.DB) int64 {
			var last int64
			must(t, log.QueryRow("SELECT max(position) FROM events").Scan(&last))
			unguarded(t, log, func() {
				exec(t, log, "DELETE FROM evidence WHERE position >= ?", last-1)
				exec(t, log, "DELETE FROM events WHERE position >= ?", last-1)
			})
			return last
		}, audit.CheckBalances, "events are missing"},
		"a balance in the projections": {func(t *testing.T, w *world, _ *sql.DB) int64 {
			exec(t, raw(t, w.file("projections.db")),
				"UPDATE entries SET after = after - 100 WHERE ledger = (SELECT id FROM ledgers WHERE wallet = 'user:2')")
			return 0
		}, audit.CheckBalances, "account user:2: the log gives 5.00 CNY, its entries end with 6.00 CNY"},
		"a forged credit": {func(t *testing.T, w *world, _ *sql.DB) int64 {
			w.open()
			defer w.close()
			return w.forge("payment-epay-a:A3", 3)
		}, audit.CheckDecisions, "no notice or decision before it leads to this payment.credited.v1"},
		"a notice with a signature that does not hold": {func(t *testing.T, w *world, _ *sql.DB) int64 {
			w.open()
			defer w.close()
			w.configure()
			w.place(signed, "F1", "user:6", "500.00")
			read := w.read(signed, "F1", "T99", "500.00")
			read.Evidence.Target = strings.Replace(read.Evidence.Target, "points", "points!", 1)
			w.notify(read.Notices[0], read.Evidence, nil, domain.OutcomeCredited)
			head, err := w.events.Head(t.Context())
			must(t, err)
			return int64(head) - 1
		}, audit.CheckEvidence, "does not verify"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := base.copy(t)
			log := raw(t, w.file("events.db"))
			position := c.tamper(t, w, log)
			must(t, log.Close())
			w.open()
			rep := w.verify()
			if rep.OK() {
				t.Fatal("nothing was found")
			}
			for _, f := range rep.Findings {
				if f.Position == eventstore.Position(position) && f.Check == c.check && strings.Contains(f.Text, c.says) {
					return
				}
			}
			t.Errorf("want %s at %d with %q, found %+v", c.check, position, c.says, rep.Findings)
		})
	}
}
