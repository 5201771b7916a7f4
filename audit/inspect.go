package audit

import (
	"context"
	"fmt"
)

// inspect looks at the store's file itself, for what reading its events cannot
// show.
func inspect(ctx context.Context, d Deps, progress func(Progress), rep *Report) error {
	if d.Inspect == nil {
		return nil
	}
	progress(Progress{Stage: "store", Done: rep.Head, Total: rep.Head})
	rep.checked(CheckStore, 1)
	found, err := d.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("inspect the store: %w", err)
	}
	for _, text := range found {
		rep.add(Finding{Check: CheckStore, Text: text})
	}
	return nil
}
