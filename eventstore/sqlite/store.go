package sqlite

import (
	"context"
	"log/slog"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/internal/still"
)

// Store is an open store file. It is safe for concurrent use.
type Store struct {
	path string
	o    Options
	log  *slog.Logger

	queue   queue
	writer  *writer
	gate    sync.Mutex // holds off the committer while the log starts over
	readers chan *reader
	full    bool // all readers are there
	still   bool // the file cannot be written, and nobody does
	watcher *watcher
	mover   *mover
	head    head
	state   state

	closing chan struct{}
	work    sync.WaitGroup
}

var _ eventstore.Store = (*Store)(nil)

// Open opens a store that Create made. It recovers what a crash left, checks
// that the file is one of ours and in order at its end, and starts the
// committer.
//
// KindNotFound when there is nothing at path; KindMismatch for a foreign file,
// one from a newer program, or a place that SQLite cannot lock (network file
// systems); KindCorrupt when the end of the log contradicts itself; KindDenied
// when it cannot be written, see Options.OnlyReads; KindUnavailable when another
// process keeps it locked.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	o = o.withDefaults()
	path, err := locate(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path:    path,
		o:       o,
		log:     o.Logger.With(slog.String("store", path)),
		readers: make(chan *reader, o.Readers),
		closing: make(chan struct{}),
	}
	s.state.failed = make(chan struct{})
	s.queue.wake = make(chan struct{}, 1)
	s.head.grown, s.head.awaited = make(chan struct{}), make(chan struct{}, 1)
	if o.OnlyReads {
		if s.still, err = still.Is(path); err != nil {
			return nil, err
		}
	}
	opening := s.open
	if s.still {
		opening = s.openStill
	}
	if err := opening(ctx); err != nil {
		s.closeConns()
		return nil, err
	}
	s.start()
	return s, nil
}

// open makes the connections, the committer's first: it recovers.
func (s *Store) open(ctx context.Context) error {
	var err error
	if s.writer, err = newWriter(s.path, s.o); err != nil {
		return err
	}
	if s.state.retired, err = movedTo(s.writer.c); err != nil {
		return openError(s.path, err)
	}
	if err := s.openReaders(); err != nil {
		return err
	}
	if s.watcher, err = s.newWatcher(); err != nil {
		return err
	}
	if s.mover, err = newMover(s.path, s.o.LogPages); err != nil {
		return err
	}
	if err := s.land(ctx); err != nil {
		return err
	}
	return s.checkEnd(ctx)
}

// openStill makes the connections to a file that cannot be written: there is
// nothing to recover, to commit or to wait for.
func (s *Store) openStill(ctx context.Context) error {
	c, err := s.dialReader()
	if err != nil {
		return err
	}
	defer c.close()
	if err := identify(c, s.path); err != nil {
		return err
	}
	if err := checkSchema(c, s.path); err != nil {
		return err
	}
	if s.state.retired, err = movedTo(c); err != nil {
		return openError(s.path, err)
	}
	s.state.still = true
	if err := s.openReaders(); err != nil {
		return err
	}
	return s.checkEnd(ctx)
}

func (s *Store) openReaders() error {
	for range s.o.Readers {
		r, err := s.newReader()
		if err != nil {
			return err
		}
		s.readers <- r
	}
	s.full = true
	return nil
}

// checkEnd looks at the end of the log, and knows it from then on.
func (s *Store) checkEnd(ctx context.Context) error {
	look := s.checkTail
	if s.o.SkipTail {
		look = s.Head
	}
	last, err := look(ctx)
	s.head.advance(last)
	return err
}

// Still reports whether the file cannot be written and is read as it stands.
func (s *Store) Still() bool { return s.still }

func (s *Store) start() {
	if s.still {
		return
	}
	s.checkSpace()
	s.work.Go(s.commitLoop)
	s.work.Go(s.watchLoop)
	s.work.Go(s.moveLoop)
	s.work.Go(s.probeLoop)
}

// Close ends the store: appends that wait are refused, the one transaction
// under way is finished, followers end.
func (s *Store) Close() error {
	if !s.state.close() {
		return nil
	}
	close(s.closing)
	s.work.Wait()
	s.queue.end(closed())
	s.closeConns()
	return nil
}

// closeConns waits for readers that are lent out.
func (s *Store) closeConns() {
	for range s.countReaders() {
		r := <-s.readers
		r.c.close()
	}
	if s.watcher != nil {
		s.watcher.c.close()
	}
	if s.mover != nil {
		s.mover.c.close()
	}
	if s.writer != nil {
		s.writer.c.close()
	}
}

// countReaders is how many readers there are: all when the store was opened, as
// many as are in the pool when opening failed.
func (s *Store) countReaders() int {
	if s.full {
		return cap(s.readers)
	}
	return len(s.readers)
}

func closed() error { return domain.E(domain.KindUnavailable, "the event store is closed") }
