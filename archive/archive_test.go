package archive_test

import (
	"strings"
	"testing"

	"counterfoil/archive"
	"counterfoil/domain"
)

func TestParseIDTakesOneSpelling(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0a", 32)
	if id, err := archive.ParseID(good); err != nil || id.String() != good {
		t.Errorf("%s: %v", id, err)
	}
	for _, s := range []string{"", "0a", strings.ToUpper(good), good + "0", good[:63], strings.Repeat("zz", 32), " " + good} {
		if _, err := archive.ParseID(s); err == nil || domain.KindOf(err) != domain.KindInvalid {
			t.Errorf("%q: %v", s, err)
		}
	}
}
