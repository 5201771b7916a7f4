package eventstoredb

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"counterfoil/eventstore"
)

// TestEnvelope: meta and sealed come back byte for byte, and neither can reach
// into the other.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := eventstore.Event{
			Meta:   rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "meta"),
			Sealed: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "sealed"),
		}
		meta, sealed, ok := unpack(pack(e))
		if !ok || !bytes.Equal(meta, e.Meta) || !bytes.Equal(sealed, e.Sealed) {
			t.Fatalf("%x, %x, %v", meta, sealed, ok)
		}
		if cap(meta) != len(meta) || cap(sealed) != len(sealed) {
			t.Fatal("appending to one part would write over another")
		}
	})
}

// TestEnvelopeVectors: what was written once must be readable for ever.
func TestEnvelopeVectors(t *testing.T) {
	t.Parallel()
	if got := pack(eventstore.Event{Meta: []byte(`{"a":1}`), Sealed: []byte{0, 255}}); string(got) != "\x01\x00\x00\x00\x07{\"a\":1}\x00\xff" {
		t.Errorf("packed as %q", got)
	}
	for _, bad := range []string{"", "\x01", "\x01\x00\x00\x00", "\x01\x00\x00\x00\x00", "\x01\x00\x00\x00\x02a", "\x02\x00\x00\x00\x01a", "\x01\xff\xff\xff\xffa", `{"meta":{}}`} {
		if meta, sealed, ok := unpack([]byte(bad)); ok {
			t.Errorf("%q is taken for an envelope: %q, %q", bad, meta, sealed)
		}
	}
}

// FuzzUnpack: foreign bytes never break it, and what it accepts it reproduces.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02{}sealed"))
	f.Fuzz(func(t *testing.T, b []byte) {
		meta, sealed, ok := unpack(b)
		if ok && !bytes.Equal(pack(eventstore.Event{Meta: meta, Sealed: sealed}), b) {
			t.Errorf("%x is another envelope when packed again", b)
		}
	})
}
