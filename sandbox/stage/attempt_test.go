package stage

import "testing"

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	l := newAttemptLog(3)
	for _, kind := range []string{"a", "b", "c", "d", "e"} {
		l.add(Attempt{Kind: kind})
	}
	got := l.newest(AttemptFilter{})
	if len(got) != 3 || got[0].Kind != "e" || got[2].Kind != "c" || got[0].ID != 5 {
		t.Errorf("remembered %+v", got)
	}
	if got := l.newest(AttemptFilter{Limit: 1, Kind: "d"}); len(got) != 1 || got[0].ID != 4 {
		t.Errorf("filtered %+v", got)
	}
}
