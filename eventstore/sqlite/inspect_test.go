package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/eventstore/sqlite"
	"counterfoil/eventstore/storetest"
)

// Whoever gives up on an inspection is let go at once: a large file takes
// minutes.
func TestInspectionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := create(t, sqlite.Options{})
	for n := range 200 {
		events := make([]eventstore.Event, 60)
		for i := range events {
			events[i] = storetest.NewEvent(fmt.Sprint(n, " ", i))
		}
		if _, err := s.Append(t.Context(), domain.Stream(fmt.Sprintf("s-%d", n)), eventstore.NoStream, events); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if found, err := s.Inspect(t.Context()); err != nil || len(found) > 0 {
		t.Fatalf("a sound store: %v, %v", found, err)
	}
	whole := time.Since(began)
	for try := 2; try < 50; try++ { // a busy machine may let it end before the context does
		ctx, cancel := context.WithTimeout(t.Context(), whole/time.Duration(try))
		_, err := s.Inspect(ctx)
		cancel()
		if domain.KindOf(err) == domain.KindUnavailable {
			return
		}
		if err != nil {
			t.Fatalf("interrupted: %v, want KindUnavailable", err)
		}
	}
	t.Error("no inspection ended with its context")
}
