package sqlite

import (
	"errors"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// CheckVersion is for tests.
var CheckVersion = checkVersion

// Tail is how many events opening checks.
const Tail = tail

// Exec runs SQL on the committer's connection, between two groups.
func (s *Store) Exec(sql string) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	return s.writer.c.exec(sql)
}

// Hold keeps the committer from its next group until the function it returns
// is called.
func (s *Store) Hold() (release func()) {
	s.gate.Lock()
	return s.gate.Unlock
}

// Waiting is how many appends the committer has not taken.
func (s *Store) Waiting() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.waiting)
}

// Disk stands between SQLite and the write-ahead log of a store's committer.
// Its hooks answer a call with a result code of SQLite, or let it through with
// 0.
type Disk struct {
	mu    sync.Mutex
	sync  func() int32
	write func() int32

	// SQLite keeps addresses of these, Go's collector must see them too.
	xSync  func(*libc.TLS, uintptr, int32) int32
	xWrite func(*libc.TLS, uintptr, uintptr, int32, int64) int32
}

// Hooks sets both hooks; nil lets everything through.
func (d *Disk) Hooks(sync, write func() int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sync, d.write = sync, write
}

func (d *Disk) ask(hook *func() int32) int32 {
	d.mu.Lock()
	h := *hook
	d.mu.Unlock()
	if h == nil {
		return 0
	}
	return h()
}

// Disk puts itself under the store's log. The store needs one append before.
func (s *Store) Disk(t testing.TB) *Disk {
	t.Helper()
	s.gate.Lock()
	defer s.gate.Unlock()
	c := s.writer.c
	name, err := libc.CString("main")
	if err != nil {
		t.Fatal(err)
	}
	defer libc.Xfree(c.tls, name)
	rc := sqlite3.Xsqlite3_file_control(c.tls, c.h, name, sqlite3.SQLITE_FCNTL_JOURNAL_POINTER, c.cell)
	file := *(*uintptr)(pointer(c.cell))
	if rc != 0 || file == 0 || *(*uintptr)(pointer(file)) == 0 {
		t.Fatal(errors.New("the log is not open"))
	}
	d := &Disk{}
	truly := *(**sqlite3.Tsqlite3_io_methods)(pointer(file))
	realSync, realWrite := truly.FxSync, truly.FxWrite
	d.xSync = func(tls *libc.TLS, file uintptr, flags int32) int32 {
		if rc := d.ask(&d.sync); rc != 0 {
			return rc
		}
		return (*(*func(*libc.TLS, uintptr, int32) int32)(unsafe.Pointer(&struct{ uintptr }{realSync})))(tls, file, flags)
	}
	d.xWrite = func(tls *libc.TLS, file, buf uintptr, n int32, at int64) int32 {
		if rc := d.ask(&d.write); rc != 0 {
			return rc
		}
		return (*(*func(*libc.TLS, uintptr, uintptr, int32, int64) int32)(unsafe.Pointer(&struct{ uintptr }{realWrite})))(tls, file, buf, n, at)
	}
	size := unsafe.Sizeof(*truly)
	faked := libc.Xmalloc(c.tls, libc.Tsize_t(size)) // lives as long as the process
	*(*sqlite3.Tsqlite3_io_methods)(pointer(faked)) = *truly
	methods := (*sqlite3.Tsqlite3_io_methods)(pointer(faked))
	methods.FxSync = *(*uintptr)(unsafe.Pointer(&struct {
		f func(*libc.TLS, uintptr, int32) int32
	}{d.xSync}))
	methods.FxWrite = *(*uintptr)(unsafe.Pointer(&struct {
		f func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	}{d.xWrite}))
	*(*uintptr)(pointer(file)) = faked
	t.Cleanup(func() { d.Hooks(nil, nil) })
	return d
}

// Codes for hooks.
const (
	CodeIOErr   = codeIOErr
	CodeIOFsync = codeIOFsync
	CodeIOWrite = codeIOWrite
	CodeFull    = codeFull
)

// OpenError is what opening a store says of an error of SQLite.
func OpenError(path string, code int32, text string) error {
	return openError(path, &sqlError{code, text})
}
