package sandbox

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"counterfoil/sandbox/stage"
)

// Where Go reads a form at all, PHP's reading differs only in which of equal
// names wins and in leaving arrays out.
func FuzzReadForm(f *testing.F) {
	for _, seed := range []string{"a=1&a=2", "a[]=1", "x=%zz%41+d&e", "%E4%BC%9A=%", "=&=1", "a=b=c", "%5B=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := readForm(raw)
		want, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		for name, values := range want {
			if name == "" || strings.Contains(name, "[") {
				continue
			}
			if last := values[len(values)-1]; got[name] != last {
				t.Errorf("%q: %q is %q, want %q", raw, name, got[name], last)
			}
		}
	})
}

func FuzzCutText(f *testing.F) {
	f.Add("VIP会员", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 0 || !utf8.ValidString(s) {
			return
		}
		if got := stage.CutText(s, n); len(got) > n || !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(s)-len(got) > max(0, len(s)-n)+3 {
			t.Errorf("%q cut to %d is %q", s, n, got)
		}
	})
}
