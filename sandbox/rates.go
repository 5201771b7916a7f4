package sandbox

// EveryFault is one rate of the given share for each class, those that spoof
// both with a payment and, at half the share each, without one. It leaves out
// Minted, which no receiver can tell from money unless it asks the gateway, and
// Purged, after which nobody can ask.
func EveryFault(share float64) []Rate {
	var rates []Rate
	for _, c := range append(CallbackClasses(), QueryClasses()...) {
		switch {
		case c == Minted || c == Purged:
		case classes[c].Spoof:
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

// draw picks at most one fault of each kind for an order.
func draw(rates []Rate, o *order) []Fault {
	return classes.Draw(rates, o.pid, o.rnd, func(f Fault) bool { return fits(f, o) })
}
