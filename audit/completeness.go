package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/ledger"
	"counterfoil/providers"
)

// maxBillLines bounds what is compared at once: both sides are held in memory.
const maxBillLines = 5_000_000

// nearMidnight is how far the provider's idea of a day may lie from ours.
const nearMidnight = time.Hour

// BroughtBill is a bill that the auditor downloaded from the provider, as it
// came.
type BroughtBill struct {
	Channel domain.ChannelID
	Day     domain.Day // in Zone
	Kind    providers.BillKind
	Whose   string // e.g. the name of the file
	Reader  io.Reader
	Biller  providers.Biller // reads it; nobody is called
	Zone    *time.Location   // of the channel's days
}

// Completeness is what a brought bill says about the log: the one source that
// the operator has no hand in.
type Completeness struct {
	Channel domain.ChannelID   `json:"channel"`
	Day     domain.Day         `json:"day"`
	Bill    providers.BillKind `json:"bill"`
	Whose   string             `json:"whose"`
	SHA256  string             `json:"sha256"` // of the bill as it was brought
	Theirs  int64              `json:"their_lines"`
	Ours    int64              `json:"our_lines"` // of the day
	Matched int64              `json:"matched"`
	// Unread is why the bill could not be read to its end: nothing follows from
	// one that was cut, changed, or is another day's or merchant's.
	Unread      string           `json:"unread,omitempty"`
	Differences []BillDifference `json:"differences"`
}

// BillDifference is a line that one side lacks, or that both have otherwise.
type BillDifference struct {
	Kind    domain.DiscrepancyKind `json:"kind"`
	State   domain.DifferenceState `json:"state"`
	OrderNo string                 `json:"order_no,omitempty"`
	TradeNo string                 `json:"trade_no,omitempty"`
	Text    string                 `json:"text"`
}

// Open counts the differences that nothing explains.
func (c Completeness) Open() int {
	n := 0
	for _, d := range c.Differences {
		if d.State == domain.DifferenceOpen {
			n++
		}
	}
	return n
}

// CompareBill holds the log's own lines of a day against a bill that somebody
// brought, each line of both sides. It reads the log alone, no projection. A
// bill that cannot be read is no error: see Completeness.Unread.
func CompareBill(ctx context.Context, log eventstore.Reader, l *ledger.Ledger, b BroughtBill) (Completeness, error) {
	out := Completeness{Channel: b.Channel, Day: b.Day, Bill: b.Kind, Whose: b.Whose, Differences: []BillDifference{}}
	theirs, err := b.lines(&out)
	if err != nil {
		out.Unread = err.Error()
		return out, nil
	}
	p := domain.ComparePolicy{Day: b.Day, Zone: b.Zone, Cut: nearMidnight}
	ours, err := b.ours(ctx, log, p)
	if err != nil {
		return out, err
	}
	var sum domain.Compared
	for d, err := range domain.Compare(each(ours), each(theirs), p, &sum) {
		if err != nil {
			return out, fmt.Errorf("compare the bill with the log: %w", err)
		}
		if d, err = explained(ctx, l, b.Channel, d); err != nil {
			return out, err
		}
		out.Differences = append(out.Differences, tell(d))
	}
	out.Ours, out.Matched = sum.Ours.Lines, sum.Matched+sum.Split
	return out, nil
}

// lines are the bill's, sorted by trade number.
func (b BroughtBill) lines(out *Completeness) ([]domain.BillLine, error) {
	h := sha256.New()
	r := io.TeeReader(b.Reader, h)
	f := providers.BillFile{Question: providers.BillQuestion{Kind: b.Kind, Day: b.Day}, Name: b.Whose, Final: true}
	var lines []domain.BillLine
	for line, err := range b.Biller.ReadBill(r, f) {
		if err == nil && len(lines) == maxBillLines {
			err = domain.E(domain.KindTooLarge, "more than %d lines", maxBillLines)
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	out.SHA256, out.Theirs = hex.EncodeToString(h.Sum(nil)), int64(len(lines))
	slices.SortStableFunc(lines, func(x, y domain.BillLine) int { return cmp.Compare(x.TradeNo, y.TradeNo) })
	return lines, nil
}

// ours are the log's lines that the bill can have, sorted by trade number.
func (b BroughtBill) ours(ctx context.Context, log eventstore.Reader, p domain.ComparePolicy) ([]domain.OurLine, error) {
	prefix := "payment-" + string(b.Channel) + ":"
	var lines []domain.OurLine
	for batch, err := range log.Follow(ctx, 0, eventstore.FollowOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		for _, r := range batch.Events {
			if !strings.HasPrefix(string(r.Stream), prefix) {
				continue
			}
			line, ok, err := lineOf(r)
			switch {
			case err != nil:
				return nil, err
			case !ok || line.ValueDate != b.Day && !p.NearEdge(line.At, line.ValueDate):
			case line.ValueDate < b.Day.Add(-1) || line.ValueDate > b.Day.Add(1):
			case len(lines) == maxBillLines:
				return nil, domain.E(domain.KindTooLarge, "more than %d lines in the log", maxBillLines)
			default:
				lines = append(lines, line)
			}
		}
		if batch.CaughtUp {
			break
		}
	}
	slices.SortStableFunc(lines, func(x, y domain.OurLine) int { return cmp.Compare(x.TradeNo, y.TradeNo) })
	return lines, ctx.Err()
}

// lineOf is what a bill must have of an event.
func lineOf(r eventstore.Recorded) (domain.OurLine, bool, error) {
	e, err := ledger.Decode(r)
	if err != nil {
		return domain.OurLine{}, false, err
	}
	line, ok := domain.LineOf(e.Fact)
	line.Position = uint64(r.Position)
	if _, order, _ := strings.Cut(string(r.Stream), ":"); !strings.HasPrefix(order, "~") && !strings.HasPrefix(order, "trade:") {
		line.OrderNo = order
	}
	return line, ok, nil
}

func each[T any](lines []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// explained is d as the payment it is about explains it.
func explained(ctx context.Context, l *ledger.Ledger, ch domain.ChannelID, d domain.Difference) (domain.Difference, error) {
	if d.Ours != nil || d.Theirs == nil || d.State != domain.DifferenceOpen {
		return d, nil
	}
	v, err := l.PaymentOf(ctx, ch, d.Theirs.OrderNo, d.Theirs.TradeNo)
	switch {
	case domain.KindOf(err) == domain.KindNotFound:
		return d, nil
	case err != nil:
		return d, err
	case v.Payment.Has(d.Theirs):
		d.Kind, d.State, d.Note = domain.Timing, domain.DifferenceSettled, "the log has it on another day"
		return d, nil
	}
	return v.Payment.Explain(d), nil
}

// tell puts a difference into words: which side says what, and where.
func tell(d domain.Difference) BillDifference {
	out := BillDifference{Kind: d.Kind, State: d.State, OrderNo: d.OrderNo(), TradeNo: d.Key().TradeNo}
	var parts []string
	if t := d.Theirs; t != nil {
		parts = append(parts, fmt.Sprintf("row %d of the bill: %s of %s, trade %q, order %q", t.Row, t.Kind, t.Amount, t.TradeNo, t.OrderNo))
	} else {
		parts = append(parts, "the bill does not list it")
	}
	if o := d.Ours; o != nil {
		parts = append(parts, fmt.Sprintf("position %d of the log: %s of %s, trade %q, order %q, %s",
			o.Position, o.Kind, o.Amount, o.TradeNo, o.OrderNo, o.ValueDate))
	} else if d.Note == "" {
		parts = append(parts, "the log does not have it")
	}
	if d.Note != "" {
		parts = append(parts, d.Note)
	}
	out.Text = strings.Join(parts, "; ")
	return out
}
