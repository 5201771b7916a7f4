// Package archivetest is the suite that every archive.Archive passes.
package archivetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"counterfoil/archive"
	"counterfoil/domain"
)

// Harness is one adapter under test.
type Harness struct {
	// Open makes a new, empty archive that takes at most maxSize bytes a file.
	Open func(t *testing.T, maxSize int64) archive.Archive
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"what is put is what is read":       testRoundTrip,
		"the same bytes are kept once":      testTwice,
		"a broken source keeps nothing":     testBroken,
		"a file beyond the bound":           testTooLarge,
		"what is not kept is not found":     testNotFound,
		"a cancelled call":                  testCancelled,
		"many at once, some of them equals": testAtOnce,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, h) })
	}
}

// put keeps text and checks the name and the size it got.
func put(t *testing.T, a archive.Archive, text string) archive.File {
	t.Helper()
	f, err := a.Put(t.Context(), iotest.OneByteReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	if f.ID != sha256.Sum256([]byte(text)) || f.Size != int64(len(text)) {
		t.Fatalf("kept as %+v", f)
	}
	return f
}

func read(t *testing.T, a archive.Archive, id archive.ID) []byte {
	t.Helper()
	r, err := a.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func testRoundTrip(t *testing.T, h Harness) {
	a := h.Open(t, 1<<20)
	for _, text := range []string{"", "x", strings.Repeat("账单 line\r\n", 20_000), "\x00\xff\x1f\x8b"} {
		if got := read(t, a, put(t, a, text).ID); string(got) != text {
			t.Errorf("read %d bytes, want the %d that were put", len(got), len(text))
		}
	}
}

func testTwice(t *testing.T, h Harness) {
	a := h.Open(t, 1<<20)
	first, second := put(t, a, "twice"), put(t, a, "twice")
	if first != second {
		t.Errorf("%+v and %+v", first, second)
	}
	if got := read(t, a, first.ID); string(got) != "twice" {
		t.Errorf("read %q", got)
	}
}

func testBroken(t *testing.T, h Harness) {
	a := h.Open(t, 1<<20)
	why := domain.E(domain.KindUnavailable, "the line was cut")
	_, err := a.Put(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(why)))
	if !errors.Is(err, why) {
		t.Errorf("error %v, want the source's own", err)
	}
	wantNone(t, a, "half")
}

func wantNone(t *testing.T, a archive.Archive, text string) {
	t.Helper()
	if has, err := a.Has(t.Context(), sha256.Sum256([]byte(text))); err != nil || has {
		t.Errorf("%q is there: %v, %v", text, has, err)
	}
}

func testTooLarge(t *testing.T, h Harness) {
	a := h.Open(t, 10)
	put(t, a, "ten bytes!")
	if _, err := a.Put(t.Context(), strings.NewReader("ten bytes!!")); err == nil || domain.KindOf(err) != domain.KindTooLarge {
		t.Errorf("error %v, want too large", err)
	}
	wantNone(t, a, "ten bytes!!")
	// Zeros without end: the bound ends it, not the memory.
	if _, err := a.Put(t.Context(), zeros{}); err == nil || domain.KindOf(err) != domain.KindTooLarge {
		t.Errorf("error %v, want too large", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func testNotFound(t *testing.T, h Harness) {
	a := h.Open(t, 10)
	if _, err := a.Open(t.Context(), archive.ID{1}); err == nil || domain.KindOf(err) != domain.KindNotFound {
		t.Errorf("error %v, want not found", err)
	}
	wantNone(t, a, "never put")
}

func testCancelled(t *testing.T, h Harness) {
	a := h.Open(t, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Put(ctx, strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	wantNone(t, a, "late")
}

func testAtOnce(t *testing.T, h Harness) {
	a := h.Open(t, 1<<20)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			text := bytes.Repeat([]byte{byte(i % 8)}, 10_000)
			f, err := a.Put(t.Context(), bytes.NewReader(text))
			if err != nil || f.ID != sha256.Sum256(text) {
				t.Errorf("put %d: %+v, %v", i, f, err)
				return
			}
			r, err := a.Open(t.Context(), f.ID)
			if err != nil {
				t.Errorf("open %d: %v", i, err)
				return
			}
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, text) {
				t.Errorf("read %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	all.Wait()
}
