package projections

import (
	"context"
	"strings"
	"time"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// Extracts finds what a report of some months needs of the log, so that it does
// not have to be read from its first event.
type Extracts interface {
	// Extract is of the months from the first to the last one, YYYY-MM.
	Extract(ctx context.Context, w ExtractFilter) (Extract, error)
}

// ExtractFilter names whole months, and the moments between which people's and
// runs' decisions about them are looked for.
type ExtractFilter struct {
	From, To string // the first and the last period, YYYY-MM
	Since    time.Time
	Until    time.Time
	// NewsSince and NewsUntil ask besides for the differences of any day of which
	// there was news between the two; zero for none.
	NewsSince, NewsUntil time.Time
}

// Extract says where the log has what a report of some months is folded from:
// the events of a stretch, the facts of some streams besides, and everything
// behind At. What was booked before the months is Opening. All of it is of one
// commit.
type Extract struct {
	At      Checkpoint
	Opening []Moved // booked before the months; no Debit and Credit, but their difference in Debit
	Moved   []Moved // booked in the months
	// After and Until bound the stretch: every booking of the months stands in it
	// with the notice that it rests on, and what was recorded between the moments
	// asked for.
	After, Until eventstore.Position
	// Streams tell of comparisons and differences of the months' days, of what was
	// open before them, and of what people decided. They are few.
	Streams []domain.Stream
}

// Moved is what one book moved at one channel.
type Moved struct {
	Book     string
	Wallet   domain.AccountID // domain.TestAccount for its part of the wallets, else empty
	Channel  domain.ChannelID
	Currency domain.Currency
	Debit    domain.Money
	Credit   domain.Money // positive
}

// FindingRow is news of a difference.
type FindingRow struct {
	ID       domain.ID
	Day      domain.Day // of the bill, or on which it was found
	Stream   domain.Stream
	Open     bool
	Known    bool // it concerns only one that was found before
	Position eventstore.Position
}

// ComparedRow says that a stream tells of comparisons of a day.
type ComparedRow struct {
	Day    domain.Day
	Stream domain.Stream
}

// ChannelOf is the channel that a stream's name tells; empty where it tells none.
func ChannelOf(s domain.Stream) domain.ChannelID {
	switch s.Category() {
	case "payment", "unmatched", "channel", "reconciliation", "book", "payout":
		_, rest, _ := strings.Cut(string(s), "-")
		channel, _, _ := strings.Cut(rest, ":")
		return domain.ChannelID(channel)
	}
	return ""
}

// apart is the wallet whose turnover is kept apart from the others'.
func apart(w domain.AccountID) domain.AccountID {
	if w == domain.TestAccount {
		return w
	}
	return ""
}

// find notes what reports look for beside bookings: differences that open and
// close, and days that were compared.
func (f *folder) find(e *event) {
	_, day, _ := strings.Cut(string(e.Stream), ":")
	row := FindingRow{Stream: e.Stream, Day: domain.Day(day), Position: e.Position}
	switch fact := e.fact.(type) {
	case domain.ReconciliationCompared:
		f.out.Compared = append(f.out.Compared, ComparedRow{fact.Day, e.Stream})
		return
	case domain.ReconciliationDiffered:
		row.ID, row.Open = fact.Discrepancy, !fact.Resolved
		f.out.Compared = append(f.out.Compared, ComparedRow{row.Day, e.Stream})
	case domain.DiscrepancyFound:
		row.ID, row.Open, row.Day = e.ID, true, domain.DayOf(e.recorded, time.UTC)
	case domain.CorrectionIssued:
		if fact.Corrects.IsZero() {
			return
		}
		row.ID, row.Known = fact.Corrects, true
	default:
		return
	}
	f.out.Findings = append(f.out.Findings, row)
}
