package reconcile

import (
	"testing"

	"counterfoil/domain"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"": "0", "0": "0", "0.006": "0.006", "1": "1", "12.50": "12.5", "0.00000001": "0.00000001"} {
		if d, err := ParseRate(s); err != nil || d.String() != want {
			t.Errorf("%q: %s, %v", s, d, err)
		}
	}
	for _, s := range []string{".", "1.", ".5", "-1", "+1", "1e3", "0,6", " 1", "0.000000001", "1_0", "1.2.3", "99999999999999999999"} {
		if d, err := ParseRate(s); err == nil || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %s, %v", s, d, err)
		}
	}
}
