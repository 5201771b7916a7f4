package ledger

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"io"
	"sync"

	"counterfoil/domain"
)

// The sealed part of an event, fixed for ever:
//
//	byte 0       format, 1
//	byte 1       0: plain bytes as they are; 1: DEFLATE (RFC 1951)
//	bytes 2–13   nonce
//	rest         AES-256-GCM of the (compressed) plain bytes, tag at the end
//
// The additional data binds it to its place: bytes 0 and 1, ledger id, event
// id, stream. A sealed part moved to another event does not open.
const (
	sealFormat   = 1
	sealStored   = 0
	sealDeflated = 1
	sealHeader   = 2
	sealNonce    = 12
	maxPlain     = 8 << 20 // what one sealed part may unpack to

	// worthPacking is the least size that is packed, in bytes. Of a bare callback
	// DEFLATE saves 300 bytes, and costs as much time as verifying and deciding it.
	worthPacking = 1024
)

// place is where a sealed part belongs.
type place struct {
	ledger domain.ID
	event  domain.ID
	stream domain.Stream
}

func (p place) additional(format, packing byte) []byte {
	out := make([]byte, 0, 2+32+len(p.stream))
	out = append(out, format, packing)
	out = append(out, p.ledger[:]...)
	out = append(out, p.event[:]...)
	return append(out, p.stream...)
}

func aead(key domain.DataKey) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal packs and encrypts plain for its place.
func seal(key domain.DataKey, at place, plain []byte) ([]byte, error) {
	var nonce [sealNonce]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, domain.E(domain.KindUnavailable, "random source: %w", err)
	}
	return sealWith(key, nonce[:], at, plain)
}

// sealWith is seal with a given nonce; testdata/sealed.json holds what must
// come of it.
func sealWith(key domain.DataKey, nonce []byte, at place, plain []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	packing, body := pack(plain)
	out := make([]byte, sealHeader+sealNonce, sealHeader+sealNonce+len(body)+a.Overhead())
	out[0], out[1] = sealFormat, packing
	copy(out[sealHeader:], nonce)
	return a.Seal(out, nonce, body, at.additional(sealFormat, packing)), nil
}

// unseal is the inverse of seal. Anything that does not open is KindCorrupt: a
// wrong key, another place or changed bytes cannot be told apart.
func unseal(key domain.DataKey, at place, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader+sealNonce || sealed[0] != sealFormat {
		return nil, domain.E(domain.KindCorrupt, "sealed part of %s: unknown format", at.event)
	}
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	nonce, box := sealed[sealHeader:sealHeader+sealNonce], sealed[sealHeader+sealNonce:]
	body, err := a.Open(nil, nonce, box, at.additional(sealed[0], sealed[1]))
	if err != nil {
		return nil, domain.E(domain.KindCorrupt, "sealed part of %s does not open with its key", at.event)
	}
	return unpack(sealed[1], body)
}

var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(io.Discard, flate.BestSpeed)
	return w
}}

// pack compresses plain where that makes it smaller.
func pack(plain []byte) (packing byte, body []byte) {
	if len(plain) < worthPacking {
		return sealStored, plain
	}
	var b bytes.Buffer
	b.Grow(len(plain))
	w, _ := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(plain); err != nil || w.Close() != nil || b.Len() >= len(plain) {
		return sealStored, plain
	}
	return sealDeflated, b.Bytes()
}

// flateReader is what flate.NewReader returns.
type flateReader interface {
	io.Reader
	flate.Resetter
}

// unpackers spare 40 KB of garbage at each sealed part that is opened.
var unpackers = sync.Pool{New: func() any { return flate.NewReader(nil) }}

func unpack(packing byte, body []byte) ([]byte, error) {
	switch packing {
	case sealStored:
		return body, nil
	case sealDeflated:
		r := unpackers.Get().(flateReader)
		defer unpackers.Put(r)
		if err := r.Reset(bytes.NewReader(body), nil); err != nil {
			return nil, domain.E(domain.KindCorrupt, "sealed part does not unpack: %w", err)
		}
		plain, err := io.ReadAll(io.LimitReader(r, maxPlain+1))
		if err != nil {
			return nil, domain.E(domain.KindCorrupt, "sealed part does not unpack: %w", err)
		}
		if len(plain) > maxPlain {
			return nil, domain.E(domain.KindCorrupt, "sealed part unpacks to more than %d bytes", maxPlain)
		}
		return plain, nil
	}
	return nil, domain.E(domain.KindCorrupt, "sealed part: unknown packing %d", packing)
}
