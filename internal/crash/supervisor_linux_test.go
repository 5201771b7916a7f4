package crash

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"counterfoil/internal/assembly"
)

// A program under supervision runs below a seccomp filter that hands each of
// its fsync and fdatasync calls to the test, which lets it through or answers
// it with an error in the kernel's place (seccomp_unotify(2)). It works on any
// program, static ones too, and needs no root.

// launchSocket names the socket on which the launcher hands the filter's
// listener to the test. The launcher is this test program, started with it.
const launchSocket = "COUNTERFOIL_CRASH_LAUNCH"

// Numbers that package syscall does not have (linux/seccomp.h, linux/audit.h,
// the systems' own tables).
const (
	prSetNoNewPrivs   = 38
	setModeFilter     = 1
	flagNewListener   = 1 << 3
	retUserNotif      = 0x7fc00000
	retAllow          = 0x7fff0000
	notifRecv         = 0xc0502100
	notifSend         = 0xc0182101
	notifFlagContinue = 1
)

// machines is what differs between processors: the number of seccomp(2), and
// the processor's own name in a filter.
var machines = map[string]struct {
	seccomp uintptr
	audit   uint32
}{
	"amd64": {317, 0xc000003e},
	"arm64": {277, 0xc00000b7},
}

// launch puts the filter on this process, hands its listener to the test and
// becomes the program in args. It returns only when that fails.
func launch(socket string, args []string) error {
	runtime.LockOSThread() // the filter is on one thread, and that one becomes the program
	m, known := machines[runtime.GOARCH]
	if !known {
		return fmt.Errorf("no system call numbers for %s", runtime.GOARCH)
	}
	filter := []syscall.SockFilter{
		{Code: 0x20, K: 4},              // load the processor's name
		{Code: 0x15, Jf: 4, K: m.audit}, // another one: allow
		{Code: 0x20, K: 0},              // load the call's number
		{Code: 0x15, Jt: 1, K: syscall.SYS_FSYNC},
		{Code: 0x15, Jf: 1, K: syscall.SYS_FDATASYNC},
		{Code: 0x06, K: retUserNotif},
		{Code: 0x06, K: retAllow},
	}
	prog := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, no := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); no != 0 {
		return fmt.Errorf("give up privileges: %w", no)
	}
	listener, _, no := syscall.RawSyscall(m.seccomp, setModeFilter, flagNewListener, uintptr(unsafe.Pointer(&prog)))
	if no != 0 {
		return fmt.Errorf("install the filter: %w", no)
	}
	if err := handOver(socket, int(listener)); err != nil {
		return err
	}
	return syscall.Exec(args[0], args, foreign(os.Environ()))
}

func handOver(socket string, fd int) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _, err = conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(fd), nil)
	return err
}

// supervisor decides over a program's syncs.
type supervisor struct {
	listener int
	fail     atomic.Bool  // syncs of the event store's log fail
	synced   atomic.Int64 // syncs of it so far, the failed ones too
	failed   atomic.Int64
}

// supervise starts a program below a supervisor. It skips the test where the
// kernel has no such thing.
func (s *site) supervise(t *testing.T, prog, name string) (*daemon, *supervisor) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cf") // a socket's name is short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	must(t, err)
	defer l.Close()
	self, err := os.Executable()
	must(t, err)
	d := s.run(t, exec.Command(self, program(t, prog), "--dir", s.dir), name, launchSocket+"="+at)
	must(t, l.SetDeadline(time.Now().Add(10*time.Second)))
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Skipf("SKIPPED: no supervision of system calls here: %s", d.tail(500))
	}
	defer conn.Close()
	v := &supervisor{listener: receive(t, conn)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.serve()
	}()
	t.Cleanup(func() {
		d.kill()
		<-done
		syscall.Close(v.listener)
	})
	return d, v
}

func receive(t *testing.T, conn *net.UnixConn) int {
	t.Helper()
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 1), rights)
	must(t, err)
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	must(t, err)
	fds, err := syscall.ParseUnixRights(&messages[0])
	must(t, err)
	return fds[0]
}

// notice is struct seccomp_notif: a call that waits for its answer.
type notice struct {
	id           uint64
	pid, flags   uint32
	number, arch uint32
	at           uint64
	args         [6]uint64
}

// verdict is struct seccomp_notif_resp.
type verdict struct {
	id           uint64
	value        int64
	errno, flags int32
}

// serve answers the program's syncs until it has ended.
func (v *supervisor) serve() {
	for {
		var n notice
		if !v.ioctl(notifRecv, unsafe.Pointer(&n)) {
			return
		}
		if n.id == 0 {
			continue // its caller was killed
		}
		answer := verdict{id: n.id, flags: notifFlagContinue}
		if strings.HasSuffix(fileOf(n), assembly.EventsFile+"-wal") {
			v.synced.Add(1)
			if v.fail.Load() {
				answer = verdict{id: n.id, errno: -int32(syscall.EIO)}
				v.failed.Add(1)
			}
		}
		v.ioctl(notifSend, unsafe.Pointer(&answer))
	}
}

// ioctl is false when the program has ended.
func (v *supervisor) ioctl(request uintptr, arg unsafe.Pointer) bool {
	for {
		if request == notifRecv && !v.wait() {
			return false
		}
		_, _, no := syscall.Syscall(syscall.SYS_IOCTL, uintptr(v.listener), request, uintptr(arg))
		switch no {
		case 0:
			return true
		case syscall.EINTR:
		case syscall.ENOENT: // the caller was killed meanwhile
			return true
		default:
			return false
		}
	}
}

// wait waits for a call; it is false when nobody is left to make one. Without
// it the kernel would wait for ever for a call of a program that was killed.
func (v *supervisor) wait() bool {
	const in = 1
	for {
		p := struct {
			fd               int32
			events, happened int16
		}{fd: int32(v.listener), events: in}
		_, _, no := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, 0, 0, 0, 0)
		switch {
		case no == syscall.EINTR:
		case no != 0 || p.happened&in == 0:
			return false
		default:
			return true
		}
	}
}

// fileOf is the name of the file that a call is about.
func fileOf(n notice) string {
	name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, n.args[0]))
	return name
}

func init() {
	launcher = func() {
		if socket := os.Getenv(launchSocket); socket != "" {
			fmt.Fprintln(os.Stderr, launch(socket, os.Args[1:]))
			os.Exit(1)
		}
	}
}
