package reconcile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"counterfoil/domain"
)

// benchDay is the day of the synthetic bill.
const benchDay domain.Day = "2026-11-21"

// shuffled is the i-th of n numbers in an order without order: i·odd mod 2^k,
// skipping what is beyond n, would not be uniform; a Feistel walk is.
type shuffled struct {
	n, half uint64
	keys    [4]uint64
}

func newShuffled(n int, seed uint64) shuffled {
	s := shuffled{n: uint64(n), half: 1}
	for 1<<(2*s.half) < s.n {
		s.half++
	}
	r := rand.New(rand.NewPCG(seed, 1)) // a test's order
	for i := range s.keys {
		s.keys[i] = r.Uint64()
	}
	return s
}

func (s shuffled) at(i int) int {
	mask := uint64(1)<<s.half - 1
	x := uint64(i)
	for ok := true; ok; ok = x >= s.n {
		l, r := x>>s.half, x&mask
		for _, k := range s.keys {
			l, r = r, l^((r*0x9e3779b97f4a7c15+k)>>20&mask)
		}
		x = l<<s.half | r
	}
	return int(x)
}

func tradeOf(i int) string {
	b := append(make([]byte, 0, 28), "4200002026112100000000000000"...)
	digits := strconv.AppendInt(make([]byte, 0, 20), int64(i), 10)
	copy(b[len(b)-len(digits):], digits)
	return string(b)
}

// ourNth and theirNth are the i-th payment on each side. Every 100,000th
// differs in its amount.
func ourNth(i int, at time.Time) domain.OurLine {
	trade := tradeOf(i)
	return domain.OurLine{
		Kind: domain.LinePayment, TradeNo: trade, OrderNo: "U" + trade[10:], Amount: domain.NewMoney(int64(100+i%9000), domain.CNY),
		State: domain.TradeCredited, ValueDate: benchDay, At: at, Position: uint64(i),
	}
}

func theirNth(i int, at time.Time) domain.BillLine {
	trade := tradeOf(i)
	minor := int64(100 + i%9000)
	l := domain.BillLine{
		Row: i + 1, Kind: domain.LinePayment, TradeNo: trade, OrderNo: "U" + trade[10:], Amount: domain.NewMoney(minor, domain.CNY),
		Fee: decimal.New(minor*6, -5), FeeCurrency: domain.CNY, Status: domain.StatusPaid, ProviderStatus: "SUCCESS", At: at,
	}
	if i%100_000 == 99_999 {
		l.Amount = domain.NewMoney(minor+1, domain.CNY)
	}
	return l
}

// generated are n lines in the order that at gives.
func generated[T any](n int, nth func(int, time.Time) T, at func(int) int) iter.Seq2[T, error] {
	noon := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	return func(yield func(T, error) bool) {
		for i := range n {
			if !yield(nth(at(i), noon), nil) {
				return
			}
		}
	}
}

func asIs(i int) int { return i }

// packedFile writes lines into a file as the sort writes them, and reads them.
func packedFile[T any](b *testing.B, codec lineCodec[T], lines iter.Seq2[T, error]) func() iter.Seq2[T, error] {
	b.Helper()
	path := b.TempDir() + "/lines"
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	var buf, size []byte
	for l := range lines {
		buf = codec.append(appendText(buf[:0], codec.key(&l)), &l)
		size = binary.AppendUvarint(size[:0], uint64(len(buf)))
		_, err1 := out.Write(size)
		_, err2 := out.Write(buf)
		if err := errors.Join(err1, err2); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	return func() iter.Seq2[T, error] {
		return func(yield func(T, error) bool) {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			in := &run{in: bufio.NewReaderSize(f, 1<<20)}
			for {
				rec, err := in.next()
				if err != nil {
					b.Fatal(err)
				}
				if rec == nil {
					return
				}
				line, err := codec.decode(string(rec))
				if !yield(line, err) {
					return
				}
			}
		}
	}
}

// compareRows is how many rows each side has; COMPARE_ROWS sets another number.
func compareRows(b *testing.B) int {
	b.Helper()
	n := 300_000
	if s := os.Getenv("COMPARE_ROWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// peak watches the memory of the process while f runs.
func peak(f func()) uint64 {
	var most atomic.Uint64
	stop := make(chan struct{})
	done := make(chan struct{})
	runtime.GC()
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.Sys-m.HeapReleased))
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most.Load()
}

// measured runs one whole comparison and reports rows of one side a second.
func measured(b *testing.B, n int, compare func() (found int64)) {
	b.Helper()
	most := uint64(0)
	for b.Loop() {
		most = max(most, peak(func() {
			if found := compare(); found != int64(n/100_000) {
				b.Fatalf("%d differences found, want %d", found, n/100_000)
			}
		}))
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(most)/(1<<20), "MB")
}

func compared(b *testing.B, ours iter.Seq2[domain.OurLine, error], theirs iter.Seq2[domain.BillLine, error]) int64 {
	b.Helper()
	var sum domain.Compared
	p := domain.ComparePolicy{Day: benchDay, Zone: time.FixedZone("CST", 8*3600), Cut: 10 * time.Minute, Wait: 1}
	for _, err := range domain.Compare(ours, theirs, p, &sum) {
		if err != nil {
			b.Fatal(err)
		}
	}
	return sum.OpenCount()
}

// BenchmarkCompareSorted compares two sorted files.
func BenchmarkCompareSorted(b *testing.B) {
	n := compareRows(b)
	ours := packedFile(b, oursCodec, generated(n, ourNth, asIs))
	theirs := packedFile(b, billCodec, generated(n, theirNth, asIs))
	measured(b, n, func() int64 { return compared(b, ours(), theirs()) })
}

// BenchmarkPlainMerge is the limit: the same two files, merged by their keys
// and nothing else.
func BenchmarkPlainMerge(b *testing.B) {
	n := compareRows(b)
	ours := packedFile(b, oursCodec, generated(n, ourNth, asIs))
	theirs := packedFile(b, billCodec, generated(n, theirNth, asIs))
	measured(b, n, func() int64 {
		var differ int64
		next, stop := iter.Pull2(ours())
		defer stop()
		o, _, more := next()
		for t := range theirs() {
			for more && o.TradeNo < t.TradeNo {
				o, _, more = next()
			}
			if more && o.TradeNo == t.TradeNo && o.Amount != t.Amount {
				differ++
			}
		}
		return differ
	})
}

// BenchmarkCompareUnsorted sorts both sides first.
func BenchmarkCompareUnsorted(b *testing.B) {
	n := compareRows(b)
	ours := packedFile(b, oursCodec, generated(n, ourNth, newShuffled(n, 1).at))
	theirs := packedFile(b, billCodec, generated(n, theirNth, newShuffled(n, 2).at))
	measured(b, n, func() int64 {
		return compared(b, sorting[domain.OurLine]{codec: oursCodec}.lines(b.Context(), ours()),
			sorting[domain.BillLine]{codec: billCodec}.lines(b.Context(), theirs()))
	})
}

// The order of the benchmark's rows is one: each number comes once.
func TestShuffledComesOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 100, 1023, 5000} {
		seen := make([]bool, n)
		s := newShuffled(n, 7)
		for i := range n {
			at := s.at(i)
			if seen[at] {
				t.Fatalf("%d of %d comes twice", at, n)
			}
			seen[at] = true
		}
	}
	if fmt.Sprint(newShuffled(1000, 1).at(5)) == "5" && newShuffled(1000, 1).at(6) == 6 {
		t.Error("nothing is shuffled")
	}
}

// 300 thousand rows on each side, neither sorted: every difference is found and
// none invented, in bounded memory.
func TestCompareManyRows(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	const n = 300_000
	ours := sorting[domain.OurLine]{dir: t.TempDir(), codec: oursCodec, chunk: 4 << 20}.
		lines(t.Context(), generated(n, ourNth, newShuffled(n, 1).at))
	theirs := sorting[domain.BillLine]{dir: t.TempDir(), codec: billCodec, chunk: 4 << 20}.
		lines(t.Context(), generated(n, theirNth, newShuffled(n, 2).at))
	var sum domain.Compared
	var found []string
	p := domain.ComparePolicy{Day: benchDay, Zone: time.UTC, Wait: 1}
	most := peak(func() {
		for d, err := range domain.Compare(ours, theirs, p, &sum) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, string(d.Kind)+" "+d.Key().TradeNo)
		}
	})
	want := fmt.Sprint([]string{"amount_mismatch " + tradeOf(99_999), "amount_mismatch " + tradeOf(199_999), "amount_mismatch " + tradeOf(299_999)})
	if fmt.Sprint(found) != want || sum.Matched != n-3 || sum.Ours.Lines != n || sum.Theirs.Lines != n {
		t.Errorf("found %v, %+v", found, sum)
	}
	t.Logf("memory of the process at most %d MB", most>>20)
	if most > 200<<20 {
		t.Errorf("memory rose to %d MB", most>>20)
	}
}
