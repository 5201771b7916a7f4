package stage

import (
	"math/rand/v2"
	"slices"

	"counterfoil/domain"
)

// Rate plants a fault on a share of the payments.
type Rate struct {
	Fault
	Share float64 `json:"share"`          // 0 to 1 of the orders paid
	Face  string  `json:"face,omitempty"` // only of this face; empty means all that know the class
	PID   string  `json:"pid,omitempty"`  // only of this merchant; empty means all
}

// CompleteRates checks the rates of one face and fills their faults in. Classes
// that act on callbacks exclude each other, so their shares may not add up to
// more than 1; the same holds for those that act on answers.
func (c Classes) CompleteRates(rates []Rate) ([]Rate, error) {
	done := make([]Rate, 0, len(rates))
	sums := map[[2]string]float64{} // by merchant and kind
	for _, r := range rates {
		f, err := c.Complete(r.Fault)
		if err != nil {
			return nil, err
		}
		if !(r.Share >= 0 && r.Share <= 1) {
			return nil, domain.EField(domain.KindInvalid, "share", "share %g of %s is not 0 to 1", r.Share, r.Class)
		}
		r.Fault = f
		done = append(done, r)
		sums[[2]string{r.PID, c.kindOf(r.Class)}] += r.Share
	}
	for at, sum := range sums {
		if at[0] != "" {
			sum += sums[[2]string{"", at[1]}]
		}
		if sum > 1+1e-9 {
			return nil, domain.EField(domain.KindInvalid, "share", "the shares of %s faults add up to %g", at[1], sum)
		}
	}
	return done, nil
}

func (c Classes) kindOf(class Class) string {
	if c[class].Query {
		return "query"
	}
	return "callback"
}

// Draw picks at most one fault that acts on callbacks and one that acts on
// answers for an order of a merchant; fits says which can happen to it.
func (c Classes) Draw(rates []Rate, merchant string, rnd *rand.Rand, fits func(Fault) bool) []Fault {
	var picked []Fault
	for _, query := range []bool{false, true} {
		at := rnd.Float64()
		for _, r := range rates {
			if c[r.Class].Query != query || (r.PID != "" && r.PID != merchant) || !fits(r.Fault) {
				continue
			}
			if at -= r.Share; at < 0 {
				picked = append(picked, r.Fault)
				break
			}
		}
	}
	return picked
}

// EveryFault is one rate of the given share for each class of a face, those
// that spoof half of it with a payment and half without, but for the classes
// that are left out. Faults of bills are planted otherwise: see Troubles.
func EveryFault(f Face, share float64, without ...Class) []Rate {
	var rates []Rate
	classes := f.Classes()
	for _, c := range classes.List(func(n Needs) bool { return !n.Bill }) {
		if slices.Contains(without, c) {
			continue
		}
		r := Rate{Fault: Fault{Class: c}, Share: share, Face: f.Name()}
		if classes[c].Spoof {
			r.Share = share / 2
			rates = append(rates, r)
			r.Unpaid = true
		}
		rates = append(rates, r)
	}
	return rates
}
