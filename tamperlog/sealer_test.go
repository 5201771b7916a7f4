package tamperlog

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

func TestTheLogIsSealed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.write(700)
		sealer := s.sealer()
		s.run(sealer, func() {
			settle()
			if head := s.sound(); head.Size != 700 {
				t.Fatalf("signed %d", head.Size)
			}
			s.write(5)
			settle()
			if st := sealer.Status(); !st.Active || st.Signed != 705 || st.Err != nil {
				t.Errorf("%+v", st)
			}
		})
		s.sound()
	})
}

// Under steady load a head comes every ten seconds, after quiet at once.
func TestWhenAHeadIsSigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		sealer := s.sealer()
		s.run(sealer, func() {
			synctest.Wait()
			var heads []uint64
			for range 250 { // 25 s of one event every 100 ms
				s.write(1)
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
				if n := sealer.Status().Signed; len(heads) == 0 || heads[len(heads)-1] != n {
					heads = append(heads, n)
				}
			}
			if len(heads) != 3 {
				t.Errorf("heads under load: %v", heads)
			}
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			if n := sealer.Status().Signed; n != 250 {
				t.Errorf("after quiet %d are signed", n)
			}
		})
	})
}

// What happens to a log behind the program's back, and what is said of it.
var lies = map[string]struct {
	lie  func(es []eventstore.Recorded) []eventstore.Recorded
	says string
}{
	"a changed event": {func(es []eventstore.Recorded) []eventstore.Recorded {
		es[200].Data = []byte(`{"n":-1}`)
		return es
	}, "event 200 at position"},
	"a dropped event": {func(es []eventstore.Recorded) []eventstore.Recorded {
		return slices.Delete(es, 200, 201)
	}, "event 200, sealed at position"},
	"an inserted event": {func(es []eventstore.Recorded) []eventstore.Recorded {
		e := es[200]
		e.Position--
		return slices.Insert(es, 200, e)
	}, "was inserted at position"},
	"swapped events": {func(es []eventstore.Recorded) []eventstore.Recorded {
		es[200], es[201] = es[201], es[200]
		es[200].Position, es[201].Position = es[201].Position, es[200].Position
		return es
	}, "event 200 at position"},
	"a cut-off end": {func(es []eventstore.Recorded) []eventstore.Recorded { return es[:len(es)-1] }, "its end was cut off"},
}

// Each lie stops the seal before anything is signed: at the next head, at the
// next round, and at the next start. It stays stopped until a person resumes.
func TestALyingStoreStopsTheSeal(t *testing.T) {
	t.Parallel()
	for name, c := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t)
				s.write(303)
				var alerts []error
				sealer := s.sealer(func(c *Config) {
					c.Alert = func(_ context.Context, err error) { alerts = append(alerts, err) }
				})
				var before Signed
				s.run(sealer, func() {
					settle()
					before = s.sound()
					s.log.tell(c.lie)
					time.Sleep(time.Minute)
					synctest.Wait()
					err := sealer.Ready(t.Context())
					if err == nil || !strings.Contains(err.Error(), c.says) {
						t.Errorf("readiness: %v", err)
					}
				})
				if len(alerts) != 1 {
					t.Errorf("alerts %v", alerts)
				}
				next := s.sealer()
				s.log.tell(nil)
				s.run(next, func() {
					settle()
					if next.Ready(t.Context()) == nil {
						t.Error("a restart goes on")
					}
					after, err := OpenFolder(s.dir).Checkpoint()
					if err != nil || after.Checkpoint != before.Checkpoint {
						t.Errorf("%+v, %v", after, err)
					}
					must(t, Resume(s.dir))
					s.write(3)
					settle()
					if err := next.Ready(t.Context()); err != nil || next.Status().Signed != 306 {
						t.Errorf("after resuming: %v, %+v", err, next.Status())
					}
				})
				s.sound()
			})
		})
	}
}

// The same lies are found when they are told while nobody seals.
func TestALieIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t)
				s.write(303)
				s.run(s.sealer(), settle)
				s.log.tell(c.lie)
				sealer := s.sealer()
				s.run(sealer, settle)
				if err := sealer.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Error(err)
				}
			})
		})
	}
}

// Events that are wrong when they come are not sealed at all.
func TestGapsAndReordersAreNotSealed(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(es []eventstore.Recorded) []eventstore.Recorded{
		"a gap in a stream":     func(es []eventstore.Recorded) []eventstore.Recorded { return slices.Delete(es, 4, 5) },
		"a stream without head": func(es []eventstore.Recorded) []eventstore.Recorded { return slices.Delete(es, 3, 4) },
		"positions that go back": func(es []eventstore.Recorded) []eventstore.Recorded {
			es[5].Position = es[4].Position
			return es
		},
		"a revision twice": func(es []eventstore.Recorded) []eventstore.Recorded {
			es[5].Revision = es[4].Revision
			return es
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t)
				s.write(9)
				s.log.tell(lie)
				sealer := s.sealer()
				s.run(sealer, settle)
				if err := sealer.Ready(t.Context()); domain.KindOf(err) != domain.KindCorrupt && err == nil {
					t.Error("it was sealed")
				}
				if head, err := OpenFolder(s.dir).Checkpoint(); err != nil || head.Size != 0 {
					t.Errorf("%+v, %v", head, err)
				}
			})
		})
	}
}

// A tree that no longer hashes to what was signed is never signed again, also
// when its folder was exchanged for that of a shorter log.
func TestNoSecondHistoryIsSigned(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, s *stand){
		"a leaf of the tree was changed": func(t *testing.T, s *stand) { flip(t, filepath.Join(s.dir, tileName+"0"), 5*32) },
		"the head was changed": func(t *testing.T, s *stand) {
			flip(t, filepath.Join(s.dir, checkpointName), 60)
		},
		"the head is gone": func(t *testing.T, s *stand) { must(t, removeAll(s.dir, checkpointName)) },
		"another log's head": func(t *testing.T, s *stand) {
			private, err := ReadKey(s.key)
			must(t, err)
			msg, err := Checkpoint{Origin: Origin(testLedger), Size: 300, Root: [32]byte{9}}.sign(private)
			must(t, err)
			must(t, writeFile(filepath.Join(s.dir, checkpointName), msg))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t)
				s.write(300)
				s.run(s.sealer(), settle)
				change(t, s)
				before, _ := os.ReadFile(filepath.Join(s.dir, checkpointName))
				s.write(300)
				sealer := s.sealer()
				s.run(sealer, settle)
				after, _ := os.ReadFile(filepath.Join(s.dir, checkpointName))
				if sealer.Ready(t.Context()) == nil || !slices.Equal(before, after) {
					t.Errorf("%v\n%s\n%s", sealer.Ready(t.Context()), before, after)
				}
			})
		})
	}
}

func TestAnotherLedgersTreeIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		sealer := s.sealer(func(c *Config) { c.Origin = Origin(domain.ID{9}) })
		s.run(sealer, settle)
		if err := sealer.Ready(t.Context()); domain.KindOf(err) != domain.KindMismatch {
			t.Error(err)
		}
	})
}

// A log that is away for a while is no reason for a person to come.
func TestAnAbsentLogIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.write(3)
		must(t, s.mem.Close())
		sealer := s.sealer()
		s.run(sealer, func() {
			settle()
			if err := sealer.Ready(t.Context()); err != nil || sealer.Status().Err == nil {
				t.Errorf("%v, %+v", err, sealer.Status())
			}
		})
	})
}

// One process adds leaves; another takes over when it ends.
func TestOneSealsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		first, second := s.sealer(), s.sealer()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- first.Run(ctx) }()
		settle()
		s.run(second, func() {
			s.write(30)
			settle()
			if first.Status().Signed != 30 || second.Status().Active {
				t.Errorf("%+v %+v", first.Status(), second.Status())
			}
			stop()
			must(t, <-ended)
			s.write(30)
			settle()
			if !second.Status().Active || second.Status().Signed != 60 {
				t.Errorf("%+v", second.Status())
			}
		})
		s.sound()
	})
}

// Whatever a crash leaves of the files behind the signed head, or takes from
// them, the next start makes the same tree.
func TestCrashesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStand(t)
			for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
				s.write(rapid.IntRange(0, 600).Draw(rt, "events"))
				s.run(s.sealer(), settle)
				names := []string{indexName, tileName + "0", tileName + "1"}
				name := rapid.SampledFrom(names).Draw(rt, "file")
				path := filepath.Join(s.dir, name)
				b, err := os.ReadFile(path)
				if err != nil {
					continue
				}
				switch rapid.IntRange(0, 2).Draw(rt, "damage") {
				case 0: // a torn write behind the head
					b = append(b, rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(rt, "torn")...)
				case 1: // a length that was never synced
					b = b[:rapid.IntRange(0, len(b)).Draw(rt, "length")]
				}
				must(t, os.WriteFile(path, b, 0o600))
			}
			s.write(1)
			s.run(s.sealer(), settle)
			if head := s.sound(); head.Size != uint64(s.n) {
				rt.Fatalf("signed %d of %d", head.Size, s.n)
			}
		})
	})
}

// Positions of leaves survive too.
func TestTheIndexFollowsTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.write(50)
		s.run(s.sealer(), settle)
		f := OpenFolder(s.dir)
		for b, err := range s.mem.Follow(t.Context(), 0, eventstore.FollowOptions{}) {
			must(t, err)
			for i, e := range b.Events {
				l, err := f.ByPosition(e.Position, 50)
				if err != nil || l.Index != uint64(i) || l.ID != e.ID {
					t.Errorf("%s: %+v, %v", strconv.Itoa(i), l, err)
				}
			}
			break
		}
		must(t, f.Close())
	})
}

// CatchUp seals what is there and is done, and finds what Run finds.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.write(300)
	must(t, s.sealer().CatchUp(t.Context(), time.Second))
	if head := s.sound(); head.Size != 300 {
		t.Errorf("signed %d", head.Size)
	}
	s.log.tell(lies["a changed event"].lie)
	if err := s.sealer().CatchUp(t.Context(), time.Second); domain.KindOf(err) != domain.KindCorrupt {
		t.Error(err)
	}
	s.log.tell(nil)
	if err := s.sealer().CatchUp(t.Context(), time.Second); domain.KindOf(err) != domain.KindCorrupt {
		t.Errorf("it goes on: %v", err)
	}
}
