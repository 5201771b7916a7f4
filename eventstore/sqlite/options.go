package sqlite

import (
	"log/slog"
	"math/rand/v2"
	"time"
)

// Options shape a store. The zero value is the default for each.
type Options struct {
	// Logger takes what the store has to say outside of results. Default:
	// nothing is logged.
	Logger *slog.Logger

	// Cache is how many bytes of the file the committer keeps in memory; at
	// 100 bytes of index per payment, the default of 128 MB serves a million
	// payments in any order and any number in ascending order.
	Cache int

	// Readers is how many streams are read at once. Default 4.
	Readers int

	// MinFree is how many bytes must be free on the disk for an append to be
	// taken: room to close the books and to repair. Default 64 MB, negative
	// for no limit.
	MinFree int64

	// Queue is how many appends may wait for the committer. Default 4,096.
	Queue int

	// LogPages is how many pages of 8 KB the write-ahead log collects before
	// they move into the database. Default 32,000, which is 256 MB: the longer
	// the log, the more often a page was changed before it moves, once, and
	// the more seldom appends wait for the disk to take the rest.
	LogPages int

	// Wait is how long an append waits for another process's lock. Default 5 s.
	Wait time.Duration

	// SkipTail opens a store whose end contradicts itself: for who checks all of
	// it and names what is wrong. Nothing should be appended to such a store.
	SkipTail bool

	// OnlyReads is for who appends nothing: a file that cannot be written, or
	// whose folder cannot, is opened all the same, and its appends are KindDenied.
	// Elsewhere it changes nothing.
	OnlyReads bool

	// Poll is how often commits are looked for that other processes made, while
	// there are some. Default 15 ms.
	Poll time.Duration

	// Rest is how often they are looked for after a silence, at least: a follower
	// learns so late of a lone event. Default 40 ms.
	Rest time.Duration
}

// Fixed limits: how much one transaction takes, how much may wait, and how
// much a follower is handed at once.
const (
	groupAppends = 256
	groupBytes   = 4 << 20
	queueBytes   = 64 << 20
	pageBytes    = 4 << 20
	defaultBatch = 1000
)

// Pauses: before a locked file is tried again, between two probes of a store
// that could not write, between two looks at the free space, and between two
// reads of a follower that has caught up, so that it takes many small commits
// in one batch.
const (
	retryMin     = 200 * time.Microsecond
	retrySpread  = 600 * time.Microsecond
	probeEvery   = time.Second
	spaceEvery   = time.Second
	followLinger = 2 * time.Millisecond
)

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MinFree == 0 {
		o.MinFree = 64 << 20
	}
	setDefault(&o.Cache, 128<<20)
	setDefault(&o.Readers, 4)
	setDefault(&o.Queue, 4096)
	setDefault(&o.LogPages, 32_000)
	setDefault(&o.Wait, 5*time.Second)
	setDefault(&o.Poll, 15*time.Millisecond)
	setDefault(&o.Rest, 40*time.Millisecond)
	return o
}

func setDefault[T int | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// retryPause spreads the tries of two processes, so that neither always comes
// while the other holds the lock.
func retryPause() time.Duration {
	return retryMin + rand.N(retrySpread) //nolint:gosec // spreads retries, decides nothing
}
