package ledger

import (
	"testing"

	"counterfoil/domain"
)

// The data keys were lost, and the order's next notice made a new one: what was
// sealed before cannot be compared any more, and that is no reason to fail a
// repeated placing for ever.
func TestPlaceAgainAfterItsKeyWasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := order("LOST-KEY")
	if _, _, err := w.process(t).Place(t.Context(), o, Personal{Subject: "points"}, desk); err != nil {
		t.Fatal(err)
	}
	w.keys.mu.Lock()
	w.keys.keys = map[domain.Stream]domain.DataKey{domain.PaymentStream(o.Channel, o.OrderNo): {9}}
	w.keys.mu.Unlock()
	_, existed, err := w.process(t).Place(t.Context(), o, Personal{Subject: "points"}, desk)
	if err != nil || !existed {
		t.Errorf("existed %t, error %v", existed, err)
	}
	o.Amount = five
	if _, _, err := w.process(t).Place(t.Context(), o, Personal{}, desk); err == nil || domain.FieldOf(err) != "amount" {
		t.Errorf("another amount: %v", err)
	}
}
