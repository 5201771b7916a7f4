package stage

import (
	"cmp"
	"slices"

	"counterfoil/domain"
)

// Total adds up one currency of a merchant's payments.
type Total struct {
	Count    int          `json:"count"`
	Received domain.Money `json:"received"`
	Due      domain.Money `json:"due"`      // what is to be credited; the rest is to be set aside
	Refunded domain.Money `json:"refunded"` // less what failed
	Disputed domain.Money `json:"disputed"` // away now: open or lost
}

// Totals adds payments up, a total for each currency, by its code.
func Totals(payments []Payment) []Total {
	at := map[domain.Currency]*Total{}
	for _, p := range payments {
		t := at[p.Amount.Currency()]
		if t == nil {
			zero := domain.NewMoney(0, p.Amount.Currency())
			t = &Total{Received: zero, Due: zero, Refunded: zero, Disputed: zero}
			at[p.Amount.Currency()] = t
		}
		t.add(p)
	}
	all := make([]Total, 0, len(at))
	for _, t := range at {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Total) int { return cmp.Compare(a.Received.Currency(), b.Received.Currency()) })
	return all
}

func (t *Total) add(p Payment) {
	t.Count++
	t.Received = plus(t.Received, p.Amount)
	if p.Due {
		t.Due = plus(t.Due, p.Amount)
	}
	for _, r := range p.Refunds {
		if !r.Failed {
			t.Refunded = plus(t.Refunded, r.Amount)
		}
	}
	for _, d := range p.Disputes {
		if d.State != DisputeWon {
			t.Disputed = plus(t.Disputed, d.Amount)
		}
	}
}

// plus adds amounts of one currency. A sandbox cannot hold so many orders that
// it overflows: a million of at most 10^12 units.
func plus(a, b domain.Money) domain.Money {
	return domain.NewMoney(a.Minor()+b.Minor(), a.Currency())
}
