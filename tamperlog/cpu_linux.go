package tamperlog

import "syscall"

// ours is whose processor time counts as sealing: that of the calling thread.
const ours = syscall.RUSAGE_THREAD
