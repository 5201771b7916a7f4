package reconcile

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"counterfoil/archive"
	"counterfoil/domain"
	"counterfoil/operations"
	"counterfoil/providers"
)

// BillAnswers is the kind of bill of a channel whose provider makes none: what
// it answers about each payment of the day.
const BillAnswers = "answers"

// billSource gets a bill's bytes and reads them.
type billSource interface {
	channel() providers.Channel
	// fetch writes the bill of the run to w.
	fetch(ctx context.Context, run *operations.BillRun, w io.Writer) (providers.BillFile, error)
	read(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error]
}

// source is where a channel's bill comes from.
func (c *Comparer) source(id domain.ChannelID, bill string) (billSource, error) {
	ch, ok := c.Channels[id]
	if !ok {
		return nil, domain.EField(domain.KindInvalid, "channel", "%s is not configured here", id)
	}
	if biller, ok := ch.(providers.Biller); ok && slices.Contains(c.BillsOf(id), bill) {
		return made{ch, biller}, nil
	}
	if bill == BillAnswers {
		return answers{ch, c, map[string]bool{}}, nil
	}
	return nil, domain.EField(domain.KindInvalid, "bill", "channel %s has no bill of the kind %.40q", id, bill)
}

// BillsOf are the kinds of bill that are compared every day for a channel: the
// one that lists payments first, and the fund flow beside it last.
func (c *Comparer) BillsOf(id domain.ChannelID) []string {
	biller, ok := c.Channels[id].(providers.Biller)
	if !ok {
		if _, ok := c.Channels[id]; ok && c.cfg.Answers {
			return []string{BillAnswers}
		}
		return nil
	}
	made := biller.Bills()
	if !slices.Contains(made, providers.BillTrade) {
		return kindsOf(made)
	}
	if slices.Contains(made, providers.BillFunds) && !c.cfg.NoFunds[id] {
		return kindsOf([]providers.BillKind{providers.BillTrade, providers.BillFunds})
	}
	return kindsOf([]providers.BillKind{providers.BillTrade})
}

func kindsOf(kinds []providers.BillKind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return out
}

// threeWay reports whether a channel has a fund flow beside its trade bill.
func (c *Comparer) threeWay(id domain.ChannelID) bool {
	return slices.Equal(c.BillsOf(id), []string{string(providers.BillTrade), string(providers.BillFunds)})
}

// made is a bill that the provider makes.
type made struct {
	ch     providers.Channel
	biller providers.Biller
}

func (m made) channel() providers.Channel { return m.ch }

func (m made) fetch(ctx context.Context, run *operations.BillRun, w io.Writer) (providers.BillFile, error) {
	f, err := m.biller.FetchBill(ctx, providers.BillQuestion{
		Kind: providers.BillKind(run.Bill), Day: run.Day, At: run.StartedAt,
	}, w)
	return f, theirFault(err)
}

func (m made) read(r io.Reader, f providers.BillFile) iter.Seq2[domain.BillLine, error] {
	return m.biller.ReadBill(r, f)
}

// take fetches the bill into the archive and notes in the run what it is. The
// bytes are kept before anything is concluded from them.
func (c *Comparer) take(ctx context.Context, run *operations.BillRun, src billSource) (bill, error) {
	r, w := io.Pipe()
	var f providers.BillFile
	var fetched error
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, fetched = src.fetch(ctx, run, w)
		_ = w.CloseWithError(fetched) // never fails
	}()
	in := &metered{Reader: r, tell: func(n int64) error {
		if _, asks := src.(answers); asks {
			return nil // it is the run's own questions that go on
		}
		return c.note(ctx, run, operations.PhaseFetching, n, 0)
	}}
	kept, err := c.Archive.Put(ctx, in)
	_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // never fails; ends a fetch that still writes
	<-done
	switch {
	case err != nil && !errors.Is(err, fetched):
		cause := operations.CauseOurs
		if domain.KindOf(err) == domain.KindTooLarge {
			cause = operations.CauseTooLarge
		}
		return bill{}, because(cause, err)
	case fetched != nil:
		return bill{}, fetched
	}
	run.SHA256, run.Size, run.Empty, run.Final = kept.ID.String(), kept.Size, f.Empty, f.Final
	run.Name, run.MediaType, run.Claimed = f.Name, f.MediaType, f.Claimed
	run.Import, err = c.imports(ctx, *run)
	return bill{src, f, kept.ID}, because(operations.CauseOurs, err)
}

// bill is a bill in the archive.
type bill struct {
	src  billSource
	file providers.BillFile
	id   archive.ID
}

// taken is the bill of an earlier run.
func (c *Comparer) taken(r operations.BillRun) (bill, error) {
	src, err := c.source(r.Channel, r.Bill)
	if err != nil {
		return bill{}, err
	}
	id, err := archive.ParseID(r.SHA256)
	return bill{src, providers.BillFile{
		Question: providers.BillQuestion{Kind: providers.BillKind(r.Bill), Day: r.Day, At: r.StartedAt}, Empty: r.Empty,
		Name: r.Name, MediaType: r.MediaType, Claimed: r.Claimed, Final: r.Final,
	}, id}, err
}

// imports numbers the bill among those of its day: one that was had before
// keeps its number.
func (c *Comparer) imports(ctx context.Context, run operations.BillRun) (int, error) {
	earlier, err := c.Bills.BillRuns(ctx, operations.BillRunFilter{
		Channel: run.Channel, Bill: run.Bill, From: run.Day, To: run.Day, Limit: 1000,
	})
	most := 0
	for _, r := range earlier {
		if r.SHA256 == run.SHA256 && r.Import > 0 {
			return r.Import, err
		}
		most = max(most, r.Import)
	}
	return most + 1, err
}

// lines reads the archived bill. What follows the last line is read too: only
// the end of the file proves that its bytes are those that were kept.
func (c *Comparer) lines(ctx context.Context, b bill, in *watched) iter.Seq2[domain.BillLine, error] {
	return func(yield func(domain.BillLine, error) bool) {
		if b.file.Empty {
			return
		}
		file, err := c.Archive.Open(ctx, b.id)
		if err != nil {
			yield(domain.BillLine{}, because(operations.CauseOurs, err))
			return
		}
		defer file.Close()
		in.r = file
		for line, err := range b.src.read(in, b.file) {
			if in.err != nil {
				err = because(operations.CauseOurs, in.err)
			}
			if !yield(line, theirFault(err)) || err != nil {
				return
			}
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			yield(domain.BillLine{}, because(operations.CauseOurs, err))
		}
	}
}

// watched counts what a reader gave and remembers what was wrong with it,
// however its user words it.
type watched struct {
	r     io.Reader
	bytes int64
	err   error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
