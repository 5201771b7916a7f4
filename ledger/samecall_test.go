package ledger

import (
	"context"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Ids of placing, closing and allocating do not follow from all of their
// content, so the store may take one process's append for another's made again.
// What is reported must be what is stored.
func TestAnothersAppendIsNotOurs(t *testing.T) {
	other := order("A1")
	other.Amount = five
	t.Run("an old fold", func(t *testing.T) {
		w := parallel(t)
		one, two := w.process(t), w.process(t)
		must(t, one, w.callback(1, main, "A1", "T1", ten), domain.OutcomeParked)
		w.place(t, two, order("A1"))
		_, _, err := one.Place(context.Background(), other, shown, desk)
		wantKind(t, err, domain.KindConflict)
		checkLog(t, w)
	})
	t.Run("the same moment", func(t *testing.T) {
		w := parallel(t)
		one, two := w.process(t), w.process(t)
		w.log.Before(func(domain.Stream, []eventstore.Event) {
			w.log.Before(nil)
			w.place(t, two, order("A1"))
		})
		_, _, err := one.Place(context.Background(), other, shown, desk)
		wantKind(t, err, domain.KindConflict)
		must(t, one, w.callback(1, main, "A1", "T1", ten), domain.OutcomeCredited)
		checkLog(t, w)
	})
	t.Run("the same order", func(t *testing.T) {
		w := parallel(t)
		one, two := w.process(t), w.process(t)
		w.log.Before(func(domain.Stream, []eventstore.Event) {
			w.log.Before(nil)
			w.clock.add(time.Second)
			w.place(t, two, order("A1"))
		})
		_, existed, err := one.Place(context.Background(), order("A1"), shown, desk)
		if err != nil || !existed {
			t.Errorf("existed %t, error %v", existed, err)
		}
	})
}
