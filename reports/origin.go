package reports

import "counterfoil/domain"

// origin is what a booking beside the payments says of where it comes from.
type origin struct {
	day    domain.Day // of the bill
	bill   string
	run    string
	sha256 string // of the bill, or of the bank's statement
	exact  string // the bill's sum with all its places
	payout string // its number
	by     string // the run, or the person
}

// originOf is the zero origin for facts about payments.
func originOf(f domain.Fact) origin {
	switch f := f.(type) {
	case domain.FeesBooked:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, exact: f.Exact, by: f.Run}
	case domain.DiscountBooked:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, exact: f.Exact, by: f.Run}
	case domain.FXBooked:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, by: f.Run}
	case domain.MovementBooked:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, by: f.Run}
	case domain.PayoutSent:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, payout: f.PayoutID, by: f.Run}
	case domain.PayoutFailed:
		return origin{day: f.Day, bill: f.Bill, run: f.Run, sha256: f.SHA256, payout: f.PayoutID, by: f.Run}
	case domain.PayoutArrived:
		return origin{sha256: f.Statement, payout: f.PayoutID, by: f.By}
	default:
		return origin{}
	}
}
