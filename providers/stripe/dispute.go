package stripe

import (
	"cmp"
	"slices"

	"counterfoil/domain"
)

// dispute reads a dispute. What moved stands in its balance transactions, at
// most one that took the money away and one that brought it back, so every
// event of a dispute tells all that happened so far, whichever comes first. A
// dispute that is lost after the money was taken stays lost; one without a
// movement (an inquiry, one that was prevented) is only told.
func (c *Channel) dispute(o object, e event) ([]domain.Notice, error) {
	amount, err := o.amount("amount")
	if err != nil {
		return nil, err
	}
	base := domain.Notice{
		About: domain.AboutDispute, DisputeID: o.text("id"), TradeNo: partOf(o), Amount: amount,
		ProviderStatus: o.text("status"),
	}
	if base.DisputeID == "" || base.TradeNo == "" {
		return nil, domain.E(domain.KindInvalid, "dispute names not itself or not its payment")
	}
	notices, err := movements(base, o.list("balance_transactions"))
	if err != nil {
		return nil, err
	}
	if len(notices) == 0 {
		base.Status, base.OccurredAt = domain.StatusOpened, e.at
		return []domain.Notice{base}, nil
	}
	last := notices[len(notices)-1]
	if base.ProviderStatus == "lost" && last.Status == domain.StatusWithdrawn {
		base.Status, base.Amount, base.OccurredAt = domain.StatusLost, last.Amount, e.at
		notices = append(notices, base)
	}
	return notices, nil
}

// movements are the balance transactions of a dispute as notices, in the order
// of time; what happened within a second begins with the withdrawal.
func movements(base domain.Notice, txns []object) ([]domain.Notice, error) {
	notices := make([]domain.Notice, 0, len(txns)+1)
	for _, t := range txns {
		n, err := movement(base, t)
		if err != nil {
			return nil, err
		}
		notices = append(notices, n)
	}
	slices.SortStableFunc(notices, func(a, b domain.Notice) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), rank(a.Status)-rank(b.Status))
	})
	return notices, nil
}

func rank(s domain.Status) int {
	if s == domain.StatusWithdrawn {
		return 0
	}
	return 1
}

// movement is one balance transaction. It is in the currency of the balance;
// the dispute's own amount is in that of the payment, which is what the books
// hold, so it counts where the two differ. The fee is what was really charged,
// in the balance's currency; a negative one came back.
func movement(base domain.Notice, t object) (domain.Notice, error) {
	moved, err := t.money("amount")
	if err != nil {
		return domain.Notice{}, err
	}
	fee, err := t.money("fee")
	if err != nil {
		return domain.Notice{}, err
	}
	base.Status = domain.StatusReinstated
	if moved.IsNegative() {
		base.Status, moved = domain.StatusWithdrawn, moved.Neg()
	}
	if moved.IsZero() {
		return domain.Notice{}, domain.E(domain.KindInvalid, "a dispute moved nothing")
	}
	if moved.Currency() == base.Amount.Currency() {
		base.Amount = moved
	}
	if base.Amount.IsZero() { // in the balance's currency something moved
		return domain.Notice{}, domain.E(domain.KindInvalid, "a dispute over nothing moved money")
	}
	if !fee.IsZero() {
		base.Fee = fee
	}
	base.OccurredAt = t.at("created")
	return base, nil
}
