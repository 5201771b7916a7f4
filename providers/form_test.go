package providers_test

import (
	"slices"
	"strings"
	"testing"

	"counterfoil/domain"
	"counterfoil/providers"
)

type param struct{ Name, Value string }

// TestScanForm: what is read, and what is refused because it could be read in
// two ways.
func TestScanForm(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]param{
		"":                    nil,
		"b=2&a=1":             {{"a", "1"}, {"b", "2"}},
		"&a=1&&":              {{"a", "1"}},
		"a":                   {{"a", ""}},
		"a=1=2":               {{"a", "1=2"}},
		"a=%E4%BD%a0+x&b=%2B": {{"a", "你 x"}, {"b", "+"}},
		"a=%ff":               {{"a", "\xff"}},
	} {
		if got, err := providers.ScanForm(raw, []param(nil), 4); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is read as %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"a=1&a=1", "a=1&b=2&a=", "a[]=1", "%61=1", "=1", "a=%", "a=%4", "a=%zz", "a=%4z", "a=1&b=1&c=1&d=1&e=1",
		strings.Repeat("n", 65) + "=1", "a b=1", "ä=1",
	} {
		if got, err := providers.ScanForm(raw, []param(nil), 4); domain.KindOf(err) != domain.KindInvalid || err == nil {
			t.Errorf("%q is read as %q, %v", raw, got, err)
		}
	}
}

func TestClaimedOrder(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"x=1&no=A%2D1&no=B": "A-1", "no=": "", "no=%": "", "no=a+b": "", "xno=A": "", "": "",
	} {
		if got := providers.ClaimedOrder(raw, "no"); got != want {
			t.Errorf("%q claims %q, want %q", raw, got, want)
		}
	}
}
