package sqlite

import (
	"path/filepath"
	"syscall"

	"counterfoil/domain"
)

// remote are file systems whose locks or syncs do not hold between machines,
// or not at all: SQLite's log needs both (linux/magic.h, and the systems' own
// numbers).
var remote = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xff534d42: "CIFS",
	0xfe534d42: "SMB2",
	0x65735546: "FUSE",
	0x5346414f: "AFS",
	0x6b414653: "AFS",
	0x564c:     "NCP",
	0x73757245: "Coda",
	0x00c36400: "Ceph",
	0x01021997: "9p",
	0x01161970: "GFS2",
	0x0bd00bd0: "Lustre",
	0x47504653: "GPFS",
	0x19830326: "BeeGFS",
	0xaad7aaea: "PanFS",
	0x7461636f: "OCFS2",
	0x786f4256: "VirtualBox folder",
	0xbacbacbc: "VMware folder",
}

// checkDisk refuses a path on a network file system.
func checkDisk(path string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return domain.E(domain.KindUnavailable, "file system of %s: %w", path, err)
	}
	return checkMagic(path, uint32(st.Type))
}

func checkMagic(path string, magic uint32) error {
	if name, ok := remote[magic]; ok {
		return domain.E(domain.KindMismatch, "%s is on %s: an event store needs a local disk, where locks and syncs hold", path, name)
	}
	return nil
}

// freeSpace is how many bytes may still be written next to a file.
func freeSpace(path string) (int64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(filepath.Dir(path), &st)
	return int64(st.Bavail) * st.Bsize, err
}
