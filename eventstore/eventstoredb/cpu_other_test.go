//go:build !linux

package eventstoredb_test

import (
	"testing"
	"time"
)

// cpu is not told here: the metric is 0, ns/op still compares.
func cpu(*testing.B) time.Duration { return 0 }
