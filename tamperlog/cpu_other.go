//go:build !linux

package tamperlog

import "syscall"

// ours is whose processor time counts as sealing: the whole process's, where
// that of a thread is not to be had. Sealing takes less than its share, then.
const ours = syscall.RUSAGE_SELF
