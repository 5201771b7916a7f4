package reconcile

import (
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

// A refund is told before its payment, unless only the payment can say whose it
// is.
func TestToldInOrder(t *testing.T) {
	t.Parallel()
	notice := func(order, trade, refund string) domain.Notice {
		return domain.Notice{OrderNo: order, TradeNo: trade, RefundID: refund}
	}
	for name, c := range map[string]struct {
		also []domain.Notice
		want string
	}{
		"nothing beside it":      {nil, "O1"},
		"refunds":                {[]domain.Notice{notice("O1", "T1", "R1"), notice("O1", "T1", "R2")}, "O1R1 O1R2 O1"},
		"a refund of this trade": {[]domain.Notice{notice("", "T1", "R1")}, "O1R1 O1"},
		"a refund of who knows":  {[]domain.Notice{notice("", "T2", "R1")}, "O1 R1"},
	} {
		var got []string
		for _, n := range told(providers.Answer{Notice: notice("O1", "T1", ""), Also: c.also}) {
			got = append(got, n.OrderNo+n.RefundID)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
