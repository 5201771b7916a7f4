package sandbox

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// bank is a toy that holds a balance.
type bank struct {
	*toy
	payouts []stage.PayoutOrder
	moves   []stage.MoveOrder
}

func (b *bank) Name() string { return "bank" }

func (b *bank) Payout(in stage.PayoutOrder) (stage.Payout, error) {
	b.payouts = append(b.payouts, in)
	return stage.Payout{ID: "P1"}, nil
}

func (b *bank) Move(in stage.MoveOrder) (stage.Move, error) {
	b.moves = append(b.moves, in)
	if in.Amount.IsZero() {
		return stage.Move{}, domain.EField(domain.KindInvalid, "amount", "is nothing")
	}
	return stage.Move{ID: "M1"}, nil
}

func (b *bank) Books() []stage.MerchantBooks {
	books := b.toy.Books()
	books[0].Balance = []domain.Money{domain.NewMoney(55, domain.USD), domain.NewMoney(7, domain.JPY)}
	early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_060, 0)
	for range b.payouts {
		books[0].Payouts = append(books[0].Payouts, stage.Payout{ID: "P1", State: "sent", Failed: true, Amount: domain.NewMoney(100, domain.USD), At: early})
	}
	for _, m := range b.moves {
		books[0].Moves = append(books[0].Moves, stage.Move{ID: "M1", Word: m.Word, Amount: m.Amount, At: late})
	}
	return books
}

// TestBalanceOfAFace: payouts and movements by JSON and by buttons, on the page
// and in the truth; who holds no balance says so.
func TestBalanceOfAFace(t *testing.T) {
	t.Parallel()
	withToy(t, func(t *testing.T, s *Sandbox, face *toy, _ *shop) {
		b := &bank{toy: face}
		if err := s.Mount(b); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ target, body, want string }{
			{"/sandbox/faces/bank/payouts", `{"pid":"t1","amount":{"amount":"1.00","currency":"USD"},"fails":true}`, `"payout_id": "P1"`},
			{"/sandbox/faces/bank/moves", `{"pid":"t1","amount":{"amount":"-1.00","currency":"USD"},"word":"levy"}`, `"move_id": "M1"`},
			{"/sandbox/faces/bank/moves", `{"pid":"t1"}`, `"field": "amount"`},
			{"/sandbox/faces/toy/payouts", `{}`, `"kind": "conflict"`},
			{"/sandbox/faces/toy/moves", `{}`, `"kind": "conflict"`},
		} {
			if _, body := ask(t, s, "POST", c.target, c.body); !strings.Contains(body, c.want) {
				t.Errorf("%s %s: %s lacks %s", c.target, c.body, body, c.want)
			}
		}
		for form, want := range map[string]string{
			"do=payout&pid=t1&currency=USD": "ok", "do=payout_fails&pid=t1&currency=USD&amount=2.00": "ok",
			"do=move_in&pid=t1&currency=USD&amount=3.00&word=gift": "ok", "do=move_out&pid=t1&currency=USD&amount=4.00": "ok",
			"do=payout&pid=t1&currency=USD&amount=x": "amount",
		} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("POST", "/sandbox/bank/do", strings.NewReader(form)))
			if note := w.Header().Get("Location"); !strings.Contains(note, want) {
				t.Errorf("%s: %s", form, note)
			}
		}
		payouts, _ := json.Marshal(b.payouts)
		moves, _ := json.Marshal(b.moves)
		for _, want := range []string{`"fails":true`, `"currency":"USD","fails":false`, `"2.00"`} {
			if !strings.Contains(string(payouts), want) {
				t.Errorf("payouts %s lack %s", payouts, want)
			}
		}
		for _, want := range []string{`"-1.00"`, `"3.00"`, `"-4.00"`, `"gift"`} {
			if !strings.Contains(string(moves), want) {
				t.Errorf("moves %s lack %s", moves, want)
			}
		}
		_, page := ask(t, s, "GET", "/sandbox/bank/", "")
		for _, want := range []string{"0.55 USD", "7 JPY", "levy", "提现 payout", "-4.00 USD", "sent"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if strings.Index(page, "levy") > strings.Index(page, "提现 payout<") {
			t.Error("the page has the oldest first")
		}
		if _, page := ask(t, s, "GET", "/sandbox/toy/", ""); strings.Contains(page, "提现") {
			t.Error("a face without a balance has buttons for it")
		}
		if _, truth := ask(t, s, "GET", "/sandbox/truth", ""); !strings.Contains(truth, `"payouts"`) || !strings.Contains(truth, `"word": "levy"`) {
			t.Errorf("truth %s", truth)
		}
	})
}
