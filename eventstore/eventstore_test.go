package eventstore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"pgregory.net/rapid"

	"counterfoil/domain"
	"counterfoil/eventstore"
)

// leafVector is one entry of testdata/leaf.json. The file was made once, by a
// program in another language, and never changes: every root rests on it.
type leafVector struct {
	Name     string        `json:"name"`
	Stream   domain.Stream `json:"stream"`
	Revision uint64        `json:"revision"`
	ID       domain.ID     `json:"id"`
	Type     string        `json:"type"`
	Data     string        `json:"data"`
	Meta     string        `json:"meta"`
	Sealed   string        `json:"sealed_hex"`
	Leaf     string        `json:"leaf"`
}

func (v leafVector) event(t *testing.T) eventstore.Event {
	t.Helper()
	sealed, err := hex.DecodeString(v.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Event{ID: v.ID, Type: v.Type, Data: []byte(v.Data), Meta: []byte(v.Meta), Sealed: sealed}
}

func TestLeafHash(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/leaf.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []leafVector
	if err := json.Unmarshal(file, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		e := v.event(t)
		for what, got := range map[string][32]byte{
			"LeafHash":       eventstore.LeafHash(v.Stream, v.Revision, e),
			"LeafHashSealed": eventstore.LeafHashSealed(v.Stream, v.Revision, e, sha256.Sum256(e.Sealed)),
			"LeafRecord":     rfc6962(eventstore.LeafRecord(v.Stream, v.Revision, e, sha256.Sum256(e.Sealed))),
			"by definition":  byDefinition(v.Stream, v.Revision, e),
		} {
			if hex.EncodeToString(got[:]) != v.Leaf {
				t.Errorf("%s: %s gives %x, on record is %s", v.Name, what, got, v.Leaf)
			}
		}
	}
}

// rfc6962 is the hash of a leaf of a Merkle tree, RFC 6962 section 2.1.
func rfc6962(record []byte) [32]byte { return sha256.Sum256(append([]byte{0}, record...)) }

// byDefinition computes a leaf the plain way.
func byDefinition(stream domain.Stream, revision uint64, e eventstore.Event) [32]byte {
	sealed := sha256.Sum256(e.Sealed)
	h := sha256.New()
	h.Write([]byte{0})
	number := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	for _, part := range [][]byte{[]byte(stream), number(int(revision)), e.ID[:], []byte(e.Type), e.Data, e.Meta, sealed[:]} {
		h.Write(number(len(part)))
		h.Write(part)
	}
	return [32]byte(h.Sum(nil))
}

// TestLeafHashCommits: no part can be changed, and no byte can move from one
// part into the next, under the same leaf.
func TestLeafHashCommits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 3, -1)
		draw := func() (domain.Stream, uint64, eventstore.Event) {
			return domain.Stream(part.Draw(t, "stream")), rapid.Uint64Range(0, 1).Draw(t, "revision"), eventstore.Event{
				ID: domain.ID{rapid.Byte().Draw(t, "id")}, Type: part.Draw(t, "type"),
				Data: []byte(part.Draw(t, "data")), Meta: []byte(part.Draw(t, "meta")), Sealed: []byte(part.Draw(t, "sealed")),
			}
		}
		s1, r1, e1 := draw()
		s2, r2, e2 := draw()
		same := s1 == s2 && r1 == r2 && e1.ID == e2.ID && e1.Type == e2.Type && bytes.Equal(e1.Data, e2.Data) &&
			bytes.Equal(e1.Meta, e2.Meta) && bytes.Equal(e1.Sealed, e2.Sealed)
		h1, h2 := eventstore.LeafHash(s1, r1, e1), eventstore.LeafHash(s2, r2, e2)
		if (h1 == h2) != same {
			t.Fatalf("equal events %v, equal leaves %v", same, h1 == h2)
		}
		if h1 != byDefinition(s1, r1, e1) {
			t.Fatal("not the leaf by definition")
		}
	})
}

// TestPositionText: positions are decimal strings in JSON, because a browser
// rounds larger numbers, and there is one way to write each.
func TestPositionText(t *testing.T) {
	t.Parallel()
	for _, p := range []eventstore.Position{0, 1, 1<<53 + 1, math.MaxUint64} {
		text, err := json.Marshal(map[string]eventstore.Position{"p": p})
		if err != nil || string(text) != `{"p":"`+p.String()+`"}` {
			t.Errorf("%d is written %s, %v", p, text, err)
		}
		var back map[string]eventstore.Position
		if err := json.Unmarshal(text, &back); err != nil || back["p"] != p {
			t.Errorf("%s is read as %d, %v", text, back["p"], err)
		}
	}
	for _, bad := range []string{"", "-1", "+1", "01", "1.0", "1e3", "0x10", " 1", "1_000", "18446744073709551616", "١"} {
		if p, err := eventstore.ParsePosition(bad); domain.KindOf(err) != domain.KindInvalid || err == nil {
			t.Errorf("%q is read as %d, %v", bad, p, err)
		}
	}
	var p eventstore.Position
	if err := json.Unmarshal([]byte("12"), &p); err == nil {
		t.Error("a JSON number was taken for a position")
	}
}
