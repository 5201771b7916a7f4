package crash

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// TestPowerCut takes the power from the disk in the middle of a load: the file
// system is shut down without another write (a kernel's own test aid), so that
// everything not yet synced is lost, then mounted anew. What was acknowledged
// before is there. A kill alone would not show a missing sync: the kernel keeps
// what a killed process had written.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	disk := newDisk(t)
	s := newSite(t, setup{dir: disk.dir})
	s.survive(t, seeded(t), max(2, rounds(t)/4), func(api *daemon) {
		disk.cut(t)
		api.kill()
		disk.restore(t)
	})
}

// disk is a small ext4 file system of its own, in a file.
type disk struct{ image, mount, dir string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	at := t.TempDir()
	d := &disk{image: filepath.Join(at, "image"), mount: filepath.Join(at, "mnt")}
	d.dir = filepath.Join(d.mount, "store")
	must(t, os.Mkdir(d.mount, 0o700))
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, 256<<20))
	for _, cmd := range [][]string{{"mkfs.ext4", "-q", "-F", d.image}, {"mount", "-o", "loop", d.image, d.mount}} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: a disk of our own needs root, loop devices and mkfs.ext4: %s: %v %s", cmd[0], err, out)
		}
	}
	t.Cleanup(func() { exec.Command("umount", "-l", d.mount).Run() })
	must(t, os.Mkdir(d.dir, 0o700))
	syscall.Sync() // the disk itself is no part of what is lost
	return d
}

// Numbers of the kernel (fs/ext4/ext4.h): shut down, not even writing the
// journal out.
const (
	extShutdown   = 0x8004587d
	extNoLogFlush = 2
)

// cut takes the power: nothing reaches the disk any more.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	f, err := os.Open(d.mount)
	must(t, err)
	defer f.Close()
	how := uint32(extNoLogFlush)
	if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), extShutdown, uintptr(unsafe.Pointer(&how))); no != 0 {
		t.Fatalf("shut the file system down: %v", no)
	}
}

// restore mounts the disk anew, as a machine does when it starts again.
func (d *disk) restore(t *testing.T) {
	t.Helper()
	for _, cmd := range [][]string{{"umount", d.mount}, {"mount", "-o", "loop", d.image, d.mount}} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", cmd, err, out)
		}
	}
}
