package audit

import (
	"context"
	"fmt"
)

// inspection is a look at the store's file itself, for what reading its events
// cannot show. It goes on beside the walk: SQLite looks through a file on one
// processor, and the walk leaves some of the others idle.
type inspection struct {
	found chan []string // nil when there is nothing to inspect
	err   error         // valid once found is closed
	stop  context.CancelFunc
}

func startInspection(ctx context.Context, d Deps) *inspection {
	i := &inspection{stop: func() {}}
	if d.Inspect == nil {
		return i
	}
	ctx, i.stop = context.WithCancel(ctx)
	i.found = make(chan []string, 1)
	go func() {
		defer close(i.found)
		found, err := d.Inspect(ctx)
		i.err = err
		i.found <- found
	}()
	return i
}

// report waits for the end and tells what was found.
func (i *inspection) report(progress func(Progress), rep *Report) error {
	if i.found == nil {
		return nil
	}
	progress(Progress{Stage: "store", Done: rep.Head, Total: rep.Head})
	rep.checked(CheckStore, 1)
	found := <-i.found
	if i.err != nil {
		return fmt.Errorf("inspect the store: %w", i.err)
	}
	for _, text := range found {
		rep.add(Finding{Check: CheckStore, Text: text})
	}
	return nil
}

// end gives up what is not finished, and returns when the store is let go.
func (i *inspection) end() {
	i.stop()
	if i.found != nil {
		<-i.found
	}
}
