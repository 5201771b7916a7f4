package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"counterfoil/domain"
	"counterfoil/operations"
)

// onDisk tells in which of a store's files bytes stand, be it in free pages or
// in the journal.
func onDisk(t *testing.T, file string, what []byte) string {
	t.Helper()
	for _, name := range []string{file, file + "-wal", file + "-journal"} {
		data, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if bytes.Contains(data, what) {
			return name
		}
	}
	return ""
}

// A destroyed key stands nowhere in the files any more when the call returns,
// while daemons go on: neither in the journal nor in a page that was given up.
func TestDestroyedKeysLeaveTheDisk(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	s, other := openFile(t, file), openFile(t, file)
	defer s.Close()
	defer other.Close()
	name := func(i int) domain.Stream { return domain.Stream(fmt.Sprint("payment-a:", i)) }
	var keys []operations.DataKey
	for i := range 300 {
		key, err := s.EnsureDataKey(t.Context(), name(i))
		noError(t, err)
		keys = append(keys, key)
	}
	if onDisk(t, file, keys[3][:]) == "" {
		t.Fatal("the test looks at other files")
	}
	for i := range 250 {
		noError(t, s.DestroyDataKey(t.Context(), name(i)))
		if in := onDisk(t, file, keys[i][:]); in != "" {
			t.Fatalf("key %d stands in %s", i, in)
		}
	}
	for i, key := range keys[:250] {
		if in := onDisk(t, file, key[:]); in != "" {
			t.Fatalf("key %d stands in %s again", i, in)
		}
	}
	if key, err := other.DataKey(t.Context(), name(299)); err != nil || key != keys[299] {
		t.Errorf("what was kept: %v, %v", key == keys[299], err)
	}
}

// A journal that somebody still reads is said: the key is not gone then.
func TestAKeyThatSomebodyReadsIsNotGone(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	s := openBounded(t, file, func(l *limits) { l.lockWait = 50 * time.Millisecond })
	defer s.Close()
	key, err := s.EnsureDataKey(t.Context(), "payment-a:1")
	noError(t, err)
	reader, err := open(file, readPragmas, 1)
	noError(t, err)
	defer reader.Close()
	tx, err := reader.BeginTx(t.Context(), nil)
	noError(t, err)
	var n int
	noError(t, tx.QueryRowContext(t.Context(), `SELECT count(*) FROM data_keys`).Scan(&n))
	if err := s.DestroyDataKey(t.Context(), "payment-a:1"); domain.KindOf(err) != domain.KindUnavailable {
		t.Fatalf("destroyed while its journal is read: %v", err)
	}
	noError(t, tx.Rollback())
	noError(t, s.DestroyDataKey(t.Context(), "payment-a:1"))
	if in := onDisk(t, file, key[:]); in != "" {
		t.Errorf("the key stands in %s", in)
	}
}

// Refused requests hold personal data: when their time is over, the bytes go,
// too, and not only the rows.
func TestOldRequestsLeaveTheDisk(t *testing.T) {
	t.Parallel()
	file, o := newFile(t), testOptions(t)
	var hours atomic.Int64
	o.Clock = func() time.Time { return fixedClock().Add(time.Duration(hours.Load()) * time.Hour) }
	s, err := Open(t.Context(), file, o)
	noError(t, err)
	defer s.Close()
	old := row(fixedClock().Add(-31*day), domain.OutcomeRefused, "old", 0)
	old.Request = []byte(strings.Repeat("name=Jane+Doe&", 2000)) // pages of its own
	for range 5 {
		write(t, s, old)
	}
	if onDisk(t, file, []byte("Jane")) == "" {
		t.Fatal("the test looks at other files")
	}
	in := "no file yet"
	for range 50 { // the prune at the start may run beside these, and take rows after them
		noError(t, s.pruneAll(t.Context()))
		hours.Add(2)
		if in = onDisk(t, file, []byte("Jane")); in == "" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the request stands in %s", in)
}
