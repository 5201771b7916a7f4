package sqlite

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
	"counterfoil/projections"
)

// TestStepsFindTheFirst: packed steps answer as the list they came from.
func TestStepsFindTheFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var steps []projections.Step
		at := rapid.Int64Range(-1<<50, 1<<50).Draw(t, "start")
		p := eventstore.Position(rapid.Uint64Range(1, 1<<60).Draw(t, "position"))
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			steps = append(steps, projections.Step{Position: p, Recorded: time.UnixMicro(at)})
			p += eventstore.Position(rapid.Uint64Range(1, 1<<40).Draw(t, "dp"))
			at += rapid.Int64Range(1, 1<<45).Draw(t, "dt")
		}
		asked := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "i")].Recorded.UnixMicro() + rapid.Int64Range(-1, 1).Draw(t, "off")
		var want int64
		for _, s := range steps {
			if s.Recorded.UnixMicro() > asked {
				want = int64(s.Position)
				break
			}
		}
		got, found, err := firstAfter(packSteps(steps), asked)
		if err != nil || found != (want != 0) || got != want {
			t.Fatalf("got %d, %v, %v; want %d", got, found, err, want)
		}
	})
}

func TestStepsRefuseDamage(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{{0x80}, {1}, {1, 0x80}} {
		if _, _, err := firstAfter(b, 1<<60); domain.KindOf(err) != domain.KindCorrupt {
			t.Errorf("%x: %v", b, err)
		}
	}
}
