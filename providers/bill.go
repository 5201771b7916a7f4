package providers

import (
	"context"
	"io"
	"iter"
	"time"

	"counterfoil/domain"
)

// BillKind says what a bill lists.
type BillKind string

// The bills a provider can make of a day.
const (
	BillTrade BillKind = "trade"     // payments and refunds
	BillFunds BillKind = "fund_flow" // every movement on the merchant's balance
)

// BillQuestion names one bill.
type BillQuestion struct {
	Kind BillKind
	Day  domain.Day // in the channel's zone
	At   time.Time
}

// BillFile is a bill as it was handed over.
type BillFile struct {
	Question  BillQuestion
	Empty     bool   // the provider positively says that the day had nothing; no bytes then
	Name      string // the provider's file name, where it has one
	MediaType string // of the bytes: "text/csv", "application/zip", "application/json"
	Claimed   string // the hash the provider names for the text inside, "sha1:" + hex; empty where it names none
	Final     bool   // the provider will not change it any more
}

// Biller is a Channel whose provider makes bills.
type Biller interface {
	// Bills are the kinds it makes.
	Bills() []BillKind
	// BillReady is the first moment at which the bill of a day can be expected.
	BillReady(day domain.Day) time.Time
	// FetchBill writes the bill to w, byte by byte as it came (but packed
	// transfer undone by HTTP itself). A bill that is not made yet is
	// KindNotFound: come again; no answer, a broken or a too long one is
	// KindUnavailable. A claimed hash was checked when it returns.
	FetchBill(ctx context.Context, q BillQuestion, w io.Writer) (BillFile, error)
	// ReadBill yields the lines of a bill that FetchBill wrote, in their order,
	// in constant memory. It ends after the first error: KindCorrupt names row
	// and column of what cannot be read, a total that does not agree, a missing
	// end, another day or merchant.
	ReadBill(r io.Reader, f BillFile) iter.Seq2[domain.BillLine, error]
}
