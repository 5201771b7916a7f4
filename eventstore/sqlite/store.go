package sqlite

import (
	"context"
	"log/slog"
	"sync"

	"counterfoil/domain"
	"counterfoil/eventstore"
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
// systems); KindCorrupt when the end of the log contradicts itself;
// KindUnavailable when another process keeps it locked.
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
	s.head.grown = make(chan struct{})
	if err := s.open(ctx); err != nil {
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
	for range s.o.Readers {
		r, err := newReader(s.path)
		if err != nil {
			return err
		}
		s.readers <- r
	}
	if s.watcher, err = newWatcher(s.path); err != nil {
		return err
	}
	if s.mover, err = newMover(s.path, s.o.LogPages); err != nil {
		return err
	}
	if err := s.land(ctx); err != nil {
		return err
	}
	look := s.checkTail
	if s.o.SkipTail {
		look = s.Head
	}
	last, err := look(ctx)
	s.head.advance(last)
	return err
}

func (s *Store) start() {
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
	for range s.openReaders() {
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

// openReaders is how many readers there are: all when the store was opened, as
// many as are in the pool when opening failed.
func (s *Store) openReaders() int {
	if s.mover != nil {
		return cap(s.readers)
	}
	return len(s.readers)
}

func closed() error { return domain.E(domain.KindUnavailable, "the event store is closed") }
