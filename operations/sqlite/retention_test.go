package sqlite

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// write puts rows into the callback log at once.
func write(t *testing.T, s *Store, rows ...operations.Callback) {
	t.Helper()
	noError(t, s.insertCallbacks(rows))
}

func row(at time.Time, outcome domain.Outcome, orderNo string, request int) operations.Callback {
	return operations.Callback{
		Channel: "a", ReceivedAt: at, Outcome: outcome, OrderNo: orderNo, Request: []byte(strings.Repeat("x", request)),
	}
}

// orders is the order numbers in the log, newest first.
func orders(t *testing.T, s *Store) string {
	t.Helper()
	rows, err := s.Callbacks(t.Context(), operations.CallbackFilter{Limit: maxPage})
	noError(t, err)
	var list []string
	for _, c := range rows {
		list = append(list, c.OrderNo)
	}
	return strings.Join(list, " ")
}

// checkCounters compares the counters with what is there.
func checkCounters(t *testing.T, s *Store) tally {
	t.Helper()
	var kept, counted tally
	noError(t, s.normal.do(t.Context(), func(tx *tx) (err error) {
		if counted, err = readCounters(tx); err != nil {
			return err
		}
		return tx.row(`SELECT (SELECT count(*) FROM callbacks), (SELECT count(*) FROM refused),
  (SELECT coalesce(sum(length(request)), 0) FROM refused)`, nil, &kept.callbacks, &kept.refused, &kept.refusedBytes)
	}))
	if counted != kept {
		t.Errorf("counters say %+v, there are %+v", counted, kept)
	}
	return kept
}

func TestOldRowsGo(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	now := fixedClock()
	write(t, s,
		row(now.Add(-91*day), domain.OutcomeCredited, "gone", 0),
		row(now.Add(-91*day), domain.OutcomeRefused, "gone-too", 10),
		row(now.Add(-89*day), domain.OutcomeCredited, "kept", 0),
		row(now.Add(-31*day), domain.OutcomeRefused, "gone-refused", 10),
		row(now.Add(-29*day), domain.OutcomeRefused, "kept-refused", 10),
		row(now, domain.OutcomeHeld, "new", 0),
	)
	noError(t, s.pruneAll(t.Context()))
	if got, want := orders(t, s), "new kept-refused kept"; got != want {
		t.Errorf("left are %q, want %q", got, want)
	}
	if got := checkCounters(t, s); got != (tally{3, 1, 10}) {
		t.Errorf("counters %+v", got)
	}
}

// TestManyOldRowsGo needs more than one step.
func TestManyOldRowsGo(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	var rows []operations.Callback
	for i := range 3*pruneRows + 7 {
		rows = append(rows, row(fixedClock().Add(-100*day), []domain.Outcome{"credited", "refused"}[i%2], "old", i%2))
	}
	write(t, s, rows...)
	write(t, s, row(fixedClock(), "credited", "new", 0))
	noError(t, s.pruneAll(t.Context()))
	if got := orders(t, s); got != "new" {
		t.Errorf("left are %q", got)
	}
	checkCounters(t, s)
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	s := openBounded(t, newFile(t), func(l *limits) { l.callbackRows = 5 })
	defer s.Close()
	for i := range 12 {
		write(t, s, row(fixedClock(), []domain.Outcome{"credited", "refused"}[i%2], fmt.Sprint(i), 3))
	}
	if got, want := orders(t, s), "11 10 9 8 7"; got != want {
		t.Errorf("left are %q, want %q", got, want)
	}
	checkCounters(t, s)
}

func TestRefusedAreBounded(t *testing.T) {
	t.Parallel()
	s := openBounded(t, newFile(t), func(l *limits) { l.refusedRows, l.refusedBytes = 4, 1000 })
	defer s.Close()
	write(t, s, row(fixedClock(), "credited", "kept", 0))
	var flood []operations.Callback
	for i := range 50 {
		flood = append(flood, row(fixedClock(), "refused", fmt.Sprint("r", i), 10))
	}
	write(t, s, flood...)
	if got, want := orders(t, s), "r49 r48 r47 r46 kept"; got != want {
		t.Errorf("after too many rows: %q, want %q", got, want)
	}
	write(t, s, row(fixedClock(), "refused", "big", 975))
	if got, want := orders(t, s), "big r49 r48 kept"; got != want {
		t.Errorf("after too many bytes: %q, want %q", got, want)
	}
	if got := checkCounters(t, s); got != (tally{4, 3, 995}) {
		t.Errorf("counters %+v", got)
	}
}

func TestOldAnswersGo(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	now := fixedClock()
	for i := range 2*pruneRows + 1 {
		_, _, err := s.Begin(t.Context(), "k1", fmt.Sprint("old-", i), [32]byte{}, now.Add(-7*day-time.Second))
		noError(t, err)
	}
	_, _, err := s.Begin(t.Context(), "k1", "young", [32]byte{}, now.Add(-6*day))
	noError(t, err)
	_, fresh, err := s.Begin(t.Context(), "k1", "old-0", [32]byte{}, now) // claimed anew
	noError(t, err)
	if !fresh {
		t.Error("an old claim stands")
	}
	noError(t, s.pruneAll(t.Context()))
	var left string
	noError(t, s.read.QueryRow(`SELECT group_concat(key, ' ' ORDER BY key) FROM idempotency`).Scan(&left))
	if left != "old-0 young" {
		t.Errorf("left are %q", left)
	}
}

func TestOldRunsGo(t *testing.T) {
	t.Parallel()
	s := openBounded(t, newFile(t), func(l *limits) { l.runs = 3 })
	defer s.Close()
	for i := range 8 {
		noError(t, s.PutRun(t.Context(), operations.Run{ID: fmt.Sprint("r", i), Kind: "sweep", StartedAt: fixedClock().Add(time.Duration(i))}))
	}
	noError(t, s.pruneAll(t.Context()))
	runs, err := s.Runs(t.Context(), "", 100)
	noError(t, err)
	if len(runs) != 3 || runs[0].ID != "r7" || runs[2].ID != "r5" {
		t.Errorf("left are %+v", runs)
	}
}

// TestQueueIsBounded stops the writer and fills the queue by rows and by bytes.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := newCallbackQueue(limits{queueRows: 3, queueBytes: 100})
	for i, want := range []bool{true, false, true, true, false} {
		if got := q.add(row(fixedClock(), "refused", "", []int{60, 60, 40, 0, 0}[i])); got != want {
			t.Errorf("row %d taken: %t, want %t", i, got, want)
		}
	}
	batch := q.next()
	q.remove(batch[:1])
	if !q.add(row(fixedClock(), "refused", "", 60)) {
		t.Error("there is room again")
	}
	q.close()
	if q.add(row(fixedClock(), "refused", "", 0)) || q.dropped.Load() != 3 {
		t.Errorf("after closing with 3 rows: dropped %d", q.dropped.Load())
	}
}

// TestOverlongRowsAreCut logs what a hostile caller might send.
func TestOverlongRowsAreCut(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	long := strings.Repeat("é", 5000)
	write(t, s, bounded(operations.Callback{
		ReceivedAt: fixedClock(), Channel: long, Remote: long, Method: long, Outcome: domain.OutcomeRefused, Reason: domain.Reason(long),
		OrderNo: long, TradeNo: long, Reply: domain.Reply{ContentType: long, Body: long}, BodySHA256: long, Error: long,
		Request: make([]byte, maxRequest+1),
	}))
	var size int
	noError(t, s.read.QueryRow(`SELECT length(CAST(channel || remote || method || reason || order_no || trade_no ||
  reply_type || reply_body || body_sha256 || error AS BLOB)) FROM callbacks`).Scan(&size))
	if want := 8*maxText + 2*maxReply; size != want {
		t.Errorf("texts of %d bytes, want %d", size, want)
	}
	if rows, err := s.RefusedCallbacks(t.Context(), "", time.Time{}); err != nil || len(rows) != 0 {
		t.Errorf("an over-long request is kept: %v", err)
	}
	if kept := bounded(row(fixedClock(), domain.OutcomeHeld, "", 5)); kept.Request != nil {
		t.Error("a held callback keeps its request")
	}
}

// TestSlots finds orders over several buckets, also after opening again in the
// middle of one, newest first and page by page.
func TestSlots(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	const rows = 2*bucketRows + 5000
	random := rand.New(rand.NewPCG(1, 2))
	for from := 0; from < rows; {
		s := openFile(t, path)
		for range 30 {
			var batch []operations.Callback
			for range callbackBatch {
				orderNo := fmt.Sprint(random.Uint64())
				if from%9000 == 17 {
					orderNo = "again"
				}
				batch = append(batch, row(fixedClock(), "credited", orderNo, 0))
				from++
			}
			write(t, s, batch...)
		}
		noError(t, s.Close())
	}
	s := openFile(t, path)
	defer s.Close()
	checkBuckets(t, s)
	f := operations.CallbackFilter{OrderNo: "again", Limit: 3}
	var found []int64
	for page, err := s.Callbacks(t.Context(), f); len(page) > 0; page, err = s.Callbacks(t.Context(), f) {
		noError(t, err)
		for _, c := range page {
			if f.Before > 0 && c.Seq >= f.Before {
				t.Fatalf("row %d after %d", c.Seq, f.Before)
			}
			f.Before = c.Seq
			found = append(found, c.Seq)
		}
	}
	if len(found) != 10 {
		t.Errorf("the order was found %d times, want 10", len(found))
	}
}

// checkBuckets fails if a bucket has more rows than one process puts there.
func checkBuckets(t *testing.T, s *Store) {
	t.Helper()
	var buckets, most int
	noError(t, s.read.QueryRow(`SELECT count(*), max(n) FROM
  (SELECT count(*) n FROM callbacks GROUP BY slot >> ?)`, slotShift).Scan(&buckets, &most))
	if buckets != 3 || most > bucketRows {
		t.Errorf("%d buckets with up to %d rows", buckets, most)
	}
}

// TestPlans has every filter answered by an index, without sorting.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := openFile(t, newFile(t))
	defer s.Close()
	for index, f := range map[string]operations.CallbackFilter{
		"INTEGER PRIMARY KEY": {},
		"callbacks_channel":   {Channel: "a"},
		"callbacks_outcome":   {Outcome: domain.OutcomeParked},
	} {
		f.Limit = 10
		checkPlan(t, s, index, selectCallbacks(f, ""), filterArgs(f)...)
	}
	checkPlan(t, s, "callbacks_slot", selectCallbacks(operations.CallbackFilter{}, ` AND c.slot = ? AND c.order_no = ?`),
		filterArgs(operations.CallbackFilter{}, 1, "o")...)
	checkPlan(t, s, "asks_held", dueHeld, 1, 1)
	checkPlan(t, s, "asks_due", dueOthers, 1, 1)
	checkPlan(t, s, "asks_due", `SELECT count(*) FROM asks WHERE done = 0`)
}

func checkPlan(t *testing.T, s *Store, index, query string, args ...any) {
	t.Helper()
	steps, err := collect(t.Context(), s.read, func(rows *sql.Rows) (step string, err error) {
		var id, parent, unused int
		err = rows.Scan(&id, &parent, &unused, &step)
		return step, err
	}, `EXPLAIN QUERY PLAN `+query, args...)
	noError(t, err)
	plan := strings.Join(steps, "; ")
	if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("%.80s …\nis answered by %q, want %s", query, plan, index)
	}
}
