// Package storetest is the one suite that every event store passes: the
// promises of the eventstore port as tests. A store that passes may take the
// place of any other.
package storetest

import (
	"testing"

	"counterfoil/eventstore"
)

// Adapter says how a store under test is made.
type Adapter struct {
	// New makes an empty store of its own for the test; the suite closes it.
	New func(t *testing.T) eventstore.Store

	// Reopen closes the store and opens what it left behind. nil when the
	// adapter keeps nothing.
	Reopen func(t *testing.T, s eventstore.Store) eventstore.Store
}

// Run runs the whole suite.
func Run(t *testing.T, a Adapter) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Adapter)
	}{
		{"Append", testAppend},
		{"Bytes", testBytes},
		{"Check", testCheck},
		{"Conflict", testConflict},
		{"Idempotence", testIdempotence},
		{"IdsAreNotUnique", testIdsAreNotUnique},
		{"ReadStream", testReadStream},
		{"Sealed", testSealed},
		{"OwnBytes", testOwnBytes},
		{"Head", testHead},
		{"Follow", testFollow},
		{"FollowFrom", testFollowFrom},
		{"FollowHashes", testFollowHashes},
		{"FollowLive", testFollowLive},
		{"FollowBeyondHead", testFollowBeyondHead},
		{"SlowFollower", testSlowFollower},
		{"EndedContext", testEndedContext},
		{"Race", testRace},
		{"StablePrefix", testStablePrefix},
		{"Close", testClose},
		{"Reopen", testReopen},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, a)
		})
	}
}

// open is a new store that is checked as a whole and closed when the test ends.
func (a Adapter) open(t *testing.T) eventstore.Store {
	t.Helper()
	s := a.New(t)
	t.Cleanup(func() {
		if !t.Failed() {
			CheckLog(t, s)
		}
		closeStore(t, s)
	})
	return s
}

func closeStore(t *testing.T, s eventstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
