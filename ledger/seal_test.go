package ledger

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"counterfoil/domain"

	"pgregory.net/rapid"
)

// vector is one sealed part whose every byte is known: testdata/sealed.json.
type vector struct {
	Name   string `json:"name"`
	Key    string `json:"key"`
	Nonce  string `json:"nonce"`
	Ledger string `json:"ledger"`
	Event  string `json:"event"`
	Stream string `json:"stream"`
	Plain  string `json:"plain"`
	Sealed string `json:"sealed"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/sealed.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		About   []string `json:"about"`
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Vectors) < 3 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	return file.Vectors
}

func (v vector) parts(t testing.TB) (key domain.DataKey, nonce []byte, at place, plain, sealed []byte) {
	t.Helper()
	var fields [5][]byte
	for i, text := range []string{v.Key, v.Nonce, v.Sealed} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		fields[i] = b
	}
	ledgerID, err := domain.ParseID(v.Ledger)
	eventID, err2 := domain.ParseID(v.Event)
	if err != nil || err2 != nil || len(fields[0]) != 32 {
		t.Fatal(err, err2, len(fields[0]))
	}
	return domain.DataKey(fields[0]), fields[1], place{ledgerID, eventID, domain.Stream(v.Stream)}, []byte(v.Plain), fields[2]
}

// TestSealedVectors: the format is fixed for ever. What was sealed once opens,
// by this package and by its description alone; what is stored as it is comes
// out the same to the byte.
func TestSealedVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			key, nonce, at, plain, sealed := v.parts(t)
			got, err := unseal(key, at, sealed)
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("unsealed %q, %v", got, err)
			}
			if got := byHand(t, key, at, sealed); !bytes.Equal(got, plain) {
				t.Errorf("by the description it is %q", got)
			}
			made, err := sealWith(key, nonce, at, plain)
			if err != nil {
				t.Fatal(err)
			}
			if sealed[1] == sealStored && !bytes.Equal(made, sealed) {
				t.Errorf("sealed as %x, want %x", made, sealed)
			}
		})
	}
}

// byHand opens a sealed part as the comment in seal.go describes it.
func byHand(t *testing.T, key domain.DataKey, at place, sealed []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	bound := bytes.Join([][]byte{sealed[:2], at.ledger[:], at.event[:], []byte(at.stream)}, nil)
	body, err := gcm.Open(nil, sealed[2:14], sealed[14:], bound)
	if err != nil {
		t.Fatal(err)
	}
	if sealed[1] == 0 {
		return body
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(flate.NewReader(bytes.NewReader(body))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSealedStaysInItsPlace: moved to another event, stream or ledger, under
// another key, or with any bit flipped, it does not open.
func TestSealedStaysInItsPlace(t *testing.T) {
	t.Parallel()
	key, at := domain.DataKey{1}, place{testID, delivery(1), domain.PaymentStream(main, "A1")}
	for packing, plain := range []string{sealStored: "short", sealDeflated: strings.Repeat("long and packed ", 100)} {
		sealed, err := seal(key, at, []byte(plain))
		if err != nil || int(sealed[1]) != packing {
			t.Fatalf("packing %d, want %d, %v", sealed[1], packing, err)
		}
		if got, err := unseal(key, at, sealed); err != nil || string(got) != plain {
			t.Fatalf("in its place: %v", err)
		}
		if len(plain) > 1000 && len(sealed) > 200 {
			t.Errorf("%d bytes became %d", len(plain), len(sealed))
		}
		for name, wrong := range map[string]place{
			"ledger": {delivery(2), at.event, at.stream}, "event": {testID, delivery(2), at.stream},
			"stream": {testID, at.event, domain.PaymentStream(main, "A2")}, "no place": {},
		} {
			if _, err := unseal(key, wrong, sealed); domain.KindOf(err) != domain.KindCorrupt || err == nil {
				t.Errorf("another %s: %v", name, err)
			}
		}
		if _, err := unseal(domain.DataKey{2}, at, sealed); domain.KindOf(err) != domain.KindCorrupt || err == nil {
			t.Errorf("another key: %v", err)
		}
		for i := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1 << (i % 8)
			if _, err := unseal(key, at, flipped); err == nil {
				t.Errorf("byte %d changed and it opens", i)
			}
			if _, err := unseal(key, at, sealed[:i]); err == nil {
				t.Errorf("cut to %d bytes it opens", i)
			}
		}
	}
}

// TestSealedNeverLooksTheSame: equal texts under one key are not seen to be
// equal.
func TestSealedNeverLooksTheSame(t *testing.T) {
	t.Parallel()
	at := place{testID, delivery(1), domain.LedgerStream}
	one, err := seal(domain.DataKey{1}, at, []byte("text"))
	two, err2 := seal(domain.DataKey{1}, at, []byte("text"))
	if err != nil || err2 != nil || bytes.Equal(one[2:14], two[2:14]) || bytes.Equal(one[14:], two[14:]) {
		t.Error("two sealings share their nonce")
	}
}

// TestUnsealIsBounded: a part that unpacks to more than was ever written is
// damage, found before it fills the memory.
func TestUnsealIsBounded(t *testing.T) {
	t.Parallel()
	key, at := domain.DataKey{1}, place{testID, delivery(1), domain.LedgerStream}
	for size, ok := range map[int]bool{maxPlain: true, maxPlain + 1: false} {
		sealed, err := seal(key, at, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		got, err := unseal(key, at, sealed)
		if ok && (err != nil || len(got) != size) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
		if !ok && (err == nil || domain.KindOf(err) != domain.KindCorrupt || strings.Contains(err.Error(), "%!")) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestSealAnything: what goes in comes out.
func TestSealAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "plain")
		plain = bytes.Repeat(plain, rapid.IntRange(1, 5).Draw(t, "times"))
		at := place{testID, delivery(1), domain.Stream(rapid.String().Draw(t, "stream"))}
		sealed, err := seal(domain.DataKey{3}, at, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unseal(domain.DataKey{3}, at, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%x, %v", got, err)
		}
	})
}

// FuzzUnseal: foreign bytes never open, and never panic.
func FuzzUnseal(f *testing.F) {
	for _, v := range vectors(f) {
		_, _, _, _, sealed := v.parts(f)
		f.Add(sealed)
	}
	f.Add([]byte{})
	f.Add([]byte{1, 1, 0})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		got, err := unseal(domain.DataKey{9: 9}, place{testID, delivery(1), "payment-a:b"}, sealed)
		if err == nil {
			t.Fatalf("it opens as %x", got)
		}
		if domain.KindOf(err) != domain.KindCorrupt {
			t.Fatalf("kind %s: %v", domain.KindOf(err), err)
		}
	})
}

// FuzzUnpack: whatever is inside an opened part is unpacked or refused.
func FuzzUnpack(f *testing.F) {
	_, packed := pack([]byte(strings.Repeat("evidence ", 100)))
	f.Add(byte(sealDeflated), packed)
	f.Add(byte(sealStored), []byte("x"))
	f.Add(byte(7), []byte{})
	f.Fuzz(func(t *testing.T, packing byte, body []byte) {
		plain, err := unpack(packing, body)
		if err == nil && len(plain) > maxPlain {
			t.Fatalf("%d bytes", len(plain))
		}
		if err != nil && domain.KindOf(err) != domain.KindCorrupt {
			t.Fatalf("kind %s: %v", domain.KindOf(err), err)
		}
	})
}
