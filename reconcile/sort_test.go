package reconcile

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"counterfoil/domain"
)

// byValue compares what go-cmp cannot look into.
var byValue = gocmp.Options{
	gocmp.Comparer(func(a, b domain.Money) bool { return a == b }),
	gocmp.Comparer(func(a, b decimal.Decimal) bool { return a.Equal(b) }),
	gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
}

func yields[T any](lines []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func gathered[T any](t interface{ Fatal(...any) }, lines iter.Seq2[T, error]) []T {
	var out []T
	for l, err := range lines {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// anyText has what trade numbers have and what nobody expects.
var anyText = rapid.OneOf(rapid.SampledFrom([]string{"", "4200001", "42000010", "4200002", "42"}), rapid.String())

var anyMoney = rapid.Custom(func(t *rapid.T) domain.Money {
	if rapid.Bool().Draw(t, "none") {
		return domain.Money{}
	}
	return domain.NewMoney(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "minor"), rapid.SampledFrom([]domain.Currency{"CNY", "JPY"}).Draw(t, "currency"))
})

var anyTime = rapid.Custom(func(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "zero") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
})

var anyFee = rapid.Custom(func(t *rapid.T) decimal.Decimal {
	d := decimal.New(rapid.Int64().Draw(t, "digits"), rapid.Int32Range(-8, 2).Draw(t, "exponent"))
	if rapid.Bool().Draw(t, "long") {
		return d.Mul(decimal.New(rapid.Int64().Draw(t, "more"), 0))
	}
	return d
})

var anyBillLine = rapid.Custom(func(t *rapid.T) domain.BillLine {
	return domain.BillLine{
		Row: rapid.Int().Draw(t, "row"), Kind: domain.LineKind(anyText.Draw(t, "kind")), OrderNo: anyText.Draw(t, "order"),
		TradeNo: anyText.Draw(t, "trade"), RefundID: anyText.Draw(t, "refund"), RefundNo: anyText.Draw(t, "refund no"),
		DisputeID: anyText.Draw(t, "dispute"), PayoutID: anyText.Draw(t, "payout"), ID: anyText.Draw(t, "id"),
		Amount: anyMoney.Draw(t, "amount"), Fee: anyFee.Draw(t, "fee"), FeeCurrency: domain.Currency(anyText.Draw(t, "fee currency")),
		Net: anyMoney.Draw(t, "net"), Discount: anyMoney.Draw(t, "discount"), Balance: anyMoney.Draw(t, "balance"),
		Status: domain.Status(anyText.Draw(t, "status")), ProviderStatus: anyText.Draw(t, "word"),
		At: anyTime.Draw(t, "at"), Account: domain.AccountID(anyText.Draw(t, "account")),
	}
})

var anyOurLine = rapid.Custom(func(t *rapid.T) domain.OurLine {
	return domain.OurLine{
		Kind: domain.LineKind(anyText.Draw(t, "kind")), OrderNo: anyText.Draw(t, "order"), TradeNo: anyText.Draw(t, "trade"),
		RefundID: anyText.Draw(t, "refund"), RefundNo: anyText.Draw(t, "refund no"), DisputeID: anyText.Draw(t, "dispute"),
		Amount: anyMoney.Draw(t, "amount"), State: domain.TradeState(anyText.Draw(t, "state")),
		ValueDate: domain.Day(anyText.Draw(t, "day")), At: anyTime.Draw(t, "at"), Position: rapid.Uint64().Draw(t, "position"),
		Since: domain.Day(anyText.Draw(t, "since")),
	}
})

// What is sorted in any number of chunks is what slices.SortStable makes of it,
// to the last field.
func TestSortIsAStableSort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 200, 2000, sortChunk}).Draw(t, "chunk")
		sameSort(t, sorting[domain.BillLine]{dir: dir, chunk: size, codec: billCodec}, rapid.SliceOfN(anyBillLine, 0, 40).Draw(t, "bill"),
			func(a, b domain.BillLine) int { return cmp.Compare(a.TradeNo, b.TradeNo) })
		sameSort(t, sorting[domain.OurLine]{dir: dir, chunk: size, codec: oursCodec}, rapid.SliceOfN(anyOurLine, 0, 40).Draw(t, "ours"),
			func(a, b domain.OurLine) int { return cmp.Compare(a.TradeNo, b.TradeNo) })
	})
	nothingLeft(t, dir)
}

func sameSort[T any](t *rapid.T, s sorting[T], lines []T, order func(a, b T) int) {
	got := gathered(t, s.lines(context.Background(), yields(lines)))
	want := slices.Clone(lines)
	slices.SortStableFunc(want, order)
	if diff := gocmp.Diff(append([]T{}, want...), append([]T{}, got...), byValue); diff != "" {
		t.Fatalf("sorted (-want +got):\n%s", diff)
	}
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// numbered are n lines of which each is in one chunk of its own.
func numbered(n int) []domain.BillLine {
	out := make([]domain.BillLine, n)
	for i := range out {
		out[i] = domain.BillLine{Row: i, TradeNo: "4200001" + string(rune('a'+i*7%26)), Kind: domain.LinePayment}
	}
	return out
}

// The file that is sorted in has no name, so nothing can leave it behind: not
// when the reader stops early, nor when the source breaks, nor at a kill.
func TestSortLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sorting[domain.BillLine]{dir: dir, chunk: 1, codec: billCodec}
	for range s.lines(t.Context(), yields(numbered(30))) {
		nothingLeft(t, dir)
		break
	}
	why := domain.E(domain.KindCorrupt, "row 20 is cut short")
	broken := func(yield func(domain.BillLine, error) bool) {
		for _, l := range numbered(20) {
			if !yield(l, nil) {
				return
			}
		}
		yield(domain.BillLine{}, why)
	}
	var got []error
	for _, err := range s.lines(t.Context(), broken) {
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], why) {
		t.Errorf("errors %v, want the source's own and no line before it", got)
	}
	nothingLeft(t, dir)
}

func TestSortEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := sorting[domain.BillLine]{dir: t.TempDir(), chunk: 1 << 10, codec: billCodec}
	for name, after := range map[string]int{"while it is read": 3000, "while it is merged": 10_000} {
		ctx, cancel := context.WithCancel(t.Context())
		read, sorted := 0, 0
		counted := func(yield func(domain.BillLine, error) bool) {
			for range 4000 {
				if read++; read == after {
					cancel()
				}
				if !yield(domain.BillLine{TradeNo: "1"}, nil) {
					return
				}
			}
		}
		var last error
		for _, err := range s.lines(ctx, counted) {
			if sorted++; sorted == 100 {
				cancel()
			}
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("%s: error %v after %d lines", name, last, sorted)
		}
		cancel()
	}
}

// A disk that is full or away is named, and is no difference.
func TestSortWithoutADisk(t *testing.T) {
	t.Parallel()
	s := sorting[domain.BillLine]{dir: t.TempDir() + "/gone", chunk: 1, codec: billCodec}
	var last error
	for _, err := range s.lines(t.Context(), yields(numbered(3))) {
		last = err
	}
	if last == nil || domain.KindOf(last) != domain.KindUnavailable {
		t.Errorf("error %v", last)
	}
}

// Whatever bytes stand in the file, reading them back ends, and what is read
// packs again to a line that reads the same.
func FuzzPackedLines(f *testing.F) {
	f.Add("")
	f.Add(string(packedBill(domain.BillLine{TradeNo: "4200001", Kind: domain.LinePayment, Fee: decimal.New(438, -5), At: time.Unix(1, 2)})))
	f.Add(string(packedOurs(domain.OurLine{TradeNo: "4200001", Kind: domain.LineRefund, Amount: domain.NewMoney(-7, domain.CNY)})))
	f.Fuzz(func(t *testing.T, packed string) {
		if l, err := decodeBill(packed); err == nil {
			again, err := decodeBill(string(packedBill(l)))
			if diff := gocmp.Diff(l, again, byValue); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
		if l, err := decodeOurs(packed); err == nil {
			again, err := decodeOurs(string(packedOurs(l)))
			if diff := gocmp.Diff(l, again, byValue); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
	})
}

func packedBill(l domain.BillLine) []byte { return appendBill(appendText(nil, l.TradeNo), &l) }

func packedOurs(l domain.OurLine) []byte { return appendOurs(appendText(nil, l.TradeNo), &l) }

// A line of a fund flow is read back as it was packed, whatever its key.
func TestFlowLinesRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := domain.FlowLine{
			BillLine: anyBillLine.Draw(t, "line"), Day: domain.Day(anyText.Draw(t, "day")), Since: domain.Day(anyText.Draw(t, "since")),
		}
		key := anyText.Draw(t, "key")
		codec := flowCodec(func(*domain.FlowLine) string { return key })
		packed := codec.append(appendText(nil, codec.key(&want)), &want)
		got, err := codec.decode(string(packed))
		if diff := gocmp.Diff(want, got, byValue); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
		if _, err := codec.decode(string(packed[:len(packed)-1])); err == nil {
			t.Fatal("a line that is cut short was read")
		}
	})
}
