package sandbox

import (
	"math/rand/v2"

	"counterfoil/domain"
)

// Rate plants a fault on a share of the payments.
type Rate struct {
	Fault
	Share float64 `json:"share"`         // 0 to 1 of the orders paid
	PID   string  `json:"pid,omitempty"` // only of this merchant; empty means all
}

// EveryFault is one rate of the given share for each class, those that spoof
// both with a payment and, at half the share each, without one. It leaves out
// Minted, which no receiver can tell from money unless it asks the gateway, and
// Purged, after which nobody can ask.
func EveryFault(share float64) []Rate {
	var rates []Rate
	for _, c := range append(CallbackClasses(), QueryClasses()...) {
		switch {
		case c == Minted || c == Purged:
		case rows[c].spoof:
			rates = append(
				rates,
				Rate{Fault: Fault{Class: c}, Share: share / 2},
				Rate{Fault: Fault{Class: c, Unpaid: true}, Share: share / 2},
			)
		default:
			rates = append(rates, Rate{Fault: Fault{Class: c}, Share: share})
		}
	}
	return rates
}

// completeRates checks the rates and fills their faults in. Callback classes
// exclude each other, so their shares may not add up to more than 1; the same
// holds for query classes.
func completeRates(rates []Rate) ([]Rate, error) {
	done := make([]Rate, 0, len(rates))
	sums := map[[2]string]float64{} // by merchant and kind
	for _, r := range rates {
		f, err := r.complete()
		if err != nil {
			return nil, err
		}
		if !(r.Share >= 0 && r.Share <= 1) {
			return nil, domain.EField(domain.KindInvalid, "share", "share %g of %s is not 0 to 1", r.Share, r.Class)
		}
		r.Fault = f
		done = append(done, r)
		sums[[2]string{r.PID, kindOf(r.Class)}] += r.Share
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

func kindOf(c Class) string {
	if rows[c].query {
		return "query"
	}
	return "callback"
}

// chance is the random source of one order: it follows from the seed and the
// order's name alone.
func chance(seed uint64, names ...string) *rand.Rand {
	d := digest(seed, names...)
	return rand.New(rand.NewChaCha8(d))
}

// draw picks at most one fault of each kind for an order.
func draw(rates []Rate, o *order, rnd *rand.Rand) []Fault {
	var picked []Fault
	for _, query := range []bool{false, true} {
		at := rnd.Float64()
		for _, r := range rates {
			if rows[r.Class].query != query || (r.PID != "" && r.PID != o.pid) || !r.fits(o) {
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

// fits reports whether the fault can happen to an order of this version.
func (f Fault) fits(o *order) bool {
	v := rows[f.Class].version
	return v == "" || v == o.version
}
