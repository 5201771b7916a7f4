package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore/memory"
)

func spends(no domain.DrawNo, account domain.AccountID, fen int64) domain.DrawAsk {
	return domain.DrawAsk{Number: no, Account: account, Amount: domain.NewMoney(fen, domain.CNY)}
}

// TestDrawAtOnce: of processes that hear of one draw at once, and of others
// under its number, one books it, and all who said the same are told the same.
func TestDrawAtOnce(t *testing.T) {
	w := parallel(t)
	ledgers := []*Ledger{w.process(t), w.process(t)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	booked := 0
	said := map[domain.AccountID][]Drawn{}
	for i := range 16 {
		account := []domain.AccountID{alice, "user:eve"}[i/2%2]
		wg.Go(func() {
			d, existed, err := ledgers[i%2].Draw(context.Background(), spends("log-1", account, 35), desk)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case domain.KindOf(err) == domain.KindConflict && domain.FieldOf(err) == "account":
			case err != nil:
				t.Errorf("draw: %v", err)
			default:
				said[account] = append(said[account], d)
				if !existed {
					booked++
				}
			}
		})
	}
	wg.Wait()
	log := checkLog(t, w)
	if n := log.count("draw-log-1", domain.TypeAccountDrawn); booked != 1 || n != 1 || len(said) != 1 {
		t.Errorf("%d were told it was booked, %d events, answers to %d accounts: want one each", booked, n, len(said))
	}
	for account, answers := range said {
		for _, d := range answers {
			if d.Drawn.Account != account || d.Position != answers[0].Position || d.Drawn.Dates != answers[0].Drawn.Dates {
				t.Errorf("told %+v at %s, others %+v", d.Drawn, d.Position, answers[0].Drawn)
			}
		}
		if len(answers) != 8 {
			t.Errorf("%d of 8 got an answer", len(answers))
		}
	}
}

// TestDrawNeedsZone: a draw belongs to no channel, so nobody guesses its day.
func TestDrawNeedsZone(t *testing.T) {
	w := parallel(t)
	cfg := w.config()
	cfg.Zone = nil
	l, err := Open(context.Background(), w.log, w.keys, cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = l.Draw(context.Background(), spends("log-1", alice, 35), desk)
	wantKind(t, err, domain.KindUnavailable)
}

// TestAnyDraws: whatever order reports, repeats and reversals come in, through
// two processes whose appends fail in every way, each draw counts once and each
// reversal takes one back: the wallets are what was acknowledged, and what was
// not becomes so when it is repeated.
func TestAnyDraws(t *testing.T) {
	t.Parallel()
	accounts := []domain.AccountID{alice, "user:bob"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		processes := []*Ledger{w.process(t), w.process(t)}
		credited := int64(0)
		for i := range rapid.IntRange(0, 2).Draw(t, "credits") {
			no := fmt.Sprintf("A%d", i)
			w.place(t, processes[0], order(no))
			must(t, processes[0], w.callback(i, main, no, "T"+no, ten), domain.OutcomeCredited)
			credited += ten.Minor()
		}
		amounts := map[domain.DrawNo]int64{}
		for i := range 5 {
			amounts[domain.DrawNo(fmt.Sprintf("log-%d", i))] = rapid.Int64Range(1, 2000).Draw(t, "fen")
		}
		numbers := rapid.SampledFrom([]domain.DrawNo{"log-0", "log-1", "log-2", "log-3", "log-4"})
		drawn, reversed := map[domain.DrawNo]bool{}, map[domain.DrawNo]bool{}
		ask := func(no domain.DrawNo) domain.DrawAsk {
			return spends(no, accounts[int(no[4]-'0')%2], amounts[no])
		}
		until := func(do func(l *Ledger) error) {
			for range 8 {
				if err := do(rapid.SampledFrom(processes).Draw(t, "process")); err == nil {
					return
				} else if k := domain.KindOf(err); k != domain.KindUnavailable && k != domain.KindUnknown {
					t.Fatal(err)
				}
			}
			t.Fatal("it never came through")
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			no := numbers.Draw(t, "number")
			if rapid.Bool().Draw(t, "fails") {
				w.log.Next(rapid.SampledFrom([]memory.Fault{memory.Unavailable, memory.Lost, memory.Written}).Draw(t, "fault"))
			}
			if !drawn[no] || rapid.Bool().Draw(t, "again") {
				until(func(l *Ledger) error { _, _, err := l.Draw(context.Background(), ask(no), desk); return err })
				drawn[no] = true
				continue
			}
			until(func(l *Ledger) error {
				_, _, err := l.ReverseDraw(context.Background(), ask(no).Account, no, "why", desk)
				return err
			})
			reversed[no] = true
		}
		w.log.Next()
		want := map[domain.AccountID]int64{alice: credited}
		for no := range drawn {
			if !reversed[no] {
				want[ask(no).Account] -= amounts[no]
			}
		}
		checkWallets(t, checkLog(t, w), want)
	})
}

// checkWallets asserts what the postings of a log come to, wallet by wallet,
// and that all of them come to nothing.
func checkWallets(t failer, h history, want map[domain.AccountID]int64) {
	t.Helper()
	got, all := map[domain.AccountID]int64{}, int64(0)
	for _, events := range h.streams {
		for _, e := range events {
			for _, p := range domain.PostingsOf(e.Fact) {
				all += p.Amount.Minor()
				if p.Wallet != "" {
					got[p.Wallet] -= p.Amount.Minor()
				}
			}
		}
	}
	if all != 0 {
		t.Errorf("the postings come to %d", all)
	}
	for account := range got {
		if got[account] != want[account] {
			t.Errorf("%s has %d, want %d", account, got[account], want[account])
		}
	}
	for account := range want {
		if got[account] != want[account] {
			t.Errorf("%s has %d, want %d", account, got[account], want[account])
		}
	}
}

// TestDrawsZoneEndsTheMonth: a month is closed when it is over where draws are
// dated, too.
func TestDrawsZoneEndsTheMonth(t *testing.T) {
	w := parallel(t)
	cfg := w.config()
	var err error
	if cfg.Zone, err = time.LoadLocation("America/Los_Angeles"); err != nil {
		t.Fatal(err)
	}
	l, err := Open(context.Background(), w.log, w.keys, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Configure(context.Background(), settings(main, domain.ConfirmNever), By{Actor: "system", Cause: "config"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Draw(context.Background(), spends("log-1", alice, 35), desk); err != nil {
		t.Fatal(err)
	}
	w.clock.add(time.Date(2026, 4, 1, 6, 0, 0, 0, time.UTC).Sub(noon)) // March in Los Angeles, April in Shanghai
	wantKind(t, w.propose(t, l, "2026-03", "li"), domain.KindConflict)
	w.clock.add(time.Hour)
	if err := w.propose(t, l, "2026-03", "li"); err != nil {
		t.Error(err)
	}
}
