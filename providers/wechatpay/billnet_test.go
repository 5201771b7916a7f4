package wechatpay

import (
	"testing"

	"counterfoil/domain"
)

// The fee is rounded, not what is left: at half a fen the two differ.
func TestNetTakesWholeFees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		moved, fee string
		want       int64
	}{
		{"2.50", "0.01500", 248},
		{"-2.50", "-0.01500", -248},
		{"10.00", "0.06000", 994},
		{"1.00", "0.00499", 100},
	} {
		moved, _, ok := parseFixed(c.moved)
		fee, _, ok2 := parseFixed(c.fee)
		if got := net(moved, fee, domain.CNY); !ok || !ok2 || got.Minor() != c.want {
			t.Errorf("%s less %s is %s, want %d fen", c.moved, c.fee, got, c.want)
		}
	}
}
