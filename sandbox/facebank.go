package sandbox

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/sandbox/stage"
)

// payOut and moveBalance are the control interface of a balance.
func payOut(_ *http.Request, f stage.Face, in stage.PayoutOrder) (any, error) {
	b, ok := f.(stage.Banker)
	if !ok {
		return nil, holdsNone(f)
	}
	return b.Payout(in)
}

func moveBalance(_ *http.Request, f stage.Face, in stage.MoveOrder) (any, error) {
	b, ok := f.(stage.Banker)
	if !ok {
		return nil, holdsNone(f)
	}
	return b.Move(in)
}

func holdsNone(f stage.Face) error {
	return domain.E(domain.KindConflict, "%s holds no balance", f.Name())
}

// banking reports whether a button is about a balance.
func banking(button string) bool {
	return slices.Contains([]string{"payout", "payout_fails", "move_in", "move_out"}, button)
}

// pressBank does what a button about a balance says.
func pressBank(b stage.Banker, form fields) error {
	amount, err := amountOf(form)
	if err != nil {
		return err
	}
	if strings.HasPrefix(form["do"], "payout") {
		_, err := b.Payout(stage.PayoutOrder{
			Merchant: form["pid"], Amount: amount, Currency: domain.Currency(form["currency"]), Fails: form["do"] == "payout_fails",
		})
		return err
	}
	if form["do"] == "move_out" {
		amount = amount.Neg()
	}
	_, err = b.Move(stage.MoveOrder{Merchant: form["pid"], Amount: amount, Word: form["word"]})
	return err
}

// bankLine is one movement on the page that no order shows.
type bankLine struct {
	Merchant, ID, What, State string
	Payout, Failed            bool
	Amount                    domain.Money
	At                        time.Time
}

// bankLines are the payouts and other movements of all merchants, the newest first.
func bankLines(books []stage.MerchantBooks) []bankLine {
	var lines []bankLine
	for _, b := range books {
		for _, p := range b.Payouts {
			lines = append(lines, bankLine{
				Merchant: b.Merchant, ID: p.ID, Payout: true, State: p.State, Failed: p.Failed, Amount: p.Amount, At: p.At,
			})
		}
		for _, m := range b.Moves {
			lines = append(lines, bankLine{Merchant: b.Merchant, ID: m.ID, What: m.Word, Amount: m.Amount, At: m.At})
		}
	}
	slices.SortStableFunc(lines, func(a, b bankLine) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	return lines[:min(len(lines), shown)]
}
