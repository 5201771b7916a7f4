package sqlite

import (
	"testing"

	"counterfoil/operations"
	"counterfoil/operations/operationstest"
)

func TestBillsSuite(t *testing.T) {
	t.Parallel()
	operationstest.RunBills(t, func(t *testing.T) operationstest.Open {
		path := newFile(t)
		return func(t *testing.T) operations.Store { return openFile(t, path) }
	})
}
