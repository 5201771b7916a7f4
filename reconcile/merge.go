package reconcile

import (
	"bytes"
	"context"
	"iter"
)

// source is a sorted row of packed lines.
type source interface {
	// next is the next line, valid until the next call; nil at the end.
	next() ([]byte, error)
}

// head is the next line of a source.
type head struct {
	from   source
	record []byte
	key    []byte
	order  int // of the source; equal keys come in the order in which they were read
}

// less orders heads.
func (h *head) less(o *head) bool {
	c := bytes.Compare(h.key, o.key)
	return c < 0 || c == 0 && h.order < o.order
}

// merged yields the lines of all sources in order. A line is valid until the
// next one is asked for.
func merged(ctx context.Context, sources []source) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		heap, err := heads(sources)
		rows := 0
		for err == nil && len(heap) > 0 {
			if rows++; rows%1024 == 0 && ctx.Err() != nil {
				err = ctx.Err()
				break
			}
			if !yield(heap[0].record, nil) {
				return
			}
			heap, err = onward(heap)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// heads is the heap of the sources' first lines.
func heads(sources []source) ([]head, error) {
	var heap []head
	for i, s := range sources {
		rec, err := s.next()
		if err != nil {
			return nil, err
		}
		if rec != nil {
			heap = append(heap, head{from: s, record: rec, key: keyOf(rec), order: i})
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sink(heap, i)
	}
	return heap, nil
}

// onward takes the first line off and puts its source's next one where it
// belongs.
func onward(heap []head) ([]head, error) {
	rec, err := heap[0].from.next()
	if err != nil {
		return nil, err
	}
	if rec != nil {
		heap[0].record, heap[0].key = rec, keyOf(rec)
	} else {
		heap[0] = heap[len(heap)-1]
		heap = heap[:len(heap)-1]
	}
	sink(heap, 0)
	return heap, nil
}

// sink moves heap[i] down to its place.
func sink(heap []head, i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(heap) && heap[child].less(&heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
