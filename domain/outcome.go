package domain

// Outcome is what became of a callback.
type Outcome string

// The outcomes of a callback. The first five were kept before they were
// answered; refused left the log untouched; failed asks the provider to come
// again.
const (
	OutcomeCredited Outcome = "credited" // first good money for the order
	OutcomeRepeated Outcome = "repeated" // this trade_no was decided before
	OutcomeHeld     Outcome = "held"     // rightly signed, but not enough to move money
	OutcomeParked   Outcome = "parked"   // real money that we may not credit
	OutcomeNoted    Outcome = "noted"    // verified, no money in it
	OutcomeRefused  Outcome = "refused"  // wrong signature, foreign merchant, unreadable
	OutcomeFailed   Outcome = "failed"   // we could not keep it
)

// Outcomes lists every outcome in the order of the reply table.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeCredited, OutcomeRepeated, OutcomeHeld, OutcomeParked, OutcomeNoted, OutcomeRefused, OutcomeFailed,
	}
}

// Success reports whether the provider is told success: true only for what is
// durable (R8).
func (o Outcome) Success() bool {
	switch o {
	case OutcomeCredited, OutcomeRepeated, OutcomeHeld, OutcomeParked, OutcomeNoted:
		return true
	case OutcomeRefused, OutcomeFailed:
		return false
	}
	return false
}

// Reason says why an outcome is what it is: a closed vocabulary, because
// alerts, metrics and people's filters hang on it.
type Reason string

// Why a notice was held, parked or only noted.
const (
	ReasonNone            Reason = ""
	ReasonConfirmByQuery  Reason = "confirm_by_query"  // held: the channel wants a second opinion
	ReasonDoubtful        Reason = "doubtful"          // held: see the notice's doubts
	ReasonUnknownOrder    Reason = "unknown_order"     // parked: nobody placed this order
	ReasonOtherAmount     Reason = "other_amount"      // parked: not the placed amount
	ReasonOtherCurrency   Reason = "other_currency"    // parked: not the placed currency
	ReasonCancelled       Reason = "cancelled"         // parked: the merchant had cancelled the order
	ReasonSecondPayment   Reason = "second_payment"    // parked: the order is settled by another trade_no
	ReasonPlacedTooLate   Reason = "placed_too_late"   // parked: the order was placed long after its money came
	ReasonNotPaid         Reason = "not_paid"          // noted: waiting, failed, closed
	ReasonTakenBack       Reason = "taken_back"        // noted: refunded or frozen at the provider
	ReasonBeforePayment   Reason = "before_payment"    // noted: a refund or dispute that waits for what comes before it
	ReasonUnmatched       Reason = "unmatched"         // noted: it names no order, and nobody knows its payment yet
	ReasonAmountDisagrees Reason = "amount_disagrees"  // repeated, but with another amount than decided
	ReasonWrongSignature  Reason = "wrong_signature"   // refused
	ReasonForeignMerchant Reason = "foreign_merchant"  // refused
	ReasonUnreadable      Reason = "unreadable"        // refused
	ReasonStale           Reason = "stale"             // refused: rightly signed, but its time is too far from ours
	ReasonProbe           Reason = "probe"             // refused: a signature that the provider made wrong on purpose
	ReasonTooLarge        Reason = "too_large"         // refused
	ReasonUnknownChannel  Reason = "unknown_channel"   // refused
	ReasonWrongMethod     Reason = "wrong_method"      // refused
	ReasonStoreUnready    Reason = "store_unavailable" // failed
)
