package domain

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const canonicalID = "0b0d7a44-5f0e-5a4b-9f5e-3c1a2b3c4d5e"

func TestParseID(t *testing.T) {
	t.Parallel()
	id, err := ParseID(canonicalID)
	if err != nil || id.String() != canonicalID || id[0] != 0x0b || id[15] != 0x5e {
		t.Fatalf("%v, %v", id, err)
	}
	if zero, err := ParseID("00000000-0000-0000-0000-000000000000"); err != nil || !zero.IsZero() || id.IsZero() {
		t.Errorf("zero: %v, %v", zero, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range append([]string{
		strings.ToUpper(canonicalID), "{" + canonicalID + "}", "urn:uuid:" + canonicalID, canonicalID + " ", " " + canonicalID,
		strings.ReplaceAll(canonicalID, "-", ""), strings.ReplaceAll(canonicalID, "-", "_"), canonicalID[:35], canonicalID + "0",
		"0b0d7a445-f0e-5a4b-9f5e-3c1a2b3c4d5e", "0b0d7a44-5f0e-5a4b-9f5e-3c1a2b3c4d5g", "0b0d7a44-5f0e-5a4b-9f5e-3c1a2b3c4d5E",
		"-b0d7a44-5f0e-5a4b-9f5e-3c1a2b3c4d5e", strings.Repeat("0", 36), strings.Repeat("-", 36), strings.Repeat("a", 1<<20),
	}, strangeIDs...) {
		if id, err := ParseID(s); err == nil || KindOf(err) != KindInvalid || !id.IsZero() || len(err.Error()) > 400 {
			t.Errorf("%.50q: %v, %.500v", s, id, err)
		}
	}
}

func TestIDText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		data, err := json.Marshal(id)
		if err != nil || string(data) != `"`+id.String()+`"` {
			t.Fatalf("%s, %v", data, err)
		}
		var back ID
		if err := json.Unmarshal(data, &back); err != nil || back != id {
			t.Fatalf("%s is read as %v, %v", data, back, err)
		}
	})
	id := ID{1}
	if err := json.Unmarshal([]byte(`"`+strings.ToUpper(canonicalID)+`"`), &id); err == nil || id != (ID{1}) {
		t.Errorf("capitals are read as %v, %v", id, err)
	}
}

// Ids are stored for ever. This one was made by another program: SHA-1 over
// the namespace, 00000006 "stream", 00000000, 00000003 e4b883.
func TestNewV5(t *testing.T) {
	t.Parallel()
	got := NewV5(ID{0xaa, 15: 0xbb}, "stream", "", "七")
	if want := "e39f48b5-8c58-57c9-a302-ebc673c58ef2"; got.String() != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// No two lists of parts, and no two namespaces, share an id, wherever the
// parts are cut.
func TestNewV5IsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.String(), 1, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if rapid.Bool().Draw(t, "recut") {
			joined := strings.Join(a, "")
			at := rapid.IntRange(0, len(joined)).Draw(t, "at")
			b = []string{joined[:at], joined[at:]}
		}
		equal := len(a) == len(b)
		for i := 0; equal && i < len(a); i++ {
			equal = a[i] == b[i]
		}
		if same := NewV5(ID{1}, a...) == NewV5(ID{1}, b...); same != equal {
			t.Fatalf("%q and %q share an id: %v", a, b, same)
		}
		if NewV5(ID{1}, a...) == NewV5(ID{2}, a...) {
			t.Fatal("two namespaces share an id")
		}
	})
}

func TestNewRandom(t *testing.T) {
	t.Parallel()
	a, errA := NewRandom(rand.Reader)
	b, errB := NewRandom(rand.Reader)
	if errA != nil || errB != nil || a == b {
		t.Errorf("%v, %v; %v, %v", a, errA, b, errB)
	}
	fixed, err := NewRandom(iotest.OneByteReader(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16))))
	if err != nil || fixed.String() != "ffffffff-ffff-4fff-bfff-ffffffffffff" {
		t.Errorf("%v, %v", fixed, err)
	}
	if id, err := NewRandom(bytes.NewReader(make([]byte, 15))); !errors.Is(err, io.ErrUnexpectedEOF) || KindOf(err) != KindInternal || !id.IsZero() {
		t.Errorf("of 15 bytes: %v, %v", id, err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(canonicalID)
	f.Add(strings.ToUpper(canonicalID))
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Fatalf("%q is parsed as %v", s, id)
		}
	})
}
