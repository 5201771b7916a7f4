//go:build !linux

package sqlite

import "math"

// checkDisk knows the network file systems of Linux only; elsewhere the place
// of the store is the operator's care.
func checkDisk(string) error { return nil }

// freeSpace is not known here: a full disk shows when SQLite cannot write.
func freeSpace(string) (int64, error) { return math.MaxInt64, nil }
