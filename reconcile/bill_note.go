package reconcile

import (
	"context"
	"io"
	"iter"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// Between two notes of a run's progress.
const (
	noteEvery = 500 * time.Millisecond
	noteLines = 4096 // lines for which nobody looks at the clock
)

// note writes down how far a run has come: each new phase at once, and then now
// and again.
func (c *Comparer) note(ctx context.Context, run *operations.BillRun, phase operations.BillPhase, done, of int64) error {
	now, p := domain.Instant(c.Clock()), &run.Progress
	switch {
	case p.Phase != phase:
		*p = operations.BillProgress{Phase: phase, Since: now, Rate: p.Rate}
	case now.Sub(p.At) < noteEvery:
		return nil
	}
	p.Done, p.Of, p.At = done, of, now
	if took := now.Sub(p.Since).Seconds(); took > 0 {
		switch phase {
		case operations.PhaseReading:
			p.Rate = float64(run.Rows) / took
		case operations.PhaseComparing:
			p.Rate = float64(done) / took
		case operations.PhaseFetching, operations.PhaseAsking, operations.PhaseBooking:
		}
	}
	return because(operations.CauseOurs, c.Bills.PutBillRun(ctx, *run))
}

// read yields the bill's lines as they are read from the archive, notes how many
// and hands each to the tally.
func (c *Comparer) read(
	ctx context.Context, run *operations.BillRun, b bill, t *domain.BillTally,
) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		var in watched
		for line, err := range c.lines(ctx, b, &in) {
			if err == nil {
				err = theirFault(t.Add(&line))
			}
			if run.Rows++; run.Rows%noteLines == 1 && err == nil {
				err = c.note(ctx, run, operations.PhaseReading, in.bytes, run.Size)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// paced yields what comes out of a sort and notes how much of it there was.
func paced[T any](
	ctx context.Context, c *Comparer, run *operations.BillRun, lines iter.Seq2[T, error],
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var done int64
		for line, err := range lines {
			if done++; done%noteLines == 1 && err == nil {
				err = c.note(ctx, run, operations.PhaseComparing, done, run.Rows)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// metered counts what is read while a bill is fetched.
type metered struct {
	io.Reader
	bytes int64
	tell  func(bytes int64) error
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.bytes += int64(n)
	if terr := m.tell(m.bytes); err == nil {
		err = terr
	}
	return n, err
}
