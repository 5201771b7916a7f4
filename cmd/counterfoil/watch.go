package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"counterfoil/domain"
	"counterfoil/httpapi"
	"counterfoil/internal/progress"
	"counterfoil/operations"
)

// lookEvery is how often a run that is under way is looked at.
const lookEvery = 500 * time.Millisecond

// watchRun waits until a comparison with a bill has ended and shows how far it
// has come.
func (p *program) watchRun(ctx context.Context, r remote, ids []string) error {
	if len(ids) != 1 || !strings.HasPrefix(ids[0], "bill-") {
		return domain.EField(domain.KindInvalid, "--watch", "name one comparison with a bill: its id begins with bill-")
	}
	c, err := p.connect(r)
	if err != nil {
		return err
	}
	path := "/v1/reconciliations/bills/" + url.PathEscape(ids[0])
	bar := progress.New(p.stderr, p.environ, ids[0])
	defer bar.End()
	for {
		var run httpapi.BillRun
		if err := c.call(ctx, http.MethodGet, path, nil, nil, &run); err != nil {
			return err
		}
		if run.State != string(operations.RunRunning) {
			bar.End()
			if err := p.printBill(run); err != nil {
				return err
			}
			return billVerdict([]httpapi.BillRun{run})
		}
		drawRun(bar, run)
		if err := wait(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// wait returns after a while, or with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// follow draws a bar of the first run that a list has, until it is told to end.
// Where nobody sees it, it asks for nothing.
func (p *program) follow(ctx context.Context, c *client, list string) (end func()) {
	bar := progress.New(p.stderr, p.environ, "compare")
	if !bar.Shown() {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		defer bar.End()
		for wait(ctx, lookEvery) == nil {
			var out struct {
				Bills []httpapi.BillRun `json:"bills"`
			}
			if c.call(ctx, http.MethodGet, list, nil, nil, &out) == nil && len(out.Bills) > 0 {
				drawRun(bar, out.Bills[0])
			}
		}
	})
	return func() { stop(); done.Wait() }
}

// drawRun shows what a run is at, how fast it is and how long it still takes.
func drawRun(bar *progress.Bar, r httpapi.BillRun) {
	if r.Progress == nil {
		return
	}
	bar.Tell(atText(r))
	bar.Set(uint64(max(0, r.Progress.Done)), uint64(max(0, r.Progress.Of)))
}

// atText is a run's progress in words.
func atText(r httpapi.BillRun) string {
	text := fmt.Sprintf("%s %s %s: %s, %d lines", r.Channel, r.Day, r.Bill, r.Progress.Phase, r.Rows)
	if r.Progress.Rate > 0 {
		text += fmt.Sprintf(", %.0f a second", r.Progress.Rate)
	}
	if left := r.Progress.Left; left != nil {
		text += ", " + time.Duration(*left*float64(time.Second)).Round(time.Second).String() + " left"
	}
	return text
}
