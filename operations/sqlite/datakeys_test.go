package sqlite

import (
	"fmt"
	"sync"
	"testing"

	"counterfoil/domain"
)

// Keys that are read together are those that are read one by one; streams
// without a key are left out.
func TestDataKeysAreReadTogether(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	var streams []domain.Stream
	var done sync.WaitGroup
	const all = 2*manyKeys + 7
	for i := range all {
		stream := domain.Stream(fmt.Sprint("payment-a:", i))
		streams = append(streams, stream)
		if i%3 == 0 {
			continue
		}
		done.Go(func() {
			if _, err := s.EnsureDataKey(t.Context(), stream); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	got, err := s.DataKeys(t.Context(), streams)
	if err != nil {
		t.Fatal(err)
	}
	for i, stream := range streams {
		want, err := s.DataKey(t.Context(), stream)
		key, there := got[stream]
		if there != (i%3 != 0) || there != (err == nil) || key != want {
			t.Errorf("%s: %v %v, one by one %v, %v", stream, there, key, want, err)
		}
	}
	if none, err := s.DataKeys(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no streams: %v, %v", none, err)
	}
}
