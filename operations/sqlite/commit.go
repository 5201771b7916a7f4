package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"counterfoil/domain"
)

// Bounds of a committer.
const (
	maxQueue = 16384 // jobs that wait
	maxBatch = 512   // jobs in one transaction
)

// job is one piece of a transaction. run may be called twice, each time in a
// transaction of its own, so it sets its results and never adds to them. What
// the caller asked for and cannot have (a taken lease) is such a result; an
// error of run means that the database failed.
type job struct {
	run   func(*tx) error
	err   error
	state atomic.Int32
	done  chan struct{}
}

// States of a job.
const (
	jobWaiting int32 = iota
	jobTaken
	jobWithdrawn
)

// committer runs jobs on one connection, as many as wait in one transaction.
type committer struct {
	tx     tx
	db     *sql.DB
	wait   time.Duration // for other processes to let the file go
	gate   *gate
	health *health

	mu     sync.Mutex
	queue  []*job
	closed bool
	last   error // of the last transaction; nil once one was committed
	wake   chan struct{}
	ended  chan struct{}
}

// newCommitter starts a committer with the only connection of db.
func newCommitter(ctx context.Context, db *sql.DB, wait time.Duration, g *gate, h *health) (*committer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, classify("open", err)
	}
	c := &committer{
		tx: tx{conn: conn, prepared: map[string]*sql.Stmt{}}, db: db, wait: wait, gate: g, health: h,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go c.work()
	return c, nil
}

// do runs a job and returns when it is committed. When ctx ends before the job
// was begun nothing happens and the error is KindUnavailable; after that the
// commit is waited for. A store that cannot be written has no committer.
func (c *committer) do(ctx context.Context, run func(*tx) error) error {
	if c == nil {
		return domain.E(domain.KindDenied, "the operations store takes no writes: its file or folder may not be written by this account")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{run: run, done: make(chan struct{})}
	if err := c.push(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobWithdrawn) {
			return ctx.Err()
		}
		<-j.done
	}
	return j.err
}

func (c *committer) push(j *job) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return domain.E(domain.KindUnavailable, "the store is closed")
	}
	if len(c.queue) >= maxQueue {
		return domain.E(domain.KindUnavailable, "%d writes are waiting already", maxQueue)
	}
	c.queue = append(c.queue, j)
	select {
	case c.wake <- struct{}{}:
	default: // awake already
	}
	return nil
}

// close runs what waits, then ends.
func (c *committer) close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	if first {
		close(c.wake)
	}
	<-c.ended
	if !first {
		return nil
	}
	for _, s := range c.tx.prepared {
		_ = s.Close()
	}
	return errors.Join(c.tx.conn.Close(), c.db.Close())
}

func (c *committer) work() {
	defer close(c.ended)
	for range c.wake {
		for batch := c.take(); len(batch) > 0; batch = c.take() {
			c.commit(batch)
		}
	}
	for batch := c.take(); len(batch) > 0; batch = c.take() {
		c.commit(batch)
	}
}

// take is the next batch, in order of arrival.
func (c *committer) take() []*job {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.queue), maxBatch)
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	return batch
}

// commit runs a batch in one transaction. If one job breaks it, each gets a
// transaction of its own, so that no caller suffers from another's job.
func (c *committer) commit(batch []*job) {
	c.gate.enter()
	defer c.gate.leave()
	err := c.attempt(batch)
	if len(batch) == 1 || err == nil || domain.KindOf(err) != domain.KindInternal {
		finish(batch, err)
		return
	}
	for i := range batch {
		finish(batch[i:i+1], c.attempt(batch[i:i+1]))
	}
}

// finish tells those who still wait.
func finish(batch []*job, err error) {
	for _, j := range batch {
		if j.state.Load() != jobWithdrawn {
			j.err = err
		}
		close(j.done)
	}
}

// attempt is one transaction.
func (c *committer) attempt(batch []*job) error {
	if failed := c.health.failure(); failed != nil {
		return domain.E(domain.KindUnavailable, "not tried, since a sync failed before: start the process again: %w", failed)
	}
	err := c.begin()
	if err == nil {
		err = c.runAll(batch)
	}
	err = classify("write", err)
	c.health.note(err)
	c.setLast(err)
	return err
}

func (c *committer) setLast(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = err
}

// ready reports whether the committer can write. After a failure it tries with
// as much as a few rows need, so that a store recovers without traffic too.
func (c *committer) ready(ctx context.Context) error {
	if c != nil && c.lastError() == nil {
		return nil
	}
	return c.do(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO probe VALUES (zeroblob(32768))`); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM probe`)
		return err
	})
}

func (c *committer) lastError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *committer) runAll(batch []*job) error {
	for _, j := range batch {
		if !j.state.CompareAndSwap(jobWaiting, jobTaken) && j.state.Load() == jobWithdrawn {
			continue
		}
		if err := j.run(&c.tx); err != nil {
			c.rollback()
			return err
		}
	}
	if _, err := c.tx.exec(`COMMIT`); err != nil {
		c.rollback()
		return err
	}
	return nil
}

// rollback ends a failed transaction. SQLite has ended it already after a full
// disk, so that the error tells nothing.
func (c *committer) rollback() { _, _ = c.tx.exec(`ROLLBACK`) }

// begin takes the write lock of the file from other processes.
func (c *committer) begin() error {
	ctx, cancel := context.WithTimeout(background(), c.wait)
	defer cancel()
	for {
		_, err := c.tx.exec(`BEGIN IMMEDIATE`)
		if err == nil || !isBusy(err) {
			return err
		}
		pause := time.NewTimer(200*time.Microsecond + rand.N(600*time.Microsecond)) //nolint:gosec // spreads retries, no secret
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return domain.E(domain.KindUnavailable, "another process kept the file locked for %s: %w", c.wait, err)
		}
	}
}
